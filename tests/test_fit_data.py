"""What a model is shown of a fold: no class and no rating of a test window, by any way."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eegemo.errors import LeakageError
from eegemo.models import Model, as_model
from eegemo.models.base import make_fit_data
from eegemo.models.estimator import FittedEstimator
from eegemo.models.shapes import HISTORY
from eegemo.scaling import ScaledWindows, fit_scaling
from eegemo.splits import make_folds
from eegemo.training import Candidate, TrainingOptions, fit_candidates, fit_fold
from eegemo.windows import make_windows
from helpers import make_labels_of, make_trials

CODES = np.array([0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1])


@pytest.fixture(scope="module")
def windows():
    trials = make_trials((4, 4, 4))
    rated = trials.metadata.assign(valence=1.5 + 5 * CODES, stimulus="secret clip")
    rated["stimulus"] += CODES.astype(str)
    trials = replace(trials, metadata=rated)
    return make_windows(trials, make_labels_of(CODES), duration=1.0, stride=0.5)


@pytest.fixture(scope="module")
def fold(windows):
    return make_folds(windows.table, method="leave_one_group_out", group="subject")[0]


class Seen(Model):
    """Keeps what it is shown."""

    name = title = "seen"
    file = None
    identity = None
    transductive = False

    def __init__(self):
        self.data = []

    def build(self, shape):
        return None

    def fit(self, data, options, *, seed, files):
        from sklearn.dummy import DummyClassifier

        self.data.append(data)
        codes = self.classes(data)
        dummy = DummyClassifier().fit(np.zeros((len(codes), 1)), codes)
        history = pd.DataFrame([dict.fromkeys(HISTORY, 1.0)], columns=list(HISTORY))
        return FittedEstimator(dummy, data.shape, history)

    def classes(self, data):
        return data.y(data.train)

    def load(self, path, shape):
        raise NotImplementedError


class Transductive(Seen):
    transductive = True


class Cheats(Seen):
    def classes(self, data):
        tested = np.setdiff1d(np.arange(len(data.scaled)), [*data.train, *data.validation])
        return data.y(np.concatenate([data.train, tested]))


def show(windows, fold, model):
    scaled = ScaledWindows(windows, fit_scaling(windows, fold.train))
    return make_fit_data(windows, fold, scaled, model=model)


def reachable(thing, path="data", seen=None, depth=0):
    """Yield every array, table column and text that public attributes lead to."""
    seen = {} if seen is None else seen
    if id(thing) in seen or depth > 8:
        return
    seen[id(thing)] = thing
    if isinstance(thing, np.ndarray | str):
        yield path, thing
    elif isinstance(thing, pd.DataFrame):
        for column in thing.columns:
            yield f"{path}[{column!r}]", thing[column].to_numpy()
    elif isinstance(thing, Mapping):
        for key, value in thing.items():
            yield from reachable(value, f"{path}[{key!r}]", seen, depth + 1)
    elif isinstance(thing, Sequence):
        for k, value in enumerate(thing):
            yield from reachable(value, f"{path}[{k}]", seen, depth + 1)
    elif type(thing).__module__.split(".")[0] == "eegemo":
        for name in dir(thing):
            if name.startswith("_") or callable(getattr(type(thing), name, None)):
                continue
            yield from reachable(getattr(thing, name), f"{path}.{name}", seen, depth + 1)


def tells_classes(found, windows, tested):
    """Whether something orders the test windows, or their trials, as their classes do."""
    if isinstance(found, str):
        return "secret" in found
    if found.ndim != 1 or len(found) not in (len(windows), len(CODES), len(tested)):
        return False
    if len(found) == len(CODES):
        found = found[windows.trial]
    values = found if len(found) == len(tested) else found[tested]
    codes = windows.codes[tested]
    groups = [set(values[codes == code].tolist()) for code in (0, 1)]
    # what numbers windows, trials or subjects differs anyway
    return len(set.union(*groups)) == 2 and not groups[0] & groups[1]


def leaks(data, windows, fold):
    found = reachable(data)
    return [path for path, thing in found if tells_classes(thing, windows, fold.test)]


def test_no_public_way_leads_to_classes_or_ratings_of_test_windows(windows, fold):
    data = show(windows, fold, Seen())
    paths = [path for path, _ in reachable(data)]
    assert "data.scaled.windows.trials.metadata['subject']" in paths  # it looks far enough
    assert not [path for path in paths if "valence" in path]
    assert leaks(data, windows, fold) == []
    # and it would see it
    data.extra = {"deep": [windows]}
    assert {"data.extra['deep'][0].codes", "data.extra['deep'][0].labels.codes"} <= set(
        leaks(data, windows, fold)
    )


def test_only_classes_of_training_and_validation_are_told(windows, fold):
    data = show(windows, fold, Seen())
    for rows in (fold.train, fold.validation):
        np.testing.assert_array_equal(data.y(rows), windows.codes[rows])
    for rows in (fold.test, fold.test[:1], np.append(fold.train, fold.test[-1])):
        with pytest.raises(LeakageError, match="neither in its training nor in its validation"):
            data.y(rows)


def test_a_fold_of_a_model_that_asks_for_more_is_refused(windows, fold):
    with pytest.raises(LeakageError, match=f"fold {fold.name}: a model asked for the classes"):
        fit_fold(windows, fold, model=Cheats())
    assert len(fit_fold(windows, fold, model=Seen()).predictions) == len(fold.test)


def test_only_a_transductive_model_sees_the_signals_of_test_windows(windows, fold):
    for model in (Seen(), as_model("cnn_gru"), as_model("eegnet"), as_model("band_power_logreg")):
        assert len(show(windows, fold, model).target) == 0
    data = show(windows, fold, Transductive())
    np.testing.assert_array_equal(data.target, fold.test)
    assert data.x(data.target).shape == (len(fold.test), windows.n_times, windows.n_channels)
    assert leaks(data, windows, fold) == []
    with pytest.raises(LeakageError):
        data.y(data.target)


def test_signals_of_the_test_set_are_refused_to_any_other(windows, fold):
    data = show(windows, fold, Seen())
    for rows in (fold.train, fold.validation):
        np.testing.assert_array_equal(data.x(rows), data.scaled.x(rows))
    for rows in (fold.test, np.append(fold.train, fold.test[0])):
        with pytest.raises(LeakageError, match="asked for the signals of windows that are neither"):
            data.x(rows)
    model = as_model({"name": "band_power_logreg", "bands": [[4.0, 8.0]]})
    banded = show(windows, fold, model)
    assert len(banded.features(fold.train)) == len(fold.train)
    with pytest.raises(LeakageError, match="asked for the signals"):
        banded.features(fold.test)


def test_it_sees_them_while_candidates_are_tried_too(windows, fold):
    """Then the fold has no test set; that must not change what a transductive model learns."""
    for kind, n in ((Transductive, len(fold.test)), (Seen, 0)):
        model = kind()
        candidates = [Candidate({"k": k}, model, TrainingOptions()) for k in range(2)]
        fit_candidates(
            windows, fold, candidates=candidates, scaling=fit_scaling(windows, fold.train)
        )
        assert [len(data.target) for data in model.data] == [n, n]


def test_domains_number_the_subjects(windows, fold):
    data = show(windows, fold, Seen())
    subjects = windows.table["subject"].astype(str).to_numpy()
    assert data.domain.shape == (len(windows),)
    assert len(np.unique(data.domain)) == 3
    for number in range(3):
        assert len(set(subjects[data.domain == number])) == 1


TRANSDUCTIVE = '''
"""A transductive model: the mean of the test windows is taken away."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from eegemo.models import Model
from eegemo.models.estimator import FittedEstimator
from eegemo.models.shapes import HISTORY
from eegemo.store import write_text


