"""The other back ends of Keras; a process has one, so each is tried in processes of its own."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest

from eegemo.runs.run import run_experiments
from eegemo.runs.verify import TOLERANCE
from experiments import REPOSITORY, tiny

HERE = Path(__file__).parent
HINTS = {"jax": "pip install eegemo[jax]", "torch": "pip install torch"}
# What means something else there: this data is learned to 0.9 with some first weights only, which
# each back end draws in its own way.
NOT_THERE = "tests/test_training.py::test_learns_rhythms_it_can_tell_apart"

pytestmark = pytest.mark.slow
backends = pytest.mark.parametrize("backend", list(HINTS))


@pytest.fixture
def start(tmp_path):
    """Give a function that runs Python on a back end, and returns how that ended."""

    def start(backend, *arguments):
        if find_spec(backend) is None:
            pytest.skip(f"{backend} is not installed: {HINTS[backend]}")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        kept |= {"KERAS_BACKEND": backend, "EEGEMO_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        # threads add numbers in another order; as the command line sets it
        kept["OMP_NUM_THREADS"] = "1"
        # nearly all of the time goes into compiling: not twice, and not thoroughly
        kept |= {
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        }
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            env=kept,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


@backends
@pytest.mark.parametrize("name", ["checkpoint", "training", "engines"])
def test_what_holds_here_holds_there(start, backend, name, tmp_path):
    """A training goes on to the same bits, folds share nothing, and every engine learns alike."""
    options = ["-q", "-m", "", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "there")]
    options += ["--deselect", NOT_THERE]
    done = start(backend, "pytest", *options, str(HERE / f"test_{name}.py"))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert ("skipped" in done.stdout) == (backend == "torch" and name == "engines")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the result is made here")
@backends
@pytest.mark.parametrize("model", ["cnn_gru", "cnn_lstm"])
def test_a_result_made_here_is_verified_there_by_its_stored_models(start, backend, model, tmp_path):
    settings = [f"model.name={model}", "training.epochs=4", "training.learning_rate=0.02"]
    experiment = tiny(tmp_path / "data", *settings)
    (result,) = run_experiments([experiment], results=tmp_path / "results", report=False)

    def verify(expected):
        done = start(backend, "eegemo", "run", "--verify", str(result))
        assert done.returncode == expected, done.stdout + done.stderr
        assert f"backend tensorflow then, {backend} now" in done.stdout
        assert "the stored models were asked again" in done.stdout
        return float(re.search(r"differ by up to ([\d.e-]+)", done.stdout)[1])

    assert 0 < verify(0) <= TOLERANCE  # rounding shows that it was asked there
    # the models of the wrong folds are found out
    first, second = (result / "folds" / number / "model.keras" for number in "01")
    shutil.move(first, tmp_path / "model.keras")
    shutil.move(second, first)
    shutil.move(tmp_path / "model.keras", second)
    assert verify(1) > 100 * TOLERANCE
