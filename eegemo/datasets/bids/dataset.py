"""BIDS EEG as a data set: options, outlines, and the survey of a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eegemo.datasets.base import Channels, Dataset, Outline, Recording, Subjects, Survey
from eegemo.errors import DataError

__all__ = ["Bids"]

_DESCRIPTION = "dataset_description.json"


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
        End of a trial in seconds from its event, exclusive. `null` takes the shortest `duration` of
        all trials.
    trial_types : sequence of str, optional
        Events that are trials, by their `trial_type`. `null` takes all events, except for marks of
        bad segments.
    """

    title: ClassVar[str] = "BIDS"
    root: str
    task: str | None = None
    subjects: Subjects = "all"
    channels: Channels = "eeg"
    tmin: float = 0.0
    tmax: float | None = None
    trial_types: Sequence[str] | None = None

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
        )
        return list(found)

    def outline(self, recording: Recording, *, full: bool = False) -> Outline:
        """Outline a subject from its events and its first run, or from all runs if `full`."""
        import pandas as pd

        from eegemo.datasets.bids.recording import BidsRecording

        if not isinstance(recording, BidsRecording):
            raise TypeError(f"expected a recording of BIDS, found {type(recording).__name__}")
        runs = recording.read(eeg_only=not full)
        inst = next(runs).inst  # there is one, or `read` has said why not
        kinds = zip(inst.ch_names, inst.get_channel_types(), strict=True)
        names = tuple(name for name, kind in kinds if kind == "eeg")
        sfreq = float(inst.info["sfreq"])
        del inst
        if full:
            for _ in runs:
                pass
        events = pd.concat(recording.events, ignore_index=True).drop(columns="onset")
        seconds = recording.tmax - max(recording.tmin, 0.0)
        return Outline(events, (seconds,) * len(events), sfreq, names)

    def survey(self) -> Survey:
        """Survey each subject of each task."""
        from dataclasses import replace

        from eegemo.datasets.bids.files import find_paths
        from eegemo.formats.files import list_folder

        root = Path(self.root)
        paths = find_paths(root)
        tasks = sorted({str(path.task) for path in paths})
        found: dict[str, Recording] = {}
        broken = {}
        for task in tasks:
            for subject in sorted({path.subject for path in paths if str(path.task) == task}):
                name = f"sub-{subject}" + (f", {task}" if len(tasks) > 1 else "")
                try:
                    found[name] = replace(self, task=task, subjects=[subject]).find()[0]
                except DataError as error:
                    files = [Path(path.fpath) for path in paths if path.subject == subject]
                    broken[name] = files, error
        used = {path.subject for path in paths}
        ignored = [
            folder.name
            for folder in list_folder(root)
            if folder.name.startswith("sub-") and folder.name.removeprefix("sub-") not in used
        ]
        kind = f"BIDS, task {', '.join(tasks)}" if tasks else "BIDS, without EEG"
        return Survey(kind, found, broken, {}, tuple(ignored))

    @classmethod
    def detect(cls, folder: Path) -> Dataset | None:
        """Return the data set of a folder with a BIDS description."""
        return cls(root=str(folder)) if (folder / _DESCRIPTION).is_file() else None
