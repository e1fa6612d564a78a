"""Recordings given as Python objects, for `eegemo.run_experiment(experiment, data=...)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from eegemo.datasets.base import Channels, Dataset, Recording, Run
from eegemo.errors import DataError
from eegemo.registry import NOT_IN_FILE

if TYPE_CHECKING:
    import mne

__all__ = ["Memory", "MemoryRecording"]

_KEYS = ("subject", "session", "trial", "stimulus")


@dataclass(frozen=True, eq=False)
class MemoryRecording(Recording):
    """Recordings of one subject in memory; `options` has a digest of their content."""

    runs: tuple[Run, ...] = ()

    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield a copy of each run, since preprocessing may change it."""
        for run in self.runs:
            inst = run.inst.copy()
            if eeg_only:
                inst.pick("eeg", exclude=(), verbose="ERROR")
            yield Run(inst, run.make_epochs, run.notes)


@dataclass(frozen=True, kw_only=True)
class Memory(Dataset):
    """Recordings given as Python objects.

    The experiment file records a digest of their content. To run the file again, the objects have
    to be given again. For ratings on another scale than 1 to 9, derive a class with another
    `rating_range`.

    Parameters
    ----------
    channels : "eeg", "emotiv" or sequence of str
        All EEG channels, the 14 positions of an Emotiv EPOC headset, or channels by name.
    content : str
        Digest of signals and metadata, written by `run_experiment`.

    Examples
    --------
    >>> import mne, numpy as np, pandas as pd
    >>> info = mne.create_info(["Fz", "Cz"], 128.0, "eeg")
    >>> about = {"subject": "s01", "session": "1", "trial": [1, 2], "stimulus": ["a", "b"]}
    >>> epochs = mne.EpochsArray(
    ...     np.zeros((2, 2, 256)), info, metadata=pd.DataFrame(about), verbose="ERROR"
    ... )
    >>> data = Memory.of([epochs])
    >>> [recording.subject for recording in data.find()], len(data.content)
    (['s01'], 16)
    """

    title: ClassVar[str] = "recordings given as objects"
    channels: Channels = "eeg"
    content: str = ""
    given: Annotated[tuple[Recording, ...], NOT_IN_FILE] = field(
        default=(), repr=False, compare=False
    )

    @classmethod
    def of(
        cls, recordings: Iterable[mne.BaseEpochs | Run], *, channels: Channels = "eeg"
    ) -> Memory:
        """Create a data set from recordings; a subject may have several.

        Parameters
        ----------
        recordings : iterable of mne.Epochs or Run
            Signals in volts, with time zero at stimulus onset. Epochs have metadata with the
            columns subject, session, trial and stimulus, and ratings or trial_type; a `Run` of a
            Raw has a function that makes such Epochs. Epochs may mix subjects. Trials within Epochs
            have the same length; different Epochs may differ.
        channels : "eeg", "emotiv" or sequence of str
            As in the experiment file.

        Returns
        -------
        data : Memory

        Raises
        ------
        DataError
            If the metadata is missing or lacks a column, or there is no recording.
        """
        runs: dict[str, list[Run]] = {}
        for position, given in enumerate(recordings):
            run = given if isinstance(given, Run) else Run(given)
            for subject, part in _by_subject(run, position):
                runs.setdefault(subject, []).append(part)
        if not runs:
            raise DataError("Memory.of: expected at least one recording, found none.")
        found = tuple(
            MemoryRecording(
                subject=subject,
                files=(),
                reader="memory-1",
                # there are no files: this digest names the stored trials
                options={"content": _digest(parts)},
                runs=tuple(parts),
            )
            for subject, parts in sorted(runs.items())
        )
        from eegemo.store import digest_json

        content = digest_json(
            [[recording.subject, dict(recording.options)] for recording in found]
        )[:16]
        return cls(given=found, channels=channels, content=content)

    @property
    def place(self) -> str:
        """``memory``, since there is no folder."""
        return "memory"

    def find(self) -> list[Recording]:
        """List the given recordings, by subject."""
        if not self.given:
            raise DataError(
                "data: this experiment was run on recordings given as objects "
                f"({self.content or 'no digest'}); give them again, as "
                "run_experiment(experiment, data=Memory.of(...))."
            )
        return list(self.given)


def _by_subject(run: Run, position: int) -> list[tuple[str, Run]]:
    """Divide a run by subject."""
    import pandas as pd

    tables = [getattr(epochs, "metadata", None) for epochs in run.cut(run.inst.copy())]
    absent = [name for name in _KEYS if any(table is None or name not in table for table in tables)]
    if absent:
        raise DataError(
            f"Memory.of: recording {position + 1} ({type(run.inst).__name__}) needs metadata with "
            f"the columns {', '.join(_KEYS)}; it lacks {', '.join(absent)}."
        )
    subjects = pd.concat(tables)["subject"].astype(str)
    names = list(dict.fromkeys(subjects))
    if len(names) == 1:
        return [(names[0], run)]
    if run.make_epochs is not None:
        raise DataError(
            f"Memory.of: recording {position + 1} is continuous and of {len(names)} subjects; "
            "expected one."
        )
    return [(name, Run(run.inst[(subjects == name).to_numpy()], None, run.notes)) for name in names]


def _breaks_of(inst: Any) -> list[str]:
    """Return the marks of breaks as text."""
    from eegemo.datasets.breaks import is_break

    marks = inst.annotations
    if marks is None:
        return []
    return [
        f"{onset - inst.first_time:.9g} {duration:.9g} {name}"
        if hasattr(inst, "first_time")
        else f"{onset:.9g} {duration:.9g} {name} {inst.events[:, 0].tolist()}"
        for onset, duration, name in zip(
            marks.onset, marks.duration, marks.description, strict=True
        )
        if is_break(str(name))
    ]


def _digest(runs: Sequence[Run]) -> str:
    """Return a digest of the content of runs."""
    import numpy as np

    from eegemo.store import digest_bytes

    parts: list[bytes] = []
    for run in runs:
        instances: list[Any] = [run.inst]
        if run.make_epochs is not None:  # a function is identified by what it returns
            instances += run.cut(run.inst.copy())
        for inst in instances:
            about = [
                *inst.ch_names,
                *inst.get_channel_types(),
                "bads",
                *inst.info["bads"],
                repr(float(inst.info["sfreq"])),
                repr(float(inst.times[0])),
            ]
            positions = np.array([channel["loc"][:3] for channel in inst.info["chs"]], "<f8")
            parts += ["\0".join(about).encode(), positions.tobytes()]
            metadata = getattr(inst, "metadata", None)
            if metadata is not None:
                kinds = ",".join(map(str, metadata.dtypes))
                parts.append(f"{kinds}\n{metadata.to_csv(index=False)}".encode())
            parts += [text.encode() for text in _breaks_of(inst)]  # without any, nothing changes
            parts.append(np.ascontiguousarray(inst.get_data(), "<f8").tobytes())
    return digest_bytes(*parts)
