"""The baseline: logistic regression on log band power.

What any network should beat before its layers are worth a discussion: a few numbers per channel, a
weight for each of them and class, nothing of what happens when within a window. It is a
scikit-learn `Pipeline`, and is kept as plain arrays: nothing is pickled, so that a stored one can
be opened without trusting whoever stored it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import MinLen
from threadpoolctl import threadpool_limits

from eegemo.errors import ConfigError, DataError
from eegemo.features import BANDS, check_bands
from eegemo.formats.archives import load_arrays
from eegemo.models.base import BASELINE, FittedModel, Model
from eegemo.models.builders import BuilderModel, builds, make_model
from eegemo.models.estimator import one_row_history, predict_all_classes
from eegemo.models.fit_data import FitData
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import Cost, FitFiles, InputShape, empty_history, wrong_shape
from eegemo.registry import NOT_IN_FILE, Count, Positive
from eegemo.scaling import ScaledWindows, Scaling
from eegemo.store import atomic_file, write_text
from eegemo.windows import Windows

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline


__all__ = [
    "BandPowerModel",
    "FittedBandPower",
    "baseline_for",
    "build_band_power_logreg",
    "fit_band_power_logreg",
    "load_band_power_logreg",
    "predict_band_power_logreg",
    "save_band_power_logreg",
]


_FORMAT = "eegemo band_power_logreg 1"


_WEIGHTS = {None: "", "none": "", "balanced": "balanced"}


@builds("eegemo.models.band_power:BandPowerModel", title="band-power logistic regression")
def build_band_power_logreg(
    *,
    sfreq: Annotated[float, NOT_IN_FILE],
    bands: Annotated[Sequence[tuple[Positive, Positive]], MinLen(1)] = BANDS,
    C: Positive = 1.0,
    max_iter: Count = 1000,
    class_weight: Annotated[Literal["balanced", "none"] | None, NOT_IN_FILE] = "balanced",
    ch_names: Annotated[Sequence[str] | None, NOT_IN_FILE] = None,
) -> Pipeline:
    """Build log band power, z-score of each feature, and multinomial logistic regression.

    ::

        (n_windows, n_times, n_channels)
          -> BandPower -> (n_windows, n_channels * n_bands)
          -> StandardScaler -> LogisticRegression

    Parameters
    ----------
    sfreq : float
        Sampling frequency in Hz.
    bands : sequence of (float, float)
        Lower and upper edge of each band in Hz, below half the sampling rate and at least as wide
        as the frequency resolution of the windows. The defaults are theta, alpha, beta and gamma.
    C : float
        Inverse strength of the L2 penalty on the weights.
    max_iter : int
        Maximum number of iterations of L-BFGS, which has no random part.
    class_weight : {"balanced", "none"}
        Whether classes count the same, from the windows of `fit`.
    ch_names : sequence of str, optional
        Names of the channels, for ``get_feature_names_out``.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Its steps are ``band_power``, ``scale`` and ``classify``; not fitted. Its ``predict_proba``
        has a column for each class in training, as scikit-learn has it; `predict_all_classes` has
        one for every class.

    Raises
    ------
    ConfigError
        If a band is not one or lies above half the sampling frequency, or an option is not known.

    Examples
    --------
    >>> seconds = np.arange(128) / 128
    >>> waves = [[np.sin(2 * np.pi * hertz * seconds + p)] for hertz in (10, 20) for p in (0, 1, 2)]
    >>> windows = np.swapaxes(waves, 1, 2)  # six windows of 128 samples of one channel
    >>> pipeline = build_band_power_logreg(sfreq=128.0).fit(windows, [0, 0, 0, 1, 1, 1])
    >>> pipeline.predict(windows).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    from eegemo.features import BandPower

    check_bands(bands, sfreq)
    if class_weight not in _WEIGHTS:
        raise ConfigError(
            f"model: class_weight must be 'balanced' or 'none'; found {class_weight!r}."
        )
    if not 0 < C < np.inf or max_iter < 1:
        raise ConfigError(
            f"model: C and max_iter must be positive; found C={C!r}, max_iter={max_iter!r}."
        )
    bands = tuple((float(low), float(high)) for low, high in bands)
    return Pipeline(
        [
            ("band_power", BandPower(sfreq, bands=bands, ch_names=ch_names)),
            ("scale", StandardScaler()),
            (
                "classify",
                LogisticRegression(
                    C=C, max_iter=max_iter, class_weight=_WEIGHTS[class_weight] or None
                ),
            ),
        ]
    )


