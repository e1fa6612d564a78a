"""The contract of models: kept by every model of eegemo, and broken ones are found out."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest

from eegemo.errors import ConfigError, DataError, LeakageError
from eegemo.models import FittedModel, Model
from eegemo.models.estimator import EstimatorModel
from eegemo.models.shapes import empty_history
from eegemo.registry import MODELS
from eegemo.testing import check_model

SMALL = {
    "cnn_lstm": {"filters": [4], "units": 3, "dense": []},
    "cnn_gru": {"filters": [4], "units": 3, "dense": []},
    "eegnet": {"temporal_filters": 2, "separable_filters": 3},
    "band_power_logreg": {},
}


def test_every_built_in_model_is_checked_here():
    assert set(SMALL) == set(MODELS.built_in)


@pytest.mark.parametrize(
    "name",
    # of networks, one is enough every time
    [pytest.param(n, marks=[pytest.mark.slow] if n.startswith("cnn") else []) for n in SMALL],
)
def test_built_in_models_keep_the_contract(name):
    check_model({"name": name, **SMALL[name]})


def covariances(x):
    products = np.einsum("ntc,ntd->ncd", x, x) / x.shape[1]
    return products[:, *np.triu_indices(x.shape[2])]


def pipeline(*, C: float = 1.0) -> "sklearn.pipeline.Pipeline":  # noqa: F821
    """Covariances, upper triangle, logistic regression.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(FunctionTransformer(covariances), LogisticRegression(C=C))


