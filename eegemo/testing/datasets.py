"""The contract of a data set: everything that the path from recordings to reports relies on.

For the tests of a package that brings a data set::

    def test_my_data(tmp_path):
        check_dataset(MyData(root=str(tmp_path)))
"""

import inspect
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from eegemo.datasets import Context, Dataset, Recording, Survey
from eegemo.errors import ConfigError, DataError
from eegemo.execution import Progress
from eegemo.registry import REQUIRED, options_of
from eegemo.testing.findings import calling, fail, is_plain, send
from eegemo.testing.recordings import check_outline, check_reading, default_steps

__all__ = ["check_dataset"]

_MOST_PICKLED = 1_000_000  # bytes of a recording that is on disk


@dataclass(frozen=True)
class _Context:
    progress: Progress


def check_dataset(dataset: Dataset, *, recordings: int = 2, context: Context | None = None) -> None:
    """Check that a data set keeps every promise that eegemo relies on.

    Parameters
    ----------
    dataset : Dataset
        With options that lead to data: a few small recordings will do.
    recordings : int
        How many recordings are read; the others are only listed.
    context : Context, optional
        For `Dataset.prepare`, if it needs more than progress.

    Raises
    ------
    AssertionError
        For the first promise that is broken: the file and the function of the data set, what was
        expected and what was found.
    DataError
        If the data set refuses the data.

    Notes
    -----
    What only its authors know cannot be checked: that a rating belongs to its trial, for example,
    or that time zero is when the stimulus started. What can be seen of the latter is: that trials
    go on after time zero, for as long as `Dataset.outline` says.

    Examples
    --------
    >>> import mne, numpy as np, pandas as pd
    >>> from eegemo.datasets.memory import Memory
    >>> info = mne.create_info(["Fz", "Cz"], 128.0, "eeg")
    >>> about = {"subject": "s01", "session": "1", "trial": [1, 2], "stimulus": ["a", "b"]}
    >>> noise = 1e-5 * np.random.default_rng(0).normal(size=(2, 2, 256))
    >>> epochs = mne.EpochsArray(noise, info, metadata=pd.DataFrame(about), verbose="ERROR")
    >>> check_dataset(Memory.of([epochs]))
    >>> epochs.metadata["trial"] = ["1", "2"]
    >>> check_dataset(Memory.of([epochs]))
    Traceback (most recent call last):
    AssertionError: ...memory.py, line ..., MemoryRecording.read: expected whole numbers in the
    metadata's column 'trial' (subject s01); found ['1', '2'].
    """
    _check_class(dataset)
    with calling(dataset.prepare):
        dataset.prepare(_Context(Progress()) if context is None else context)
    found = _check_find(dataset)
    _check_subjects(dataset, found)
    for recording in found[:recordings]:
        trials = check_reading(dataset, recording)
        check_outline(dataset, recording, trials)
    _check_notes(dataset, found)
    _check_folders(dataset)


