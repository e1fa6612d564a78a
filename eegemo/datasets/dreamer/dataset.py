"""DREAMER as a data set: options, outlines and caveats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

from eegemo.datasets.base import Channels, Dataset, Exclude, Outline, Recording, Run, Subjects
from eegemo.datasets.subjects import choose_numbered
from eegemo.errors import DataError
from eegemo.registry import Positive, Since

__all__ = ["Dreamer"]

_FILE = "DREAMER.mat"


@dataclass(frozen=True, kw_only=True)
class Dreamer(Dataset):
    """DREAMER, as its authors distribute it: a single file, `DREAMER.mat`.

    Time zero is the start of the used part of a clip. Signals are taken as microvolts, since the
    file does not state their unit, and keep their offset.

    Parameters
    ----------
    root : path
        Folder that holds `DREAMER.mat`. A relative path starts at the folder in which the command
        is run.
    subjects : "all" or sequence
        Participants to include, by name or number, as in `[s01, s02]` or `[1, 2]`.
    channels : "eeg", "emotiv" or sequence of str
        All 14 channels, which are those of an Emotiv EPOC headset, or channels by name.
    last : float, optional
        Seconds before the end of each clip that are used. Clips differ in length, from about one
        minute to more than six; the authors used the last 60 s. `null` takes clips as they are.
    rest : float
        Seconds of the neutral clip, from its end, that come before time zero, for
        `preprocessing.baseline`.
    exclude : sequence, optional
        What to leave out, by name: participants and trials, as in `[s05, s01_trial-3]`.
    """

    title: ClassVar[str] = "DREAMER"
    citation: ClassVar[str] = (
        'Katsigiannis & Ramzan (2018), "DREAMER: A Database for Emotion Recognition Through EEG '
        'and ECG Signals From Wireless Low-cost Off-the-Shelf Devices", IEEE Journal of Biomedical '
        "and Health Informatics 22(1), 98-107"
    )
    rating_range: ClassVar[tuple[float, float]] = (1.0, 5.0)
    default_threshold: ClassVar[float] = 3.0
    root: str
    subjects: Subjects = "all"
    channels: Channels = "eeg"
    last: Positive | None = 60.0
    rest: Annotated[float, Ge(0), Le(61)] = 3.0
    exclude: Annotated[Exclude, Since("0.2")] = None

    def find(self) -> list[Recording]:
        """List the participants in the file."""
        from eegemo.datasets.dreamer.contents import count_people
        from eegemo.datasets.exclude import exclude_subjects
        from eegemo.datasets.without_trials import WithoutTrials
        from eegemo.formats.files import check_inside, named_errors

        file = Path(self.root) / _FILE
        with named_errors(file):
            if not file.is_file() and not file.is_symlink():
                raise DataError(f"{self.root}: expected a folder that holds {_FILE}, found none.")
        check_inside(file, Path(self.root))
        names = [f"s{number:02d}" for number in range(1, count_people(file) + 1)]
        wanted = choose_numbered(names, self.subjects, file)
        chosen, trials = exclude_subjects(wanted, self.exclude, file)
        return [WithoutTrials.of(self._recording(file, name), trials[name]) for name in chosen]

    def _recording(self, file: Path, name: str) -> Recording:
        from eegemo.datasets.dreamer.recording import DreamerRecording

        number = int(name[1:])
        last = None if self.last is None else float(self.last)
        return DreamerRecording(
            subject=name,
            files=(file,),
            reader="dreamer-1",
            options={"subject": number, "last": last, "rest": float(self.rest)},
            number=number - 1,
            last=last,
            rest=float(self.rest),
        )

    def outline(self, recording: Recording, *, full: bool = False) -> Outline:
        """Outline a participant from the structure of the file, which is checked completely."""
        from eegemo.datasets.dreamer.recording import DreamerRecording
        from eegemo.datasets.without_trials import WithoutTrials

        if isinstance(recording, WithoutTrials):
            return recording.outline(self.outline(recording.inner, full=full))
        if not isinstance(recording, DreamerRecording):
            raise TypeError(f"expected a recording of DREAMER, found {type(recording).__name__}")
        if full:
            for _ in recording.read():
                pass
        return recording.outline()

    def read_file(
        self, path: Path, *, eeg_only: bool = False, subject: str | None = None
    ) -> Sequence[Run] | None:
        """Read the clips of a participant from ``DREAMER.mat``."""
        if path.name != _FILE:
            return None
        if subject is None:
            raise DataError(f"{path} holds several participants: choose one, as in --subject s01.")
        found = replace(self, root=str(path.parent), subjects=[subject], exclude=None).find()
        return list(found[0].read(eeg_only=eeg_only))

    def notes(self, recordings: Sequence[Recording], preprocessing: Mapping[str, Any]) -> list[str]:
        """Return caveats about the unit and the offset of the signals."""
        notes = ["DREAMER does not state the unit of its signals; they are taken as microvolts."]
        if preprocessing["l_freq"] is None and preprocessing["baseline"] is None:
            notes.append(
                "DREAMER's signals have an offset of about 4,000 microvolts, which neither l_freq "
                "nor baseline removes here."
            )
        return notes

    @classmethod
    def detect(cls, folder: Path) -> Dataset | None:
        """Return the data set of a folder with ``DREAMER.mat``, with complete clips."""
        file = folder / _FILE
        return cls(root=str(folder), last=None) if file.is_file() or file.is_symlink() else None
