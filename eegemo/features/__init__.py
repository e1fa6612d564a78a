"""scikit-learn transformers on arrays: band power, channel selection and scaling.

They take windows as the rest of eegemo does, ``(n_windows, n_times, n_channels)``, and arrays of
two dimensions, as scikit-learn does:

=================  =============================  ====================================
transformer        a 2-D array is                 makes
=================  =============================  ====================================
`BandPower`        ``(n_windows, n_times)``,      ``(n_windows, n_channels * n_bands)``
                   windows of one channel
`ChannelPicker`    ``(n_samples, n_channels)``    the same, with fewer channels
`ChannelScaler`    ``(n_samples, n_channels)``    the same shape
=================  =============================  ====================================

scikit-learn is imported when a transformer is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eegemo.features.bands import BANDS, check_bands

if TYPE_CHECKING:
    from eegemo.features.band_power import BandPower as BandPower
    from eegemo.features.band_power import compute_band_powers as compute_band_powers
    from eegemo.features.channels import ChannelPicker as ChannelPicker
    from eegemo.features.channels import ChannelScaler as ChannelScaler

_HOMES = {
    "BandPower": "band_power",
    "ChannelPicker": "channels",
    "ChannelScaler": "channels",
    "compute_band_powers": "band_power",
}

__all__ = [
    "BANDS",
    "BandPower",
    "ChannelPicker",
    "ChannelScaler",
    "check_bands",
    "compute_band_powers",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
