"""Features of windows, and scaling and channel choice, as scikit-learn transformers on arrays.

They take windows as the rest of eegemo does, ``(n_windows, n_times, n_channels)``, and what
scikit-learn itself knows, two dimensions:

=================  =============================  ====================================
transformer        a 2-D array is                 makes
=================  =============================  ====================================
`BandPower`        ``(n_windows, n_times)``,      ``(n_windows, n_channels * n_bands)``
                   windows of one channel
`ChannelPicker`    ``(n_samples, n_channels)``    the same, with fewer channels
`ChannelScaler`    ``(n_samples, n_channels)``    the same shape
=================  =============================  ====================================
"""

from eegemo.features.band_power import BANDS, BandPower, check_bands, compute_band_powers
from eegemo.features.channels import ChannelPicker, ChannelScaler

__all__ = [
    "BANDS",
    "BandPower",
    "ChannelPicker",
    "ChannelScaler",
    "check_bands",
    "compute_band_powers",
]
