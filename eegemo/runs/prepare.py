"""Prepare an experiment: from recordings to cross-validation folds.

All mistakes in an experiment or its data are found here.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eegemo.config import Experiment
from eegemo.datasets import Dataset
from eegemo.errors import DataError
from eegemo.evaluation.statistics import shuffle_labels
from eegemo.evaluation.statistics.design import CONSTANT, read_design
from eegemo.evaluation.statistics.relabelling import draw_relabelling
from eegemo.execution import RunContext
from eegemo.labels import Labels, label_trials
from eegemo.results.plan import Plan, make_digests, time_order
from eegemo.runs.copies import find_copies, settle_copies
from eegemo.runs.dataset import make_dataset
from eegemo.runs.design import check_design, note_design, resolve_design
from eegemo.runs.prints import load_prints
from eegemo.runs.trials import prepare_trials
from eegemo.splits import UNIT_NOUNS, Fold, Unit, describe_constant, make_repeats
from eegemo.trials import Trials, load_trials
from eegemo.windows import Windows, break_notes, make_windows, short_notes

__all__ = ["divide_trials", "prepare_experiment", "settle"]


def prepare_experiment(
    experiment: Experiment, context: RunContext, *, dataset: Dataset | None = None
) -> Plan:
    """Read, preprocess and store trials, and make labels, windows and folds.

    Parameters
    ----------
    experiment : Experiment
    context : RunContext
        Where trials are stored, and how tasks are run.
    dataset : Dataset, optional
        The data; that of the experiment if not given.

    Returns
    -------
    plan : Plan

    Raises
    ------
    InputError
        If the data is wrong, or cannot be divided as the experiment asks.
    """
    dataset = make_dataset(experiment) if dataset is None else dataset
    stored = prepare_trials(experiment, context, dataset=dataset)
    folders, notes = stored.folders, list(stored.notes)
    trials, copied = settle(experiment, load_trials(folders), dataset)
    notes += copied
    labels, _ = label_trials(
        trials.metadata, experiment.labels.model_dump(), rating_range=dataset.rating_range
    )
    # from here on the split is explicit: digests and the result say what was held out
    experiment, units = resolve_design(experiment, trials, labels)
    windows, folds, divided = divide_trials(experiment, trials, dataset)
    for note in note_design(experiment, units, trials, labels):
        context.progress.message(f"{experiment.name}: {note}")
    notes += divided
    digests = make_digests(experiment, folders, windows, folds)
    folder = context.results / f"{experiment.name}-{digests['experiment'][:8]}"
    return Plan(
        experiment,
        windows,
        folds,
        folder,
        digests,
        stored.simulated,
        tuple(notes),
        title=dataset.title,
        citation=dataset.citation,
        constant_over=units,
        references=stored.references,
    )


def settle(
    experiment: Experiment, trials: Trials, dataset: Dataset, prints: np.ndarray | None = None
) -> tuple[Trials, list[str]]:
    """Refuse trials that are copies of others, or bundle them; also return notes.

    Parameters
    ----------
    experiment : Experiment
    trials : Trials
    dataset : Dataset
    prints : ndarray of `eegemo.fingerprints.FINGERPRINT`, optional
        Of trials that have no signals any more; by default they are made from the signals.

    Raises
    ------
    DataError
        If trials are copies, unless ``data.copies`` keeps those that are nearly the same.
    """
    load = trials.array if prints is None else None
    bundle = trials.metadata["bundle"].tolist() if "bundle" in trials.metadata else None
    prints = load_prints(trials) if prints is None else prints
    copies = find_copies(prints, bundle=bundle, load=load)
    bundles, notes = settle_copies(
        copies, trials.metadata, keep=experiment.data.copies, dataset=dataset
    )
    return (trials if bundles is None else trials.bundled(bundles)), notes


def divide_trials(
    experiment: Experiment, trials: Trials, dataset: Dataset
) -> tuple[Windows, list[Fold], list[str]]:
    """Label trials, divide them into windows and these into folds; also return notes."""
    labels, notes = label_trials(
        trials.metadata, experiment.labels.model_dump(), rating_range=dataset.rating_range
    )
    experiment, units = resolve_design(experiment, trials, labels)
    notes = [*note_design(experiment, units, trials, labels), *notes]
    if experiment.shuffle_labels is not None:
        labels = _permuted(experiment, labels, trials, experiment.shuffle_labels)
        notes.append(
            "Trial labels were shuffled within each subject and session: there is nothing to learn."
        )
    windows = make_windows(trials, labels, **experiment.windows.model_dump())
    notes += short_notes(trials, labels, duration=experiment.windows.duration)
    notes += break_notes(trials, labels, **experiment.windows.model_dump())
    folds = make_repeats(
        windows.table,
        repeats=experiment.repeats,
        seed=experiment.seed,
        **experiment.split.model_dump(),
    )
    check_design(experiment, windows, folds, units)
    notes += _length_notes(trials) + _label_notes(experiment, labels)
    notes += _fold_notes(folds, windows, units)
    return windows, folds, notes


def _permuted(experiment: Experiment, labels: Labels, trials: Trials, seed: int) -> Labels:
    """Exchange labels between what was randomised: trials, clips, or units of constant class."""
    about = trials.metadata
    rng = np.random.default_rng([seed, 2**31])  # distinct from all other uses of small seeds
    design = read_design(
        about.assign(code=labels.codes),
        within_subject=experiment.split.within == "subject",
        order=time_order(about),
    )
    if design.unit in CONSTANT:
        codes = draw_relabelling(design, rng).codes
    else:
        codes = shuffle_labels(labels.codes, about[["subject", "session"]], about["stimulus"], rng)
    return replace(labels, codes=codes)


def _length_notes(trials: Trials) -> list[str]:
    low, high = trials.n_times.min() / trials.sfreq, trials.n_times.max() / trials.sfreq
    if low == high:
        return []
    between = "" if any(array.ndim == 2 for array in trials.arrays) else " between subjects"
    return [f"Trials differ in length{between}: {low:g} to {high:g} s."]


def _label_notes(experiment: Experiment, labels: Labels) -> list[str]:
    given = experiment.labels.task == "given"
    reasons = {
        "missing": f"because {'their class' if given else 'a rating'} is missing",
        "tie": "because a rating is exactly the threshold",
        "ambiguous": "because a rating is too close to the threshold",
        "excluded": "because their class was not asked for",
    }
    notes = [f"{n} trials have no class {reasons[why]}." for why, n in labels.dropped.items() if n]
    if experiment.labels.threshold == "median" and not given:
        notes.append(
            "Ratings are high or low with respect to each subject's own median of all trials."
        )
    return notes


def _fold_notes(folds: Sequence[Fold], windows: Windows, units: Sequence[Unit]) -> list[str]:
    """Note the folds whose test set has a class that training lacks.

    Raises
    ------
    DataError
        If a training set has a single class.
    """
    notes = []
    for fold in folds:
        training_classes = np.unique(windows.codes[fold.train])
        if len(training_classes) < 2:
            name = windows.labels.classes[training_classes[0]]
            raise DataError(
                f"split: all training trials of fold {fold.name} are {name}, so there is nothing "
                f"to classify. {_advice(fold, units)}"
            )
        validation_classes = np.unique(windows.codes[fold.validation])
        if validation_classes.size and not np.isin(validation_classes, training_classes).any():
            notes.append(
                f"Fold {fold.name}: its validation set has no class of its training set, so "
                "early stopping is ineffective."
            )
        absent = np.setdiff1d(windows.codes[fold.test], windows.codes[fold.train])
        if absent.size:
            names = ", ".join(windows.labels.classes[code] for code in absent)
            notes.append(f"Fold {fold.name}: no training trial of {names}, which the test set has.")
    return notes


def _advice(fold: Fold, units: Sequence[Unit]) -> str:
    if not units or fold.group != units[-1]:
        return "Exclude that subject, or change the labels or the split."
    one, several = UNIT_NOUNS[units[-1]]
    spared = " Write validation: 0, or record more." if len(fold.validation) else " Record more."
    return (
        f"{describe_constant(units)} With whole {several} held out, every class needs one {one} "
        f"to learn from beside those for test{' and validation' if len(fold.validation) else ''}."
        f"{spared}"
    )
