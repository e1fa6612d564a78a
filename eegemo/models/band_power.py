"""The baseline: logistic regression on log band power.

What any network should beat before its layers are worth a discussion: a few numbers per channel, a
weight for each of them and class, nothing of what happens when within a window. It is a
scikit-learn `Pipeline`, and is kept as plain arrays: nothing is pickled, so that a stored one can
be opened without trusting whoever stored it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import MinLen
from threadpoolctl import threadpool_limits

from eegemo.errors import ConfigError, DataError
from eegemo.features import BANDS, check_bands
from eegemo.formats.archives import load_arrays
from eegemo.models import BASELINE
from eegemo.registry.options import NOT_IN_FILE, Count, Positive
from eegemo.store import atomic_file
from eegemo.windows import Windows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from eegemo.features import BandPower
    from eegemo.scaling import Scaling
    from eegemo.windows import Windows

__all__ = [
    "baseline_for",
    "build_band_power_logreg",
    "fit_band_power_logreg",
    "load_band_power_logreg",
    "predict_all_classes",
    "predict_band_power_logreg",
    "save_band_power_logreg",
]


def baseline_for(windows: Windows) -> dict[str, Any] | None:
    """Return the baseline's arguments for these windows, or None if they resolve no band.

    The bands are those of `eegemo.features.BANDS`, cut at half the sampling frequency, that windows
    of this length can tell apart.
    """
    from eegemo.features import BANDS, check_bands

    bands = []
    for low, high in BANDS:
        band = [low, min(high, windows.trials.sfreq / 2)]
        try:
            check_bands([band], windows.trials.sfreq, windows.n_times)
        except ConfigError:
            continue
        bands.append(band)
    return {"name": BASELINE, "bands": bands} if bands else None


# Windows in memory at a time, where features have to be computed.
_BATCH = 2048


_FORMAT = "eegemo band_power_logreg 1"


_WEIGHTS = {None: "", "none": "", "balanced": "balanced"}


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
    codes = windows.codes[rows]
    if len(np.unique(codes)) < 2:
        raise DataError(
            "band_power_logreg: expected training windows of at least two classes, found "
            f"{len(np.unique(codes))}."
        )
    x = _features(pipeline, windows, rows, scaling, features)
    # sums taken over several threads are rounded differently than over one
    with threadpool_limits(1):
        pipeline[1:].fit(x, codes)
    return pipeline


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
    x = _features(pipeline, windows, rows, scaling, features)
    with threadpool_limits(1):
        return predict_all_classes(pipeline[1:], x, len(windows.labels.classes))


def predict_all_classes(estimator: Any, x: np.ndarray, n_classes: int) -> np.ndarray:
    """Return probabilities with a column for every class, also for those not in training.

    Parameters
    ----------
    estimator : sklearn classifier
        Fitted on codes from 0 to ``n_classes - 1``.
    x : ndarray
        What it takes.
    n_classes : int

    Returns
    -------
    probabilities : ndarray of float32, shape (n, n_classes)
        Zero for classes that training lacked.

    Raises
    ------
    DataError
        If the classifier knows a class beyond `n_classes`.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> known = DummyClassifier().fit([[0.0], [0.0]], [0, 2])
    >>> predict_all_classes(known, np.zeros((1, 1)), 4).tolist()
    [[0.5, 0.0, 0.5, 0.0]]
    """
    classes = np.asarray(estimator.classes_)
    if classes.min() < 0 or classes.max() >= n_classes:
        raise DataError(
            f"band_power_logreg: it was trained with class {classes.max()}; there are {n_classes}."
        )
    probabilities = np.zeros((len(x), n_classes), np.float32)
    if len(x):
        probabilities[:, classes] = estimator.predict_proba(x)
    return probabilities


def _features(
    pipeline: Pipeline,
    windows: Windows,
    rows: np.ndarray,
    scaling: Scaling | None,
    features: np.ndarray | None,
) -> np.ndarray:
    """Return the features of scaled windows, shape (n, n_channels * n_bands)."""
    from eegemo.features import compute_band_powers

    power: BandPower = pipeline[0]
    scaled = scaling is not None and bool(scaling.steps)
    if features is None and not scaled:
        return compute_band_powers(windows, rows, power)
    compute_band_powers(windows, rows[:0], power)  # it is fitted, as part of the pipeline
    if scaling is None or not scaled:
        plain: np.ndarray = np.asarray(features)[rows]
        return plain
    unit = scaling.unit_of(windows)
    own = None if unit is None else unit[rows]
    if features is not None and scaling.fit != "window":
        x: np.ndarray = np.asarray(features[rows], float)
        gain = scaling.gain.astype(float)[np.zeros(len(rows), int) if own is None else own]
        shift = 2 * np.log(np.maximum(np.abs(gain), np.finfo(np.float32).tiny))
        x += np.repeat(shift, len(power.bands), axis=1)
        return x
    found = np.empty((len(rows), windows.n_channels * len(power.bands)))
    for first in range(0, len(rows), _BATCH):
        part = slice(first, first + _BATCH)
        volts = windows.gather(rows[part])
        found[part] = power.transform(scaling.transform(volts, None if own is None else own[part]))
    return found


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
