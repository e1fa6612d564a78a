"""A subject of a simulated release: the same brain and trials in every format."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from eegemo.simulation.brain import (
    BINS,
    WIDE_BINS,
    SimulatedBrain,
    TrialSignals,
    TrialSources,
    make_brain,
)
from eegemo.simulation.ratings import BASELINE, SimulatedRatings
from eegemo.simulation.spectra import SFREQ, overlap_add

__all__ = ["SimulatedSubject"]

Float32 = npt.NDArray[np.float32]
Complex64 = npt.NDArray[np.complex64]

# Streams of random numbers, after those of the ratings: whatever is drawn for one purpose never
# moves another.
_BRAIN, _TRIALS, _WIDE, _SESSION = 2, 3, 4, 5


@dataclass(frozen=True)
class SimulatedSubject:
    """A simulated subject: all that its signals depend on.

    Attributes
    ----------
    number : int
        From 1.
    rated : SimulatedRatings
        What the subject felt and reported, in video order.
    duration : float
        Seconds of a video.
    effect, fingerprint : float
        See `eegemo.simulation.simulate_deap`.
    seed : int
        Of the release.
    """

    number: int
    rated: SimulatedRatings
    duration: float
    effect: float
    fingerprint: float
    seed: int

    @property
    def n_trials(self) -> int:
        """Trials, one per video."""
        return len(self.rated.order)

    @property
    def n_times(self) -> int:
        """Samples of a trial at 128 Hz, baseline included."""
        return round((BASELINE + self.duration) * SFREQ)

    @cached_property
    def brain(self) -> SimulatedBrain:
        """What stays the same in all trials."""
        return make_brain(np.random.default_rng((self.seed, _BRAIN, self.number)))

    def generator(self, purpose: int, part: int = 0) -> np.random.Generator:
        """Return random numbers for the session, outside the trials."""
        return np.random.default_rng((self.seed, _SESSION, self.number, purpose, part))

    def draw(self, trial: int) -> TrialSources:
        """Draw one trial; `trial` counts from 0 in video order. The same at every call."""
        # Felt states lie on either side of neutral more clearly than a linear scale would have it.
        valence, arousal = np.tanh(self.rated.felt[trial] / 0.1)
        return self.brain.draw(
            np.random.default_rng((self.seed, _TRIALS, self.number, trial)),
            self.n_times,
            valence=valence,
            arousal=arousal,
            effect=self.effect,
            fingerprint=self.fingerprint,
        )

    def draw_wide(self, trial: int, n_blocks: int) -> Complex64:
        """Draw the brain's activity of one trial outside 4 to 45 Hz, for raw recordings."""
        rng = np.random.default_rng((self.seed, _WIDE, self.number, trial))
        return self.brain.draw_wide(rng, n_blocks)

    def preprocessed(self, trial: int) -> TrialSignals:
        """Return a trial as in DEAP's preprocessed release."""
        return self.brain.finish(self.draw(trial))

    def clean(self, trial: int) -> Float32:
        """Return the brain activity in the EEG of a trial, as recorded.

        Parameters
        ----------
        trial : int
            From 0, in video order.

        Returns
        -------
        ndarray, shape (32, n_times)
            Volts at 128 Hz, 0.5 to 60 Hz, before any filter; average reference.
        """
        drawn = self.draw(trial)
        out = overlap_add(drawn.brain, BINS, self.n_times)
        out += overlap_add(self.draw_wide(trial, drawn.brain.shape[1]), WIDE_BINS, self.n_times)
        return out * np.float32(1e-6)
