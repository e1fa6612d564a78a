"""Make EEG and peripheral signals out of known sources, one trial at a time.

The head is a sphere with current dipoles in it (`eegemo.recordings.head_model`). Twenty-eight of
them are background: randomly placed and oriented per subject, with 1/f spectra [1]_. Twelve sit
under electrodes and carry rhythms (theta, alpha, beta, gamma). Muscle noise rises with frequency
and is largest at the rim of the cap [2]_. What links signals to ratings:

- valence shifts alpha power between the hemispheres, most at the front: a positive state means less
  alpha on the left, that is, a more active left side [3]_;
- arousal lowers alpha and raises beta and gamma everywhere [4]_.

Both act on the logarithm of a rhythm's amplitude, multiplied by ``effect``, and level off so that
no rhythm more than doubles; nothing else depends on the ratings. Every source of every trial also
gets a random log gain of its own, the trial's fingerprint, by which a classifier can tell trials
apart without any emotion in them. The peripheral channels are plausible and carry no emotion.

All is synthesised in the short-time Fourier domain (blocks of 2 s, half overlapping, sine window),
where a source is white noise times a spectrum and mixing is one matrix product.

References
----------
.. [1] He (2014), "Scale-free brain activity: past, present, and future", Trends in Cognitive
   Sciences 18(9), 480-487.
.. [2] Goncharova et al. (2003), "EMG contamination of EEG: spectral and topographical
   characteristics", Clinical Neurophysiology 114(9), 1580-1593.
.. [3] Davidson (1992), "Anterior cerebral asymmetry and the nature of emotion", Brain and Cognition
   20(1), 125-151.
.. [4] Ray & Cole (1985), "EEG alpha activity reflects attentional demands, and beta activity
   reflects emotional and cognitive processes", Science 228(4700), 750-752.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from eegemo.recordings.deap import DEAP_CHANNELS, DEAP_EEG_CHANNELS
from eegemo.recordings.head_model import REGIONS, electrode_directions, lead_field

__all__ = ["BASELINE", "SFREQ", "SimulatedBrain", "TrialSignals", "make_brain"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

SFREQ = 128.0
"""Sampling frequency of DEAP's preprocessed files, in Hz."""
BASELINE = 3.0
"""Seconds recorded before the video starts."""
_PASS_BAND = (4.0, 45.0)

_BLOCK = 256  # 2 s
_HOP = 128
_FREQS = np.fft.rfftfreq(_BLOCK, 1 / SFREQ)
_BINS = np.flatnonzero(np.abs(_FREQS - np.mean(_PASS_BAND)) <= np.ptp(_PASS_BAND) / 2)
_F = _FREQS[_BINS]
_WINDOW = np.sin(np.pi * (np.arange(_BLOCK) + 0.5) / _BLOCK).astype(np.float32)

_BANDS = ("theta", "alpha", "beta", "gamma")
_N_BACKGROUND = 28

# Largest amplitude (rms, in microvolts, over the electrodes) of each region's rhythms.
_RHYTHM_UV = {
    "theta": dict.fromkeys(REGIONS, 2.5) | {"Fz": 5.0},
    "alpha": dict.fromkeys(REGIONS, 10.0) | dict.fromkeys(("P3", "P4", "Pz", "O1", "O2"), 11.0),
    "beta": dict.fromkeys(REGIONS, 5.0),
    "gamma": dict.fromkeys(REGIONS, 3.5),
}
# Change of log amplitude at effect 1 and full valence or arousal.
_VALENCE = {"alpha": {"F3": -1.3, "F4": 1.3, "T7": -1.0, "T8": 1.0, "C3": -0.5, "C4": 0.5}}
_AROUSAL = {
    "alpha": dict.fromkeys(REGIONS, -0.4),
    "beta": dict.fromkeys(REGIONS, 0.6),
    "gamma": dict.fromkeys(REGIONS, 0.6),
}
_INDIVIDUAL = 0.25  # standard deviation, over subjects, of the logarithm of each of these
_RISE = 1.0  # s after the start of the video until the emotion is there in full


def _table(values: dict[str, dict[str, float]]) -> Float64:
    """Array (region, band) of a nested mapping band -> region -> value."""
    return np.array([[values.get(band, {}).get(r, 0.0) for band in _BANDS] for r in REGIONS])


