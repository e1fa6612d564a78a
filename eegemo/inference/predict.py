"""A stored result applied to a new recording: a table and a timeline of class probabilities.

What a result holds is read here: which steps, windows, channels and classes its models were trained
with. The work is done by `eegemo.inference.recording`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from eegemo.config import Experiment, load_experiment
from eegemo.errors import DataError, InputError, ResultError
from eegemo.inference.models import choose_scaling, mean_probabilities, tabulate_windows
from eegemo.inference.recording import match_channels, read_recording, window_recording
from eegemo.models.base import shape_of
from eegemo.pages.figures import class_timeline, save_figure, to_svg
from eegemo.preprocessing import Record, preprocess
from eegemo.results.fold import is_fold_whole, load_fitted
from eegemo.results.records import FOLD, PROVENANCE, read_json
from eegemo.scaling import Scaling, load_scaling
from eegemo.store import atomic_file, write_json, write_text
from eegemo.windows import Windows

__all__ = ["Applied", "predict_recording"]


@dataclass(frozen=True)
class Applied:
    """What a result's models say of a recording.

    Attributes
    ----------
    table : DataFrame
        A row per window: ``start`` and ``stop`` in seconds, ``p_<class>``, ``predicted``; first
        subject, session and trial where the recording is made of trials.
    folder : Path
        Holds ``predictions.csv``, ``predictions.parquet``, ``timeline.png``, ``timeline.svg`` and
        ``about.json``.
    sentence : str
        What was found.
    notes : tuple of str
        What should be known of it.
    """

    table: pd.DataFrame
    folder: Path
    sentence: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Stored:
    """What of a result is needed."""

    path: Path
    experiment: Experiment
    provenance: dict[str, Any]
    folds: tuple[dict[str, Any], ...]

    @property
    def channels(self) -> list[str]:
        return list(self.provenance["data"]["channels"])

    @property
    def classes(self) -> list[str]:
        return list(self.provenance["labels"]["classes"])


def predict_recording(
    result: str | Path,
    recording: str | Path,
    *,
    fold: int | str = "all",
    subject: str | None = None,
    out: str | Path | None = None,
    trust: bool = False,
) -> Applied:
    """Classify a recording by the stored models of a result.

    Parameters
    ----------
    result : path
        A result folder.
    recording : path
        See `eegemo.inference.read_recording`.
    fold : int or "all"
        The number of a fold, or the mean of the probabilities of all.
    subject : str, optional
        Who was recorded; the file's name if not given. Of a result whose models were each trained
        on one subject, those trained on this one are used. Where training scaled each subject by
        itself and had this one, its scaling is used.
    out : path, optional
        Folder for table and figure; beside the result if not given.
    trust : bool
        Whether a model or data set that the result names by an import path may be imported, which
        runs its code.

    Returns
    -------
    applied : Applied

    Raises
    ------
    InputError
        If the result, the recording or the fold is not there, damaged, or they do not go together.
    """
    recording = Path(recording)
    stored = _read_stored(Path(result), trust)
    who = recording.stem if subject is None else subject
    folds = _choose_folds(stored, fold, who)
    try:
        windows, continuous, notes = _make_windows(stored, recording, who)
    except DataError as error:
        told = str(error).startswith(str(recording))
        raise DataError(str(error) if told else f"{recording}: {error}") from error
    scaled: list[str] = []

    def models() -> Iterator[tuple[Any, Scaling]]:
        for one in folds:
            folder = stored.path / "folds" / str(one["fold"])
            scaling, sentence = choose_scaling(
                load_scaling(folder / "scaling.npz"), windows, subject=subject
            )
            scaled.append(sentence)
            yield load_fitted(folder, stored.experiment, shape_of(windows)), scaling

    probabilities = mean_probabilities(models(), windows)
    table = tabulate_windows(windows, probabilities, trials=not continuous)
    sentence = _say_found(recording.name, table, stored.classes, continuous=continuous)
    notes = (_say_models(folds), *dict.fromkeys(scaled), *notes, *_warn(stored, who))
    chosen = "" if fold == "all" else f"-fold{fold}"
    name = f"predict-{recording.stem}-{stored.path.resolve().name}{chosen}"
    folder = stored.path.resolve().parent / name if out is None else Path(out)
    _write(folder, table, stored.classes)
    about = {
        "sentence": sentence,
        "notes": list(notes),
        "recording": str(recording),
        "result": stored.path.resolve().name,
        "digests": stored.provenance["digests"],
        "folds": [one["fold"] for one in folds],
    }
    write_json(folder / "about.json", about)
    return Applied(table, folder, sentence, notes)


def _read_stored(path: Path, trust: bool) -> _Stored:
    if not (path / "provenance.json").is_file():
        raise ResultError(f"{path}: expected a result folder with provenance.json, found none.")
    provenance = read_json(path / "provenance.json", PROVENANCE)
    channels, classes = provenance["data"].get("channels"), provenance["labels"]["classes"]
    for what, names in (("data.channels", channels), ("labels.classes", classes)):
        texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not texts or not names or len(set(names)) < len(names):
            raise ResultError(f"{path / 'provenance.json'}: expected names in {what}.")
    numbers = range(provenance["split"]["n_folds"])
    folders = [path / "folds" / str(k) for k in numbers]
    damaged = [folder.name for folder in folders if not is_fold_whole(folder)]
    if damaged or not folders:
        raise ResultError(
            f"{path}: fold {', '.join(damaged) or '0'} is damaged or not finished. Run the "
            "experiment again: what is whole is kept."
        )
    folds = tuple(read_json(folder / "fold.json", FOLD) for folder in folders)
    return _Stored(path, load_experiment(path / "experiment.yaml", trust=trust), provenance, folds)


def _choose_folds(stored: _Stored, fold: int | str, who: str) -> list[dict[str, Any]]:
    """Return the records of the folds whose models are asked."""
    numbers = [str(k) for k in range(len(stored.folds))]
    if fold != "all" and str(fold) not in numbers:
        raise InputError(f"--fold: expected all, or 0 to {len(numbers) - 1}; found {fold}.")
    if fold != "all":
        return [stored.folds[int(fold)]]
    if stored.experiment.split.within is None:
        return list(stored.folds)
    taught = [list(one.get("train_windows_by_subject") or ()) for one in stored.folds]
    own = [one for one, names in zip(stored.folds, taught, strict=True) if names == [who]]
    if not own:
        known = dict.fromkeys(name for names in taught for name in names)
        raise InputError(
            f"{stored.path}: each model was trained on one subject ({', '.join(known)}), and none "
            f"on {who}. Choose by --subject or --fold."
        )
    return own


def _make_windows(
    stored: _Stored, recording: Path, who: str
) -> tuple[Windows, bool, tuple[str, ...]]:
    """Preprocess a recording as the experiment says; tell if it is continuous."""
    experiment, notes = stored.experiment, list[str]()
    steps = experiment.preprocessing.model_dump()
    by_kind = isinstance(experiment.data.channels, str)
    run = read_recording(
        recording,
        deap=experiment.data.source != "bids",
        eeg_only=by_kind and steps["eog"] == "none",
    )
    inst, renamed = match_channels(run.inst, stored.channels)
    if by_kind:  # then they were EEG in training, whatever this file calls them
        kinds = dict(zip(inst.ch_names, inst.get_channel_types(), strict=True))
        other = [name for name in stored.channels if kinds[name] != "eeg"]
        if other:
            inst = inst.copy().set_channel_types(
                dict.fromkeys(other, "eeg"), on_unit_change="ignore", verbose="ERROR"
            )
    sfreq = float(stored.provenance["data"]["sfreq"])
    continuous = isinstance(inst, mne.io.BaseRaw) and run.cut is None
    centred = continuous and steps["baseline"] is not None
    if centred:
        steps["baseline"] = None
        notes.append(
            "Training subtracted a baseline before each stimulus; here it is each channel's mean."
        )
    if steps["reject"] is not None:
        steps["reject"] = None
        notes.append("Training left out trials of large amplitude; here all are classified.")
    record = Record()
    steps |= {"channels": stored.channels, "sfreq": sfreq}
    done = preprocess(inst, **steps, cut=run.cut, record=record)
    if centred:
        done.apply_function(lambda x: x - x.mean(), picks="all", verbose="ERROR")
    windows = window_recording(
        done, subject=who, classes=stored.classes, **experiment.windows.model_dump()
    )
    return windows, continuous, (*run.notes, *renamed, *notes, *record.notes)


def _say_models(folds: Sequence[dict[str, Any]]) -> str:
    if len(folds) == 1:
        return f"Probabilities are those of the model of fold {folds[0]['name']}."
    return f"Probabilities are the mean over the models of {len(folds)} folds."


def _say_found(name: str, table: pd.DataFrame, classes: list[str], *, continuous: bool) -> str:
    columns = [f"p_{one}" for one in classes]
    if continuous:
        mean = table[columns].mean().to_numpy()
        best = classes[int(mean.argmax())]
        share = float((table["predicted"] == best).mean())
        return (
            f"{name}: of {len(table)} windows, {best} has the largest mean probability "
            f"({mean.max():.2f}; chance {1 / len(classes):.2f}) and is the most probable class in "
            f"{100 * share:.0f} % of them."
        )
    trials = table.groupby(["session", "trial"], sort=False)[columns].mean().to_numpy()
    counts = np.bincount(trials.argmax(axis=1), minlength=len(classes))
    told = ", ".join(f"{one} {n}" for one, n in zip(classes, counts.tolist(), strict=True))
    return f"{name}: {len(trials)} trials, by the mean probability of their windows: {told}."


def _warn(stored: _Stored, who: str) -> list[str]:
    notes = []
    shared = (one.get("shared", {}) for one in stored.folds)
    if stored.provenance["split"]["leaks"] or any(
        one.get("window", 0) or one.get("trial", 0) for one in shared
    ):
        notes.append(
            "LEAK: this result's test windows share trials with training, so its score says "
            "nothing of how good these predictions are."
        )
    if stored.experiment.shuffle_labels is not None:
        notes.append("The labels of training were shuffled: these predictions mean nothing.")
    if stored.provenance["data"]["simulated"]:
        notes.append("The models were trained on simulated data.")
    if who in stored.provenance["data"]["subjects"]:
        notes.append(
            f"A subject {who} was in the data of this result: models may have been trained on this "
            "very recording."
        )
    return notes


def _write(folder: Path, table: pd.DataFrame, classes: Sequence[str]) -> None:
    with atomic_file(folder / "predictions.csv") as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    with atomic_file(folder / "predictions.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    figure = class_timeline(table, classes)
    save_figure(figure, folder / "timeline.png")
    write_text(folder / "timeline.svg", to_svg(figure))
