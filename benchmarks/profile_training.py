"""Where the processor time of training goes, apart from forward, backward and update.

    python benchmarks/profile_training.py [--release DIR] [--epochs 6]

Two folds of a simulated subject of full size are fitted with everything that `eegemo run` does:
validation, early stopping, history and checkpoint on disk. Forward, backward and update are what
the same compiled step takes on batches that are tensors already. One core, one thread; processor
time, which other work on the machine changes less than the clock.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import (
    part_of_release,
    run_alone,
    say_machine,
    say_result,
    simulated_release,
    stay_on_one_core,
    versions_of,
)
from training import BATCH, prepare, start_keras


class Stopwatch:
    """Processor time of each call to some functions, by name."""

    def __init__(self) -> None:
        self.used: dict[str, list[float]] = {}

    def watch(
        self, owner: Any, function: str, name: str, clock: Callable[[], float] = time.process_time
    ) -> None:
        """Replace a function by one that is timed."""
        original = getattr(owner, function)

        def timed(*arguments: Any, **named: Any) -> Any:
            began = clock()
            try:
                return original(*arguments, **named)
            finally:
                self.used.setdefault(name, []).append(clock() - began)

        setattr(owner, function, timed)

    def total(self, name: str) -> float:
        return sum(self.used.get(name, []))

    def usual(self, name: str) -> float:
        return statistics.median(self.used[name])


def profile(store: Path, model: str, epochs: int) -> None:
    keras = start_keras()
    import numpy as np

    from eegemo import fit_fold, fit_scaling, load_trials, make_folds, make_labels, make_windows
    from eegemo.models import FitFiles
    from eegemo.models.keras import callbacks
    from eegemo.models.keras import fitting as network
    from eegemo.models.keras.batches import Batches

    trials = load_trials([store / "trials"])
    windows = make_windows(trials, make_labels(trials.metadata), duration=2.0, stride=1.0)
    folds = make_folds(windows.table, n_splits=3, validation=0.2)[:2]

    watch, built, ends = Stopwatch(), [], []
    build, end = network.build_network, callbacks.Checkpoint.on_epoch_end

    def build_network(*given: Any) -> Any:
        built.append(build(*given))
        return built[-1]

    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
        end(self, epoch, logs)  # the last of the callbacks
        ends.append(time.process_time())

    network.build_network, callbacks.Checkpoint.on_epoch_end = build_network, on_epoch_end
    # TensorFlow asks for batches in a thread of its own
    watch.watch(Batches, "__getitem__", "gather", time.thread_time)
    for one in (callbacks.History, callbacks.BestWeights, callbacks.Checkpoint):
        watch.watch(one, "on_epoch_end", one.__name__)
    watch.watch(keras.Model, "evaluate", "validation")
    watch.watch(network, "build_network", "build")
    watch.watch(network, "predict_network", "predict")

    once = []
    for fold in folds:
        scaling = fit_scaling(windows, fold.train)
        watch.used.clear()
        ends.clear()
        began = time.process_time()
        fit_fold(
            windows,
            fold,
            model={"name": model},
            scaling=scaling,
            training={"epochs": epochs, "patience": epochs, "batch_size": BATCH},
            files=FitFiles(store / "history.csv", store / "checkpoint.npz"),
        )
        whole = time.process_time() - began
        epoch = float(np.median(np.diff(ends)))
        parts = {name: watch.total(name) for name in ("build", "predict")}
        once.append(
            {
                "build and compile": parts["build"],
                "the rest: tracing in the first epoch, tables": whole
                - sum(parts.values())
                - epochs * epoch,
                "predict the validation and the test part": parts["predict"],
            }
        )

    weights = np.ones(len(windows.labels.classes), np.float32)
    batches = Batches(windows, fold.train, scaling, batch_size=BATCH, weights=weights, seed=0)
    tensors = [tuple(map(keras.ops.convert_to_tensor, batches[k])) for k in range(len(batches))]
    passes = []
    for _ in range(3):
        began = time.process_time()
        for one in tensors:
            built[1].train_function(iter([one]))
        passes.append(time.process_time() - began)
    shares = {
        "forward, backward and update": statistics.median(passes),
        "validation (forward, and its windows)": watch.usual("validation"),
        "gather and scale training windows": watch.usual("gather") * len(batches),
        "history on disk": watch.usual("History"),
        "best weights kept": watch.usual("BestWeights"),
        "checkpoint on disk": watch.usual("Checkpoint"),
    }
    shares["the rest: Keras's loop, handing over batches"] = epoch - sum(shares.values())
    say_result(
        shares=shares,
        epoch=epoch,
        once=once,
        n=[len(rows) for rows in fold.parts().values()],
        versions=versions_of("eegemo", "keras", "tensorflow", "numpy"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--release", type=Path)
    parser.add_argument("--models", nargs="+", default=["cnn_lstm", "cnn_gru"])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--only", choices=["prepare", "profile"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only == "prepare":
        prepare(options.folder, options.store)
        return
    if options.only:
        stay_on_one_core()
        profile(options.store, options.models[0], options.epochs)
        return
    with simulated_release(options.release, 1) as (release, folder):
        root, store = part_of_release(release, 1, folder / "part"), folder / "store"
        store.mkdir()
        run_alone(sys.executable, __file__, "prepare", "--folder", root, "--store", store)
        found = {}
        for model in options.models:
            given = ("--store", store, "--models", model, "--epochs", options.epochs)
            found[model] = run_alone(sys.executable, __file__, "profile", *given)
            (store / "checkpoint.npz").unlink()
    for model, one in found.items():
        n = "{} training, {} validation and {} test windows".format(*one["n"])
        print(f"{model}, {n}; an epoch takes {one['epoch']:.2f} s of processor time:")
        for name, seconds in one["shares"].items():
            print(f"  {name:50} {seconds:7.3f} s {seconds / one['epoch']:7.1%}")
        print("  once for the first fold, and for another one after it:")
        for name, seconds in one["once"][0].items():
            print(f"  {name:50} {seconds:7.3f} s {one['once'][1][name]:7.3f} s")
    say_machine(list(found.values()))


if __name__ == "__main__":
    main()
