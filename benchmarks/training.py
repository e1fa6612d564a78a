"""Training the same network: eegemo, the usual loop of Keras `fit`, and plain PyTorch.

    python benchmarks/training.py --peer-python PEERS/bin/python [--release DIR] [--rounds 3]

Windows of 2 s (256 samples, 32 channels) of one simulated subject, two folds of whole trials,
batches of 64, Adam with gradients clipped to norm 1, dropout, the default sizes of `cnn_lstm` and
`cnn_gru`. eegemo fits each fold with `fit_fold`. The usual loop copies the windows of a fold into
arrays, scales them, builds a network, calls `fit` and predicts the test part. The plain PyTorch
loop trains the same layers on the same arrays. Each run is a new process on one core with one
thread. Windows per second are those of the epochs after the first, from the end of one to the end
of the next, so that whatever happens between epochs counts; seconds per fold are all that happens
from windows to predictions, for this number of epochs.
"""

import itertools
import statistics
import sys
import time
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
    stay_on_one_core,
    take_turns,
    versions_of,
)

BATCH, RATE, N_FOLDS = 64, 1e-3, 2


class Marks:
    """Moments at which epochs end, by the clock and in processor time."""

    def __init__(self) -> None:
        self.folds: list[list[tuple[float, float]]] = []

    def begin(self) -> None:
        self.folds.append([])

    def mark(self) -> None:
        self.folds[-1].append((time.perf_counter(), time.process_time()))

    def per_window(self, n_windows: list[int]) -> dict[str, float]:
        """Return the median seconds and processor seconds of a window, after the first epoch."""
        spans = [
            [(b - a) / n for a, b in zip(one, later, strict=True)]
            for marks, n in zip(self.folds, n_windows, strict=True)
            for one, later in itertools.pairwise(marks)
        ]
        return {
            name: statistics.median(span[k] for span in spans)
            for k, name in enumerate(("seconds", "used"))
        }


def store_first_subject(root: Path, store: Path) -> None:
    from eegemo import preprocess, read_epochs_deap, store_trials

    path = next((root / "data_preprocessed_python").iterdir())
    epochs = preprocess(read_epochs_deap(path, eeg_only=True), baseline=[-3.0, 0.0])
    store_trials(epochs, store / "trials")


def prepare(root: Path, store: Path) -> None:
    """Store trials and, for PyTorch, arrays of each fold's windows."""
    import numpy as np

    from eegemo import fit_scaling

    store_first_subject(root, store)
    windows, folds = windows_of(store)
    for k, fold in enumerate(folds):
        scaling = fit_scaling(windows, fold.train)
        for role, rows in (("train", fold.train), ("test", fold.test)):
            np.save(store / f"x_{role}_{k}.npy", scaling.transform(windows.gather(rows)))
            np.save(store / f"y_{role}_{k}.npy", windows.codes[rows])
    say_result(n=len(windows))


def windows_of(store: Path, n_folds: int = N_FOLDS, validation: float = 0.0) -> tuple[Any, Any]:
    from eegemo import load_trials, make_folds, make_labels, make_windows

    trials = load_trials([store / "trials"])
    windows = make_windows(trials, make_labels(trials.metadata), duration=2.0, stride=1.0)
    return windows, make_folds(windows.table, n_splits=n_folds, validation=validation)


def start_keras(**environment: str) -> Any:
    """Import Keras as `eegemo run` does: one thread, the CPU, no greeting."""
    import logging
    import os

    from eegemo.execution import configure, quiet_stderr

    configure(device="cpu")
    os.environ.update(environment)
    with quiet_stderr():
        import keras

        keras.ops.zeros(1)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return keras


