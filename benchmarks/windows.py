"""Windows per second delivered to a batch: TorchEEG behind a DataLoader, and eegemo.

    python benchmarks/windows.py --peer-python PEERS/bin/python [--release DIR] [--rounds 3]

Both deliver all windows of 1 s of the same simulated subjects in random order, 64 at a time, from
what they keep on disk: TorchEEG from LMDB through `torch.utils.data.DataLoader` (`num_workers=0`),
with the baseline left as it is, which is the least it can do; eegemo by `Windows.gather`, and by
`Batches`, which training uses: scaled, with labels and weights. Each run is a new process on one
core with one thread; after one pass to warm up, the median of three passes is its figure. The
samples that both deliver are compared. Memory is the process's own, without mapped files, with one
subject and with all.
"""

import shutil
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from measuring import (
    Measured,
    median,
    memory,
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

BATCH = 64
SHOWN = 100  # windows that are compared


def deliver(batches: Callable[[], Iterable[Any]], **about: Any) -> None:
    """Go through all batches, once to warm up and three times to measure; hand over the median."""
    before = memory("RssAnon", "RssShmem")
    passes = []
    for _ in range(4):
        with Measured() as measured:
            n = sum(len(batch[0]) for batch in batches())
        passes.append(measured)
    each = {
        name: statistics.median(getattr(one, name) / n for one in passes[1:])
        for name in ("seconds", "used")
    }
    own = max(one.own for one in passes)
    say_result(**each, n=n, own=own, grown=own - before, **about)


def torcheeg(root: Path, store: Path, first: bool) -> None:
    import numpy as np
    from torch.utils.data import DataLoader
    from torcheeg import transforms
    from torcheeg.datasets import DEAPDataset

    dataset = DEAPDataset(
        root_path=str(root / "data_preprocessed_python"),
        io_path=str(store / "torcheeg"),
        io_size=2**34,
        online_transform=transforms.ToTensor(),
        label_transform=transforms.Compose(
            [transforms.Select(["valence"]), transforms.Binary(5.0)]
        ),
        num_worker=0,
        verbose=False,
    )
    if first:
        shown = np.stack([np.asarray(dataset[k][0]) for k in range(SHOWN)])
        np.save(store / "torcheeg.npy", shown.swapaxes(1, 2))  # microvolts
        say_result(n=len(dataset))
        return
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True, num_workers=0)
    deliver(lambda: loader, versions=versions_of("torcheeg", "torch", "numpy", "lmdb"))


def windows_of(store: Path, duration: float = 1.0, stride: float = 1.0) -> Any:
    from eegemo import load_trials, make_labels, make_windows

    trials = load_trials(sorted((store / "eegemo").iterdir()))
    labels = make_labels(trials.metadata, task="valence")
    return make_windows(trials, labels, duration=duration, stride=stride)


def eegemo(root: Path, store: Path, first: bool) -> None:
    import numpy as np

    if first:
        from eegemo import preprocess, read_epochs_deap, store_trials

        for path in sorted((root / "data_preprocessed_python").iterdir()):
            epochs = preprocess(read_epochs_deap(path, eeg_only=True), baseline=[-3.0, 0.0])
            store_trials(epochs, store / "eegemo" / path.stem)
        windows = windows_of(store)
        np.save(store / "eegemo.npy", windows.gather(np.arange(SHOWN)) * 1e6)
        say_result(n=len(windows))
        return
    deliver(*gathered(windows_of(store)), versions=versions_of("eegemo", "numpy"))


def gathered(windows: Any) -> tuple[Callable[[], Iterable[Any]]]:
    import numpy as np

    rng = np.random.default_rng(0)

    def batches() -> Iterable[Any]:
        rows = rng.permutation(len(windows))
        for k in range(0, len(rows), BATCH):
            part = rows[k : k + BATCH]
            yield windows.gather(part), windows.codes[part]

    return (batches,)


