"""Scaling: fitted on training windows, applied per channel."""

from eegemo.scaling.affine import Moments, Scaling, fit_scaling, load_scaling
from eegemo.scaling.scaled import ScaledWindows

__all__ = [
    "Moments",
    "ScaledWindows",
    "Scaling",
    "fit_scaling",
    "load_scaling",
]
