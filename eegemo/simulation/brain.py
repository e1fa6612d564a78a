"""Simulation of EEG and peripheral signals from known sources, trial by trial.

The head is a sphere with current dipoles (`eegemo.simulation.head`). Twenty-eight of them are
background, randomly placed and oriented per subject, with 1/f spectra [1]_. Twelve are below
electrodes and carry rhythms (theta, alpha, beta, gamma). Muscle noise rises with frequency and is
largest at the rim of the cap [2]_. Signals depend on ratings in two ways:

- valence shifts alpha power between the hemispheres, most at the front: a positive state means less
  alpha on the left, that is, a more active left side [3]_;
- arousal lowers alpha and raises beta and gamma everywhere [4]_.

Both act on the logarithm of a rhythm's amplitude, multiplied by ``effect``, and saturate: no rhythm
more than doubles. Nothing else depends on the ratings. Every source also gets a random log gain in
every trial. These gains are the trial-specific signature (``fingerprint``), by which a classifier
can discriminate trials without any emotion in them. The peripheral channels are plausible and carry
no emotion.

Signals are synthesised in the short-time Fourier domain (`eegemo.simulation.spectra`), where a
source is white noise times a spectrum, and mixing is a matrix product.

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

from eegemo.datasets.deap import DEAP_EEG_CHANNELS
from eegemo.simulation.head import REGIONS, electrode_directions, lead_field
from eegemo.simulation.peripheral import Peripheral, draw_peripheral
from eegemo.simulation.ratings import BASELINE
from eegemo.simulation.spectra import HOP, SFREQ, frequencies, overlap_add, pass_band, white_spectra

__all__ = [
    "BASELINE",
    "BINS",
    "SFREQ",
    "WIDE_BINS",
    "SimulatedBrain",
    "TrialSignals",
    "TrialSources",
    "make_brain",
]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Complex64 = npt.NDArray[np.complex64]

_PASS_BAND = (4.0, 45.0)

BINS, _F = frequencies(*_PASS_BAND)
# Additional in a raw recording: slower and faster activity of the same background.
_SLOW, _FAST = frequencies(0.5, 3.5), frequencies(45.5, 60.0)
WIDE_BINS = np.concatenate([_SLOW[0], _FAST[0]])
_WIDE_F = np.concatenate([_SLOW[1], _FAST[1]])

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
_RISE = 1.0  # s from the onset of the video to the full emotion


def _table(values: dict[str, dict[str, float]]) -> Float64:
    """Return an array (region, band) of a nested mapping band -> region -> value."""
    return np.array(
        [[values.get(band, {}).get(region, 0.0) for band in _BANDS] for region in REGIONS]
    )


@dataclass(frozen=True)
class TrialSignals:
    """A simulated trial.

    Attributes
    ----------
    data : ndarray, shape (40, n_times)
        All channels in DEAP's order; EEG in microvolts, 4 to 45 Hz, average reference.
    clean : ndarray, shape (32, n_times)
        Brain activity in the EEG alone, in microvolts, with the same filter and reference.
    """

    data: Float32
    clean: Float32


@dataclass(frozen=True)
class TrialSources:
    """Spectra of a simulated trial, before they become signals.

    Attributes
    ----------
    n_times : int
        Samples at 128 Hz.
    peripheral : Peripheral
        Everything that is not EEG.
    brain, muscle : ndarray, shape (32, n_blocks, n_freqs)
        Spectra at the electrodes in microvolts, of blocks of 2 s that overlap by half, at the
        frequencies of `BINS`; see `eegemo.simulation.spectra`.
    """

    n_times: int
    peripheral: Peripheral
    brain: Complex64
    muscle: Complex64


@dataclass(frozen=True)
class SimulatedBrain:
    """The simulated subject: all that stays the same in its trials.

    Attributes
    ----------
    mixing : ndarray, shape (32, 40)
        Microvolts at each electrode per unit of each source, background sources first.
    pink : ndarray, shape (28, n_freqs)
        Amplitude spectra of the background, 4 to 45 Hz.
    wide : ndarray, shape (28, n_wide)
        The same below and above, at `WIDE_BINS`; only raw recordings have them.
    rhythm : ndarray, shape (12, 4)
        Amplitude of each region's theta, alpha, beta and gamma.
    shape : ndarray, shape (4, n_freqs)
        Power spectra of the four rhythms, each of sum 1.
    response : ndarray, shape (2, 12, 4)
        Change of each rhythm's log amplitude by valence and by arousal, at effect 1.
    muscle : ndarray, shape (32, n_freqs)
        Amplitude spectra of the muscle noise, in microvolts.
    blink : ndarray, shape (32,)
        Fraction of vertical eye movements left at each electrode by the authors' cleaning.
    pulse, breath, skin, warmth : float
        Heart rate and breathing rate in Hz, skin resistance in ohm, skin temperature in degrees
        Celsius.
    """

    mixing: Float32
    pink: Float32
    wide: Float32
    rhythm: Float64
    shape: Float64
    response: Float64
    muscle: Float32
    blink: Float32
    pulse: float
    breath: float
    skin: float
    warmth: float

    def draw(
        self,
        rng: np.random.Generator,
        n_times: int,
        *,
        valence: float = 0.0,
        arousal: float = 0.0,
        effect: float = 1.0,
        fingerprint: float = 0.4,
    ) -> TrialSources:
        """Draw the spectra of a trial.

        Parameters
        ----------
        rng : Generator
            Source of the trial's noise, which does not depend on the emotion.
        n_times : int
            Samples at 128 Hz, including the 3 s before the video.
        valence, arousal : float
            Emotional state from -1 to 1, from the onset of the video.
        effect : float
            Strength of the link between emotion and rhythms; 0 for none.
        fingerprint : float
            Standard deviation of the trial's random log gain per source.

        Returns
        -------
        TrialSources
            Peripheral channels, and spectra of brain and muscles at the electrodes.

        Examples
        --------
        >>> brain = make_brain(np.random.default_rng(0))
        >>> brain.draw(np.random.default_rng(1), 640).brain.shape
        (32, 6, 83)
        """
        peripheral = self.peripheral(rng, n_times)
        n_blocks = -(-n_times // HOP) + 1
        # The offset keeps the mean power the same whatever the strength of the fingerprint.
        offset = rng.standard_normal(_N_BACKGROUND + self.rhythm.size + len(self.muscle))
        gain = np.exp(fingerprint * offset - fingerprint**2)
        background, rhythms, muscle = np.split(
            gain, [_N_BACKGROUND, _N_BACKGROUND + self.rhythm.size]
        )

        centre = np.arange(n_blocks) * HOP / SFREQ - BASELINE
        onset = np.clip(centre / _RISE, 0, 1)
        emotion = effect * np.tensordot([valence, arousal], self.response, axes=1)
        waxing = 0.2 * rng.standard_normal((*self.rhythm.shape, n_blocks))
        # 1 + tanh: like exp for small changes, but no rhythm more than doubles
        envelope = (1 + np.tanh(emotion[..., None] * onset)) * np.exp(waxing - 0.2**2)
        envelope *= (self.rhythm * rhythms.reshape(self.rhythm.shape))[..., None]

        sources = white_spectra(rng, self.mixing.shape[1], n_blocks, len(_F))
        sources[:_N_BACKGROUND] *= (background[:, None] * self.pink).astype(np.float32)[:, None]
        power = np.einsum("rbt,bf->rtf", envelope**2, self.shape)
        sources[_N_BACKGROUND:] *= np.sqrt(power).astype(np.float32)
        brain = np.tensordot(self.mixing, sources, axes=1).astype(np.complex64, copy=False)
        noise = white_spectra(rng, len(self.muscle), n_blocks, len(_F))
        noise *= (muscle[:, None] * self.muscle).astype(np.float32)[:, None]
        return TrialSources(n_times, peripheral, brain, noise)

    def draw_wide(self, rng: np.random.Generator, n_blocks: int) -> Complex64:
        """Draw brain activity below 4 Hz and above 45 Hz, for raw recordings.

        Parameters
        ----------
        rng : Generator
        n_blocks : int
            Blocks of 2 s, overlapping by half.

        Returns
        -------
        ndarray, shape (32, n_blocks, n_wide)
            Spectra at the electrodes in microvolts, at the frequencies of `WIDE_BINS`.

        Examples
        --------
        >>> brain = make_brain(np.random.default_rng(0))
        >>> brain.draw_wide(np.random.default_rng(1), 6).shape
        (32, 6, 37)
        """
        sources = white_spectra(rng, _N_BACKGROUND, n_blocks, len(_WIDE_F))
        sources *= self.wide[:, None]
        wide = np.tensordot(self.mixing[:, :_N_BACKGROUND], sources, axes=1)
        return wide.astype(np.complex64, copy=False)

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
        """Simulate a trial as in DEAP's preprocessed release.

        Parameters
        ----------
        rng, n_times, valence, arousal, effect, fingerprint
            As for `draw`.

        Returns
        -------
        TrialSignals
            All 40 channels, and the brain activity alone.

        Examples
        --------
        >>> brain = make_brain(np.random.default_rng(0))
        >>> brain.trial(np.random.default_rng(1), 640).data.shape
        (40, 640)
        """
        return self.finish(
            self.draw(
                rng,
                n_times,
                valence=valence,
                arousal=arousal,
                effect=effect,
                fingerprint=fingerprint,
            )
        )

    def finish(self, drawn: TrialSources) -> TrialSignals:
        """Convert drawn spectra to a trial as in DEAP's preprocessed release."""
        n_times, peripheral = drawn.n_times, drawn.peripheral.signals
        clean = pass_band(overlap_add(drawn.brain, BINS, n_times), *_PASS_BAND)
        # cleaning leaves a little of the eyes' signal (channel 34) in the EEG
        rest = overlap_add(drawn.muscle, BINS, n_times) + np.outer(self.blink, peripheral[1])
        eeg = clean + pass_band(rest.astype(np.float32), *_PASS_BAND)
        data = np.concatenate([eeg - eeg.mean(axis=0), peripheral], dtype=np.float32)
        return TrialSignals(data, clean - clean.mean(axis=0))

    def peripheral(self, rng: np.random.Generator, n_times: int) -> Peripheral:
        """Draw channels 33 to 40 for any duration; see `draw_peripheral`."""
        return draw_peripheral(
            rng,
            n_times,
            pulse=self.pulse,
            breath=self.breath,
            skin=self.skin,
            warmth=self.warmth,
        )


def make_brain(rng: np.random.Generator) -> SimulatedBrain:
    """Draw a simulated subject.

    Parameters
    ----------
    rng : Generator
        Source of all differences between subjects.

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
    norm = np.sqrt((pink**2).sum(axis=1, keepdims=True))
    pink /= norm
    wide = _WIDE_F ** (-exponent / 2) / norm

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
        wide=wide.astype(np.float32),
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
