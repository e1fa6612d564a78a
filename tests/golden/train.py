"""Train what tests compare, in a process of its own: ``python tests/golden/train.py``.

How many threads TensorFlow has, and so how sums are added, is settled when it is first used; in a
process of many tests that may be anywhere.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden.cases import NETWORKS, RUNS, kept_experiment, make_experiment
from golden.inside import Stopped, is_fit, run, through_pickle
from golden.machine import GOLDEN


def train():
    """Run all networks, in the working folder."""
    run([make_experiment(*RUNS[name]) for name in NETWORKS], "results")


def resume(name):
    """Fit the first fold of the kept result of that name, from the checkpoint of its first epoch.

    Its folder is ``resumed/NAME/folds/0``; nothing else of the result is made.
    """
    fold = Path("resumed", name, "folds", "0")
    fold.mkdir(parents=True)
    shutil.copy(GOLDEN / "checkpoint.npz", fold / "checkpoint.npz")
    try:
        run([kept_experiment("cnn_gru")], "resumed", report=True, runner=_first_fold_only)
    except Stopped:
        return
    raise AssertionError("no fold was fitted")


def _first_fold_only(function, tasks, **options):
    if not is_fit(tasks[0]):
        yield from through_pickle(function, tasks)
        return
    yield from through_pickle(function, tasks[:1])
    raise Stopped


if __name__ == "__main__":
    train()
    resume(sys.argv[1])