def with_eegemo(store: Path, model: str, epochs: int) -> None:
    start_keras()
    from eegemo import fit_fold
    from eegemo.models import FitFiles
    from eegemo.models.keras.callbacks import History

    windows, folds = windows_of(store)
    marks, end = Marks(), History.on_epoch_end

    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
        end(self, epoch, logs)
        marks.mark()

    History.on_epoch_end = on_epoch_end
    with Measured() as measured:
        for k, fold in enumerate(folds):
            marks.begin()
            fitted = fit_fold(
                windows,
                fold,
                model={"name": model},
                training={"epochs": epochs, "batch_size": BATCH, "learning_rate": RATE},
                files=FitFiles(history=store / f"history-{k}.csv"),
            )
    sizes = [len(fold.train) for fold in folds]
    packages = ("eegemo", "keras", "tensorflow")
    hand_over(marks, measured, sizes, fitted.model.cost().parameters, *packages)


def with_keras(store: Path, model: str, epochs: int) -> None:
    keras = start_keras(TF_DETERMINISTIC_OPS="0")  # which few people ask for
    import numpy as np

    from eegemo.models import build_model

    windows, folds = windows_of(store)
    marks = Marks()
    with Measured() as measured:
        for fold in folds:
            marks.begin()
            x_train, y_train = copied(windows, fold.train)
            x_test, _ = copied(windows, fold.test)
            low, high = x_train.min(axis=(0, 1)), x_train.max(axis=(0, 1))
            x_train, x_test = (x_train - low) / (high - low), (x_test - low) / (high - low)
            n = np.bincount(y_train, minlength=4)
            weights = dict(enumerate(len(y_train) / (np.count_nonzero(n) * np.maximum(n, 1))))
            network = build_model(model, n_times=256, n_channels=32, n_classes=4)
            network.compile(
                optimizer=keras.optimizers.Adam(RATE, global_clipnorm=1.0),
                loss="sparse_categorical_crossentropy",
                metrics=["accuracy"],
                jit_compile=False,
            )
            at_end = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: marks.mark())
            network.fit(
                x_train,
                y_train,
                batch_size=BATCH,
                epochs=epochs,
                class_weight=weights,
                callbacks=[at_end],
                verbose=0,
            )
            network.predict(x_test, batch_size=256, verbose=0)
    sizes = [len(fold.train) for fold in folds]
    hand_over(marks, measured, sizes, network.count_params(), "keras", "tensorflow")


def copied(windows: Any, rows: Any) -> tuple[Any, Any]:
    """Return windows as most scripts make them: slices, stacked."""
    import numpy as np

    x = [
        windows.trials.array(windows.trial[row])[
            windows.first[row] : windows.first[row] + windows.n_times
        ]
        for row in rows
    ]
    return np.stack(x), windows.codes[rows]


def with_torch(store: Path, model: str, epochs: int) -> None:
    import numpy as np
    import torch
    from torch import nn

    torch.set_num_threads(1)

    class Network(nn.Module):
        """The layers of `eegemo.models.cnn_rnn` with its default sizes."""

        def __init__(self) -> None:
            super().__init__()
            self.convolutions = nn.Sequential(
                *(nn.Conv1d(32, 64, 5, padding="same"), nn.ReLU(), nn.MaxPool1d(2)),
                *(nn.Conv1d(64, 128, 5, padding="same"), nn.ReLU(), nn.MaxPool1d(2)),
            )
            recurrent = nn.LSTM if model == "cnn_lstm" else nn.GRU
            self.recurrent = recurrent(128, 64, batch_first=True)
            self.head = nn.Sequential(
                *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * 64, 64), nn.ReLU()),
                *(nn.Dropout(0.5), nn.Linear(64, 4)),
            )

        def forward(self, x: Any) -> Any:
            x = self.convolutions(x.transpose(1, 2)).transpose(1, 2)
            return self.head(self.recurrent(x)[0])

    marks, sizes = Marks(), []
    with Measured() as measured:
        for k in range(N_FOLDS):
            marks.begin()
            x_train, y_train = (
                torch.from_numpy(np.load(store / f"{name}_train_{k}.npy")) for name in "xy"
            )
            n = torch.bincount(y_train, minlength=4)
            weights = torch.where(n > 0, len(y_train) / ((n > 0).sum() * n.clamp(min=1)), 0.0)
            network = Network()
            optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
            lossy = nn.CrossEntropyLoss(weight=weights)
            for _ in range(epochs):
                order = torch.randperm(len(x_train))
                for first in range(0, len(order), BATCH):
                    rows = order[first : first + BATCH]
                    optimizer.zero_grad()
                    lossy(network(x_train[rows]), y_train[rows]).backward()
                    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                    optimizer.step()
                marks.mark()
            network.eval()
            with torch.no_grad():
                x_test = torch.from_numpy(np.load(store / f"x_test_{k}.npy"))
                torch.cat([network(part).softmax(dim=1) for part in x_test.split(256)])
            sizes.append(len(x_train))
    n_parameters = sum(one.numel() for one in network.parameters())
    if model == "cnn_lstm":  # PyTorch has two biases here, which it adds up, and Keras one
        n_parameters -= 4 * 64
    hand_over(marks, measured, sizes, n_parameters, "torch", "numpy")


