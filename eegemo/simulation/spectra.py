r"""Synthesis of signals from spectra: half-overlapping blocks of two seconds with a sine window.

A block is a spectrum in steps of 0.5 Hz. Neighbouring blocks are independent, and the squares of
the window's halves add up to 1, so their sum has constant power. A spectrum has no sampling
frequency: the same blocks give the same signal at 128 Hz and, in between, at 512 Hz::

    block 0   /~~~~\
    block 1      /~~~~\
    block 2         /~~~~\
    signal       |-----|     one second per pair of neighbours
"""

import numpy as np
import numpy.typing as npt
import scipy.fft

__all__ = ["HOP", "SFREQ", "frequencies", "overlap_add", "pass_band", "render", "white_spectra"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Complex64 = npt.NDArray[np.complex64]

SFREQ = 128.0
"""Sampling frequency of DEAP's preprocessed files, in Hz."""
HOP = 128
"""Samples at `SFREQ` from the start of one block to the start of the next: one second."""
_BLOCK = 2 * HOP


def frequencies(low: float, high: float) -> tuple[npt.NDArray[np.intp], Float64]:
    """Return the bins of a block between two frequencies, both included.

    Parameters
    ----------
    low, high : float
        In Hz.

    Returns
    -------
    bins : ndarray of int
        Numbers of the bins.
    freqs : ndarray
        Their frequencies in Hz.

    Examples
    --------
    >>> frequencies(4, 5)[1].tolist()
    [4.0, 4.5, 5.0]
    """
    bins = np.arange(round(np.ceil(2 * low)), round(np.floor(2 * high)) + 1)
    return bins, bins / 2


def white_spectra(rng: np.random.Generator, n: int, n_blocks: int, n_freqs: int) -> Complex64:
    """Draw white noise.

    Parameters
    ----------
    rng : Generator
    n, n_blocks, n_freqs : int
        Signals, blocks and frequencies.

    Returns
    -------
    ndarray, shape (n, n_blocks, n_freqs)
        Such that, times amplitudes, the signal's variance is the sum of the squared amplitudes.

    Examples
    --------
    >>> white_spectra(np.random.default_rng(0), 2, 3, 4).shape
    (2, 3, 4)
    """
    # A real block of N samples with complex normal coefficients of variance 2 per bin has variance
    # 4 / N**2 times the sum of the squared amplitudes.
    normal = rng.standard_normal((n, n_blocks, n_freqs, 2), dtype=np.float32)
    normal *= _BLOCK / 2
    return normal.view(np.complex64)[..., 0]


def render(spectra: Complex64, bins: npt.NDArray[np.intp], sfreq: float = SFREQ) -> Float32:
    """Convert spectra to windowed blocks.

    Parameters
    ----------
    spectra : ndarray, shape (n, n_blocks, n_freqs)
    bins : ndarray of int, shape (n_freqs,)
        See `frequencies`.
    sfreq : float
        Sampling frequency in Hz, a multiple of 128.

    Returns
    -------
    ndarray, shape (n, n_blocks, 2 * sfreq)
        Blocks of 2 s. At any two rates they agree at the times that both have.

    Examples
    --------
    >>> bins, _ = frequencies(4, 45)
    >>> spectra = white_spectra(np.random.default_rng(0), 1, 2, len(bins))
    >>> slow, fast = render(spectra, bins), render(spectra, bins, 512.0)
    >>> bool(np.allclose(slow, fast[..., ::4], atol=1e-4))
    True
    """
    n_times = round(2 * sfreq)
    ratio = n_times / _BLOCK
    full = np.zeros((*spectra.shape[:2], n_times // 2 + 1), dtype=np.complex64)
    full[..., bins] = spectra
    blocks = np.asarray(scipy.fft.irfft(full, n_times, axis=-1), dtype=np.float32)
    # sin^2 + cos^2 = 1; the phase is that of the sample of 128 Hz, which is half a sample late
    window = ratio * np.sin(np.pi * (np.arange(n_times) + ratio / 2) / n_times)
    blocks *= window.astype(np.float32)
    return blocks


def overlap_add(spectra: Complex64, bins: npt.NDArray[np.intp], n_times: int) -> Float32:
    """Convert spectra to signals at 128 Hz.

    Parameters
    ----------
    spectra : ndarray, shape (n, n_blocks, n_freqs)
    bins : ndarray of int, shape (n_freqs,)
        See `frequencies`.
    n_times : int
        Samples wanted, at most ``(n_blocks - 1) * HOP``.

    Returns
    -------
    ndarray, shape (n, n_times)

    Examples
    --------
    >>> bins, _ = frequencies(4, 45)
    >>> overlap_add(white_spectra(np.random.default_rng(0), 1, 3, len(bins)), bins, 200).shape
    (1, 200)
    """
    blocks = render(spectra, bins)
    out = blocks[:, 1:, :HOP] + blocks[:, :-1, HOP:]
    return np.ascontiguousarray(out.reshape(len(spectra), -1)[:, :n_times])


def pass_band(signals: Float32, low: float, high: float) -> Float32:
    """Apply a zero-phase band-pass filter, at 128 Hz.

    Parameters
    ----------
    signals : ndarray, shape (n, n_times)
    low, high : float
        Edges of the pass band in Hz, in the middle of transitions of 1 Hz.

    Returns
    -------
    ndarray, shape (n, n_times)

    Examples
    --------
    >>> bool(abs(pass_band(np.ones((1, 256), np.float32), 4.0, 45.0)).max() < 1e-6)
    True
    """
    freqs = scipy.fft.rfftfreq(signals.shape[1], 1 / SFREQ)
    edge = 0.5  # Hz, half the width of each transition
    rise = np.clip((freqs - low + edge) / (2 * edge), 0, 1)
    fall = np.clip((high + edge - freqs) / (2 * edge), 0, 1)
    response = (np.sin(np.pi / 2 * rise) * np.sin(np.pi / 2 * fall)) ** 2
    spectra = scipy.fft.rfft(signals, axis=-1) * response.astype(np.float32)
    return np.asarray(scipy.fft.irfft(spectra, signals.shape[1], axis=-1), dtype=np.float32)