def fit_band_power_logreg(
    pipeline: Pipeline,
    windows: Windows,
    rows: np.ndarray,
    *,
    scaling: Scaling | None = None,
    features: np.ndarray | None = None,
) -> Pipeline:
    """Fit the pipeline on indexed windows, a batch of which is in memory at a time.

    Parameters
    ----------
    pipeline : Pipeline
        Of `build_band_power_logreg`; fitted in place.
    windows : Windows
    rows : ndarray of int, shape (n,)
        The training windows.
    scaling : Scaling, optional
        Of the windows; none if not given. Power does not depend on a window's mean, and scaling a
        channel by a gain adds ``2 log(gain)`` to its log power, so `features` serve every scaling.
    features : ndarray, shape (n_windows, n_features), optional
        Band power of all windows, from `compute_band_powers`: it is the same in every fold.

    Returns
    -------
    pipeline : Pipeline
        The one given. The result does not depend on how many threads there are.

    Raises
    ------
    ConfigError
        If the windows cannot resolve the bands.
    DataError
        If the training windows are of a single class, or there are none.
    """
    from eegemo.features.stored import scaled_band_power

    codes = windows.codes[rows]
    x = scaled_band_power(_scaled(windows, scaling, features), rows, pipeline[0])
    _fit_features(pipeline, x, codes)
    return pipeline


def _fit_features(pipeline: Pipeline, x: np.ndarray, codes: np.ndarray) -> None:
    if len(np.unique(codes)) < 2:
        raise DataError(
            "band_power_logreg: expected training windows of at least two classes, found "
            f"{len(np.unique(codes))}."
        )
    # sums taken over several threads are rounded differently than over one
    with threadpool_limits(1):
        pipeline[1:].fit(x, codes)


def predict_band_power_logreg(
    pipeline: Pipeline,
    windows: Windows,
    rows: np.ndarray,
    *,
    scaling: Scaling | None = None,
    features: np.ndarray | None = None,
) -> np.ndarray:
    """Return the class probabilities of indexed windows.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    windows : Windows
    rows : ndarray of int, shape (n,)
    scaling, features : optional
        As for `fit_band_power_logreg`.

    Returns
    -------
    probabilities : ndarray of float32, shape (n, n_classes)
        Zero for classes that training lacked.
    """
    from eegemo.features.stored import scaled_band_power

    x = scaled_band_power(_scaled(windows, scaling, features), rows, pipeline[0])
    with threadpool_limits(1):
        return predict_all_classes(pipeline[1:], x, len(windows.labels.classes))


def _scaled(
    windows: Windows, scaling: Scaling | None, features: np.ndarray | None
) -> ScaledWindows:
    none = np.zeros((0, windows.n_channels), np.float32)
    return ScaledWindows(windows, scaling or Scaling((), "training", (), none, none), features)