def scaled(windows: Any) -> tuple[Callable[[], Iterable[Any]]]:
    import numpy as np

    from eegemo import fit_scaling
    from eegemo.models import make_model
    from eegemo.models.base import make_fit_data
    from eegemo.models.keras.batches import Batches
    from eegemo.scaling import ScaledWindows
    from eegemo.splits import Fold

    rows = np.arange(len(windows))
    weights = np.ones(len(windows.labels.classes), np.float32)
    scaling = fit_scaling(windows, rows)
    everything = Fold("all", rows, rows[:0], rows[:0])
    shown = ScaledWindows(windows, scaling)
    data = make_fit_data(windows, everything, shown, model=make_model("cnn_lstm"))
    given = Batches(data, rows, batch_size=BATCH, weights=weights, seed=0)

    def batches() -> Iterable[Any]:
        for k in range(len(given)):
            yield given[k]
        given.on_epoch_end()

    return (batches,)


def batches(root: Path, store: Path, first: bool) -> None:
    deliver(*scaled(windows_of(store)), versions=versions_of("eegemo", "numpy", "keras"))


def long(root: Path, store: Path, first: bool) -> None:
    deliver(*scaled(windows_of(store, 2.0, 0.125)))


WAYS = {"torcheeg": torcheeg, "eegemo": eegemo, "batches": batches, "long": long}
ABOUT = {
    "torcheeg": "TorchEEG, DataLoader",
    "eegemo": "eegemo, gather",
    "batches": "eegemo, Batches: scaled, with labels and weights",
    "long": "eegemo, Batches, windows of 2 s every 1/8 s",
}


def main() -> None:
    parser = parser_of(__doc__, list(WAYS), peer="TorchEEG")
    parser.add_argument("--subjects", type=int, default=4)
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    if options.only:
        stay_on_one_core()
        WAYS[options.only](options.folder, options.store, options.first)
        return
    if options.peer_python is None:
        parser.error("--peer-python is needed")
    import numpy as np

    pythons = dict.fromkeys(WAYS, sys.executable) | {"torcheeg": options.peer_python}
    with simulated_release(options.release, options.subjects) as (release, folder):
        sizes = (1, options.subjects)
        for n in sizes:
            part_of_release(release, n, folder / f"{n}")
            (folder / f"{n}" / "store").mkdir()

        def run(way: str, n: int, *more: str) -> dict[str, Any]:
            root = folder / f"{n}"
            return run_alone(
                *(pythons[way], __file__, way),
                *("--folder", root, "--store", root / "store", *more),
            )

        lengths = {run(way, n, "--first")["n"] / n for way in ("torcheeg", "eegemo") for n in sizes}
        if len(lengths) != 1:
            sys.exit(f"the ways differ in the number of windows per subject: {lengths}")
        one, other = (
            np.load(folder / "1" / "store" / f"{way}.npy") for way in ("torcheeg", "eegemo")
        )
        # eegemo's have a constant of each trial and channel subtracted
        difference = np.abs(
            (one - one.mean(axis=1, keepdims=True)) - (other - other.mean(axis=1, keepdims=True))
        ).max()
        print(f"the first {SHOWN} windows of both differ by {difference:.1e} microvolts at most")
        if difference > 1e-3:
            sys.exit("the ways do not deliver the same samples")
        single = {way: run(way, 1) for way in WAYS}
        found = take_turns(
            {way: lambda way=way: run(way, options.subjects) for way in WAYS}, options.rounds
        )
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{found['torcheeg'][0]['n']} windows of 1 s from {options.subjects} subjects:")
    for way, results in found.items():
        print(
            f"  {ABOUT[way]:50} {1 / median(results, 'seconds'):9,.0f} windows/s by the clock, "
            f"{1 / median(results, 'used'):9,.0f} per second of processor time; own memory "
            f"{median(results, 'own') / 1e6:.0f} MB, {single[way]['own'] / 1e6:.0f} MB with a "
            f"single subject"
        )
    for way in ("eegemo", "batches"):
        for kind, name in (("by the clock", "seconds"), ("processor time", "used")):
            say_ratio(f"{ABOUT[way]} / TorchEEG, {kind}", found["torcheeg"], found[way], name)
    say_machine([one for results in found.values() for one in results])


if __name__ == "__main__":
    main()