def _check_class(dataset: Dataset) -> None:
    kind = type(dataset)
    if not isinstance(dataset, Dataset):
        fail(
            kind, "a subclass of eegemo.datasets.Dataset", [base.__name__ for base in kind.__mro__]
        )
    parameters = getattr(kind, "__dataclass_params__", None)
    if "__dataclass_params__" not in vars(kind) or not (parameters and parameters.frozen):
        fail(kind, "a dataclass with frozen=True, since it is sent to other processes", "none")
    for name in ("title", "citation"):
        text = getattr(dataset, name, None)
        if not isinstance(text, str) or (name == "title" and not text.strip()):
            fail(kind, f"a text as {name}", text)
    low, high = dataset.rating_range
    if not low < dataset.default_threshold < high:
        fail(
            kind,
            "a default_threshold inside rating_range",
            f"{dataset.default_threshold} and {dataset.rating_range}",
        )
    taken = {field.name for field in fields(dataset) if field.init}  # type: ignore[arg-type]
    options = options_of(kind)
    positional = [
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    if positional:
        fail(kind, "keyword-only fields (kw_only=True), which are its options", positional)
    for option in options.values():
        if not option.text:
            fail(
                kind,
                f"words for the option {option.name!r} in the docstring's Parameters",
                f"words for {[name for name in taken if options.get(name) and options[name].text]}",
            )
        if option.default is not REQUIRED and not is_plain(option.default):
            fail(kind, f"a default of {option.name!r} that YAML can hold", option.default)
    with calling(kind):
        again, _ = send(dataset)
    if [getattr(again, name) for name in options] != [getattr(dataset, name) for name in options]:
        fail(kind, "the same options after pickling", again)


def _check_find(dataset: Dataset) -> list[Recording]:
    find = dataset.find
    with calling(find):
        found, again = dataset.find(), dataset.find()
    if not isinstance(found, list) or not found:
        fail(find, "a list of at least one Recording", found)
    for recording in found:
        if not isinstance(recording, Recording):
            fail(find, "a list of Recording", recording)
        if not isinstance(recording.subject, str) or not recording.subject:
            fail(find, "a text as subject", recording.subject)
    subjects = [recording.subject for recording in found]
    if len(set(subjects)) < len(subjects):
        fail(find, "one recording per subject", subjects)
    if subjects != sorted(subjects):
        fail(find, "recordings sorted by subject", subjects)
    for recording in found:
        _check_recording(find, recording)
    if [_identity(recording) for recording in again] != [_identity(r) for r in found]:
        fail(find, "the same recordings at every call", [r.subject for r in again])
    return found


def _identity(recording: Recording) -> tuple[Any, ...]:
    return recording.subject, recording.files, recording.reader, dict(recording.options)


def _check_recording(find: Callable[..., Any], recording: Recording) -> None:
    who = f"(subject {recording.subject})"
    files = recording.files
    if not isinstance(files, tuple) or not all(isinstance(file, Path) for file in files):
        fail(find, f"a tuple of pathlib.Path as files {who}", files)
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        fail(find, f"files that are there {who}", absent)
    if not files and not recording.options:
        fail(
            find,
            f"files, or options with a digest of the content, by which trials are stored {who}",
            "neither",
        )
    if not isinstance(recording.reader, str) or not recording.reader.strip():
        fail(find, f"name and version of the reader, such as 'mine-1' {who}", recording.reader)
    if not is_plain(dict(recording.options)):
        fail(find, f"options that JSON can hold {who}", dict(recording.options))
    with calling(type(recording)):
        _, n_bytes = send(recording)
    if files and n_bytes > _MOST_PICKLED:
        fail(
            find,
            f"a recording without signals, to be sent to other processes {who}",
            f"{n_bytes:,} bytes when pickled",
        )


def _check_subjects(dataset: Dataset, found: Sequence[Recording]) -> None:
    """Check that the option `subjects`, if there is one, chooses, and refuses a stranger."""
    if "subjects" not in options_of(type(dataset)):
        return
    whole: Any = dataset  # a dataclass, as has been checked
    last = found[-1].subject
    with calling(dataset.find):
        chosen = [recording.subject for recording in replace(whole, subjects=[last]).find()]
    if chosen != [last]:
        fail(dataset.find, f"only {last} with subjects=[{last!r}]", chosen)
    try:
        with calling(dataset.find):
            chosen = [recording.subject for recording in replace(whole, subjects=["nobody"]).find()]
    except (DataError, ConfigError):
        return
    fail(dataset.find, "a DataError with subjects=['nobody']", chosen)


def _check_notes(dataset: Dataset, found: Sequence[Recording]) -> None:
    steps = {**default_steps(), "channels": dataset.kept_channels}
    for change in ({}, {"l_freq": 1.0, "h_freq": 60.0, "notch": 50.0, "reference": "average"}):
        with calling(dataset.notes):
            notes = dataset.notes(found, steps | change)
        if not isinstance(notes, list):
            fail(dataset.notes, "a list of sentences", notes)
        for note in map(str, notes):
            if not note.rstrip().endswith(".") or "\n" in note:
                fail(dataset.notes, "a list of sentences, each ending with a full stop", note)


def _check_folders(dataset: Dataset) -> None:
    """Check that files and folders of something else are left to others."""
    kind = type(dataset)
    with tempfile.TemporaryDirectory() as folder:
        stray = Path(folder) / "notes.txt"
        stray.write_text("no recording", encoding="utf-8")
        with calling(kind.detect):
            other = kind.detect(Path(folder))
        if other is not None:
            fail(kind.detect, "None for a folder of something else", other)
        with calling(dataset.read_file):
            runs = dataset.read_file(stray)
        if runs is not None:
            fail(dataset.read_file, "None for a file of another kind", runs)
    place = Path(dataset.place)
    with calling(kind.detect):
        own = kind.detect(place) if place.is_dir() else None
    if own is not None:
        with calling(own.survey):
            survey = own.survey()
        if not isinstance(survey, Survey) or not survey.kind:
            fail(own.survey, "a Survey that says of which kind the folder is", survey)
