"""Signals of a simulated raw recording, second by second (see `eegemo.simulation.raw`)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal

from eegemo.datasets.deap import DEAP_EEG_CHANNELS
from eegemo.simulation.brain import BINS, WIDE_BINS
from eegemo.simulation.head import eye_fields
from eegemo.simulation.peripheral import Peripheral, blink_bumps
from eegemo.simulation.spectra import HOP, SFREQ, frequencies, render, white_spectra
from eegemo.simulation.subject import SimulatedSubject

__all__ = [
    "RATIO",
    "RAW_SFREQ",
    "Artifacts",
    "Session",
    "Traces",
    "lay_out",
    "make_eeg",
    "make_exg",
    "make_traces",
    "to_raw_rate",
]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Complex64 = npt.NDArray[np.complex64]

RAW_SFREQ = 512
"""Sampling frequency of DEAP's original recordings, in Hz."""
RATIO = round(RAW_SFREQ / SFREQ)
_LINE = 50.0
_SLOW = slice(4, 8)  # of the peripheral channels: no noise worth the name, and no step is plausible
_BLINK = 0.5  # seconds after which nothing is left of a blink
_MUSCLE_BINS, _ = frequencies(45.5, 100.0)
_PAIRS = (("EXG1", "EXG2"), ("EXG3", "EXG4"), ("EXG5", "EXG6"), ("EXG7", "EXG8"))

# What random numbers of the session are for.
_LAYOUT, _GAPS, _BACKGROUND, _NOISE, _LINES = range(5)


@dataclass(frozen=True)
class Artifacts:
    """Strength of the artefacts; 1 as in a release, 0 for none.

    Attributes
    ----------
    eyes, muscle, line, drift, noise : float
        Blinks and saccades in the EEG (the EOG keeps them); muscles; line noise; offsets, drifts
        and the reference's own signal; the amplifier's noise.
    bad : bool
        Whether there may be a bad channel.
    """

    eyes: float = 1.0
    muscle: float = 1.0
    line: float = 1.0
    drift: float = 1.0
    noise: float = 1.0
    bad: bool = True


@dataclass(frozen=True)
class Session:
    """Timing of a session.

    Attributes
    ----------
    skip : int
        Samples at 128 Hz between the first whole second of blocks and the start of the recording.
    gaps : tuple of int
        Seconds before each trial and after the last.
    trial : int
        Seconds of a trial, baseline included, rounded up.
    videos : tuple of int
        Which video is shown when, from 0.
    starts : ndarray of int, shape (n_trials,)
        First sample (128 Hz) of each trial's baseline, in order of presentation.
    n_times : int
        Samples of the recording at 128 Hz: whole seconds.
    """

    skip: int
    gaps: tuple[int, ...]
    trial: int
    videos: tuple[int, ...]
    starts: npt.NDArray[np.int64]
    n_times: int


def lay_out(subject: SimulatedSubject) -> Session:
    """Plan the session after the `start_time` of the subject's videos."""
    rng = subject.generator(_LAYOUT)
    videos = np.argsort(subject.rated.order)
    seconds = np.diff(subject.rated.start_time[videos]) // 1_000_000
    trial = math.ceil(subject.n_times / HOP)
    edge = max(4, round(30 * min(subject.duration / 60, 1.0)))
    gaps = (edge, *(seconds - trial).tolist(), edge)
    skip = int(rng.integers(1, HOP))
    starts = (edge + np.concatenate([[0], np.cumsum(seconds)])) * HOP - skip
    total = sum(gaps) + trial * len(videos) - 1  # the skip takes part of a second at either end
    return Session(skip, gaps, trial, tuple(videos.tolist()), starts, total * HOP)


@dataclass(frozen=True)
class Traces:
    """The peripheral channels of a session, at 128 Hz.

    Attributes
    ----------
    signals : ndarray, shape (8, n_times)
        Channels 33 to 40 of the preprocessed files.
    gaze, lids : ndarray, shape (n_times,)
        What saccades and blinks alone give in hEOG and vEOG, in microvolts.
    saccades, blinks : ndarray
        When they happen, in seconds from the first sample, sorted.
    """

    signals: Float32
    gaze: Float64
    lids: Float64
    saccades: Float64
    blinks: Float64