def save_band_power_logreg(pipeline: Pipeline, path: str | Path) -> None:
    """Write a fitted pipeline to an ``.npz`` file, whole or not at all.

    Parameters
    ----------
    pipeline : Pipeline
        Of `build_band_power_logreg`, fitted.
    path : path
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(pipeline)
    power, scale, classify = (step for _, step in pipeline.steps)
    # a stream, because to a path of another suffix savez would add its own
    with atomic_file(Path(path)) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            format=np.array(_FORMAT),
            sfreq=np.float64(power.sfreq),
            bands=np.array(power.bands, np.float64),
            ch_names=np.array(power.ch_names or (), np.str_),
            shape=np.array([power.n_features_in_, power.n_channels_], np.int64),
            mean=scale.mean_.astype(np.float64),
            variance=scale.var_.astype(np.float64),
            scale=scale.scale_.astype(np.float64),
            n_samples=np.int64(scale.n_samples_seen_),
            coef=classify.coef_.astype(np.float64),
            intercept=classify.intercept_.astype(np.float64),
            classes=classify.classes_.astype(np.int64),
            C=np.float64(classify.C),
            max_iter=np.int64(classify.max_iter),
            n_iter=classify.n_iter_.astype(np.int64),
            class_weight=np.array(classify.class_weight or "none"),
        )


def load_band_power_logreg(path: str | Path) -> Pipeline:
    """Read a pipeline that `save_band_power_logreg` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : path

    Returns
    -------
    pipeline : Pipeline
        It gives the same probabilities as the one saved, to the bit.

    Raises
    ------
    DataError
        If the file is missing, damaged, or does not hold such a pipeline.
    """
    path = Path(path)
    kinds = dict.fromkeys(("sfreq", "bands", "mean", "variance", "scale"), "f")
    kinds |= dict.fromkeys(("coef", "intercept", "C"), "f")
    kinds |= dict.fromkeys(("shape", "n_samples", "classes", "max_iter", "n_iter"), "i")
    kinds |= dict.fromkeys(("format", "ch_names", "class_weight"), "U")
    stored = load_arrays(path, kinds)
    if stored["format"].ndim or stored["format"].item() != _FORMAT:
        raise DataError(f"{path}: expected {_FORMAT!r} as its format, found {stored['format']!r}.")
    n_bands, n_classes = len(stored["bands"].ravel()) // 2, stored["classes"].size
    n_times, n_channels = (int(n) for n in stored["shape"].ravel()[:2].tolist() or (0, 0))
    n_features, n_rows = n_channels * n_bands, 1 if n_classes == 2 else n_classes
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
        ("format", "sfreq", "n_samples", "C", "max_iter", "class_weight"), ()
    )
    shapes |= {
        "bands": (n_bands, 2),
        "ch_names": (n_channels,) if stored["ch_names"].size else (0,),
        "shape": (2,),
        "mean": (n_features,),
        "variance": (n_features,),
        "scale": (n_features,),
        "coef": (n_rows, n_features),
        "intercept": (n_rows,),
        "classes": (n_classes,),
        "n_iter": (1,),
    }
    for name, shape in shapes.items():
        if stored[name].shape != shape:
            raise DataError(
                f"{path}: {name!r} has the shape {stored[name].shape}; expected {shape}."
            )
    classes = stored["classes"]
    if n_classes < 2 or classes[0] < 0 or (np.diff(classes) <= 0).any():
        raise DataError(f"{path}: expected class numbers in order, found {classes.tolist()[:9]}.")
    if n_times < 2 or (stored["scale"] <= 0).any() or stored["n_samples"] < 1:
        raise DataError(f"{path}: a window length, a scale or a count in it cannot be.")
    try:
        check_bands(stored["bands"].tolist(), float(stored["sfreq"]), n_times)
        pipeline = build_band_power_logreg(
            sfreq=float(stored["sfreq"]),
            bands=stored["bands"].tolist(),
            C=float(stored["C"]),
            max_iter=int(stored["max_iter"]),
            class_weight=stored["class_weight"].item(),
            ch_names=tuple(stored["ch_names"].tolist()) or None,
        )
    except ConfigError as error:
        raise DataError(f"{path}: {error}") from error
    power, scale, classify = (step for _, step in pipeline.steps)
    power.n_features_in_, power.n_channels_ = n_times, n_channels
    scale.mean_, scale.var_ = stored["mean"], stored["variance"]
    scale.scale_, scale.n_samples_seen_ = stored["scale"], stored["n_samples"][()]
    classify.coef_, classify.intercept_ = stored["coef"], stored["intercept"]
    classify.classes_, classify.n_iter_ = classes, stored["n_iter"].astype(np.int32)
    scale.n_features_in_ = classify.n_features_in_ = n_features
    return pipeline


@dataclass
class FittedBandPower(FittedModel):
    """A fitted pipeline of `build_band_power_logreg`.

    Attributes
    ----------
    pipeline : sklearn.pipeline.Pipeline
    """

    pipeline: Pipeline
    shape: InputShape
    history: pd.DataFrame
    best_epoch: int = 1

    def classify(self, x: np.ndarray) -> np.ndarray:
        """See `eegemo.models.base.FittedModel.classify`."""
        with threadpool_limits(1):
            return predict_all_classes(self.pipeline, x, self.shape.n_classes)

    def predict_proba(self, data: ScaledWindows, rows: np.ndarray) -> np.ndarray:
        """See `eegemo.models.base.FittedModel.predict_proba`; stored band power is used."""
        from eegemo.features.stored import scaled_band_power

        x = scaled_band_power(data, rows, self.pipeline[0])
        with threadpool_limits(1):
            return predict_all_classes(self.pipeline[1:], x, self.shape.n_classes)

    def save(self, path: Path) -> None:
        """Write plain arrays."""
        save_band_power_logreg(self.pipeline, path)

    def cost(self) -> Cost:
        """Count the coefficients; to make the features costs more than to weight them."""
        last = self.pipeline[-1]
        return Cost(int(last.coef_.size + last.intercept_.size), None)


@dataclass(frozen=True)
class BandPowerModel(BuilderModel):
    """The baseline: its features are stored once for all folds, and it is kept as plain arrays."""

    is_baseline = True
    file = "model.npz"

    @property
    def bands(self) -> Sequence[tuple[float, float]]:  # type: ignore[override]
        """See `eegemo.models.base.Model`."""
        bands: Sequence[tuple[float, float]] = self.options.get("bands", BANDS)
        return bands

    def fit(
        self, data: FitData, options: TrainingOptions, *, seed: int, files: FitFiles
    ) -> FittedBandPower:
        """Fit on the stored features; see `eegemo.models.base.Model.fit`."""
        from eegemo.features.stored import scaled_band_power

        began = time.perf_counter()
        pipeline = build_band_power_logreg(
            **self.options,
            sfreq=data.shape.sfreq,
            class_weight=options.class_weight,
            ch_names=data.shape.ch_names,
        )
        codes = data.y(data.train)
        x = scaled_band_power(data.scaled, data.train, pipeline[0])
        _fit_features(pipeline, x, codes)
        fitted = FittedBandPower(pipeline, data.shape, empty_history())
        p = fitted.predict_proba(data.scaled, data.train)
        fitted.history = one_row_history(p, codes, options.class_weight, began)
        if files.history is not None:
            write_text(files.history, fitted.history.to_csv(index=False))
        return fitted

    def fit_and_predict(
        self, data: FitData, options: TrainingOptions, rows: np.ndarray, *, seed: int
    ) -> np.ndarray:
        """Fit by a faster solver of the same objective; see `eegemo.models.base.Model`."""
        from eegemo.features.stored import scaled_band_power
        from eegemo.models.logistic import fit_logistic, logistic_probabilities

        pipeline = build_band_power_logreg(
            **self.options, sfreq=data.shape.sfreq, class_weight=options.class_weight
        )
        codes = data.y(data.train)
        x = scaled_band_power(data.scaled, data.train, pipeline[0]).astype(float)
        mean, sd = x.mean(axis=0), x.std(axis=0)
        sd[sd == 0] = 1.0
        weight = None if options.class_weight == "none" else data.class_weight[codes]
        other = scaled_band_power(data.scaled, rows, pipeline[0]).astype(float)
        weights = fit_logistic(
            (x - mean) / sd,
            codes,
            n_classes=data.shape.n_classes,
            C=self.options.get("C", 1.0),
            sample_weight=weight,
        )
        return logistic_probabilities((other - mean) / sd, weights)

    def load(self, path: Path, shape: InputShape) -> FittedBandPower:
        """Read plain arrays; see `eegemo.models.base.Model.load`."""
        pipeline = load_band_power_logreg(path)
        taken = (pipeline[0].n_features_in_, pipeline[0].n_channels_)
        given = (shape.n_times, shape.n_channels)
        if taken != given or int(pipeline[-1].classes_.max()) >= shape.n_classes:
            raise DataError(wrong_shape(taken, shape))
        return FittedBandPower(pipeline, shape, empty_history())


def baseline_for(windows: Windows) -> Model | None:
    """Return the baseline for these windows, or None if they resolve no band.

    The bands are those of `eegemo.features.BANDS`, cut at half the sampling frequency, that windows
    of this length can tell apart.
    """
    bands = []
    for low, high in BANDS:
        band = [low, min(high, windows.trials.sfreq / 2)]
        try:
            check_bands([band], windows.trials.sfreq, windows.n_times)
        except ConfigError:
            continue
        bands.append(band)
    return make_model(BASELINE, bands=bands) if bands else None
