"""What the comparisons share: each way alone in a process, in turn, and what it used.

Only the standard library, since peers run this in an environment of their own.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def memory(*names: str) -> int:
    """Add up lines of this process's status, in bytes; Linux only, elsewhere 0."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.split(":")[0] in names)


class Measured:
    """Seconds by the clock, processor seconds of all threads, and peak memory of a block.

    `peak` is all that was resident since the process began, mapped files included; `own` leaves
    mapped files out, and is sampled while the block runs.
    """

    def __init__(self) -> None:
        self.seconds = self.used = 0.0
        self.peak = self.own = 0

    def __enter__(self) -> "Measured":
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        self._began, self._used = time.perf_counter(), time.process_time()
        return self

    def _sample(self) -> None:
        while not self._over.wait(0.05):
            self.own = max(self.own, memory("RssAnon", "RssShmem"))

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.used = time.process_time() - self._used
        self._over.set()
        self._sampler.join()
        self.own = max(self.own, memory("RssAnon", "RssShmem"))
        self.peak = memory("VmHWM")

    def as_dict(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("seconds", "used", "peak", "own")}


def say_result(**content: Any) -> None:
    """Hand the outcome of a way to the process that started it."""
    print("RESULT " + json.dumps(content), flush=True)


def run_alone(python: str, script: str, way: str, *arguments: object) -> dict[str, Any]:
    """Run one way of a script in a process of its own, on one core with one thread."""
    command = [python, "-W", "ignore", script, "--only", way, *map(str, arguments)]
    done = subprocess.run(
        command,
        env=os.environ | dict.fromkeys(ONE_THREAD, "1"),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(lines[-1].removeprefix("RESULT "))


def stay_on_one_core() -> None:
    """Let this process and its threads use a single core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def take_turns(
    ways: Mapping[str, Callable[[], dict[str, Any]]], rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """Run the ways A B C A B C ..., so that a machine that slows down slows all of them."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for k in range(rounds):
        for name, run in ways.items():
            found[name].append(run())
            print(f"round {k + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
    return found


def median(found: Sequence[Mapping[str, Any]], name: str) -> float:
    """Return the median over rounds."""
    return float(statistics.median(one[name] for one in found))


def ratio(
    slow: Sequence[Mapping[str, Any]], fast: Sequence[Mapping[str, Any]], name: str
) -> tuple[float, float, float]:
    """Return the ratio of medians, and the least and the greatest ratio of a round."""
    each = [a[name] / b[name] for a, b in zip(slow, fast, strict=True)]
    return median(slow, name) / median(fast, name), min(each), max(each)


def say_ratio(
    label: str, slow: Sequence[Mapping[str, Any]], fast: Sequence[Mapping[str, Any]], name: str
) -> float:
    """Print and return the ratio of medians."""
    middle, low, high = ratio(slow, fast, name)
    print(f"{label}: {middle:.2f} (rounds {low:.2f} to {high:.2f})")
    return middle


def say_machine(results: Sequence[Mapping[str, Any]]) -> None:
    """Print date, machine and the versions that took part."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    versions: dict[str, str] = {}
    for one in results:
        versions |= one.get("versions", {})
    print(f"{time.strftime('%Y-%m-%d')}; {model}, {cores} cores, load {load} when it ended")
    print(", ".join(f"{name} {version}" for name, version in sorted(versions.items())))


def versions_of(*names: str) -> dict[str, str]:
    """Return the versions of those packages that are installed here, and Python's."""
    found = {"Python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def parser_of(doc: str | None, ways: Sequence[str], *, peer: str) -> argparse.ArgumentParser:
    """Return a parser with what all comparisons take."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument(
        "--peer-python", help=f"python of an environment with {peer}; see peers-requirements.txt"
    )
    parser.add_argument(
        "--release", type=Path, help="a full-size release that eegemo simulated; made if not given"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=ways, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser


@contextmanager
def simulated_release(given: Path | None, n_subjects: int) -> Iterator[tuple[Path, Path]]:
    """Give a release of at least so many subjects of full size, and a folder to work in."""
    with tempfile.TemporaryDirectory() as folder:
        release = Path(folder) / "release" if given is None else given.resolve()
        if given is None:
            from eegemo import simulate_deap

            simulate_deap(release, n_subjects=n_subjects)
        content = json.loads((release / "simulation.json").read_text())
        print(
            f"simulated data (version {content['version']} of the simulation): subjects of "
            f"{content['n_trials']} trials of {content['duration']:g} s"
        )
        if len(content["subjects"]) < n_subjects:
            sys.exit(f"{release}: {len(content['subjects'])} subjects; {n_subjects} are needed")
        yield release, Path(folder)


def part_of_release(release: Path, n_subjects: int, folder: Path) -> Path:
    """Make a release of the first subjects, with hard links to their files, or copies."""
    signals = folder / "data_preprocessed_python"
    signals.mkdir(parents=True)
    files = sorted((release / signals.name).glob("s*.dat"))[:n_subjects]
    names = ("participant_ratings.csv", "video_list.csv")
    for path in [*files, *(release / name for name in names if (release / name).is_file())]:
        place = folder / path.relative_to(release)
        try:
            place.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, place)
    return folder