def make_traces(subject: SimulatedSubject, session: Session) -> Traces:
    """Join the peripheral channels of the trials, and fill the time between them."""
    end = session.n_times
    trials = {
        int(start): subject.draw(video).peripheral
        for start, video in zip(session.starts, session.videos, strict=True)
    }
    signals = np.empty((8, end), dtype=np.float32)
    gaze, lids = np.zeros(end), np.zeros(end)
    blinks, saccades = [], []

    def place(start: int, part: Peripheral) -> None:
        span = slice(start, start + part.signals.shape[1])
        signals[:, span], gaze[span], lids[span] = part.signals, part.gaze, part.lids
        blinks.append(part.blinks + start / SFREQ)
        saccades.append(part.saccades + start / SFREQ)

    for start, part in trials.items():
        place(start, part)
    begins = [0, *(start + subject.n_times for start in trials)]
    for k, (start, stop) in enumerate(zip(begins, [*trials, end], strict=True)):
        part = subject.brain.peripheral(subject.generator(_GAPS, k), stop - start)
        slow = part.signals[_SLOW]
        before = signals[_SLOW, start - 1] if start else slow[:, 0]
        after = signals[_SLOW, stop] if stop < end else slow[:, -1]
        near = [(at - start, trials[at]) for at in (start - subject.n_times, stop) if at in trials]
        place(start, _join(part, near, before, after, gaze[start - 1] if start else 0.0))
    return Traces(
        signals, gaze, lids, np.sort(np.concatenate(saccades)), np.sort(np.concatenate(blinks))
    )


def _join(
    part: Peripheral,
    near: list[tuple[int, Peripheral]],
    before: Float32,
    after: Float32,
    gaze_before: float,
) -> Peripheral:
    """Connect the signals of a gap with the trials before and after it.

    Trials are left as they are, since they are those of the preprocessed files.
    """
    n_times = part.signals.shape[1]
    t = np.arange(n_times) / SFREQ
    keep = (part.blinks > _BLINK) & (part.blinks < t[-1] - _BLINK)  # else a trial would cut it off
    blinks, heights = part.blinks[keep], part.heights[keep]
    lids = blink_bumps(t, blinks, heights)
    for offset, trial in near:
        lids += blink_bumps(t, trial.blinks + offset / SFREQ, trial.heights)
    gaze = part.gaze + gaze_before * 0.99 ** np.arange(1, n_times + 1)
    gaze *= np.sin(np.pi / 2 * np.clip(t[-1] - t, 0, 1)) ** 2  # a trial begins with a gaze of zero
    signals = part.signals.copy()
    signals[0] += gaze - part.gaze
    signals[1] += lids - part.lids
    weight = np.linspace(0, 1, n_times)
    signals[_SLOW] += np.outer(before - signals[_SLOW, 0], 1 - weight)
    signals[_SLOW] += np.outer(after - part.signals[_SLOW, -1], weight)
    return Peripheral(signals, gaze, lids, part.saccades, blinks, heights)


def to_raw_rate(signal: npt.NDArray[np.floating]) -> Float64:
    """Interpolate from 128 to 512 Hz."""
    faster: Float64 = scipy.signal.resample_poly(
        signal.astype(np.float64), RATIO, 1, axis=-1, padtype="line"
    )
    return faster


def make_exg(
    subject: SimulatedSubject, session: Session, traces: Traces, artifacts: Artifacts
) -> Iterator[tuple[str, Float64]]:
    """Yield EXG1 to EXG8 in microvolts at 512 Hz; a pair's difference is its EOG or EMG."""
    background = _Background(subject, session, artifacts)
    fields = eye_fields()
    gaze, lids = to_raw_rate(traces.gaze), to_raw_rate(traces.lids)
    for k, pair in enumerate(_PAIRS):
        difference = to_raw_rate(traces.signals[k])
        both = np.outer([0.5, -0.5], difference)
        if k == 0:
            both = np.outer(fields.saccade_exg[:2], difference) + np.outer(
                fields.blink_exg[:2], lids
            )
        elif k == 1:
            both = np.outer(fields.blink_exg[2:], difference) + np.outer(
                fields.saccade_exg[2:], gaze
            )
        # line and drift of a pair are the same: its electrodes are close together
        for name, signal in zip(pair, both, strict=True):
            background.add(signal[np.newaxis], len(DEAP_EEG_CHANNELS) + k, 0)
            yield name, signal


def make_eeg(
    subject: SimulatedSubject, session: Session, traces: Traces, artifacts: Artifacts
) -> Iterator[Float32]:
    """Yield the EEG in microvolts at 512 Hz, piece by piece.

    Yields
    ------
    ndarray, shape (32, n_times)
        The next piece, channels in the order of `DEAP_EEG_CHANNELS`.
    """
    background = _Background(subject, session, artifacts)
    rng = subject.generator(_NOISE)
    fields = eye_fields()
    topographies = artifacts.eyes * np.stack([fields.saccade, fields.blink], axis=1)
    eyes = to_raw_rate(np.stack([traces.gaze, traces.lids])).astype(np.float32)
    at, end, drop = 0, session.n_times * RATIO, session.skip * RATIO
    for eeg in _overlapping(_blocks(subject, session, artifacts)):
        piece = eeg[:, drop:][:, : end - at]
        drop = 0
        stop = at + piece.shape[1]
        piece += topographies.astype(np.float32) @ eyes[:, at:stop]
        piece += 0.5 * artifacts.noise * rng.standard_normal(piece.shape, dtype=np.float32)
        background.add(piece, 0, at)
        yield piece
        at = stop


