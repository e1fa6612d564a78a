"""From DEAP's `.dat` files to windows that can be trained on: TorchEEG's DEAPDataset and eegemo.

    python benchmarks/reading.py --peer-python PEERS/bin/python [--release DIR] [--rounds 3]

Both read the same simulated files of full size, subtract the baseline before the video, and leave
windows of 1 s on disk from which training can begin: TorchEEG 1 s windows in LMDB, its default
(`num_worker=0`); eegemo trials and an index, from the digest of the files to the folds. Each run is
a new process on one core with one thread, with the files in the system's cache; imports are not
counted. Peak memory is that of the whole process, imports included.
"""

import shutil
import sys
import time
from pathlib import Path

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

EXPERIMENT = """
name: reading
data: {{source: deap, root: {root}}}
preprocessing: {{baseline: [-3.0, 0.0]}}
windows: {{duration: 1.0, stride: 1.0}}
model: {{name: cnn_lstm}}
"""


def torcheeg(root: Path, out: Path) -> None:
    from torcheeg import transforms
    from torcheeg.datasets import DEAPDataset

    imported = memory_now()
    with Measured() as measured:
        dataset = DEAPDataset(
            root_path=str(root / "data_preprocessed_python"),
            io_path=str(out),
            io_size=2**34,  # room for all, which spares it growing
            offline_transform=transforms.BaselineRemoval(),
            num_worker=0,
            verbose=False,
        )
        n = len(dataset)
    say_result(
        **measured.as_dict(),
        n=n,
        imported=imported,
        versions=versions_of("torcheeg", "torch", "numpy", "lmdb"),
    )


def eegemo(root: Path, out: Path) -> None:
    # what is loaded when it is first needed
    import mne  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import scipy.signal  # noqa: F401

    from eegemo.config import parse_experiment
    from eegemo.execution import RunContext
    from eegemo.runs.prepare import prepare_experiment

    imported = memory_now()
    with Measured() as measured:
        experiment = parse_experiment(EXPERIMENT.format(root=root))
        n = len(prepare_experiment(experiment, RunContext(out, jobs=0)).windows)
    say_result(
        **measured.as_dict(),
        n=n,
        imported=imported,
        versions=versions_of("eegemo", "numpy", "mne"),
    )


def memory_now() -> int:
    from measuring import memory

    return memory("VmRSS")


WAYS = {"torcheeg": torcheeg, "eegemo": eegemo}


def main() -> None:
    parser = parser_of(__doc__, list(WAYS), peer="TorchEEG")
    parser.add_argument("--subjects", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.only:
        stay_on_one_core()
        WAYS[options.only](options.folder, options.out)
        return
    if options.peer_python is None:
        parser.error("--peer-python is needed")
    with simulated_release(options.release, options.subjects) as (release, folder):
        roots = {n: part_of_release(release, n, folder / f"{n}") for n in (1, options.subjects)}

        def run(python: str, way: str, n: int) -> dict[str, float]:
            out = folder / f"{way}-{time.monotonic_ns()}"
            try:
                return run_alone(python, __file__, way, "--folder", roots[n], "--out", out)
            finally:
                shutil.rmtree(out, ignore_errors=True)

        pythons = {"torcheeg": options.peer_python, "eegemo": sys.executable}
        single = {way: run(python, way, 1) for way, python in pythons.items()}
        found = take_turns(
            {
                way: lambda way=way, python=python: run(python, way, options.subjects)
                for way, python in pythons.items()
            },
            options.rounds,
        )
    windows = {one["n"] for results in found.values() for one in results}
    if len(windows) != 1:
        sys.exit(f"the ways differ in the number of windows: {windows}")
    print(f"{windows.pop()} windows of 1 s from {options.subjects} subjects, per subject:")
    for way, results in found.items():
        print(
            f"  {way:10} {median(results, 'seconds') / options.subjects:6.2f} s by the clock, "
            f"{median(results, 'used') / options.subjects:6.2f} s of processor time; peak "
            f"{median(results, 'peak') / 1e9:.2f} GB ({median(results, 'imported') / 1e9:.2f} GB "
            f"once imported), {single[way]['peak'] / 1e9:.2f} GB with a single subject"
        )
    say_ratio("torcheeg / eegemo, by the clock", found["torcheeg"], found["eegemo"], "seconds")
    say_ratio("torcheeg / eegemo, processor time", found["torcheeg"], found["eegemo"], "used")
    say_machine([one for results in found.values() for one in results])


if __name__ == "__main__":
    main()
