"""Ratings of a simulated DEAP release: felt states, reported ratings, and their tables.

DEAP's four quadrants are not equally full: 439, 269, 298 and 274 of 1280 trials [1]_. Here the
videos aim at a quadrant, subjects differ in what they feel, and the report now and then is exactly
the middle of the scale.

References
----------
.. [1] Koelstra et al. (2012), "DEAP: A Database for Emotion Analysis using Physiological Signals",
   IEEE Transactions on Affective Computing 3(1), 18-31.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["BASELINE", "SimulatedRatings", "ratings_table", "simulate_ratings", "video_table"]

Float64 = npt.NDArray[np.float64]

BASELINE = 3.0
"""Seconds recorded before the video starts."""

# Share of videos meant for each quadrant. With the disagreement of subjects below, the ratings come
# out near DEAP's 439, 269, 298 and 274 of 1280.
_SHARES = np.array([0.362, 0.207, 0.232, 0.199])
_NO_FAMILIARITY = (2, 15, 23)  # participants of DEAP who were not asked
_VIDEOS, _RATINGS = 0, 1  # streams of random numbers


@dataclass(frozen=True)
class SimulatedRatings:
    """Felt states and reported ratings of a subject, in video order.

    Attributes
    ----------
    felt : ndarray, shape (n_trials, 2)
        Valence and arousal from -1 to 1: what the signals follow.
    labels : ndarray, shape (n_trials, 4)
        Reported valence, arousal, dominance and liking, from 1 to 9.
    familiarity : ndarray, shape (n_trials,)
        From 1 to 5.
    order : ndarray of int, shape (n_trials,)
        Place of each video in the subject's session, from 1.
    start_time : ndarray of int, shape (n_trials,)
        Microseconds from the start of the session until the video; videos start whole seconds
        apart, at least 3 s more than `BASELINE` and a video last.
    """

    felt: Float64
    labels: Float64
    familiarity: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    start_time: npt.NDArray[np.int64]

    @property
    def classes(self) -> list[str]:
        """Quadrant of each trial by its reported ratings; high is above 5."""
        return [_quadrant(v > 5, a > 5) for v, a in self.labels[:, :2]]


def simulate_ratings(
    number: int, n_trials: int = 40, seed: int = 0, duration: float = 60.0
) -> SimulatedRatings:
    """Draw the felt states and reported ratings of a subject.

    Parameters
    ----------
    number : int
        Number of the subject, from 1.
    n_trials : int
        Number of videos.
    seed : int
        Seed of the release.
    duration : float
        Length of a video in s; nothing but `start_time` depends on it.

    Returns
    -------
    SimulatedRatings
        In video order. A felt state is the video's, plus the subject's bias, plus noise that is
        correlated between valence and arousal; the report is ``5 + 4 * felt``, in steps of 0.01,
        and exactly 5 in 1.5 % of cases, as in DEAP.

    Examples
    --------
    >>> simulate_ratings(1, n_trials=4).labels.shape
    (4, 4)
    """
    intended = _intentions(n_trials, seed)
    rng = np.random.default_rng((seed, _RATINGS, number))
    bias = rng.normal(-0.06, 0.1, 2)
    noise = 0.23 * rng.standard_normal((n_trials, 2))
    noise[:, 1] = 0.2 * noise[:, 0] + np.sqrt(1 - 0.2**2) * noise[:, 1]
    felt = np.clip(intended + bias + noise, -1, 1)
    dominance = 0.1 + 0.4 * felt[:, 0] + rng.normal(0, 0.4, n_trials)
    liking = 0.15 + 0.7 * felt[:, 0] + rng.normal(0, 0.4, n_trials)
    reported = np.column_stack([felt, dominance, liking])
    labels: Float64 = np.round(np.clip(5 + 4 * reported, 1, 9), 2).astype(np.float64)
    labels[rng.random(labels.shape) < 0.015] = 5.0
    familiarity = np.clip(np.round(2.5 + 1.3 * rng.standard_normal(n_trials)), 1, 5)
    order = rng.permutation(n_trials) + 1
    # Baseline and video, then as long as it takes to rate it, all in whole seconds.
    shrink = min(duration / 60, 1.0)
    shortest = max(3, round(20 * shrink))
    longest = max(shortest + 2, round(44 * shrink))
    pauses = math.ceil(BASELINE + duration) + rng.integers(shortest, longest + 1, n_trials)
    start_time = (1_703_125 + 1_000_000 * (np.cumsum(pauses) - pauses))[order - 1]
    return SimulatedRatings(felt, labels, familiarity.astype(np.int64), order, start_time)


def ratings_table(ratings: list[SimulatedRatings]) -> pd.DataFrame:
    """Make the table ``participant_ratings``.

    Parameters
    ----------
    ratings : list of SimulatedRatings
        Participants 1, 2, ...

    Returns
    -------
    DataFrame
        One row per presentation, in the order of presentation, with DEAP's columns.

    Examples
    --------
    >>> ratings_table([simulate_ratings(1, n_trials=4)])["Trial"].tolist()
    [1, 2, 3, 4]
    """
    tables = []
    for number, rated in enumerate(ratings, start=1):
        table = pd.DataFrame(
            {
                "Participant_id": number,
                "Trial": rated.order,
                "Experiment_id": np.arange(1, len(rated.order) + 1),
                "Start_time": rated.start_time,
                "Valence": rated.labels[:, 0],
                "Arousal": rated.labels[:, 1],
                "Dominance": rated.labels[:, 2],
                "Liking": rated.labels[:, 3],
                "Familiarity": pd.array(rated.familiarity, dtype="Int64"),
            }
        )
        if number in _NO_FAMILIARITY:
            table["Familiarity"] = pd.NA
        tables.append(table.sort_values("Trial"))
    return pd.concat([t.astype({"Familiarity": "Int64"}) for t in tables], ignore_index=True)


def video_table(n_trials: int, seed: int) -> pd.DataFrame:
    """Make the table ``video_list``.

    Parameters
    ----------
    n_trials : int
        Number of videos.
    seed : int
        Seed of the release.

    Returns
    -------
    DataFrame
        One row per video. Titles are invented, the averages are what the video means to evoke.

    Examples
    --------
    >>> video_table(4, seed=0)["Experiment_id"].tolist()
    [1, 2, 3, 4]
    """
    intended = _intentions(n_trials, seed)
    number = np.arange(1, n_trials + 1)
    return pd.DataFrame(
        {
            "Online_id": number,
            "Experiment_id": number,
            "Artist": "Simulated",
            "Title": [
                f"Video {k} ({_quadrant(v > 0, a > 0)})"
                for k, (v, a) in zip(number, intended, strict=True)
            ],
            "AVG_Valence": np.round(5 + 4 * intended[:, 0], 2),
            "AVG_Arousal": np.round(5 + 4 * intended[:, 1], 2),
        }
    )


def _intentions(n_trials: int, seed: int) -> Float64:
    """Valence and arousal that each video means to evoke, shape (n_trials, 2), from -1 to 1."""
    ideal = _SHARES * n_trials
    counts = np.floor(ideal).astype(int)
    for k in np.argsort(counts - ideal)[: n_trials - counts.sum()]:
        counts[k] += 1
    rng = np.random.default_rng((seed, _VIDEOS))
    quadrant = rng.permutation(np.repeat(np.arange(4), counts))
    sign = np.column_stack([np.where(quadrant < 2, 1, -1), np.where(quadrant % 2 == 0, 1, -1)])
    return np.asarray(sign * rng.uniform(0.45, 0.7, sign.shape))


def _quadrant(high_valence: bool, high_arousal: bool) -> str:
    return f"{'H' if high_valence else 'L'}V{'H' if high_arousal else 'L'}A"