def keras_net(n_times, n_channels, n_classes, *, width: int = 3) -> "keras.Model":  # noqa: F821
    """A convolution.

    Parameters
    ----------
    width : int
        Number of filters.
    """
    import keras

    return keras.Sequential(
        [
            keras.Input((n_times, n_channels)),
            keras.layers.Conv1D(width, 5, activation="elu"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(n_classes, activation="softmax"),
        ]
    )


def torch_net(n_times, n_channels, n_classes, *, width: int = 3) -> "torch.nn.Module":  # noqa: F821
    """A convolution.

    Parameters
    ----------
    width : int
        Number of filters.
    """
    from torch import nn

    return nn.Sequential(
        nn.Conv1d(n_channels, width, 5),
        nn.ELU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(width, n_classes),
    )


def test_builders_and_objects_of_others_keep_the_contract():
    check_model(pipeline)
    check_model(pipeline())
    check_model(keras_net)
    check_model(keras_net(128, 4, 3))


def test_pytorch_modules_keep_the_contract():
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install eegemo[torch]")
    check_model(torch_net)
    check_model(torch_net(128, 4, 3))


# --- broken builders -----------------------------------------------------------------------------


def no_annotation(n_times, n_channels, n_classes):
    return keras_net(n_times, n_channels, n_classes)


def unknown_framework() -> "jax.Array":  # noqa: F821
    pass


def no_words(*, C: float = 1.0) -> "sklearn.pipeline.Pipeline":  # noqa: F821
    return pipeline(C=C)


def asks_too_much(n_times, wavelength) -> "keras.Model":  # noqa: F821
    pass


def returns_a_number() -> "sklearn.pipeline.Pipeline":  # noqa: F821
    return 3


def returns_no_network(n_times, n_channels, n_classes) -> "keras.Model":  # noqa: F821
    return pipeline()


def fails_to_build() -> "sklearn.pipeline.Pipeline":  # noqa: F821
    raise RuntimeError("no licence")


def one_class_more(n_times, n_channels, n_classes) -> "keras.Model":  # noqa: F821
    return keras_net(n_times, n_channels, n_classes + 1)


def channels_first(n_times, n_channels, n_classes) -> "keras.Model":  # noqa: F821
    import keras

    layers = [keras.layers.Flatten(), keras.layers.Dense(n_classes, activation="softmax")]
    return keras.Sequential([keras.Input((n_channels, n_times)), *layers])


def no_softmax(n_times, n_channels, n_classes) -> "keras.Model":  # noqa: F821
    import keras

    inputs = keras.Input((n_times, n_channels))
    return keras.Model(inputs, keras.layers.Dense(n_classes)(keras.layers.Flatten()(inputs)))


def without_probabilities() -> "sklearn.svm.LinearSVC":  # noqa: F821
    from sklearn.svm import LinearSVC

    return LinearSVC()


def takes_features() -> "sklearn.linear_model.LogisticRegression":  # noqa: F821
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


class Odd:
    """A classifier that breaks one promise."""

    def __init__(self, what="nan"):
        self.what = what

    def get_params(self, deep=True):
        return {"what": self.what}

    def set_params(self, **given):
        self.__dict__.update(given)
        return self

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        self.sum_ = float(x.sum())
        if self.what == "modifies":
            x[:] = 0
        return self

    def predict_proba(self, x):
        p = np.full((len(x), len(self.classes_)), 1 / len(self.classes_))
        if self.what == "nan":
            p[0] = np.nan
        if self.what == "columns":
            return p[:, 1:]
        if self.what == "sums":
            return 2 * p
        if self.what == "whole":  # of all windows together
            p[:, 0] += np.linspace(0, 0.1, len(x))
            p /= p.sum(axis=1, keepdims=True)
        if self.what == "raises":
            raise RuntimeError("no licence")
        if self.what == "input":
            x[:] = 0
        if self.what == "random":
            p[:, 0] += np.random.default_rng().random()
            p /= p.sum(axis=1, keepdims=True)
        return p


def odd(what):
    def build() -> "sklearn.base.BaseEstimator":  # noqa: F821
        return Odd(what)

    build.__qualname__ = build.__name__ = f"odd_{what}"
    globals()[build.__name__] = build  # where other processes look for it
    return build


BROKEN = [
    (no_annotation, ConfigError, "does not say what it returns. Annotate it"),
    (unknown_framework, ConfigError, "is of no framework that is known"),
    (no_words, AssertionError, "expected words for the option 'C' in the docstring"),
    (asks_too_much, ConfigError, "takes 'wavelength', which is no option and nothing that a run"),
    (returns_a_number, ConfigError, "returned int; expected a scikit-learn estimator"),
    (returns_no_network, ConfigError, "returned Pipeline; expected a keras.Model"),
    (fails_to_build, ConfigError, "RuntimeError: no licence"),
    (one_class_more, ConfigError, r"to \(None, 4\); expected one from .*to \(None, 3\)"),
    (channels_first, ConfigError, r"from \(None, 4, 128\) to .*expected one from \(None, 128, 4\)"),
    (no_softmax, ConfigError, "outputs are no probabilities; end it with a softmax"),
    (without_probabilities, ConfigError, r"gives no probabilities \(predict_proba\)"),
    (takes_features, DataError, "cannot be fitted on windows of shape .* needs a step in front"),
    (odd("nan"), AssertionError, "finite probabilities"),
    (odd("columns"), DataError, "expected a column for each of the 3 classes in training"),
    (odd("sums"), AssertionError, "probabilities that sum to 1"),
    (odd("whole"), AssertionError, "permuted probabilities of permuted windows"),
    (odd("raises"), DataError, "cannot classify windows of shape .*RuntimeError: no licence"),
    (odd("random"), AssertionError, "the same probabilities"),
]


@pytest.mark.parametrize(
    ("builder", "kind", "message"), BROKEN, ids=[case[0].__qualname__ for case in BROKEN]
)
def test_a_broken_builder_is_named_with_file_and_function(builder, kind, message):
    with pytest.raises(kind, match=message) as caught:
        check_model(builder)
    assert builder.__qualname__ in str(caught.value)
    assert "test_model_contract.py" in str(caught.value)


# --- broken models -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mine(Model):
    """A model by hand: how often each class is in training."""

    name = title = "mine"
    file = "mine.txt"
    breaks: str = ""

    @property
    def identity(self):
        return {"name": self.name, "breaks": self.breaks}

    def build(self, shape):
        return object()

    def fit(self, data, options, *, seed, files):
        import pandas as pd

        from eegemo.models.shapes import HISTORY
        from eegemo.store import write_text

        n = np.bincount(data.y(data.train), minlength=data.shape.n_classes) * np.arange(1, 4)
        n = n.astype(np.float32)
        if self.breaks == "peeks":
            everything = np.arange(len(data.scaled))
            with suppress(LeakageError):
                data.y(everything)
        if self.breaks == "changes":
            data.train[:] = data.train[0]
        history = pd.DataFrame([dict.fromkeys(HISTORY, 1.0)], columns=list(HISTORY))
        if self.breaks == "best":
            return FittedMine(n / n.sum(), data.shape, history, self.breaks, 2)
        if self.breaks == "columns":
            history = history.drop(columns="seconds")
        if self.breaks != "no file":
            write_text(files.history, history.reindex(columns=HISTORY).to_csv(index=False))
        return FittedMine(n / n.sum(), data.shape, history, self.breaks)

    def load(self, path, shape):
        if not path.is_file():
            raise DataError(f"{path}: there is no such file.")
        if self.breaks == "takes anything":
            return FittedMine(np.ones(3, np.float32) / 3, shape, empty_history(), "")
        try:
            p = np.array([float(word) for word in path.read_text().split()], np.float32)
            assert len(p) == shape.n_classes
        except (ValueError, AssertionError) as error:
            raise DataError(f"{path} is damaged.") from error
        p = p[::-1] if self.breaks == "reads backwards" else p
        return FittedMine(p, shape, empty_history(), "")


class FittedMine(FittedModel):
    def __init__(self, p, shape, history, breaks, best_epoch=1):
        self.p, self.shape, self.history, self.breaks = p, shape, history, breaks
        self.best_epoch = best_epoch

    def classify(self, x):
        p = np.tile(self.p, (len(x), 1))
        if self.breaks == "double":
            return p.astype(np.float64)
        if self.breaks == "input":
            x[:] = 0
        return p

    def save(self, path):
        path.write_text(" " * 100 + " ".join(map(repr, map(float, self.p))))
        if self.breaks == "more files":
            path.with_name("more.txt").touch()

    def cost(self):
        from eegemo.models import Cost

        return 3 if self.breaks == "cost" else Cost(3, None)


def test_a_model_by_hand_keeps_the_contract():
    check_model(Mine())


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        ("peeks", "expected no look at the classes of test windows; found one"),
        ("changes", "expected train of the data left as it was; found a change"),
        ("best", "file of the history"),
        ("columns", "of history"),
        ("no file", "in the file of the history; found no file"),
        ("double", "probabilities as float32; found float64"),
        ("input", "windows left as they were"),
        ("cost", "a Cost of whole numbers or None; found 3"),
        ("more files", "one file, mine.txt, from save; found others"),
        ("reads backwards", "the same probabilities of what was stored"),
        ("takes anything", "the same probabilities of what was stored|a DataError of a damaged"),
    ],
)
def test_a_broken_model_is_found_out(breaks, message):
    with pytest.raises(AssertionError, match=message) as caught:
        check_model(Mine(breaks))
    assert "test_model_contract.py" in str(caught.value)


def test_a_model_that_cannot_be_sent_is_found_out():
    class Local(EstimatorModel):
        pass

    model = Local("local", pipeline, {})
    with pytest.raises(AssertionError, match=r"AttributeError|PicklingError"):
        check_model(model)
