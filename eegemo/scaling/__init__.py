"""Scaling: fitted on training windows, applied per channel."""

from eegemo.scaling.affine import Moments, Scaling, fit_scaling, load_scaling

__all__ = [
    "Moments",
    "Scaling",
    "fit_scaling",
    "load_scaling",
]
