"""Simulation of ``DREAMER.mat``: the structure of the real file, with known ground truth.

It has the peculiarities of the real file: clips of different lengths, an offset of about 4,000 (the
headset's zero), numbers in steps of half a microvolt, integer ratings from 1 to 5 with 3 as the
middle, and 61 s of a neutral clip before each film. The signals are those of
`eegemo.simulation.brain`, at the 14 positions of the headset.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io

from eegemo.datasets.deap.constants import DEAP_EEG_CHANNELS
from eegemo.datasets.dreamer.contents import CHANNELS, FILE_NAME, RATINGS, SFREQ, look_into
from eegemo.errors import DataError, InputError
from eegemo.simulation.brain import BINS, WIDE_BINS, SimulatedBrain, make_brain
from eegemo.simulation.ratings import BASELINE, simulate_ratings
from eegemo.simulation.spectra import overlap_add
from eegemo.store import atomic_file

__all__ = ["SimulatedDreamer", "is_simulated_dreamer", "simulate_dreamer"]

Float64 = npt.NDArray[np.float64]

_PROVIDER = "simulated by eegemo; this is not DREAMER"
_OFFSET, _STEP = 4200.0, 0.51282  # of an Emotiv headset, in microvolts
_ECG_SFREQ = 256.0
# Streams of random numbers, in addition to those of the ratings.
_BRAIN, _FILMS, _NEUTRAL, _LENGTHS, _OFFSETS = 12, 13, 14, 15, 16
_MOST = 2**31  # bytes of signals; the file is in memory when it is written


@dataclass(frozen=True)
class SimulatedDreamer:
    """A simulated ``DREAMER.mat``, and its ground truth.

    Attributes
    ----------
    root : Path
        The folder; the file is ``DREAMER.mat``.
    subjects : tuple of str
        As the reader names them: "s01", "s02", ...
    durations : tuple of float
        Of each clip, in seconds; the same for everybody.
    felt : ndarray, shape (n_subjects, n_trials, 2)
        Valence and arousal from -1 to 1: what the signals follow.
    scores : ndarray of int, shape (n_subjects, n_trials, 3)
        Reported valence, arousal and dominance, from 1 to 5.
    offset : ndarray, shape (n_subjects, 14)
        Mean of each channel, in microvolts.
    """

    root: Path
    subjects: tuple[str, ...]
    durations: tuple[float, ...]
    felt: Float64
    scores: npt.NDArray[np.int64]
    offset: Float64


def simulate_dreamer(
    root: str | Path,
    *,
    n_subjects: int = 23,
    n_trials: int = 18,
    shortest: float = 65.0,
    longest: float = 120.0,
    rest: float = 61.0,
    effect: float = 1.0,
    fingerprint: float = 0.4,
    seed: int = 0,
    on_subject: Callable[[str, int, int], None] | None = None,
) -> SimulatedDreamer:
    """Write a simulated ``DREAMER.mat``.

    Parameters
    ----------
    root : str | Path
        Folder to write to; made if it is not there. A simulated file in it is replaced, any other
        is refused.
    n_subjects : int
        From 1 to 99.
    n_trials : int
        Film clips per person.
    shortest, longest : float
        Lengths of the clips in s, drawn evenly, to the sample, from this range. (Those of the real
        file go up to more than six minutes, which takes 40 MB per person and clip more.)
    rest : float
        Length of the neutral clip before each film, in s.
    effect, fingerprint : float
        See `eegemo.simulation.simulate_deap`.
    seed : int
        Same seed, same signals and ratings.
    on_subject : callable | None
        Called as ``on_subject(subject, i, n)`` after each person, with ``i`` from 1 to ``n``.

    Returns
    -------
    SimulatedDreamer
        What was written, and the truth.

    Raises
    ------
    InputError
        An argument makes no sense, or the folder holds a ``DREAMER.mat`` of another origin.

    Examples
    --------
    >>> import tempfile
    >>> options = {"n_subjects": 1, "n_trials": 2, "shortest": 2, "longest": 4, "rest": 3}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = simulate_dreamer(folder, **options)
    ...     sorted(path.name for path in made.root.iterdir())
    ['DREAMER.mat']
    """
    _check_arguments(n_subjects, n_trials, shortest, longest, rest, effect, fingerprint, seed)
    root = Path(root)
    file = root / FILE_NAME
    if file.exists() and not is_simulated_dreamer(file):
        raise InputError(
            f"{file}: was not written by this simulation; it may be the real DREAMER, so nothing "
            "was changed. Give a new folder."
        )
    root.mkdir(parents=True, exist_ok=True)
    n_times = np.random.default_rng((seed, _LENGTHS)).integers(
        round(shortest * SFREQ), round(longest * SFREQ) + 1, n_trials
    )
    people, felt, scores, offsets = [], [], [], []
    subjects = tuple(f"s{number:02d}" for number in range(1, n_subjects + 1))
    for number, subject in enumerate(subjects, start=1):
        rated = simulate_ratings(number, n_trials, seed)
        # felt states are spread evenly enough for all five answers
        answers = np.clip(np.round((rated.labels[:, :3] - 1) / 2 + 1), 1, 5).astype(np.int64)
        rng = np.random.default_rng((seed, _OFFSETS, number))
        offset = _OFFSET + 60 * rng.standard_normal(len(CHANNELS))
        brain = make_brain(np.random.default_rng((seed, _BRAIN, number)))
        films, neutral = [], []
        for trial in range(n_trials):
            key = (seed, _FILMS, number, trial)
            valence, arousal = np.tanh(rated.felt[trial] / 0.1)
            state = {"valence": valence, "arousal": arousal, "effect": effect}
            state["fingerprint"] = fingerprint
            films.append(_record(brain, key, int(n_times[trial]), offset, **state))
            key = (seed, _NEUTRAL, number, trial)
            neutral.append(_record(brain, key, round(rest * SFREQ), offset, fingerprint=0.1))
        people.append(_person(number, rng, films, neutral, answers))
        felt.append(rated.felt)
        scores.append(answers)
        offsets.append(offset)
        if on_subject is not None:
            on_subject(subject, number, n_subjects)
    _write(file, people, n_trials)
    return SimulatedDreamer(
        root,
        subjects,
        tuple((n_times / SFREQ).tolist()),
        np.array(felt),
        np.array(scores),
        np.array(offsets),
    )


def is_simulated_dreamer(path: str | Path) -> bool:
    """Return whether a ``DREAMER.mat`` was written by `simulate_dreamer`, by its provider."""
    try:
        return look_into(path).provider == _PROVIDER
    except DataError:
        return False


def _record(
    brain: SimulatedBrain, key: tuple[int, ...], n_times: int, offset: Float64, **state: float
) -> Float64:
    """Return what the headset writes down, shape (n_times, 14), in microvolts."""
    rng = np.random.default_rng(key)
    before = round(BASELINE * SFREQ)  # in which no emotion has set in
    drawn = brain.draw(rng, before + n_times, **state)
    wide = brain.draw_wide(np.random.default_rng((*key, 1)), drawn.brain.shape[1])
    signals = overlap_add(drawn.brain + drawn.muscle, BINS, drawn.n_times)
    signals = signals + overlap_add(wide, WIDE_BINS, drawn.n_times)
    picks = [DEAP_EEG_CHANNELS.index(name) for name in CHANNELS]
    whole: Float64 = signals[picks, before:].T + offset
    return _STEP * np.round(whole / _STEP)


def _person(
    number: int,
    rng: np.random.Generator,
    films: list[Float64],
    neutral: list[Float64],
    answers: npt.NDArray[np.int64],
) -> dict[str, Any]:
    """Return one element of DREAMER.Data, its fields in the order of the real file."""
    hearts = [[_heart(rng, len(clip)) for clip in clips] for clips in (neutral, films)]
    columns = enumerate(RATINGS.values())
    scores = {name: answers[:, [column]].astype(np.float64) for column, name in columns}
    return {
        "Age": str(22 + number % 11),
        "Gender": ("male", "female")[number % 2],
        "EEG": {"baseline": _cell(neutral), "stimuli": _cell(films)},
        "ECG": {"baseline": _cell(hearts[0]), "stimuli": _cell(hearts[1])},
        **scores,
    }


def _heart(rng: np.random.Generator, n_times: int) -> Float64:
    """Return a plausible electrocardiogram of two channels, which carries no emotion."""
    times = np.arange(round(n_times * _ECG_SFREQ / SFREQ)) / _ECG_SFREQ
    beat = np.exp(-(((times * rng.uniform(1.0, 1.4)) % 1 - 0.5) ** 2) / 0.001)
    return np.round(2000 + 600 * np.column_stack([beat, 0.7 * beat]))


def _cell(parts: list[Any], *, row: bool = False) -> npt.NDArray[Any]:
    cell = np.empty((1, len(parts)) if row else (len(parts), 1), dtype=object)
    for number, part in enumerate(parts):
        cell.flat[number] = part
    return cell


def _write(file: Path, people: list[dict[str, Any]], n_trials: int) -> None:
    content = {
        "Data": _cell(people, row=True),
        "EEG_SamplingRate": SFREQ,
        "ECG_SamplingRate": _ECG_SFREQ,
        "EEG_Electrodes": _cell(list(CHANNELS), row=True),
        "noOfSubjects": float(len(people)),
        "noOfVideoSequences": float(n_trials),
        "Disclaimer": "Simulated signals of nobody.",
        "Provider": _PROVIDER,
        "Version": "1",
        "Acknowledgement": "",
    }
    with atomic_file(file) as temporary, temporary.open("wb") as stream:
        scipy.io.savemat(stream, {"DREAMER": content}, do_compression=True, oned_as="column")


def _check_arguments(
    n_subjects: int,
    n_trials: int,
    shortest: float,
    longest: float,
    rest: float,
    effect: float,
    fingerprint: float,
    seed: int,
) -> None:
    if not 1 <= n_subjects <= 99:
        raise InputError(f"n_subjects: expected 1 to 99 (s01 to s99), found {n_subjects}.")
    if n_trials < 1:
        raise InputError(f"n_trials: expected at least 1, found {n_trials}.")
    # math.isfinite first: every comparison with NaN is false
    if not (math.isfinite(shortest) and math.isfinite(longest) and 1 <= shortest <= longest):
        raise InputError(
            "shortest, longest: expected lengths of at least 1 second, in this order, found "
            f"{shortest} and {longest}."
        )
    if not (math.isfinite(rest) and rest >= 1):
        raise InputError(f"rest: expected at least 1 second, found {rest}.")
    for name, value in (("effect", effect), ("fingerprint", fingerprint)):
        if not (math.isfinite(value) and 0 <= value <= 5):
            raise InputError(f"{name}: expected a number from 0 to 5, found {value}.")
    if seed < 0:
        raise InputError(f"seed: expected 0 or a positive integer, found {seed}.")
    n_bytes = n_subjects * n_trials * (longest + rest) * (SFREQ * len(CHANNELS) + 2 * 256) * 8
    if n_bytes > _MOST:
        raise InputError(
            f"n_subjects, n_trials and longest make up to {n_bytes / 2**30:.1f} GiB of signals; a "
            "file can hold at most 2 GiB."
        )
