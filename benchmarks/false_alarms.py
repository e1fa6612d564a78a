"""How often a report would claim evidence where there is none, design by design.

Data sets without any effect of the class are simulated in the designs that the field has: own
trials, clips that people share and that each have a response of their own, blocks of time, classes
that are constant over a recording, and pieces of one clip. Each goes through windows, folds, the
model, its refits and the verdict of a report. Printed are the fractions of data sets with the
verdict "yes", "limited", "none" and "not tested", and with an effect the power.

    python benchmarks/false_alarms.py [N] [--designs NAME ...] [--effect SIZE] [--refits 39]

Seconds per data set: about 1. Nothing is written but the table, in Markdown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from eegemo.evaluation.assess import assess
from eegemo.evaluation.design import GROUPS_BACK
from eegemo.evaluation.predictions import make_predictions
from eegemo.evaluation.statistics.design import read_design
from eegemo.evaluation.statistics.refitted import RefittedNull
from eegemo.evaluation.verdict import judge, people_p_value
from eegemo.features import BandPower, compute_band_powers
from eegemo.labels import Labels
from eegemo.models import TrainingOptions, make_model
from eegemo.models.base import make_fit_data
from eegemo.runs.refits import RefitTask, refit_chunk
from eegemo.scaling import ScaledWindows, fit_scaling
from eegemo.splits import make_folds
from eegemo.splits.fold import group_numbers, shared_groups
from eegemo.training import Candidate
from eegemo.trials import Trials
from eegemo.windows import make_windows

SFREQ, SECONDS, N_CHANNELS = 64.0, 4, 6
BANDS = [[8.0, 13.0], [13.0, 30.0]]
SPREAD = 0.4  # of a trial's own log amplitude in each channel


@dataclass(frozen=True)
class Kind:
    """A design: its words, how trials are made, and the split."""

    words: str
    make: object
    split: dict[str, object]
    order: bool = False


def _base(n_people: int, n_trials: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject": np.repeat([f"s{k:02d}" for k in range(n_people)], n_trials),
            "session": "1",
            "run": "1",
            "trial": np.tile(np.arange(1, n_trials + 1), n_people),
            "stimulus": "",
            "bundle": "",
        }
    )


def _own(rng, n_people=4, n_trials=20):
    table = _base(n_people, n_trials)
    code = np.concatenate([rng.permutation(np.arange(n_trials) % 2) for _ in range(n_people)])
    return table, code, np.zeros((len(table), N_CHANNELS))


def _clips(rng, n_people=8, n_clips=16, size=1.0, sessions=1):
    """Make people who share clips; each clip has a response of its own, in everybody."""
    table = _base(n_people, n_clips * sessions)
    clip = np.tile(np.arange(n_clips), n_people * sessions)
    table["stimulus"] = [f"clip{k:02d}" for k in clip]
    if sessions > 1:
        table["session"] = np.tile(np.repeat(np.arange(1, sessions + 1), n_clips), n_people)
        table["session"] = table["session"].astype(str)
    of_clip = rng.permutation(np.arange(n_clips) % 2)
    responses = size * SPREAD * rng.normal(size=(n_clips, N_CHANNELS))
    return table, of_clip[clip], responses[clip]


def _own_ratings(rng, n_people=8, n_clips=16):
    table, code, responses = _clips(rng, n_people, n_clips)
    other = rng.random(len(code)) > 0.7
    return table, np.where(other, 1 - code, code), responses


def _recordings(rng, n_people=2, n_runs=8, n_each=5):
    """Make recordings of one class each, with a level of their own."""
    table = _base(n_people, n_runs * n_each)
    run = np.tile(np.repeat(np.arange(n_runs), n_each), n_people)
    table["run"] = (run + 1).astype(str)
    code = np.concatenate([rng.permutation(np.arange(n_runs) % 2) for _ in range(n_people)])
    number = np.repeat(np.arange(n_people), n_runs * n_each) * n_runs + run
    levels = SPREAD * rng.normal(size=(n_people * n_runs, N_CHANNELS))
    return table, code[number], levels[number]


def _drift(rng, n_people, n_trials):
    time = np.linspace(-1, 1, n_trials)
    slope = rng.normal(size=(n_people, N_CHANNELS))
    return 2 * SPREAD * (time[:, np.newaxis] * slope[:, np.newaxis, :]).reshape(-1, N_CHANNELS)


def _stretches(rng, n_people=4, n_stretches=6, n_each=4):
    n_trials = n_stretches * n_each
    table = _base(n_people, n_trials)
    orders = [rng.permutation(np.arange(n_stretches) % 2) for _ in range(n_people)]
    code = np.concatenate([np.repeat(order, n_each) for order in orders])
    return table, code, _drift(rng, n_people, n_trials)


def _halves(rng, n_people=4, n_trials=24):
    table = _base(n_people, n_trials)
    code = np.tile(np.repeat([0, 1], n_trials // 2), n_people)
    return table, code, _drift(rng, n_people, n_trials)


def _pieces(rng, n_people=4, n_clips=10, n_each=3):
    """Cut each clip into events, which a reader of files bundles."""
    table = _base(n_people, n_clips * n_each)
    clip = np.repeat(np.arange(n_people * n_clips), n_each)
    table["stimulus"] = [f"film{k}" for k in clip]
    table["bundle"] = table["stimulus"]
    code = np.concatenate([rng.permutation(np.arange(n_clips) % 2) for _ in range(n_people)])
    levels = SPREAD * rng.normal(size=(n_people * n_clips, N_CHANNELS))
    return table, code[clip], levels[clip]


WITHIN = {"group": "trial", "within": "subject", "n_splits": 4, "validation": 0.0}
POOLED = {"group": "trial", "n_splits": 4, "validation": 0.0}
LEAVE_ONE = {"method": "leave_one_group_out", "group": "subject", "validation": 0.0}
BY_CLIP = {"group": "stimulus", "n_splits": 4, "validation": 0.0}
BY_RUN = {"group": "run", "within": "subject", "n_splits": 4, "validation": 0.0}
LEAKY = {"group": "trial", "within": "subject", "n_splits": 4, "validation": 0.0}

KINDS = {
    "own within": Kind("own trials, within subject, 4 x 20", _own, WITHIN),
    "own one": Kind("own trials, one person x 40", lambda rng: _own(rng, 1, 40), WITHIN),
    "own leave-one-out": Kind(
        "own trials, leave one of 8 out, 16 each", lambda rng: _own(rng, 8, 16), LEAVE_ONE
    ),
    "clips leave-one-out": Kind("16 shared clips, leave one of 8 people out", _clips, LEAVE_ONE),
    "clips pooled": Kind("16 shared clips, folds over all trials", _clips, POOLED),
    "clips within": Kind("16 shared clips, within subject", _clips, WITHIN),
    "clips held out": Kind("16 shared clips, clips held out", _clips, BY_CLIP),
    "own ratings": Kind("own ratings that follow the clip in 70 %", _own_ratings, LEAVE_ONE),
    "sessions": Kind(
        "the same 10 clips in two sessions, sessions held out",
        lambda rng: _clips(rng, 4, 10, sessions=2),
        {"group": "session", "within": "subject", "n_splits": 2, "validation": 0.0},
    ),
    "recordings by trial": Kind(
        "class constant in a recording, folds by trial", _recordings, LEAKY
    ),
    "recordings": Kind("class constant in a recording, recordings held out", _recordings, BY_RUN),
    "stretches": Kind("classes in stretches, slow drift, by trial", _stretches, WITHIN, True),
    "halves": Kind("first half one class, slow drift, by trial", _halves, WITHIN, True),
    "random order": Kind(
        "random order, slow drift, by trial",
        lambda rng: (*_own(rng, 4, 24)[:2], _drift(rng, 4, 24)),
        WITHIN,
        True,
    ),
    "pieces": Kind("clips cut into three events, bundled", _pieces, WITHIN),
}


def make_data(kind: Kind, rng: np.random.Generator, effect: float):
    """Return windows of a data set whose class changes the amplitude by `effect` only."""
    table, code, levels = kind.make(rng)
    people = pd.factorize(table["subject"])[0]
    own = SPREAD * rng.normal(size=levels.shape)
    cap = SPREAD * rng.normal(size=(people.max() + 1, N_CHANNELS))
    log_amplitude = levels + own + cap[people]
    log_amplitude[:, 0] += effect * SPREAD * (2 * code - 1)
    n_times = int(SECONDS * SFREQ)
    noise = rng.normal(size=(len(table), n_times, N_CHANNELS))
    signals = (1e-5 * noise * np.exp(log_amplitude)[:, np.newaxis, :]).astype(np.float32)
    arrays, tables = [], []
    for who in range(people.max() + 1):
        arrays.append(signals[people == who])
        tables.append(table[people == who])
    about = pd.concat(tables, ignore_index=True)
    names = tuple(f"E{k}" for k in range(N_CHANNELS))
    trials = Trials(tuple(arrays), about, SFREQ, names)
    labels = Labels(code, ("a", "b"), {})
    return make_windows(trials, labels, duration=1.0, stride=1.0)


def judge_once(kind: Kind, rng: np.random.Generator, effect: float, refits: int, place: Path):
    """Return the verdict of one data set."""
    windows = make_data(kind, rng, effect)
    split = {"seed": int(rng.integers(2**31)), **kind.split}
    folds = make_folds(windows.table, **split)
    power = BandPower(SFREQ, bands=[tuple(band) for band in BANDS])
    power.fit(np.zeros((1, windows.n_times, N_CHANNELS), np.float32))
    features = compute_band_powers(windows, np.arange(len(windows)), power).astype(np.float32)
    np.save(place, features)
    model, options = make_model("band_power_logreg", bands=BANDS), TrainingOptions()
    tables, scaling = [], {"steps": [], "fit": "training"}
    for k, fold in enumerate(folds):
        scaled = ScaledWindows(windows, fit_scaling(windows, fold.train, **scaling), features)
        data = make_fit_data(windows, fold, scaled, model=model)
        p = model.fit_and_predict(data, options, fold.test, seed=0)
        rows = windows.table.iloc[fold.test]
        tables.append(
            make_predictions(
                fold=k,
                **{key: rows[key].astype(str) for key in ("subject", "session", "stimulus")},
                trial=rows["trial"],
                start=rows["start"],
                y_true=np.array(["a", "b"])[rows["code"]],
                probabilities=p,
                classes=["a", "b"],
            )
        )
    predictions = pd.concat(tables, ignore_index=True)
    about = windows.trials.metadata
    design = read_design(
        about.assign(code=windows.labels.codes),
        within_subject=kind.split.get("within") == "subject",
        order=about["trial"].to_numpy(float) if kind.order else None,
    )
    numbers = group_numbers(windows.table)
    counts = [shared_groups(fold, numbers) for fold in folds]
    shared = {key: any(count.get(key, 1) for count in counts) for key in GROUPS_BACK}
    stored, _ = assess(predictions, n_permutations=199, n_group=1)
    observed = float(stored["permutation"]["observed"])
    scores: tuple[float, ...] = ()
    if design.testable and refits:
        task = RefitTask(
            windows=windows,
            folds=tuple(folds),
            design=design,
            candidates=(Candidate({}, model, options),),
            metric="loss",
            scaling=scaling,
            split=split,
            seed=int(rng.integers(2**31)),
            features=place,
            draws=tuple(range(refits)),
        )
        scores = tuple(refit.window for refit in refit_chunk(task))
    null = RefittedNull(observed, scores, design.smallest_p) if scores else None
    right = (
        predictions["y_true"].to_numpy()
        == np.array(["a", "b"])[predictions[["p_a", "p_b"]].to_numpy().argmax(axis=1)]
    )
    by_class = predictions.assign(right=right).groupby(["subject", "y_true"])["right"].mean()
    people = by_class.groupby("subject").mean().tolist()
    return judge(
        design.as_dict(),
        observed=observed,
        stored=stored["permutation"],
        refitted=null,
        shared=shared,
        leaks=False,
        people_p=people_p_value(people, 0.5),
    ), observed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("n", type=int, nargs="?", default=100, help="data sets of each design")
    parser.add_argument("--designs", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--effect", type=float, default=0.0, help="of the class, in SD of trials")
    parser.add_argument("--refits", type=int, default=39)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(
        f"{given.n} simulated data sets each, effect {given.effect:g} SD, {given.refits} refits\n"
    )
    print("| design | unit | score | chance | yes | limited | none | not tested | p <= .05 |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        place = Path(folder) / "features.npy"
        for name in given.designs:
            kind = KINDS[name]
            rng = np.random.default_rng([given.seed, list(KINDS).index(name)])
            began, verdicts, scores = time.perf_counter(), [], []
            for _ in range(given.n):
                verdict, observed = judge_once(kind, rng, given.effect, given.refits, place)
                verdicts.append(verdict)
                scores.append(observed)
            found = Counter(verdict.evidence for verdict in verdicts)
            small = np.mean([v.p is not None and v.p <= 0.05 for v in verdicts])
            units = Counter(verdict.unit for verdict in verdicts).most_common(1)[0][0]
            chance = np.mean([verdict.chance for verdict in verdicts])
            shares = [
                f"{found[what] / given.n:.3f}" for what in ("yes", "limited", "none", "not tested")
            ]
            cells = [kind.words, units, f"{np.mean(scores):.3f}", f"{chance:.3f}", *shares]
            print(f"| {' | '.join([*cells, f'{small:.3f}'])} |", flush=True)
            seconds = (time.perf_counter() - began) / given.n
            print(f"{name}: {seconds:.2f} s each", file=sys.stderr)


if __name__ == "__main__":
    main()