def hand_over(
    marks: Marks, measured: Measured, sizes: list[int], n_parameters: int, *packages: str
) -> None:
    say_result(
        n_parameters=n_parameters,
        **marks.per_window(sizes),
        fold_seconds=measured.seconds / N_FOLDS,
        fold_used=measured.used / N_FOLDS,
        peak=measured.peak,
        n=sizes,
        versions=versions_of(*packages),
    )


WAYS = {"prepare": prepare, "eegemo": with_eegemo, "keras": with_keras, "torch": with_torch}
ABOUT = {"eegemo": "eegemo, fit_fold", "keras": "Keras fit on arrays", "torch": "plain PyTorch"}


def main() -> None:
    parser = parser_of(__doc__, list(WAYS), peer="PyTorch")
    parser.add_argument("--models", nargs="+", default=["cnn_lstm", "cnn_gru"])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    if options.only == "prepare":
        prepare(options.folder, options.store)
        return
    if options.only:
        stay_on_one_core()
        WAYS[options.only](options.store, options.models[0], options.epochs)
        return
    if options.peer_python is None:
        parser.error("--peer-python is needed")
    with simulated_release(options.release, 1) as (release, folder):
        root, store = part_of_release(release, 1, folder / "part"), folder / "store"
        store.mkdir()
        run_alone(sys.executable, __file__, "prepare", "--folder", root, "--store", store)

        def run(way: str, model: str) -> dict[str, Any]:
            python = options.peer_python if way == "torch" else sys.executable
            given = ("--store", store, "--models", model, "--epochs", options.epochs)
            return run_alone(python, __file__, way, *given)

        both = {(way, model): (way, model) for model in options.models for way in ABOUT}
        found = take_turns(
            {f"{way} {model}": lambda key=key: run(*key) for key in both for way, model in [key]},
            options.rounds,
        )
    for model in options.models:
        mine = {way: found[f"{way} {model}"] for way in ABOUT}
        alike = {one["n_parameters"] for results in mine.values() for one in results}
        if len(alike) != 1:
            sys.exit(f"the networks differ: {alike} parameters")
        print(f"{model}, {alike.pop():,} parameters, folds of {mine['eegemo'][0]['n']} windows:")
        for way, results in mine.items():
            print(
                f"  {ABOUT[way]:20} {1 / median(results, 'seconds'):7,.0f} windows/s by the clock, "
                f"{1 / median(results, 'used'):7,.0f} per second of processor time; a fold of "
                f"{options.epochs} epochs {median(results, 'fold_seconds'):5.1f} s, "
                f"{median(results, 'fold_used'):5.1f} s of processor time; peak "
                f"{median(results, 'peak') / 1e9:.2f} GB"
            )
        for way in ("torch", "keras"):
            for kind, name in (("by the clock", "seconds"), ("processor time", "used")):
                label = f"  eegemo / {ABOUT[way]}, windows per second, {kind}"
                say_ratio(label, mine[way], mine["eegemo"], name)
            say_ratio(
                f"  {ABOUT[way]} / eegemo, processor time of a fold",
                *(mine[way], mine["eegemo"], "fold_used"),
            )
    say_machine([one for results in found.values() for one in results])


if __name__ == "__main__":
    main()
