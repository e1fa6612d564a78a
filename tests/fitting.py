"""Fitting as tests write it: options of training as keywords, models as plain entries."""

from dataclasses import fields
from pathlib import Path
from unittest import mock

from eegemo.models import FitFiles, as_model
from eegemo.training import Candidate, TrainingOptions, as_options
from eegemo.training import fit_fold as fit_fold_with_options
from eegemo.training import fit_folds_jointly as fit_jointly_with_options

NAMES = {field.name for field in fields(TrainingOptions)}


def files_of(history_path=None, checkpoint=None):
    paths = (None if path is None else Path(path) for path in (history_path, checkpoint))
    return FitFiles(*paths)


def split_options(options):
    """Part the options of training from the other arguments."""
    training = {name: value for name, value in options.items() if name in NAMES}
    return training, {name: value for name, value in options.items() if name not in NAMES}


def fit_fold(windows, fold, *, model, history_path=None, checkpoint=None, **options):
    training, others = split_options(options)
    files = files_of(history_path, checkpoint)
    return fit_fold_with_options(
        windows, fold, model=model, training=training, files=files, **others
    )


def candidate(settings, model, training):
    return Candidate(settings, as_model(model), as_options(training))


def fit_folds_jointly(
    windows, folds, *, model, history_paths=None, checkpoints=None, at_once=None, **options
):
    """Fit folds as one program, of which `at_once` at a time are on the device."""
    from eegemo.models.keras.together import fitting

    training, others = split_options(options)
    none = [None] * len(folds)
    paths = zip(history_paths or none, checkpoints or none, strict=True)
    files = [files_of(*pair) for pair in paths]
    count = fitting._count_at_once if at_once is None else lambda *_: at_once
    with mock.patch.object(fitting, "_count_at_once", count):
        return fit_jointly_with_options(
            windows, folds, model=model, training=training, files=files, **others
        )
