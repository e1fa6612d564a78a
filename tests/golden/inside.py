"""The one place in golden tests that knows the modules below the public names.

When a signature changes, it is adapted here; what the functions return does not change.
"""

import contextlib
import io
import pickle

import numpy as np

from eegemo.config import parse_experiment, settings_for_digest
from eegemo.errors import ConfigError
from eegemo.store import digest_json


class Stopped(BaseException):
    """Stands for a kill: nothing that handles errors may handle it."""


def settings_digest(experiment):
    """The digest of all of an experiment file that changes its result."""
    return digest_json(settings_for_digest(experiment))


def result_digests(experiment):
    """All digests of a result of that experiment, had it windows and folds that are always these.

    What the digests of data, labels and folds are made of is the same on every machine.
    """
    from pathlib import Path

    from eegemo.results.plan import make_digests
    from helpers import make_test_windows

    windows = make_test_windows((6, 4))
    return make_digests(experiment, [Path("s01-abc"), Path("s02-def")], windows, _folds_of(windows))


def _folds_of(windows):
    from eegemo.splits import make_folds

    return make_folds(windows.table, n_splits=2, validation=0.2)


def training_key():
    """The key by which a checkpoint says what was trained."""
    from eegemo.models import base, make_model
    from eegemo.models.base import make_fit_data
    from eegemo.models.keras.fitting import describe_training
    from eegemo.scaling import ScaledWindows, fit_scaling
    from eegemo.training import as_options
    from helpers import make_test_windows

    windows = make_test_windows((6, 4))
    (fold, *_) = _folds_of(windows)
    # without steps gain and offset are 1 and 0, which no machine rounds
    scaling = fit_scaling(windows, fold.train, steps=[], fit="training")
    settings = {
        "model": {"name": "cnn_gru", "filters": [4], "kernel_size": 5, "units": 4},
        "epochs": 2,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "patience": 8,
        "clip_norm": 1.0,
        "precision": "float32",
        "seed": 0,
    }
    model, seed = make_model(**settings.pop("model")), settings.pop("seed")
    data = make_fit_data(windows, fold, ScaledWindows(windows, scaling), model=model)
    data._digest = base._digest_of(windows, fold, scaling, np.array([0.5, 1.5]))
    return describe_training(model, data, as_options(settings), seed)


def run(experiments, results, *, runner=None, report=False):
    """Run experiments in this process; `runner(function, tasks, ...)` does subjects and folds."""
    from eegemo.runs.run import run_experiments

    return run_experiments(
        experiments, results=results, jobs=0, report=report, runner=runner or through_pickle
    )


def through_pickle(function, tasks, **options):
    """Do each task as another process would get it."""
    for task in tasks:
        yield function(pickle.loads(pickle.dumps(task)))


def is_fit(task):
    """Whether a task fits a fold; else it stores a subject's trials."""
    from eegemo.runs.fit import FitTask
    from eegemo.runs.trials import TrialsTask

    assert isinstance(task, FitTask | TrialsTask), type(task)
    return isinstance(task, FitTask)


@contextlib.contextmanager
def stopping_after(epoch):
    """Let trainings die after that epoch, its checkpoint written."""
    from eegemo.models.keras.callbacks import Checkpoint

    wait, write = Checkpoint.wait, Checkpoint.on_epoch_end

    def die(self, number, logs=None):
        write(self, number, logs)
        if number + 1 == epoch:
            raise Stopped

    Checkpoint.wait, Checkpoint.on_epoch_end = 0, die
    try:
        yield
    finally:
        Checkpoint.wait, Checkpoint.on_epoch_end = wait, write


def checkpoint_epochs(path):
    """The epochs that a checkpoint says are done, with how long each took."""
    import json

    with np.load(path, allow_pickle=False) as file:
        return [row["seconds"] for row in json.loads(str(file["known"]))["history"]]


def call(*arguments):
    """Call the command line in this process; return its exit code, its output and its errors."""
    from eegemo.cli import main

    printed, said = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        try:
            main(list(map(str, arguments)))
        except SystemExit as ended:
            code = ended.code or 0
    return code, printed.getvalue(), said.getvalue()


def complaint(text, overrides=()):
    """What is said of a wrong experiment file."""
    try:
        parse_experiment(text, source="a.yaml", overrides=overrides)
    except ConfigError as error:
        return str(error)
    return None
