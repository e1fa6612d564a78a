"""From one raw recording of DEAP's full size to stored trials: this package and the common recipe.

    python benchmarks/raw_preprocessing.py [--folder DIR]

The recording is simulated: 64 minutes, 48 channels, 512 Hz. Each way runs in a process of its own,
on one core with one thread. Ours resamples first, then filters, repairs bad channels, regresses on
the EOG and stores 40 trials with a record of what was done. The common recipe is that of MNE's
tutorials: filter at 512 Hz (and a copy from 1 Hz on for ICA), average reference, epochs, FastICA
fitted to the copy, components that go with the EOG removed, resampling at the end; with all
components, MNE's default, and with 20. All end with trials at 128 Hz, 4-45 Hz, average reference.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def ours(root: Path, out: Path) -> None:
    """Go from BDF to stored trials as `eegemo preprocess` does for one subject."""
    from eegemo.datasets import find_recordings
    from eegemo.runs.trials import TrialsTask, store_subject

    steps = {
        "channels": "eeg",
        "sfreq": 128.0,
        "notch": 50.0,
        "l_freq": 4.0,
        "h_freq": 45.0,
        "bads": "interpolate",
        "eog": "regression",
        "eog_channels": None,
        "reference": "average",
        "baseline": [-3.0, 0.0],
        "reject": None,
    }
    (recording,) = find_recordings("deap", str(root), variant="bdf")
    print_time(lambda: store_subject(TrialsTask(recording, out / "ours", steps)))


def common(root: Path, out: Path, n_components: int | None = None) -> None:
    """Go the same way with MNE, in the order most scripts have."""
    import mne
    import numpy as np
    import sklearn.decomposition  # noqa: F401  (MNE imports it when it is needed)

    def work() -> None:
        raw = mne.io.read_raw_bdf(next(root.rglob("s01.bdf")), preload=True, verbose="ERROR")
        raw = mne.set_bipolar_reference(
            raw, ["EXG1", "EXG3"], ["EXG2", "EXG4"], ["hEOG", "vEOG"], verbose="ERROR"
        )
        raw.set_channel_types({"hEOG": "eog", "vEOG": "eog"}, on_unit_change="ignore")
        raw.pick(
            [*mne.channels.make_standard_montage("biosemi32").ch_names, "hEOG", "vEOG", "Status"]
        )
        events = mne.find_events(raw, "Status", mask=0xFF, mask_type="and", verbose="ERROR")
        wide = raw.copy().filter(1.0, 45.0, picks=["eeg", "eog"], verbose="ERROR")
        raw.filter(4.0, 45.0, picks=["eeg", "eog"], verbose="ERROR")
        both = []
        for one in (wide, raw):
            one.set_eeg_reference("average", verbose="ERROR")
            times = {"tmin": -3.0, "tmax": 60.0 - 1 / 512, "baseline": None}
            both.append(mne.Epochs(one, events, 4, **times, preload=True, verbose="ERROR"))
        del wide, raw, one
        ica = mne.preprocessing.ICA(n_components, method="fastica", random_state=0, verbose="ERROR")
        ica.fit(both[0], verbose="ERROR")
        ica.exclude, _ = ica.find_bads_eog(both[0], ["hEOG", "vEOG"], verbose="ERROR")
        epochs = ica.apply(both[1], verbose="ERROR")
        epochs.apply_baseline((-3.0, 0.0), verbose="ERROR").resample(128.0, verbose="ERROR")
        np.save(out / "common.npy", epochs.get_data("eeg").astype(np.float32))

    print_time(work)


def print_time(work) -> None:
    began, used = time.perf_counter(), time.process_time()
    work()
    seconds, used = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    print(json.dumps({"seconds": seconds, "used": used, "peak": peak}))


WAYS = {
    "ours": ours,
    "common": common,
    "common-20": lambda root, out: common(root, out, 20),
}


def run_alone(name: str, root: Path, out: Path) -> dict[str, float]:
    """Run one way in a process on one core, and return its seconds and peak memory in bytes."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, __file__, "--only", name, "--folder", str(root), "--out", str(out)],
        env=os.environ | dict.fromkeys(names, "1"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keep the simulated recording here")
    parser.add_argument("--only", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        WAYS[options.only](options.folder, options.out)
        return
    from eegemo import simulate_deap

    with tempfile.TemporaryDirectory() as folder:
        root = options.folder or Path(folder) / "release"
        if not (root / "data_original" / "s01.bdf").is_file():
            simulate_deap(root, n_subjects=1, formats=("bdf",))
        found = {name: run_alone(name, root, Path(folder)) for name in WAYS}
    for name, one in found.items():
        print(
            f"{name:10} {one['used']:8.1f} s of processor time, {one['seconds']:8.1f} s by the "
            f"clock, {one['peak'] / 1e9:6.2f} GB at the peak"
        )
    for name in list(WAYS)[1:]:
        # other work on the machine moves the clock more than the processor time of one core
        print(f"{name} / ours: {found[name]['used'] / found['ours']['used']:.1f}")


if __name__ == "__main__":
    main()
