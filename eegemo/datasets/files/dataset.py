"""A folder of recordings as a data set: options, outlines, and the survey of a folder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from eegemo.datasets.base import Channels, Dataset, Exclude, Outline, Recording, Subjects, Survey
from eegemo.errors import DataError
from eegemo.registry import Positive

__all__ = ["TABLE", "Events", "Files", "TrialsFrom"]

#: Name of the table of recordings, if the experiment file gives no other.
TABLE = "recordings.csv"
Events = Literal["auto", "table", "annotations", "stim", "none"]
TrialsFrom = Literal["events", "fixed"]


@dataclass(frozen=True, kw_only=True)
class Files(Dataset):
    """A folder of recordings in any format that MNE reads, with a table of them.

    The table has a row per recording: `path` and `subject`, and if needed `session`, `run`, `label`
    (the class of the whole recording), `events` (a table of its trials, or one of the words
    annotations, stim and none) and `stimulus`. `eegemo check FOLDER --write` proposes it.

    Parameters
    ----------
    root : path
        Folder that holds the recordings. A relative path starts at the folder in which the command
        is run.
    table : path
        Table of the recordings, separated by commas, semicolons or tabs; relative to `root`.
    subjects : "all" or sequence
        Participants to include, by name.
    channels : "eeg", "emotiv" or sequence of str
        All EEG channels, the 14 positions of an Emotiv EPOC headset, or channels by name.
    events : {"auto", "table", "annotations", "stim", "none"}
        Where the trials of a recording are: in the table that its row names, in its annotations, in
        its stimulus channel, or nowhere, so that each recording is one trial. `auto` takes the
        first of these that there is. A row can say it for itself.
    stim_channel : str, optional
        Name of the stimulus channel. `null` takes the one that the format marks as such.
    trial_types : sequence of str, optional
        Events that are trials, by their type: `trial_type`, description of the annotation, or code.
        `null` takes all events, except for marks of bad segments.
    trials : {"events", "fixed"}
        Whether each event is a trial (`events`), or recordings are cut into pieces of one length
        (`fixed`): each recording as a whole, or with `trial_types` the events of these types.
    length : float, optional
        Length of a piece in seconds, for `fixed`. What is left at the end is left out.
    tmin : float
        Start of a trial in seconds from its event. Make it negative to subtract a baseline; samples
        before 0 are used for nothing else. For `fixed`, where the first piece starts.
    tmax : float, optional
        End of a trial in seconds from its event, exclusive. `null` takes each trial's own duration.
    exclude : sequence, optional
        What to leave out, by name: participants, recordings and trials, as in `[sub-anna,
        sub-ben_run-2, sub-ben_trial-3]`.
    """

    title: ClassVar[str] = "files"
    last_resort: ClassVar[bool] = True
    root: str
    table: str = TABLE
    subjects: Subjects = "all"
    channels: Channels = "eeg"
    events: Events = "auto"
    stim_channel: str | None = None
    trial_types: Sequence[str] | None = None
    trials: TrialsFrom = "events"
    length: Positive | None = None
    tmin: float = 0.0
    tmax: float | None = None
    exclude: Exclude = None

    def find(self) -> list[Recording]:
        """List the people in the table (see `eegemo.datasets.files.find_recordings_files`)."""
        from eegemo.datasets.files.finding import find_recordings_files

        found = find_recordings_files(
            self.root,
            table=self.table,
            subjects=self.subjects,
            events=self.events,
            stim_channel=self.stim_channel,
            trial_types=self.trial_types,
            trials=self.trials,
            length=self.length,
            tmin=self.tmin,
            tmax=self.tmax,
            exclude=self.exclude,
        )
        return list(found)

    def survey(self) -> Survey:
        """Survey each person in the table; without a table, name the recordings there are."""
        from eegemo.datasets.files.finding import list_rows
        from eegemo.datasets.files.formats import find_bare_files

        root = Path(self.root)
        files = find_bare_files(root)
        if not (root / self.table).is_file():
            kind = f"{len(files)} recordings without a table ({self.table})"
            return Survey(kind, {}, {}, {self.table: "not there; --write makes one"})
        rows = list_rows(root, self.table)
        found: dict[str, Recording] = {}
        broken = {}
        for subject in sorted({row.subject for row in rows}):
            try:
                found[subject] = replace(self, subjects=[subject]).find()[0]
            except DataError as error:
                broken[subject] = [root / r.name for r in rows if r.subject == subject], error
        named = {(root / row.name).resolve() for row in rows}
        ignored = [str(f.relative_to(root)) for f in files if f.resolve() not in named]
        return Survey(f"recordings listed in {self.table}", found, broken, {}, tuple(ignored))

    def outline(self, recording: Recording, *, full: bool = False) -> Outline:
        """Outline the recordings of a person from their headers, or from all signals if `full`."""
        from eegemo.datasets.files.recording import FilesRecording

        if not isinstance(recording, FilesRecording):
            raise TypeError(f"expected a recording of files, found {type(recording).__name__}")
        return recording.outline(full=full)

    @classmethod
    def detect(cls, folder: Path) -> Dataset | None:
        """Return the data set of a folder with a table of recordings, or with recordings."""
        from eegemo.datasets.files.formats import find_bare_files

        if (folder / "dataset_description.json").is_file():
            return None
        if (folder / TABLE).is_file() or find_bare_files(folder, most=1):
            return cls(root=str(folder))
        return None
