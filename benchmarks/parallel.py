"""Folds one after another, with several threads, or in parallel processes.

    python benchmarks/parallel.py [--release DIR] [--rounds 3]

One simulated subject, windows of 2 s (256 samples, 32 channels), folds of whole trials, `cnn_lstm`
and `cnn_gru` at their default sizes. Each way fits the same folds: one after another on one thread,
one after another on as many threads as there are processors, and in as many processes, each with
one thread, as `eegemo run` does. Seconds are from the first task to the last result, with
processes started and Keras loaded; windows per second are those of all folds together, in the
epochs after the first.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import (
    Measured,
    median,
    parser_of,
    part_of_release,
    run_alone,
    say_machine,
    say_ratio,
    say_result,
    simulated_release,
    take_turns,
    versions_of,
)
from training import store_first_subject, windows_of

from eegemo.execution import available_cpus, configure, quiet_stderr, run_tasks


@dataclass(frozen=True)
class Task:
    """One fold to fit, in whatever process."""

    store: Path
    model: str
    number: int
    n_folds: int
    epochs: int


def fit(task: Task) -> dict[str, float]:
    """Return the windows and the seconds of the epochs after the first, and when they began."""
    with quiet_stderr():
        import keras

        keras.ops.zeros(1)
    import logging

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from eegemo import fit_fold

    windows, folds = windows_of(task.store, task.n_folds, validation=0.1)
    fold = folds[task.number]
    options: dict[str, Any] = {"epochs": task.epochs, "patience": task.epochs}
    fitted = fit_fold(windows, fold, model={"name": task.model}, seed=task.number, training=options)
    seconds = float(fitted.history["seconds"].iloc[1:].sum())
    return {"windows": len(fold.train) * (task.epochs - 1), "seconds": seconds}


def run(way: str, store: Path, model: str, n_folds: int, epochs: int) -> None:
    n = available_cpus()
    configure(device="cpu", threads=n if way == "threads" else 1)
    jobs = n if way == "processes" else 0
    tasks = [Task(store, model, number, n_folds, epochs) for number in range(n_folds)]
    with Measured() as measured:
        began = time.perf_counter()
        done = list(run_tasks(fit, tasks, jobs=jobs))
        seconds = time.perf_counter() - began
    # folds that run beside each other share the time
    each = [one["seconds"] / one["windows"] for one in done]
    beside = min(max(jobs, 1), n_folds)
    say_result(
        seconds=seconds,
        per_window=sum(each) / len(each) / beside,
        peak=measured.peak,
        processors=n,
        versions=versions_of("eegemo", "keras", "tensorflow"),
    )


WAYS = ("prepare", "one", "threads", "processes")
ABOUT = {
    "one": "one after another, one thread",
    "threads": "one after another, {n} threads",
    "processes": "{n} processes of one thread",
}


def main() -> None:
    parser = parser_of(__doc__, WAYS, peer="nothing else")
    parser.add_argument("--models", nargs="+", default=["cnn_lstm", "cnn_gru"])
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    if options.only == "prepare":
        store_first_subject(options.folder, options.store)
        return say_result()
    if options.only:
        model = options.models[0]
        return run(options.only, options.store, model, options.folds, options.epochs)
    with simulated_release(options.release, 1) as (release, folder):
        root, store = part_of_release(release, 1, folder / "part"), folder / "store"
        store.mkdir()
        run_alone(sys.executable, __file__, "prepare", "--folder", root, "--store", store)

        def start(way: str, model: str) -> dict[str, Any]:
            given = ("--models", model, "--folds", options.folds, "--epochs", options.epochs)
            return run_alone(sys.executable, __file__, way, "--store", store, *given)

        keys = [(way, model) for model in options.models for way in ABOUT]
        found = take_turns(
            {f"{way} {model}": lambda key=(way, model): start(*key) for way, model in keys},
            options.rounds,
        )
    for model in options.models:
        mine = {way: found[f"{way} {model}"] for way in ABOUT}
        n = mine["one"][0]["processors"]
        print(f"{model}, {options.folds} folds of {options.epochs} epochs:")
        for way, results in mine.items():
            print(
                f"  {ABOUT[way].format(n=n):32} {median(results, 'seconds'):6.1f} s in all, "
                f"{1 / median(results, 'per_window'):6,.0f} windows/s"
            )
        for way in ("threads", "processes"):
            label = ABOUT[way].format(n=n)
            for kind, name in (("in all", "seconds"), ("windows per second", "per_window")):
                say_ratio(f"  {label}, {kind}, as a factor", mine["one"], mine[way], name)
    say_machine([one for results in found.values() for one in results])


if __name__ == "__main__":
    main()
