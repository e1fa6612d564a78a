"""The contract of a model: everything that the path from windows to reports relies on.

For the tests of a package that brings a model::

    def test_my_net():
        check_model("mypkg.nets:my_net")
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.errors import InputError
from eegemo.labels import Labels
from eegemo.models import Cost, FitData, FitFiles, FittedModel, Model, Size, as_model
from eegemo.models.base import make_fit_data
from eegemo.models.builders import BuilderModel
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import HISTORY, InputShape, shape_of
from eegemo.registry import ADAPTERS, REQUIRED, options_of
from eegemo.scaling import ScaledWindows, fit_scaling
from eegemo.splits import Fold, make_folds
from eegemo.testing.findings import calling, fail, is_plain, send
from eegemo.trials import Trials
from eegemo.windows import Windows, make_windows

__all__ = ["check_model"]

_CLASSES = ("first", "second", "third")
_N_SUBJECTS, _N_TRIALS, _N_WINDOWS = 3, 6, 3
# Sums of another order, and of a batch of another size, differ by rounding in single precision.
_ROUNDING = 1e-4
# Names that the experiment file and `make_model` give a meaning of their own.
_TAKEN = ("name", "trust")


def check_model(
    model: Any,
    *,
    n_times: int = 128,
    n_channels: int = 4,
    sfreq: float = 128.0,
    epochs: int = 2,
    tolerance: float = 1e-6,
) -> None:
    """Check that a model keeps every promise that eegemo relies on.

    It is fitted three times on a few windows of noise, which takes seconds.

    Parameters
    ----------
    model : Model, mapping, str, callable, keras.Model, torch.nn.Module or scikit-learn estimator
        As `eegemo.models.as_model` takes it. A network that is an object is for windows of
        `n_times` samples and `n_channels` channels, and three classes.
    n_times, n_channels : int
        Samples and channels of a window.
    sfreq : float
        Sampling frequency in Hz.
    epochs : int
        How long a network is trained.
    tolerance : float
        How far probabilities of two fits with the same seed may differ. None do on a CPU.

    Raises
    ------
    AssertionError
        For the first promise that is broken: file and function of the model, what was expected and
        what was found.
    ConfigError, DataError
        As a run would be refused, where eegemo itself notices; the message names file and function.

    Notes
    -----
    Whether it learns anything is not checked; for that, run an experiment on simulated data.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> check_model(DummyClassifier())
    >>> def net(n_times, n_channels, n_classes, *, width: int = 3) -> "keras.Model": ...
    >>> check_model(net)
    Traceback (most recent call last):
    AssertionError: ... net: expected words for the option 'width' in the docstring's Parameters;
    found none.
    """
    made = as_model(model)
    check = _Check(made, TrainingOptions(epochs=epochs, batch_size=8), tolerance)
    check.description()
    shape = InputShape(
        n_times, n_channels, len(_CLASSES), sfreq, tuple(f"E{k}" for k in range(n_channels))
    )
    with calling(check.function):
        made.prepare_device()
    check.build(shape)
    if not check.is_object:
        check.build(InputShape(2 * n_times, n_channels + 1, 2, sfreq, (*shape.ch_names, "X")))
    windows = _noise(shape)
    # the last subject is held out; what is scored knows every class
    fold = make_folds(windows.table, method="leave_one_group_out", group="subject")[-1]
    fitted = check.fit(windows, fold)
    p = check.probabilities(fitted, windows, fold)
    check.history(fitted)
    check.cost(fitted, shape)
    check.same_again(windows, fold, p)
    check.storage(fitted, windows, fold, p)
    check.missing_class(windows, fold)


def _noise(shape: InputShape) -> Windows:
    """Return windows of noise, a few trials of each class for each of three subjects."""
    rng = np.random.default_rng(0)
    n_times = _N_WINDOWS * shape.n_times
    arrays = tuple(
        (1e-5 * rng.standard_normal((_N_TRIALS, n_times, shape.n_channels))).astype(np.float32)
        for _ in range(_N_SUBJECTS)
    )
    about = pd.DataFrame(
        [
            {"subject": f"s{s + 1}", "session": "1", "trial": t + 1, "stimulus": f"{t + 1}"}
            for s in range(_N_SUBJECTS)
            for t in range(_N_TRIALS)
        ]
    )
    # in another order than that of their numbers
    codes = np.tile([2, 0, 1], _N_SUBJECTS * _N_TRIALS // 3).astype(np.int64)
    trials = Trials(arrays, about, shape.sfreq, shape.ch_names)
    duration = shape.n_times / shape.sfreq
    return make_windows(trials, Labels(codes, _CLASSES, {}), duration=duration, stride=duration)


class _Check:
    """The checks of one model, and the function that they name."""

    def __init__(self, model: Model, options: TrainingOptions, tolerance: float) -> None:
        self.model, self.options, self.tolerance = model, options, tolerance
        builder = model.builder if isinstance(model, BuilderModel) else type(model)
        #: What messages name: the builder, or the class of the model or of the object.
        self.function: Callable[..., Any] = builder
        for attribute in ("estimator", "network", "module"):
            if hasattr(builder, attribute):
                self.function = type(getattr(builder, attribute))
        self.is_object = self.function is not builder

    def description(self) -> None:
        """Check what is known without building it: names, options, and that it can be sent."""
        model = self.model
        for name in ("name", "title"):
            text = getattr(model, name, None)
            if not isinstance(text, str) or not text.strip():
                fail(self.function, f"a text as {name}", text)
        if model.framework not in ADAPTERS.built_in:
            fail(self.function, f"one of {list(ADAPTERS.built_in)} as framework", model.framework)
        file = model.file
        if file is not None and (not isinstance(file, str) or Path(file).name != file):
            fail(self.function, "a plain file name, or None, as file", file)
        if not self.is_object:
            self._options()
        with calling(self.function):
            again, _ = send(model)
        if again.identity != model.identity:
            fail(self.function, "the same identity after pickling", again.identity)
        if model.identity is not None and not is_plain(dict(model.identity)):
            fail(self.function, "an identity that JSON can hold", dict(model.identity))
        reason = model.cannot_fit_many([])
        if reason is not None and not isinstance(reason, str):
            fail(self.function, "a reason, or None, from cannot_fit_many", reason)

    def _options(self) -> None:
        for option in options_of(self.function).values():
            if option.name in _TAKEN:
                fail(self.function, f"another name for the option {option.name!r}", "a taken one")
            if not option.text:
                fail(
                    self.function,
                    f"words for the option {option.name!r} in the docstring's Parameters",
                    "none",
                )
            if option.default is not REQUIRED and not is_plain(option.default):
                fail(
                    self.function,
                    f"a default of {option.name!r} that YAML can hold",
                    option.default,
                )

    def build(self, shape: InputShape) -> None:
        """Check that it is built, and as large as it says."""
        with calling(self.function):
            built = self.model.build(shape)
            size, memory = self.model.size(shape), self.model.fit_memory(shape, 10, 4)
        if built is None:
            fail(self.function, "a network or an estimator", built)
        if size is not None and not (isinstance(size, Size) and min(size) >= 0):
            fail(self.function, "a Size, or None", size)
        if not isinstance(memory, int) or memory < 0:
            fail(self.function, "bytes from fit_memory", memory)

    def fit(self, windows: Windows, fold: Fold, seed: int = 0) -> FittedModel:
        """Fit a fold, and check that the model leaves what it is given as it was."""
        scaled = ScaledWindows(windows, fit_scaling(windows, fold.train))
        data = make_fit_data(windows, fold, scaled, model=self.model)
        asked: list[np.ndarray] = []
        watched = _watch(data, asked)
        before = _copies(data)
        with tempfile.TemporaryDirectory() as folder:
            history = Path(folder) / "history.csv"
            files = FitFiles(history, Path(folder) / "checkpoint.npz")
            with calling(self.function):
                fitted = self.model.fit(watched, self.options, seed=seed, files=files)
            if not isinstance(fitted, FittedModel):
                fail(self.function, "a FittedModel from fit", fitted)
            written = pd.read_csv(history) if history.is_file() else None
        forbidden = np.isin(np.concatenate([*asked, fold.test[:0]]), fold.test)
        if forbidden.any():
            fail(self.function, "no look at the classes of test windows", "one")
        for name, value in _copies(data).items():
            if not np.array_equal(value, before[name]):
                fail(self.function, f"{name} of the data left as it was", "a change")
        if written is None or list(written.columns) != list(HISTORY):
            found = "no file" if written is None else list(written.columns)
            fail(self.function, f"{list(HISTORY)} in the file of the history", found)
        if len(written) != len(fitted.history):
            fail(
                self.function,
                f"{len(fitted.history)} epochs in the file of the history",
                len(written),
            )
        return fitted

    def probabilities(self, fitted: FittedModel, windows: Windows, fold: Fold) -> np.ndarray:
        """Check that windows are classified each by itself, and by probabilities."""
        rows = fold.test
        scaled = ScaledWindows(windows, fit_scaling(windows, fold.train))
        x = scaled.x(rows)
        given = x.copy()
        with calling(fitted.classify):
            p = fitted.classify(x)
        self._are_probabilities(p, len(rows))
        if not np.array_equal(x, given):
            fail(fitted.classify, f"windows left as they were {self._by}", "a change")
        order = np.random.default_rng(1).permutation(len(rows))
        ways: Sequence[tuple[str, np.ndarray, Callable[[], np.ndarray]]] = (
            ("the same probabilities from predict_proba", p,
             lambda: fitted.predict_proba(scaled, rows)),
            ("permuted probabilities of permuted windows", p[order],
             lambda: fitted.classify(x[order])),
            ("the same probabilities of a window by itself", p[:1],
             lambda: fitted.classify(x[:1])),
        )  # fmt: skip
        for words, wanted, ask in ways:
            with calling(fitted.classify):
                found = ask()
            self._are_probabilities(found, len(wanted))
            self._equal(words, found, wanted, _ROUNDING)
        with calling(fitted.predict_proba):
            none = fitted.predict_proba(scaled, rows[:0])
        if np.shape(none) != (0, len(_CLASSES)):
            fail(self.function, f"shape (0, {len(_CLASSES)}) for no windows", np.shape(none))
        return p

    @property
    def _by(self) -> str:
        return f"by {self.model.where}"

    def _are_probabilities(self, p: Any, n: int) -> None:
        if not isinstance(p, np.ndarray) or p.dtype != np.float32:
            fail(self.function, "probabilities as float32", str(getattr(p, "dtype", type(p))))
        if p.shape != (n, len(_CLASSES)):
            fail(self.function, f"probabilities of shape {(n, len(_CLASSES))}", p.shape)
        if not np.isfinite(p).all():
            fail(self.function, "finite probabilities", "NaN or infinity")
        if p.min() < 0 or np.abs(p.sum(axis=1) - 1).max() > 5e-3:
            worst = p[np.abs(p.sum(axis=1) - 1).argmax()]
            fail(self.function, "probabilities that sum to 1", worst.tolist())

    def _equal(self, words: str, found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
        gap = float(np.abs(found - wanted).max(initial=0))
        if not gap <= tolerance:
            fail(self.function, words, f"others, by up to {gap:.2g}")

    def history(self, fitted: FittedModel) -> None:
        """Check the columns of the history, its epochs, and which is the best."""
        history = fitted.history
        if list(history.columns) != list(HISTORY):
            fail(self.function, f"the columns {list(HISTORY)} of history", list(history.columns))
        n = len(history)
        most = self.options.epochs if self.model.in_epochs else 1
        if not 1 <= n <= most or history["epoch"].tolist() != list(range(1, n + 1)):
            fail(
                self.function,
                f"a row of history for each of at most {most} epochs, counted from 1",
                history["epoch"].tolist(),
            )
        if not 1 <= fitted.best_epoch <= n:
            fail(self.function, f"a best_epoch from 1 to {n}", fitted.best_epoch)
        if not np.isfinite(history[["loss", "accuracy", "seconds"]].to_numpy(float)).all():
            fail(self.function, "finite loss, accuracy and seconds in history", "NaN or infinity")

    def cost(self, fitted: FittedModel, shape: InputShape) -> None:
        """Check that costs are counts, and those that the size foretold."""
        with calling(fitted.cost):
            cost = fitted.cost()
        if not isinstance(cost, Cost) or any(
            not (n is None or (isinstance(n, int) and n >= 0)) for n in cost
        ):
            fail(self.function, "a Cost of whole numbers or None", cost)
        size = self.model.size(shape)
        if size is not None and cost.parameters not in (None, size.parameters):
            fail(self.function, f"{cost.parameters} parameters from its size", size.parameters)
        if fitted.shape != shape:
            fail(self.function, f"the shape that it was fitted for, {shape}", fitted.shape)

    def same_again(self, windows: Windows, fold: Fold, p: np.ndarray) -> None:
        """Check that the seed decides everything, and classes of test windows nothing."""
        labels = windows.labels
        codes = labels.codes.copy()
        tested = np.unique(windows.trial[fold.test])
        codes[tested] = (codes[tested] + 1) % len(_CLASSES)
        changed = Windows(
            windows.trials,
            Labels(codes, labels.classes, labels.dropped),
            windows.trial,
            windows.first,
            windows.n_times,
        )
        words = "the same probabilities with the same seed and other classes of test windows"
        self._equal(words, self._fit_and_ask(changed, fold), p, self.tolerance)

    def _fit_and_ask(self, windows: Windows, fold: Fold) -> np.ndarray:
        fitted = self.fit(windows, fold)
        scaled = ScaledWindows(windows, fit_scaling(windows, fold.train))
        with calling(fitted.predict_proba):
            return fitted.classify(scaled.x(fold.test))

    def storage(self, fitted: FittedModel, windows: Windows, fold: Fold, p: np.ndarray) -> None:
        """Check that it is stored and read, and that what is no such file is refused."""
        if self.model.file is None:
            return
        shape = shape_of(windows)
        scaled = ScaledWindows(windows, fit_scaling(windows, fold.train))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.model.file
            with calling(fitted.save):
                fitted.save(path)
            if [entry.name for entry in Path(folder).iterdir()] != [path.name]:
                fail(self.function, f"one file, {path.name}, from save", "others")
            with calling(self.model.load):
                loaded = self.model.load(path, shape)
                found = loaded.classify(scaled.x(fold.test))
            self._equal("the same probabilities of what was stored", found, p, self.tolerance)
            path.write_bytes(path.read_bytes()[:100])
            for damaged in (path, path.with_name(f"no-{path.name}")):
                try:
                    with calling(self.model.load):
                        self.model.load(damaged, shape)
                except InputError:
                    continue
                fail(self.function, "a DataError of a damaged or missing file", "none")

    def missing_class(self, windows: Windows, fold: Fold) -> None:
        """Check that a class which training lacks does not move the others' columns."""
        codes = windows.codes
        kept = fold.train[codes[fold.train] != 1]
        validation = fold.validation[codes[fold.validation] != 1]
        scaled = ScaledWindows(windows, fit_scaling(windows, kept))
        fewer = Fold(fold.name, kept, validation, fold.test, fold.repeat, fold.group)
        fitted = self.fit(windows, fewer)
        with calling(fitted.classify):
            p = fitted.classify(scaled.x(fold.test))
        self._are_probabilities(p, len(fold.test))
        if not self.model.in_epochs and p[:, 1].any():
            fail(self.function, "probability 0 of a class that training lacked", p[:, 1].max())


def _copies(data: FitData) -> dict[str, np.ndarray]:
    names = ("train", "validation", "target", "class_weight")
    return {name: np.array(getattr(data, name)) for name in names}


def _watch(data: FitData, asked: list[np.ndarray]) -> FitData:
    """Note the windows whose classes are asked for, even where the refusal is swallowed."""

    class Watched(FitData):
        def y(self, rows: np.ndarray) -> np.ndarray:
            asked.append(np.atleast_1d(np.asarray(rows)))
            return super().y(rows)

    watched = object.__new__(Watched)
    watched.__dict__.update(data.__dict__)
    return watched
