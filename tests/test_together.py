"""All folds as one program.

What needs JAX runs in a process of its own, since a process has one back end of Keras.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from eegemo.errors import InputError
from eegemo.models import make_model
from eegemo.runs.run import run_experiments
from experiments import tiny

HERE = Path(__file__).parent


@pytest.mark.slow
def test_on_jax(tmp_path):
    if find_spec("jax") is None:
        pytest.skip("JAX is not installed: pip install eegemo[jax]")
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    # nearly all of the time goes into compiling: not twice, and not thoroughly
    environment |= {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--durations=0",
         "--basetemp", str(tmp_path / "jax"),
         *(str(HERE / f"together_{name}on_jax.py") for name in ("", "resumed_"))],
        env=environment, cwd=HERE.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout
    print(done.stdout)


@pytest.mark.skipif(os.environ.get("KERAS_BACKEND") == "jax", reason="Keras runs on JAX here")
def test_asked_for_without_jax_it_says_what_to_set(tmp_path):
    with pytest.raises(InputError, match="KERAS_BACKEND=jax") as error:
        run_experiments([tiny(tmp_path / "data")], results=tmp_path, engine="together")
    assert "\n" not in str(error.value)
    assert not list((tmp_path).glob("*/folds.csv"))  # said before anything is prepared


def test_models_that_are_no_networks_are_left_to_the_other_engine():
    assert make_model("cnn_gru").cannot_fit_many([]) is None
    assert "band_power_logreg" in make_model("band_power_logreg").cannot_fit_many([])