@dataclass(frozen=True)
class TrialSignals:
    """One simulated trial.

    Attributes
    ----------
    data : ndarray, shape (40, n_times)
        All channels in DEAP's order; EEG in microvolts, 4 to 45 Hz, average reference.
    clean : ndarray, shape (32, n_times)
        The brain's share of the EEG alone, in microvolts, with the same filter and reference.
    """

    data: Float32
    clean: Float32


@dataclass(frozen=True)
class SimulatedBrain:
    """What stays the same in all trials of a subject.

    Attributes
    ----------
    mixing : ndarray, shape (32, 40)
        Microvolts at each electrode per unit of each source, background sources first.
    pink : ndarray, shape (28, n_freqs)
        Amplitude spectra of the background.
    rhythm : ndarray, shape (12, 4)
        Amplitude of each region's theta, alpha, beta and gamma.
    shape : ndarray, shape (4, n_freqs)
        Power spectra of the four rhythms, each of sum 1.
    response : ndarray, shape (2, 12, 4)
        Change of each rhythm's log amplitude by valence and by arousal, at effect 1.
    muscle : ndarray, shape (32, n_freqs)
        Amplitude spectra of the muscle noise, in microvolts.
    blink : ndarray, shape (32,)
        Share of the vertical eye movements that the authors' cleaning has left at each electrode.
    pulse, breath, skin, warmth : float
        Heart rate and breathing rate in Hz, skin resistance in ohm, skin temperature in degrees
        Celsius.
    """

    mixing: Float32
    pink: Float32
    rhythm: Float64
    shape: Float64
    response: Float64
    muscle: Float32
    blink: Float32
    pulse: float
    breath: float
    skin: float
    warmth: float

    def trial(
        self,
        rng: np.random.Generator,
        n_times: int,
        *,
        valence: float = 0.0,
        arousal: float = 0.0,
        effect: float = 1.0,
        fingerprint: float = 0.4,
    ) -> TrialSignals:
        """Make the signals of one trial.

        Parameters
        ----------
        rng : Generator
            Source of the trial's noise. The numbers drawn from it do not depend on the emotion.
        n_times : int
            Samples at 128 Hz, the 3 s before the video included.
        valence, arousal : float
            Emotional state from -1 to 1. It sets in when the video starts.
        effect : float
            Strength of the link between emotion and rhythms; 0 is none.
        fingerprint : float
            Standard deviation of the trial's random log gain per source.

        Returns
        -------
        TrialSignals
            All 40 channels, and the brain's share.

        Examples
        --------
        >>> brain = make_brain(np.random.default_rng(0))
        >>> brain.trial(np.random.default_rng(1), 640).data.shape
        (40, 640)
        """
        peripheral = self._peripheral(rng, n_times)
        n_blocks = -(-n_times // _HOP) + 1
        # The offset keeps the mean power the same whatever the strength of the fingerprint.
        offset = rng.standard_normal(_N_BACKGROUND + self.rhythm.size + len(self.muscle))
        gain = np.exp(fingerprint * offset - fingerprint**2)
        background, rhythms, muscle = np.split(
            gain, [_N_BACKGROUND, _N_BACKGROUND + self.rhythm.size]
        )

        centre = np.arange(n_blocks) * _HOP / SFREQ - BASELINE
        onset = np.clip(centre / _RISE, 0, 1)
        emotion = effect * np.tensordot([valence, arousal], self.response, axes=1)
        waxing = 0.2 * rng.standard_normal((*self.rhythm.shape, n_blocks))
        # 1 + tanh: like exp for small changes, but no rhythm more than doubles
        envelope = (1 + np.tanh(emotion[..., None] * onset)) * np.exp(waxing - 0.2**2)
        envelope *= (self.rhythm * rhythms.reshape(self.rhythm.shape))[..., None]

        sources = _white(rng, self.mixing.shape[1], n_blocks)
        sources[:_N_BACKGROUND] *= (background[:, None] * self.pink).astype(np.float32)[:, None]
        power = np.einsum("rbt,bf->rtf", envelope**2, self.shape)
        sources[_N_BACKGROUND:] *= np.sqrt(power).astype(np.float32)
        brain = np.tensordot(self.mixing, sources, axes=1).astype(np.complex64, copy=False)
        noise = _white(rng, len(self.muscle), n_blocks)
        noise *= (muscle[:, None] * self.muscle).astype(np.float32)[:, None]

        clean = _filter(_overlap_add(brain, n_times))
        # cleaning leaves a little of the eyes' signal (channel 34) in the EEG
        rest = _overlap_add(noise, n_times) + np.outer(self.blink, peripheral[1])
        eeg = clean + _filter(rest.astype(np.float32))
        data = np.concatenate([eeg - eeg.mean(axis=0), peripheral], dtype=np.float32)
        return TrialSignals(data, clean - clean.mean(axis=0))

    def _peripheral(self, rng: np.random.Generator, n_times: int) -> Float32:
        """Channels 33 to 40, shape (8, n_times): hEOG, vEOG, zEMG, tEMG (uV), GSR (ohm) ..."""
        t = np.arange(n_times) / SFREQ
        total = n_times / SFREQ
        out = np.empty((len(DEAP_CHANNELS) - len(DEAP_EEG_CHANNELS), n_times))

        # saccades are steps of horizontal gaze, blinks bumps of 0.3 s about every 4 s
        jumps = rng.uniform(0, total, rng.poisson(0.8 * total))
        gaze = np.zeros(n_times)
        gaze[(jumps * SFREQ).astype(int)] = rng.normal(0, 60, len(jumps))
        out[0] = scipy.signal.lfilter([1.0], [1.0, -0.99], gaze) + rng.normal(0, 6, n_times)
        blinks = rng.uniform(0, total, rng.poisson(0.25 * total))
        height = rng.normal(320, 50, len(blinks))
        bumps = np.exp(-0.5 * ((t - blinks[:, None]) / 0.08) ** 2)
        out[1] = height @ bumps + rng.normal(0, 8, n_times)

        # muscles: noise with bursts of tension
        for row, level in ((2, 8.0), (3, 14.0)):
            tension = 1 + 2 * np.exp(-0.5 * ((t - rng.uniform(0, total)) / 1.5) ** 2)
            out[row] = level * tension * np.diff(rng.standard_normal(n_times + 1))

        # skin resistance drifts and falls by a few per cent, with slow recovery, per response
        events = rng.uniform(0, total, rng.poisson(0.08 * total))
        since = t - events[:, None]
        falls = np.where(since > 0, (1 - np.exp(-since / 0.7)) * np.exp(-since / 8), 0)
        drift = rng.normal(0, 0.02) * t / total + 1 + rng.normal(0, 0.03)
        out[4] = self.skin * (drift - 0.03 * falls.sum(axis=0)) + rng.normal(0, 20, n_times)

        phase = 2 * np.pi * (self.breath * rng.normal(1, 0.05) * t + rng.uniform())
        out[5] = 400 * np.sin(phase) + rng.normal(0, 8, n_times)
        beat = 2 * np.pi * (self.pulse * rng.normal(1, 0.03) * t + rng.uniform())
        beat += 0.15 * np.sin(phase)  # the heart beats faster while breathing in
        out[6] = 900 * np.sin(beat) + 350 * np.sin(2 * beat + 0.8) + rng.normal(0, 15, n_times)
        out[7] = self.warmth + rng.normal(0, 0.1) + rng.normal(0, 0.05) * t / total
        out[7] += rng.normal(0, 0.003, n_times)
        return out.astype(np.float32)


def make_brain(rng: np.random.Generator) -> SimulatedBrain:
    """Draw one subject.

    Parameters
    ----------
    rng : Generator
        Source of everything that distinguishes this subject from others.

    Returns
    -------
    SimulatedBrain
        Sources, their mixing, and the levels of the peripheral channels.

    Examples
    --------
    >>> make_brain(np.random.default_rng(0)).mixing.shape
    (32, 40)
    """
    gain, electrodes = lead_field(), electrode_directions()
    n_regions = len(REGIONS)
    picks = rng.choice(np.arange(n_regions, gain.shape[1]), _N_BACKGROUND, replace=False)
    direction = rng.standard_normal((_N_BACKGROUND, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    moment = np.exp(0.3 * rng.standard_normal(_N_BACKGROUND))
    background = np.einsum("csk,sk->cs", gain[:, picks], direction * moment[:, None])
    # variance, averaged over electrodes, that belongs to a subject's level of background
    level = rng.uniform(7.0, 10.0)
    background *= level / np.sqrt((background**2).sum(axis=1).mean())

    # Regional dipoles are nearly radial; each subject's cortex is folded a little differently.
    radial = electrodes[[DEAP_EEG_CHANNELS.index(name) for name in REGIONS]]
    radial = radial + 0.25 * rng.standard_normal(radial.shape)
    regional = np.einsum("csk,sk->cs", gain[:, :n_regions], radial)
    regional /= np.abs(regional).max(axis=0)

    exponent = rng.uniform(0.8, 1.4, (_N_BACKGROUND, 1))
    pink = _F ** (-exponent / 2)
    pink /= np.sqrt((pink**2).sum(axis=1, keepdims=True))

    peak = np.array([rng.normal(6, 0.4), rng.normal(10, 0.7), rng.normal(20, 1.5), 37.0])
    width = np.array([1.0, 1.2, 4.0, 4.5])
    shape = np.exp(-0.5 * ((_F - peak[:, None]) / width[:, None]) ** 2)
    shape /= shape.sum(axis=1, keepdims=True)
    rhythm = _table(_RHYTHM_UV) * np.exp(0.2 * rng.standard_normal((n_regions, len(_BANDS))))
    response = np.stack([_table(_VALENCE), _table(_AROUSAL)])
    response *= np.exp(_INDIVIDUAL * rng.standard_normal(response.shape))

    rim = np.clip(1.3 - electrodes[:, 2], 0.3, None)
    muscle = 2.5 * rim * np.exp(0.3 * rng.standard_normal(len(rim)))
    rising = 1 / (1 + np.exp(-(_F - 25) / 6))
    spectrum = np.outer(muscle, rising / np.sqrt((rising**2).sum()))

    blink = 0.05 * np.exp(4 * (electrodes[:, 1] - electrodes[:, 1].max()))
    return SimulatedBrain(
        mixing=np.concatenate([background, regional], axis=1).astype(np.float32),
        pink=pink.astype(np.float32),
        rhythm=rhythm,
        shape=shape,
        response=response,
        muscle=spectrum.astype(np.float32),
        blink=blink.astype(np.float32),
        pulse=float(rng.uniform(0.95, 1.4)),
        breath=float(rng.uniform(0.2, 0.32)),
        skin=float(rng.uniform(1e5, 4e5)),
        warmth=float(rng.uniform(30.5, 34.5)),
    )


def _white(rng: np.random.Generator, n: int, n_blocks: int) -> npt.NDArray[np.complex64]:
    """White spectra, shape (n, n_blocks, n_freqs), such that amplitudes add up to a variance."""
    # A real block of N samples with complex normal coefficients of variance 2 per bin has variance
    # 4 / N**2 times the sum of the squared amplitudes.
    normal = rng.standard_normal((n, n_blocks, len(_F), 2), dtype=np.float32)
    normal *= _BLOCK / 2
    return normal.view(np.complex64)[..., 0]


def _overlap_add(spectra: npt.NDArray[np.complex64], n_times: int) -> Float32:
    """Signals (n, n_times) of blocks of spectra (n, n_blocks, n_freqs)."""
    n, n_blocks, _ = spectra.shape
    full = np.zeros((n, n_blocks, len(_FREQS)), dtype=np.complex64)
    full[..., _BINS] = spectra
    blocks = scipy.fft.irfft(full, _BLOCK, axis=-1)
    # sin^2 + cos^2 = 1: independent blocks under a sine window add up to constant power
    blocks *= _WINDOW
    out = blocks[:, 1:, :_HOP] + blocks[:, :-1, _HOP:]
    return np.ascontiguousarray(out.reshape(n, -1)[:, :n_times])


def _filter(signals: Float32) -> Float32:
    """Band-pass 4-45 Hz without phase, for signals (n, n_times): the window's skirts go too."""
    freqs = scipy.fft.rfftfreq(signals.shape[1], 1 / SFREQ)
    edge = 0.5  # Hz, half the width of each transition
    rise = np.clip((freqs - _PASS_BAND[0] + edge) / (2 * edge), 0, 1)
    fall = np.clip((_PASS_BAND[1] + edge - freqs) / (2 * edge), 0, 1)
    response = (np.sin(np.pi / 2 * rise) * np.sin(np.pi / 2 * fall)) ** 2
    spectra = scipy.fft.rfft(signals, axis=-1) * response.astype(np.float32)
    return np.asarray(scipy.fft.irfft(spectra, signals.shape[1], axis=-1), dtype=np.float32)
