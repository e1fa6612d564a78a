"""Apply a stored result to a new recording: a table and a timeline of class probabilities.

Preprocessing steps, windows, channels and classes are those of the result's training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from eegemo.datasets.breaks import gaps_before, parse_spans
from eegemo.errors import DataError, InputError
from eegemo.inference.events import bids_subject, stated_references
from eegemo.inference.folder import check_free, write_prediction
from eegemo.inference.models import choose_scaling, mean_probabilities, tabulate_windows
from eegemo.inference.recording import match_channels, read_recording, window_recording
from eegemo.inference.scoring import Scored, find_classes, score_windows
from eegemo.inference.unlike import describe_reference, describe_unlike
from eegemo.pages.words import count_of
from eegemo.preprocessing import Record, preprocess
from eegemo.results import Result, open_result
from eegemo.runs.dataset import make_dataset
from eegemo.scaling import Scaling
from eegemo.windows import Windows

__all__ = ["RecordingPrediction", "predict_recording"]


@dataclass(frozen=True)
class RecordingPrediction:
    """Predictions of a result's models for one recording.

    Attributes
    ----------
    table : DataFrame
        A row per window: ``start`` and ``stop`` in seconds, ``p_<class>``, ``predicted``; preceded
        by subject, session and trial where the recording is in trials, and with ``y_true`` where
        these have classes (empty for a trial without one).
    folder : Path
        It has ``predictions.csv``, ``predictions.parquet``, ``timeline.png``, ``timeline.svg`` and
        ``about.json``; where trials have classes, ``confusion.csv`` and its figure.
    sentence : str
        Summary of the predictions.
    notes : tuple of str
        Caveats.
    scored : Scored or None
        Scores, where the trials of the recording have classes.
    """

    table: pd.DataFrame
    folder: Path
    sentence: str
    notes: tuple[str, ...]
    scored: Scored | None = None


def predict_recording(
    result: str | Path,
    recording: str | Path,
    *,
    fold: int | str = "all",
    subject: str | None = None,
    out: str | Path | None = None,
    force: bool = False,
    trust: bool = False,
) -> RecordingPrediction:
    """Classify a recording with the stored models of a result.

    Parameters
    ----------
    result : path
        A result folder.
    recording : path
        See `eegemo.inference.read_recording`.
    fold : int or "all"
        The number of a fold; "all" for the mean probabilities of all folds.
    subject : str, optional
        The participant; if not given, the label in a BIDS name, or the name of the file. If each
        model was trained on one subject, the models of this subject are used. If training scaled
        each subject by itself and included this one, its scaling is used.
    out : path, optional
        Folder for table and figure; next to the result if not given.
    force : bool
        Replace an earlier prediction in that folder.
    trust : bool
        Whether a model or data set that the result names by an import path may be imported, which
        runs its code.

    Returns
    -------
    prediction : RecordingPrediction

    Raises
    ------
    InputError
        If the result, the recording or the fold is missing or corrupt, they do not match, or the
        folder holds an earlier prediction.
    """
    recording = Path(recording)
    stored = open_result(result, trust=trust)
    stored.check_folds()
    who = subject or bids_subject(recording) or recording.stem
    folds = _choose_folds(stored, fold, who)
    numbers = [int(record["fold"]) for record in folds]
    chosen = "" if fold == "all" else f"-fold{fold}"
    name = f"predict-{recording.stem}-{stored.path.resolve().name}{chosen}"
    folder = stored.path.resolve().parent / name if out is None else Path(out)
    check_free(folder, force=force)
    try:
        windows, original, notes = _make_windows(stored, recording, who, subject)
    except DataError as error:
        # or with a table that lies beside it
        named = str(error).startswith((str(recording), str(recording.resolve().parent)))
        raise DataError(str(error) if named else f"{recording}: {error}") from error
    continuous = original is not None
    codes, about_classes = None, list[str]()
    if not continuous:
        dataset = make_dataset(stored.experiment, trust=trust)
        codes, about_classes = find_classes(stored, windows.trials.metadata, dataset)
    scaled: list[str] = []

    def models() -> Iterator[tuple[Any, Scaling]]:
        for number in numbers:
            model, of_training = stored.load_model(number)
            scaling, sentence = choose_scaling(of_training, windows, subject=subject)
            scaled.append(sentence)
            yield model, scaling

    probabilities = mean_probabilities(models(), windows)
    table = tabulate_windows(windows, probabilities, trials=not continuous)
    sentence = _summarise(recording.name, table, stored.classes, continuous=continuous)
    scored = None
    if codes is not None:
        truth = np.array([*stored.classes, ""], object)[codes[windows.trial]]
        table.insert(len(table.columns) - 1, "y_true", truth)
        scored = score_windows(windows, probabilities, codes, stored.classes)
    if scored is not None:
        sentence = f"{sentence} {scored.sentence}"
    notes = (
        _describe_models(folds),
        *dict.fromkeys(scaled),
        *describe_reference(
            stored.signals,
            stated_references(recording),
            stored.experiment.preprocessing.reference,
        ),
        *describe_unlike(windows, stored.signals),
        *notes,
        *about_classes,
        *_warnings(stored, folds, who, scored is not None),
    )
    gaps = _count_gaps(table, windows, original) if original is not None else []
    about = {
        "sentence": sentence,
        "notes": list(notes),
        "recording": str(recording),
        "result": stored.path.resolve().name,
        "digests": stored.provenance["digests"],
        "folds": numbers,
    }
    if scored is not None:
        about["scores"] = {"window": scored.window, "trial": scored.trial}
    write_prediction(folder, table, stored.classes, about, scored=scored, gaps=gaps)
    return RecordingPrediction(table, folder, sentence, notes, scored)


def _choose_folds(stored: Result, fold: int | str, who: str) -> list[dict[str, Any]]:
    """Return the records of the folds whose models predict."""
    records = {str(record["fold"]): record for record in stored.records}
    numbers = list(records)
    if fold != "all" and str(fold) not in numbers:
        raise InputError(f"--fold: expected all, or {numbers[0]} to {numbers[-1]}; found {fold}.")
    if fold != "all":
        return [records[str(fold)]]
    if stored.experiment.split.within is None:
        return list(stored.records)
    trained_on = [list(record.get("train_windows_by_subject") or ()) for record in stored.records]
    matching = [
        record for record, names in zip(stored.records, trained_on, strict=True) if names == [who]
    ]
    if not matching:
        known = dict.fromkeys(name for names in trained_on for name in names)
        raise InputError(
            f"{stored.path}: each model was trained on one subject ({', '.join(known)}), and none "
            f"on {who}. Choose by --subject or --fold."
        )
    return matching


def _make_windows(
    stored: Result, recording: Path, who: str, subject: str | None
) -> tuple[Windows, mne.io.BaseRaw | None, tuple[str, ...]]:
    """Preprocess a recording as in the experiment; return it as it was, if it is continuous."""
    experiment, notes = stored.experiment, list[str]()
    steps = experiment.preprocessing.model_dump()
    by_type = isinstance(experiment.data.channels, str)
    runs = read_recording(
        recording,
        dataset=make_dataset(experiment),
        eeg_only=by_type and steps["eog"] == "none",
        subject=subject,
    )
    continuous = any(
        isinstance(run.inst, mne.io.BaseRaw) and run.make_epochs is None for run in runs
    )
    centred = continuous and steps["baseline"] is not None
    if centred:
        steps["baseline"] = None
        notes.append(
            "Training subtracted a baseline before each stimulus; here it is each channel's mean."
        )
    if steps["reject"] is not None:
        steps["reject"] = None
        notes.append("Training dropped trials of large amplitude; here all are classified.")
    sfreq = float(stored.provenance["data"]["sfreq"])
    steps |= {"channels": stored.channels, "sfreq": sfreq}
    signals: list[Any] = []
    before: list[str] = []  # about the file
    after: list[str] = []  # about its preprocessing
    for run in runs:
        inst, renamed = match_channels(run.inst, stored.channels)
        if by_type:  # they were EEG in training, whatever their type in this file
            types = dict(zip(inst.ch_names, inst.get_channel_types(), strict=True))
            other = [name for name in stored.channels if types[name] != "eeg"]
            if other:
                inst = inst.copy().set_channel_types(
                    dict.fromkeys(other, "eeg"), on_unit_change="ignore", verbose="ERROR"
                )
        record = Record()
        done: Any = preprocess(inst, **steps, make_epochs=run.make_epochs, record=record)
        parts = done if isinstance(done, list) else [done]
        for part in parts if centred else ():
            part.apply_function(lambda x: x - x.mean(), picks="all", verbose="ERROR")
        signals += parts
        before += [*run.notes, *renamed]
        after += record.notes
    windows = window_recording(
        signals[0] if len(signals) == 1 else signals,
        subject=who,
        classes=stored.classes,
        **experiment.windows.model_dump(),
    )
    original = runs[0].inst if continuous else None
    return windows, original, tuple(dict.fromkeys([*before, *notes, *after]))


def _count_gaps(
    table: pd.DataFrame, windows: Windows, raw: mne.io.BaseRaw
) -> list[tuple[float, float]]:
    """Put the times of windows on a clock that counts gaps, in place; return the breaks on it."""
    shift = gaps_before(raw, (table["start"] + table["stop"]).to_numpy() / 2)
    table["start"] += shift
    table["stop"] += shift
    spans = parse_spans(windows.trials.metadata["breaks"].iloc[0])
    sample = 1 / windows.trials.sfreq  # a break may have been moved to the next one
    starts = gaps_before(raw, [start - sample for start, _ in spans])
    ends = gaps_before(raw, [end + sample for _, end in spans])
    return [
        (start + before, end + after)
        for (start, end), before, after in zip(spans, starts.tolist(), ends.tolist(), strict=True)
    ]


def _describe_models(folds: Sequence[dict[str, Any]]) -> str:
    if len(folds) == 1:
        return f"Probabilities are those of the model of fold {folds[0]['name']}."
    return f"Probabilities are the mean over the models of {len(folds)} folds."


def _summarise(name: str, table: pd.DataFrame, classes: list[str], *, continuous: bool) -> str:
    columns = [f"p_{name}" for name in classes]
    if continuous:
        mean = table[columns].mean().to_numpy()
        best = classes[int(mean.argmax())]
        fraction = float((table["predicted"] == best).mean())
        return (
            f"{name}: of {count_of(len(table), 'window')}, {best} has the largest mean probability "
            f"({mean.max():.2f}; chance {1 / len(classes):.2f}) and is the most probable class in "
            f"{100 * fraction:.0f} % of them."
        )
    trials = table.groupby(["session", "trial"], sort=False)[columns].mean().to_numpy()
    counts = np.bincount(trials.argmax(axis=1), minlength=len(classes))
    listed = ", ".join(
        f"{class_name} {n}" for class_name, n in zip(classes, counts.tolist(), strict=True)
    )
    n_trials = count_of(len(trials), "trial")
    return f"{name}: {n_trials}, by the mean probability of their windows: {listed}."


def _warnings(stored: Result, folds: Sequence[dict[str, Any]], who: str, scored: bool) -> list[str]:
    notes = []
    if stored.leaks:
        notes.append(
            "LEAK: the test windows of this result share trials with training, so its score is no "
            "evidence of the quality of these predictions."
        )
    if stored.experiment.shuffle_labels is not None:
        notes.append("The training labels were permuted: these predictions are meaningless.")
    if stored.simulated:
        notes.append("The models were trained on simulated data.")
    if who in stored.provenance["data"]["subjects"]:
        notes.append(_describe_acquaintance(stored, folds, who, scored))
    return notes


def _describe_acquaintance(
    stored: Result, folds: Sequence[dict[str, Any]], who: str, scored: bool
) -> str:
    """Say what the models know of a subject that is in the data of the result."""
    known = f"The data of this result include a subject {who}"
    if any(who in record.get("train_windows_by_subject", [who]) for record in folds):
        return (
            f"{known}: models may have been trained on this recording"
            f"{', so its scores are no evidence' if scored else ''}."
        )
    which = "the model was" if len(folds) == 1 else "these models were"
    roles = stored.roles
    own = None if roles is None else roles[roles["subject"] == who]
    columns = [f"fold_{int(record['fold'])}" for record in folds]
    if own is None or own[columns].isin(["validation"]).any(axis=None):
        return (
            f"{known}; {which} not trained on it, but may have been chosen by it (validation)"
            f"{', so its scores are somewhat too good' if scored else ''}."
        )
    return f"{known}; {which} not trained on it."