def _blocks(subject: SimulatedSubject, session: Session, artifacts: Artifacts) -> Iterator[Float32]:
    """Yield windowed blocks at 512 Hz, shape (32, n_blocks, 1024), one block per second."""
    brain = subject.brain
    for k, gap in enumerate(session.gaps):
        rng = subject.generator(_BACKGROUND, k)
        # a block lies around every whole second; those at a trial's two ends belong to the trial
        n_blocks = gap - 1 if 0 < k < len(session.gaps) - 1 else gap
        idle = brain.draw(rng, (n_blocks - 1) * HOP)
        wide = brain.draw_wide(rng, n_blocks)
        yield _render(subject, idle.brain, wide, idle.muscle, rng, artifacts)
        if k < len(session.videos):
            video = session.videos[k]
            drawn = subject.draw(video)
            wide = subject.draw_wide(video, drawn.brain.shape[1])
            yield _render(subject, drawn.brain, wide, drawn.muscle, rng, artifacts)


def _render(
    subject: SimulatedSubject,
    brain: Complex64,
    wide: Complex64,
    muscle: Complex64,
    rng: np.random.Generator,
    artifacts: Artifacts,
) -> Float32:
    strength = np.float32(artifacts.muscle)
    n, n_blocks = brain.shape[:2]
    fast = white_spectra(rng, n, n_blocks, len(_MUSCLE_BINS))
    # above 45 Hz, muscles stay as strong as at 45 Hz
    fast *= subject.brain.muscle[:, -1:, np.newaxis]
    bins = np.concatenate([BINS, WIDE_BINS, _MUSCLE_BINS])
    both = np.zeros((*brain.shape[:2], int(bins.max()) + 1), dtype=np.complex64)
    both[..., BINS] = brain + strength * muscle
    both[..., WIDE_BINS] = wide
    both[..., _MUSCLE_BINS] += strength * fast
    return render(both, np.arange(both.shape[-1]), float(RAW_SFREQ))


def _overlapping(groups: Iterator[Float32]) -> Iterator[Float32]:
    """Add up blocks that follow each other; every group of n blocks gives n more seconds."""
    hop = RAW_SFREQ
    tail: Float32 | None = None
    for blocks in groups:
        out = blocks[..., :hop].copy()
        out[:, 1:] += blocks[:, :-1, hop:]
        if tail is None:
            out = out[:, 1:]
        else:
            out[:, 0] += tail
        tail = blocks[:, -1, hop:].copy()
        yield out.reshape(len(out), -1)


class _Background:
    """Line noise, offsets and drifts of every electrode, from any sample on."""

    def __init__(self, subject: SimulatedSubject, session: Session, artifacts: Artifacts) -> None:
        rng = subject.generator(_LINES)
        n, seconds = len(DEAP_EEG_CHANNELS) + len(_PAIRS), session.n_times // HOP + 2
        local = rng.lognormal(0.0, 0.5, n) * np.exp(2j * np.pi * rng.uniform(size=n))
        # mostly the same everywhere, so a reference removes most of it
        self._line = artifacts.line * (15.0 + local)
        self._swell = rng.uniform(0.02, 0.1)  # Hz, of the line noise's strength
        shared = np.cumsum(rng.normal(0, 3, seconds))
        walks = np.cumsum(rng.normal(0, 2, (n, seconds)), axis=1)
        self._drift = artifacts.drift * (rng.normal(0, 5000, (n, 1)) + walks + shared)

    def add(self, signals: npt.NDArray[np.floating], channel: int, start: int) -> None:
        """Add to signals, shape (n, n_times), of electrodes from `channel` on, in place.

        They are in microvolts at 512 Hz, and their first sample is `start`.
        """
        t = np.arange(start, start + signals.shape[1]) / RAW_SFREQ
        turn = 2 * np.pi * _LINE * t
        strength = 1 + 0.3 * np.sin(2 * np.pi * self._swell * t)
        cosine, sine = strength * np.cos(turn), strength * np.sin(turn)
        harmonic = 0.2 * np.cos(2 * turn)
        whole = np.arange(self._drift.shape[1])
        for k, signal in enumerate(signals, start=channel):
            line = self._line[k]
            signal += np.interp(t, whole, self._drift[k])
            signal += line.real * (cosine + harmonic) - line.imag * sine
