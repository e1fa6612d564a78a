"""This checkout against another one: reading, windows and training, each tree's own script in turn.

The other tree is another commit in a work tree of its own (``git worktree add ../before COMMIT``).
What is compared is eegemo alone, so no peer is needed. Ratios above 1 say that this tree is slower,
or takes more memory.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import ONE_THREAD, part_of_release, say_machine, simulated_release

HERE = Path(__file__).parents[1]
#: Name -> (script, way, its arguments, figures).
MEASURED = {
    "reading, 2 subjects": ("reading.py", "eegemo", "--folder {root} --out {out}", "used peak"),
    "windows of 1 s": ("windows.py", "eegemo", "--folder {root} --store {store}", "used own"),
    "batches": ("windows.py", "batches", "--folder {root} --store {store}", "used own"),
    "training cnn_lstm": (
        "training.py",
        "eegemo",
        "--store {trained} --models cnn_lstm --epochs {epochs}",
        "used fold_used peak",
    ),
    "training cnn_gru": (
        "training.py",
        "eegemo",
        "--store {trained} --models cnn_gru --epochs {epochs}",
        "used fold_used peak",
    ),
}


def run(tree: Path, script: str, way: str, arguments: str) -> dict[str, Any]:
    """Run one way of a tree's own script, with that tree's package."""
    command = [sys.executable, "-W", "ignore", str(tree / "benchmarks" / script), "--only", way]
    done = subprocess.run(
        [*command, *arguments.split()],
        env=os.environ | dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    content: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("other", type=Path, help="root of the other checkout")
    parser.add_argument("--release", type=Path, help="a release that eegemo simulated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(MEASURED), choices=list(MEASURED))
    options = parser.parse_args()
    trees = {"this": HERE, "other": options.other.resolve()}
    results: list[dict[str, Any]] = []
    with simulated_release(options.release, 2) as (release, folder):
        root = part_of_release(release, 2, folder / "part")
        places = {"root": root, "store": folder / "store", "trained": folder / "trained"}
        for place in ("store", "trained"):
            places[place].mkdir()
        run(HERE, "windows.py", "eegemo", f"--folder {root} --store {places['store']} --first")
        run(HERE, "training.py", "prepare", f"--folder {root} --store {places['trained']}")
        for name in options.only:
            script, way, arguments, figures = MEASURED[name]
            found: dict[str, list[dict[str, Any]]] = {tree: [] for tree in trees}
            for k in range(options.rounds):
                for tree in list(trees)[:: 1 if k % 2 else -1]:
                    out = folder / f"out-{time.monotonic_ns()}"
                    given = arguments.format(**places, out=out, epochs=options.epochs)
                    found[tree].append(run(trees[tree], script, way, given))
            for figure in figures.split():
                pairs = zip(found["this"], found["other"], strict=True)
                ratios = [this[figure] / other[figure] for this, other in pairs]
                print(
                    f"{name:22} {figure:10} this / other: {statistics.median(ratios):.3f} "
                    f"(rounds {min(ratios):.3f} to {max(ratios):.3f})",
                    flush=True,
                )
            results += found["this"]
    say_machine(results)


if __name__ == "__main__":
    main()
