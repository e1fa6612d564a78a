"""DEAP as a data set: options, outlines, and the preprocessing already done by its authors."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from eegemo.datasets.base import (
    RATINGS,
    Channels,
    Dataset,
    Exclude,
    Outline,
    Recording,
    Run,
    Subjects,
    Survey,
    outline_runs,
)
from eegemo.datasets.deap.constants import (
    BASELINE_DURATION,
    DEAP_EEG_CHANNELS,
    FORMS,
    SFREQ,
)
from eegemo.errors import DataError, InputError
from eegemo.registry import Since

__all__ = ["Deap", "outline_ratings"]

_NAME = re.compile(r"s\d\d+")
_PARTICIPANTS = 32
_VIDEO = 60.0  # seconds
_RAW_SFREQ = 512.0


@dataclass(frozen=True, kw_only=True)
class Deap(Dataset):
    """DEAP, as preprocessed by its authors or as it was recorded.

    Parameters
    ----------
    root : path
        Folder of the release, or the one that holds the `sNN` files. A relative path starts at the
        folder in which the command is run.
    variant : {"python", "matlab", "bdf"}
        Read the `.dat` files, the `.mat` files, or the original recordings (`.bdf`).
    subjects : "all" or sequence
        Participants to include, by name or number, as in `[s01, s02]` or `[1, 2]`.
    channels : "eeg", "emotiv" or sequence of str
        All 32 EEG channels, the 14 positions of an Emotiv EPOC headset, or channels by name, which
        may include DEAP's peripheral channels.
    exclude : sequence, optional
        What to leave out, by name: participants and trials, as in `[s05, s01_trial-3]`.
    """

    title: ClassVar[str] = "DEAP"
    citation: ClassVar[str] = (
        'Koelstra et al. (2012), "DEAP: A Database for Emotion Analysis using Physiological '
        'Signals", IEEE Transactions on Affective Computing 3(1), 18-31'
    )
    root: str
    variant: Literal["python", "matlab", "bdf"] = "python"
    subjects: Subjects = "all"
    channels: Channels = "eeg"
    exclude: Annotated[Exclude, Since("0.2")] = None

    def find(self) -> list[Recording]:
        """List the participants (see `eegemo.datasets.deap.find_recordings_deap`)."""
        from eegemo.datasets.deap.finding import find_recordings_deap

        return find_recordings_deap(
            self.place, variant=self.variant, subjects=self.subjects, exclude=self.exclude
        )

    def outline(self, recording: Recording, *, full: bool = False) -> Outline:
        """Outline a participant; of an original recording, only the ratings are read."""
        import pandas as pd

        from eegemo.datasets.without_trials import WithoutTrials

        if isinstance(recording, WithoutTrials):
            if full:
                return outline_runs(recording)
            return recording.outline(self.outline(recording.inner))
        from eegemo.datasets.deap.preprocessed import load_deap_arrays
        from eegemo.datasets.deap.ratings import read_ratings_table
        from eegemo.datasets.deap.raw import RawDeapRecording
        from eegemo.datasets.deap.trials import participant_number

        if isinstance(recording, RawDeapRecording):
            if full and not list(recording.read()):
                raise DataError(f"subject {recording.subject} has no run with trials.")
            table = read_ratings_table(recording.ratings, participant_number(recording.files[0]))
            ratings = table.sort_values("experiment_id")
            return outline_ratings(
                recording.subject, ratings, self._video, _RAW_SFREQ, DEAP_EEG_CHANNELS
            )
        data, labels = load_deap_arrays(recording.files[0])
        ratings = pd.DataFrame(labels, columns=list(RATINGS))
        seconds = data.shape[2] / SFREQ - BASELINE_DURATION
        return outline_ratings(recording.subject, ratings, seconds, SFREQ, DEAP_EEG_CHANNELS)

    @property
    def _video(self) -> float:
        """Duration of a video in seconds, which only the signals of original recordings contain."""
        return _VIDEO

    def read_file(
        self, path: Path, *, eeg_only: bool = False, subject: str | None = None
    ) -> Sequence[Run] | None:
        """Open ``sNN.bdf`` as an original recording.

        Its channels get DEAP's names. If ``participant_ratings`` is in its folder or the one above,
        it is epoched into trials. (``.dat`` and ``.mat`` are opened for any data set.)
        """
        if not re.fullmatch(r"s\d\d+\.bdf", path.name):
            return None
        from eegemo.datasets.deap.channels import open_raw_deap
        from eegemo.datasets.deap.ratings import find_ratings_table
        from eegemo.datasets.deap.trials import find_trials_deap

        raw, notes = open_raw_deap(path)
        try:
            table = find_ratings_table(path.parent)
        except DataError:
            return [Run(raw, None, tuple(notes))]
        make_epochs, more = find_trials_deap(raw, table)
        return [Run(raw, make_epochs, (*notes, *more))]

    def notes(self, recordings: Sequence[Recording], preprocessing: Mapping[str, Any]) -> list[str]:
        """Return caveats about steps that DEAP's authors have already done."""
        # the reader of the preprocessed files; that of the original recordings has another name
        if not any(re.fullmatch(r"deap-\d+", recording.reader) for recording in recordings):
            return []
        return [f"DEAP's preprocessed files {note}" for note in _repeated(preprocessing)]

    def survey(self) -> Survey:
        """Survey each file with the name of a participant."""
        from dataclasses import replace

        from eegemo.formats.files import list_folder

        root = Path(self.root)
        name, suffix = FORMS[self.variant]
        folder = root / name if (root / name).is_dir() else root
        files = _named(folder, suffix)
        if not files:
            raise InputError(f"{root}: holds no file named like s01.dat, s01.mat or s01.bdf.")
        found: dict[str, Recording] = {}
        broken = {}
        for file in files:
            try:
                found[file.stem] = replace(self, subjects=[file.stem], exclude=None).find()[0]
            except DataError as error:
                broken[file.stem] = [file], error
        wanted = [f"s{number:02d}" for number in range(1, self._n_participants + 1)]
        present = {file.stem for file in files}
        missing = {name: f"no {name}{suffix}" for name in wanted if name not in present}
        ignored = [f.name for f in list_folder(folder) if f.is_file() and f not in files]
        return Survey(f"{self.title}, {name}", found, broken, missing, tuple(ignored))

    @property
    def _n_participants(self) -> int:
        return _PARTICIPANTS

    @classmethod
    def detect(cls, folder: Path) -> Dataset | None:
        """Return the data set of a release of DEAP, or of one of its folders."""
        if (folder / "dataset_description.json").is_file():
            return None  # BIDS, which may keep a copy of what it was made from
        forms = {
            variant: (folder / name if (folder / name).is_dir() else folder)
            for variant, (name, suffix) in FORMS.items()
            if (folder / name).is_dir() or _named(folder, suffix)
        }
        if not forms:
            return None
        filled = [variant for variant, path in forms.items() if _named(path, FORMS[variant][1])]
        return Deap(root=str(folder), variant=(filled or list(forms))[0])  # type: ignore[arg-type]