@dataclass(frozen=True, kw_only=True)
class Mean(Model):
    """A model.

    Parameters
    ----------
    strength : float
        Of nothing.
    """

    strength: float = 1.0
    name = "their_transductive:Mean"
    title = "mean of the target"
    file = None
    transductive = True

    @property
    def identity(self):
        return {"name": self.name, "strength": self.strength}

    def build(self, shape):
        return None

    def fit(self, data, options, *, seed, files):
        from sklearn.dummy import DummyClassifier

        assert len(data.target) and data.x(data.target).shape[1] == data.shape.n_times
        codes = data.y(data.train)
        dummy = DummyClassifier().fit(np.zeros((len(codes), 1)), codes)
        history = pd.DataFrame([dict.fromkeys(HISTORY, 1.0)], columns=list(HISTORY))
        write_text(files.history, history.to_csv(index=False))
        return FittedEstimator(dummy, data.shape, history)

    def load(self, path, shape):
        raise NotImplementedError
'''


def test_a_report_says_that_a_model_is_transductive(tmp_path, monkeypatch):
    from eegemo.results import open_result
    from eegemo.runs.run import run_experiments
    from experiments import tiny

    (tmp_path / "their_transductive.py").write_text(TRANSDUCTIVE)
    monkeypatch.syspath_prepend(tmp_path)
    chosen = tiny(tmp_path / "data", "model={name: 'their_transductive:Mean'}")
    (folder,) = run_experiments([chosen], results=tmp_path / "results")
    result = open_result(folder)
    said = [note for note in result.provenance["notes"] if "transductive" in note]
    assert len(said) == 1
    assert "signals of the test windows, too, without their labels" in said[0]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "The model is transductive" in page
    assert result.model == "mean of the target"
    plain = tiny(tmp_path / "data", "model={name: band_power_logreg}", name="plain")
    (folder,) = run_experiments([plain], results=tmp_path / "results", report=False)
    notes = open_result(folder).provenance["notes"]
    assert not [note for note in notes if "model is transductive" in note]
