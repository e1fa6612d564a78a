"""BIDS EEG as a data set: options, outlines, and the survey of a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MinLen

from eegemo.datasets.base import (
    Channels,
    Dataset,
    Exclude,
    Outline,
    Recording,
    Subjects,
    Survey,
)
from eegemo.errors import DataError
from eegemo.registry import Positive, Since

__all__ = ["Bids"]

_DESCRIPTION = "dataset_description.json"

#: Type of the options that choose recordings by a label.
Chosen = Literal["all"] | str | int | Annotated[Sequence[str | int], MinLen(1)]


@dataclass(frozen=True, kw_only=True)
class Bids(Dataset):
    """EEG in BIDS.

    Parameters
    ----------
    root : path
        Folder that holds `dataset_description.json`. A relative path starts at the folder in which
        the command is run.
    task : str, optional
        Label of the task in the file names; needed if there are several tasks.
    subjects : "all" or sequence
        Participants to include, by label, with or without `sub-`.
    channels : "eeg", "emotiv" or sequence of str
        All EEG channels (also those marked bad, so that all recordings have the same channels), the
        14 positions of an Emotiv EPOC headset, or channels by name.
    tmin : float
        Start of a trial in seconds from its event. Make it negative to subtract a baseline; samples
        before 0 are used for nothing else.
    tmax : float, optional
        End of a trial in seconds from its event, exclusive. `null` ends each trial after its own
        `duration`, so that trials may differ in length.
    trial_types : sequence of str, optional
        Events that are trials, by their `trial_type`, or by their `value` where they have none.
        `null` takes all events, except for marks of breaks and bad segments.
    trials : {"events", "fixed"}
        Whether each event is a trial (`events`), or recordings are cut into pieces of one length
        (`fixed`): each recording as a whole, or with `trial_types` the events of these types.
    length : float, optional
        Length of a piece in seconds, for `fixed`. What is left at the end is left out.
    sessions : "all", str, int or sequence
        Sessions to include, by label, as in `[1, 2]`.
    runs : "all", str, int or sequence
        Runs to include, by label, as in `[1, 2]`.
    acquisition : "all", str, int or sequence
        Recordings to include, by their label `acq-`, as in `clean`; `n/a` for those without one.
    processing : "all", str, int or sequence
        Recordings to include, by their label `proc-`; `n/a` for those without one.
    exclude : sequence, optional
        What to leave out, by name: participants, recordings and trials, as in
        `[sub-03, sub-04_run-2, sub-01_trial-3]`. Each name has to fit something.
    times : {"seconds", "milliseconds"}
        Unit of `onset` and `duration` in the tables of events. BIDS has seconds.
    """

    title: ClassVar[str] = "BIDS"
    root: str
    task: str | None = None
    subjects: Subjects = "all"
    channels: Channels = "eeg"
    tmin: float = 0.0
    tmax: float | None = None
    trial_types: Sequence[str] | None = None
    trials: Annotated[Literal["events", "fixed"], Since("0.2")] = "events"
    length: Annotated[Positive | None, Since("0.2")] = None
    sessions: Annotated[Chosen, Since("0.2")] = "all"
    runs: Annotated[Chosen, Since("0.2")] = "all"
    acquisition: Annotated[Chosen, Since("0.2")] = "all"
    processing: Annotated[Chosen, Since("0.2")] = "all"
    exclude: Annotated[Exclude, Since("0.2")] = None
    times: Annotated[Literal["seconds", "milliseconds"], Since("0.2")] = "seconds"

    def find(self) -> list[Recording]:
        """List the subjects with EEG (see `eegemo.datasets.bids.find_recordings_bids`)."""
        from eegemo.datasets.bids.finding import find_recordings_bids

        found = find_recordings_bids(
            self.root,
            task=self.task,
            subjects=self.subjects,
            tmin=self.tmin,
            tmax=self.tmax,
            trial_types=self.trial_types,
            trials=self.trials,
            length=self.length,
            sessions=self.sessions,
            runs=self.runs,
            acquisition=self.acquisition,
            processing=self.processing,
            exclude=self.exclude,
            times=self.times,
        )
        return list(found)

    def outline(self, recording: Recording, *, full: bool = False) -> Outline:
        """Outline a subject from its events and its first run, or from all runs if `full`."""
        import pandas as pd

        from eegemo.datasets.bids.recording import BidsRecording

        if not isinstance(recording, BidsRecording):
            raise TypeError(f"expected a recording of BIDS, found {type(recording).__name__}")
        if recording.length is not None:
            for _ in recording.read() if full else ():
                pass
            return recording.outline_pieces()
        runs = recording.read(eeg_only=not full)
        inst = next(runs).inst  # there is one, or `read` has said why not
        kinds = zip(inst.ch_names, inst.get_channel_types(), strict=True)
        names = tuple(name for name, kind in kinds if kind == "eeg")
        sfreq = float(inst.info["sfreq"])
        del inst
        if full:
            for _ in runs:
                pass
        events = pd.concat(recording.events, ignore_index=True)
        ends = events["duration"] if recording.tmax is None else [recording.tmax] * len(events)
        seconds = tuple(float(end) - max(recording.tmin, 0.0) for end in ends)
        return Outline(events.drop(columns=["onset", "duration"]), seconds, sfreq, names)

    def notes(self, recordings: Sequence[Recording], preprocessing: Mapping[str, Any]) -> list[str]:
        """Return what was found in the files and tables of all recordings, counted."""
        from eegemo.datasets.bids.recording import BidsRecording
        from eegemo.datasets.bids.told import sum_up

        return sum_up([found for found in recordings if isinstance(found, BidsRecording)])

    def survey(self) -> Survey:
        """Survey each subject of each task."""
        from dataclasses import replace

        from eegemo.datasets.bids.paths import find_paths, find_unread
        from eegemo.datasets.bids.tables import list_events
        from eegemo.formats.files import list_folder

        root = Path(self.root)
        paths = find_paths(root)
        tasks = list({path.task.casefold(): path.task for path in reversed(paths)}.values())[::-1]
        found: dict[str, Recording] = {}
        broken = {}
        for task in tasks:
            here = {path.subject for path in paths if path.task.casefold() == task.casefold()}
            for subject in sorted(here):
                name = f"sub-{subject}" + (f", {task}" if len(tasks) > 1 else "")
                try:
                    found[name] = replace(self, task=task, subjects=[subject]).find()[0]
                except DataError as error:
                    files = [path.fpath for path in paths if path.subject == subject]
                    broken[name] = files, error
        used = {path.subject for path in paths}
        ignored = [
            folder.name
            for folder in list_folder(root)
            if folder.name.startswith("sub-") and folder.name.removeprefix("sub-") not in used
        ]
        ignored += [file.name for file in find_unread(root)]
        kind = f"BIDS, task {', '.join(tasks)}" if tasks else "BIDS, without EEG"
        lost = {name.removeprefix("sub-").partition(",")[0] for name in broken}
        events = list_events([path for path in paths if path.subject in lost], root)
        return Survey(kind, found, broken, {}, tuple(ignored), events)

    @classmethod
    def detect(cls, folder: Path) -> Dataset | None:
        """Return the data set of a folder with a BIDS description."""
        return cls(root=str(folder)) if (folder / _DESCRIPTION).is_file() else None
