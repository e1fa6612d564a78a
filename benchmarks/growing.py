"""The cost of growing: time and memory of a whole `eegemo run` with more and more subjects.

    python benchmarks/growing.py [--release DIR] [--subjects 4 8 16 32] [--figure FILE.png]

Each run starts from the `.dat` files of simulated subjects of full size, with nothing stored: it
reads and stores trials, trains `cnn_lstm` for one epoch in two folds of whole trials over windows
of 2 s every 2 s, fits the baseline on the same folds, and writes the report; two processes.
Memory is the proportional set size (PSS) of all processes together, so that shared pages count
once, sampled four times a second; `own` leaves out mapped files, which the system may drop at any
time, and which the trials on disk are. Linux only.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from full_release import EXPERIMENT, processes
from measuring import part_of_release, say_machine, simulated_release, versions_of

SETTINGS = (
    "split.within=null",
    "split.n_splits=2",
    "split.validation=0",
    "training.epochs=1",
    "windows.stride=2.0",
)


def proportional_memory(pid: int) -> tuple[int, int]:
    """Return a process's PSS, and that part of it which is no mapped file, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0, 0
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
    return found.get("Pss", 0), found.get("Pss_Anon", 0) + found.get("Pss_Shmem", 0)


def watch(command: Sequence[str]) -> dict[str, float]:
    """Run a command; return seconds, processor seconds, and peaks of memory in bytes."""
    used = processor_seconds()
    began, peak, own = time.perf_counter(), 0, 0
    with tempfile.TemporaryFile() as said:
        running = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        while running.poll() is None:
            now = [proportional_memory(pid) for pid in processes(running.pid)]
            peak, own = max(peak, sum(a for a, _ in now)), max(own, sum(b for _, b in now))
            time.sleep(0.25)
        seconds = time.perf_counter() - began
        if running.returncode:
            said.seek(0)
            last = said.read().decode(errors="replace")[-2000:]
            sys.exit(f"{' '.join(command)} ended with {running.returncode}:\n{last}")
    return {"seconds": seconds, "used": processor_seconds() - used, "peak": peak, "own": own}


def processor_seconds() -> float:
    """Return the processor time of all processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def line_through(n: Sequence[int], values: Sequence[float]) -> tuple[float, float, float]:
    """Return slope and intercept of the best line, and the greatest deviation from it."""
    slope, intercept = np.polyfit(n, values, 1)
    return slope, intercept, float(np.abs(np.polyval((slope, intercept), n) - values).max())


def draw(n: Sequence[int], found: Sequence[dict[str, float]], path: Path) -> None:
    """Draw time and memory over the number of subjects."""
    from eegemo.pages.figures import save_figure
    from eegemo.pages.figures.style import ACCENT, SECOND, new_figure, row_of_axes, style

    panels = (
        ("Time", "minutes", 60, (("seconds", "by the clock"), ("used", "of the processors"))),
        ("Peak memory", "GB", 1e9, (("peak", "with mapped trials"), ("own", "without"))),
    )
    with style():
        figure = new_figure(9.2, 3.2)
        for axes, (title, unit, scale, lines) in zip(row_of_axes(figure, 2), panels, strict=True):
            for (name, label), colour in zip(lines, (ACCENT, SECOND), strict=True):
                values = [one[name] / scale for one in found]
                slope, intercept, _ = line_through(n, values)
                ends = np.array([0, max(n)])
                axes.plot(ends, intercept + slope * ends, color=colour, lw=1, alpha=0.5)
                axes.plot(n, values, "o", color=colour, label=label)
            axes.set(title=title, xlabel="subjects (simulated, full size)", ylabel=unit)
            axes.set(xlim=(0, None), ylim=(0, None), xticks=n)
            axes.legend(loc="upper left")
        save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--release", type=Path, help="a full-size release that eegemo simulated; made if not given"
    )
    parser.add_argument("--subjects", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--figure", type=Path, help="draw it, too")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found = []
    with simulated_release(options.release, max(options.subjects)) as (release, folder):
        print("subjects   windows  by the clock  processors  peak of all  without mapped files")
        for n in options.subjects:
            root, results = part_of_release(release, n, folder / f"{n}"), folder / f"results-{n}"
            command = [sys.executable, "-m", "eegemo", "run", str(EXPERIMENT)]
            command += ["--results", str(results), "--jobs", str(options.jobs), "--device", "cpu"]
            for setting in (f"data.root={root}", *SETTINGS):
                command += ["--set", setting]
            one = watch(command)
            (record,) = results.glob("*/provenance.json")
            windows = json.loads(record.read_text())["data"]["n_windows"]
            print(
                f"{n:8} {windows:9,} {one['seconds']:11.1f} s {one['used']:9.1f} s "
                f"{one['peak'] / 1e9:9.2f} GB {one['own'] / 1e9:18.2f} GB",
                flush=True,
            )
            found.append(one)
    for name, label, unit, scale in (
        ("seconds", "by the clock", "s", 1),
        ("used", "processors", "s", 1),
        ("peak", "peak of all", "GB", 1e9),
        ("own", "without mapped files", "GB", 1e9),
    ):
        slope, intercept, off = line_through(options.subjects, [one[name] / scale for one in found])
        print(
            f"{label}: {intercept:.2f} {unit} and {slope:.3f} {unit} per subject; at most "
            f"{off:.2f} {unit} off that line"
        )
    if options.figure is not None:
        draw(options.subjects, found, options.figure)
    say_machine([{"versions": versions_of("eegemo", "keras", "tensorflow", "numpy")}])


if __name__ == "__main__":
    main()
