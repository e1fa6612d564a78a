"""Copies of trials found by their signals: both error rates, and the cost.

    python benchmarks/copies.py [--real FOLDER] [--release DIR] [--subjects 6] [--rounds 3]

Different trials: all pairs of a real recording (steady flicker, in which trials of a class are very
alike) and of a simulated release, cut to several lengths. Each pair is compared in full, at every
shift, although a run compares only candidates. Copies: each trial once more, changed in one way,
among the originals, found as a run finds them. Cost: processor time of fingerprints and of the
search, against that of reading and preprocessing. Tables are Markdown, for docs/copies.md.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from measuring import say_machine, simulated_release, stay_on_one_core, versions_of
from scipy import signal

from eegemo.config import parse_experiment
from eegemo.execution import RunContext
from eegemo.fingerprints import compare, find_identical, find_near, make_fingerprints
from eegemo.fingerprints.pairs import best_agreement
from eegemo.runs import prepare
from eegemo.runs.prepare import prepare_experiment
from eegemo.trials import Trials

REAL = Path(__file__).parents[2] / "shared" / "real-eeg" / "ssvep"
EXPERIMENT = """
name: copies
data: {{source: {source}, root: {root}{more}}}
labels: {{task: {task}}}
windows: {{duration: 1.0, stride: 1.0}}
split: {{n_splits: 2}}
model: {{name: band_power_logreg, bands: [[8.0, 13.0]]}}
"""

Change = Callable[[np.ndarray, float], np.ndarray]
RNG = np.random.default_rng(0)


def band(low: float, high: float, order: int = 4, causal: bool = False) -> Change:
    """Return a Butterworth filter, forwards and backwards or only forwards."""

    def change(x: np.ndarray, sfreq: float) -> np.ndarray:
        sos = signal.butter(order, [low, high], "bandpass", fs=sfreq, output="sos")
        run = signal.sosfilt if causal else signal.sosfiltfilt
        return np.asarray(run(sos, x.astype(float), axis=0))

    return change


def notch(x: np.ndarray, sfreq: float) -> np.ndarray:
    return np.asarray(signal.filtfilt(*signal.iirnotch(50, 30, fs=sfreq), x.astype(float), axis=0))


def resampled(x: np.ndarray, sfreq: float) -> np.ndarray:
    """Resample to 100 Hz and back."""
    up, down = 25, round(sfreq / 4)
    there = signal.resample_poly(x.astype(float), up, down, axis=0)
    return np.asarray(signal.resample_poly(there, down, up, axis=0)[: len(x)])


def spread(x: np.ndarray) -> np.ndarray:
    return RNG.standard_normal(x.shape[1])


def cut(begin: float, end: float = 0.0, samples: int = 0) -> Change:
    """Return a cut of seconds at the begin and the end, and of further samples at the begin."""

    def change(x: np.ndarray, sfreq: float) -> np.ndarray:
        return x[round(begin * sfreq) + samples : len(x) - round(end * sfreq)]

    return change


#: What a copy may have gone through; the least length of a trial in seconds to try it.
CHANGES: dict[str, tuple[Change, float]] = {
    "nothing": (lambda x, _: x, 0),
    "unit (a million times)": (lambda x, _: 1e6 * x, 0),
    "offset of 20 mV, by channel": (lambda x, _: x + 2e-2 * spread(x), 0),
    "drift of 50 uV, by channel": (
        lambda x, _: x + 5e-5 * np.linspace(0, 1, len(x))[:, None] * spread(x),
        0,
    ),
    "sign": (lambda x, _: -x, 0),
    "average reference": (lambda x, _: x - x.mean(axis=1, keepdims=True), 0),
    "another channel as reference": (lambda x, _: x - x[:, 1:2], 0),
    "30 uV of noise in the reference": (
        lambda x, _: x + 3e-5 * RNG.standard_normal((len(x), 1)),
        0,
    ),
    "order of channels": (lambda x, _: x[:, RNG.permutation(x.shape[1])], 0),
    "filter 0.5 to 30 Hz": (band(0.5, 30), 0),
    "filter 1 to 40 Hz": (band(1, 40), 0),
    "filter 2 to 30 Hz, order 2": (band(2, 30, 2), 0),
    "notch at 50 Hz": (notch, 0),
    "100 Hz and back": (resampled, 0),
    "rounded to 0.5 uV": (lambda x, _: np.round(x / 5e-7) * 5e-7, 0),
    "noise of a tenth": (lambda x, _: x + 0.1 * x.std(axis=0) * RNG.standard_normal(x.shape), 0),
    "1 sample cut": (cut(0, samples=1), 0),
    "3 samples cut": (cut(0, samples=3), 0),
    "7 samples cut at both ends": (lambda x, _: x[7:-7], 0),
    "0.25 s cut": (cut(0.25), 1.5),
    "0.5 s and 2 samples cut": (cut(0.5, samples=2), 1.5),
    "0.5 s cut at the end": (cut(0, 0.5), 1.5),
    "1 s and 1 sample cut": (cut(1.0, samples=1), 2.9),
    "the second half alone": (lambda x, _: x[len(x) // 2 + 1 :], 3.9),
    "a third cut at either end": (lambda x, _: x[len(x) // 6 + 1 : -len(x) // 6], 2.9),
    "1 to 40 Hz, reference, unit, sign, 0.25 s cut": (
        lambda x, sfreq: -3e6 * band(1, 40)(x - x[:, 2:3], sfreq)[round(0.25 * sfreq) + 3 :],
        1.5,
    ),
    "filter 4 to 45 Hz, order 2 (not mild)": (band(4, 45, 2), 0),
    "causal filter 1 to 40 Hz (not mild)": (band(1, 40, causal=True), 0),
}


def different(sets: dict[str, tuple[list[np.ndarray], float]]) -> None:
    print("\n| trials | length | pairs | called copies | greatest similarity | greatest z |")
    print("|---|---|---|---|---|---|")
    for name, (trials, sfreq) in sets.items():
        prints = make_fingerprints(trials, sfreq)
        same = {tuple(group) for group in find_identical(prints)}
        found = [
            (best_agreement(prints[i], prints[k])[:2], compare(prints[i], prints[k])[0] > 0)
            for i in range(len(prints))
            for k in range(i)
        ]
        called = sum(yes for _, yes in found) + len(same)
        best = np.array([values for values, _ in found]).max(axis=0)
        seconds = len(trials[0]) / sfreq
        cells = (
            name,
            f"{seconds:g} s",
            f"{len(found):,}",
            called,
            f"{best[0]:.2f}",
            f"{best[1]:.1f}",
        )
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def changed(sets: dict[str, tuple[list[np.ndarray], float]]) -> None:
    names = list(sets)
    print(f"\n| change | {' | '.join(names)} |")
    print("|---|" + "---|" * len(names))
    for change, (function, least) in CHANGES.items():
        cells = []
        for trials, sfreq in sets.values():
            if len(trials[0]) / sfreq < least:
                cells.append("")
                continue
            copies = [np.asarray(function(x, sfreq), np.float32) for x in trials]
            prints = make_fingerprints([*trials, *copies], sfreq)
            n = len(trials)
            pairs = {(near.first, near.second): near.similarity for near in find_near(prints)}
            right = [pairs[k, n + k] for k in range(n) if (k, n + k) in pairs]
            wrong = len(pairs) - len(right)
            cells.append(
                f"{100 * len(right) / n:.4g} % ({min(right, default=0):.2f})"
                + (f", {wrong} wrong" if wrong else "")
            )
        print(f"| {change} | {' | '.join(cells)} |", flush=True)


@contextmanager
def timed(places: list[tuple[object, str]]) -> Iterator[dict[str, float]]:
    """Add up the processor time of functions while the block runs."""
    spent: dict[str, float] = {}
    kept = [(module, name, getattr(module, name)) for module, name in places]

    def clock(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **options: object) -> object:
            began = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                spent[name] = spent.get(name, 0.0) + time.process_time() - began

        return run

    for module, name, function in kept:
        setattr(module, name, clock(name, function))
    try:
        yield spent
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def cost(texts: dict[str, str], rounds: int) -> dict[str, Trials]:
    """Measure the cost of each experiment, and return its trials."""
    from eegemo.runs import trials as reading

    places = [(reading, "store_prints"), (prepare, "load_prints"), (prepare, "find_copies")]
    kept: dict[str, Trials] = {}
    print("\n| data | trials | reading | fingerprints | search | share |")
    print("|---|---|---|---|---|---|")
    for name, text in texts.items():
        rows = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder, timed(places) as spent:
                began = time.process_time()
                plan = prepare_experiment(parse_experiment(text), RunContext(Path(folder), jobs=0))
                whole = time.process_time() - began
                trials = plan.windows.trials
                arrays = tuple(np.array(array) for array in trials.arrays)
                kept[name] = Trials(arrays, trials.metadata, trials.sfreq, trials.ch_names)
            made = spent["store_prints"] + spent["load_prints"]
            rows.append((whole - made - spent["find_copies"], made, spent["find_copies"]))
        read, made, search = np.median(rows, axis=0)
        print(
            f"| {name} | {len(kept[name])} | {read:.2f} s | {made:.3f} s | {search:.3f} s | "
            f"{100 * (made + search) / read:.1f} % |",
            flush=True,
        )
    return kept


def pieces(trials: Trials, seconds: float, most: int) -> tuple[list[np.ndarray], float]:
    """Return the first seconds of some trials."""
    n = round(seconds * trials.sfreq)
    usable = np.flatnonzero(trials.n_times >= n)
    chosen = np.sort(np.random.default_rng(1).permutation(usable)[:most])
    return [trials.array(int(k))[:n] for k in chosen], trials.sfreq


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real", type=Path, default=REAL, help="BIDS folder of the SSVEP runs")
    parser.add_argument("--release", type=Path, help="a release that eegemo simulated")
    parser.add_argument("--subjects", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=200, help="trials of each kind")
    options = parser.parse_args()
    stay_on_one_core()
    with simulated_release(options.release, options.subjects) as (release, _):
        texts = {
            "simulated": EXPERIMENT.format(source="deap", root=release, task="quadrant", more="")
        }
        if options.real.is_dir():
            texts["flicker"] = EXPERIMENT.format(
                source="bids", root=options.real, task="given", more=", tmax: 3.0"
            )
        else:
            print(f"{options.real}: not there; real recordings are left out", file=sys.stderr)
        kept = cost(texts, options.rounds)
    lengths = {"simulated": (1.0, 2.0, 4.0, 10.0, 60.0), "flicker": (1.0, 2.0, 3.0)}
    sets = {
        f"{name}, {seconds:g} s": pieces(trials, seconds, options.most)
        for name, trials in kept.items()
        for seconds in lengths[name]
    }
    different(sets)
    changed(sets)
    say_machine([{"versions": versions_of("eegemo", "numpy", "scipy")}])


if __name__ == "__main__":
    main()