def _named(folder: Path, suffix: str) -> list[Path]:
    from eegemo.formats.files import list_folder

    return [f for f in list_folder(folder) if f.suffix == suffix and _NAME.fullmatch(f.stem)]


def _repeated(steps: Mapping[str, Any]) -> list[str]:
    low, high = steps["l_freq"], steps["h_freq"]
    notes = []
    if (low is not None and low < 4) or (high is not None and high > 45):
        notes.append("hold nothing outside 4 to 45 Hz, so a wider band-pass brings nothing back.")
    elif low is not None or high is not None:
        notes.append("were filtered to 4-45 Hz by its authors; they were filtered again.")
    if steps["notch"] is not None:
        notes.append("hold no line noise above their 45 Hz; the notch was applied all the same.")
    if steps["eog"] != "none":
        notes.append(
            f"were freed of eye movements by its authors; eog: {steps['eog']} removed what goes "
            "with the EOG again, which is not filtered unless l_freq and h_freq are given."
        )
    if steps["reference"] is not None:
        notes.append(
            "have the average reference of all 32 channels; that of the chosen ones was taken."
        )
    return notes


def outline_ratings(
    subject: str, ratings: Any, duration: float, sfreq: float, ch_names: Sequence[str]
) -> Outline:
    """Outline a participant from the ratings of all videos, a DataFrame in their order."""
    import numpy as np
    import pandas as pd

    n = len(ratings)
    names = {"subject": [subject] * n, "session": ["1"] * n, "trial": np.arange(1, n + 1)}
    names["stimulus"] = [f"video{k:02d}" for k in range(1, n + 1)]
    about = pd.DataFrame(names).assign(**{name: ratings[name].to_numpy() for name in RATINGS})
    return Outline(about, (duration,) * n, sfreq, tuple(ch_names))
