"""Results of an older version: read, repeated, applied, and not run again.

That they are reported again and compared is in `test_golden_text`.
"""

import subprocess
import sys

import pandas as pd
import pytest

import eegemo
from golden.cases import kept_experiment, recording, working_in
from golden.inside import is_fit, run
from golden.machine import differences
from golden.records import KEPT_FILE, TABLES, same_files, unpack
from golden.texts import said

PROBABILITIES = {"rtol": 1e-4, "atol": 1e-6}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with working_in(tmp_path_factory.mktemp("kept")) as folder:
        yield folder


@pytest.fixture(scope="module")
def kept(place):
    return unpack(KEPT_FILE, place / "results")


def need_same_files(place):
    """Skip where the data of these results comes out with other bits."""
    if differences() and not same_files(place):
        pytest.skip(f"the simulation rounds differently here: {differences()}")


@pytest.mark.parametrize("name", ["cnn_gru", "band_power"])
def test_predictions_are_read(kept, name):
    for table in TABLES:
        file = kept[name] / f"{table}.parquet"
        if file.is_file():
            predictions = eegemo.read_predictions(file)
            assert len(predictions) == {"validation": 12}.get(table, 72)
    assert (kept[name] / "baseline.parquet").is_file() == (name == "cnn_gru")


def test_a_complete_result_is_not_run_again(kept, place):
    """Its folder is found by the digest of the experiment, and each of its folds is whole."""

    def refuse(function, tasks, **options):
        for task in tasks:
            if is_fit(task):
                need_same_files(place)
            assert not is_fit(task), f"{task} would be fitted again"
            yield function(task)

    names = ["band_power", "cnn_gru"]
    folders = run([kept_experiment(name) for name in names], "results", runner=refuse)
    assert [folder.name for folder in folders] == [kept[name].name for name in names]


@pytest.mark.parametrize("name", ["band_power", pytest.param("cnn_gru", marks=pytest.mark.slow)])
def test_a_result_is_repeated(kept, place, name):
    """In a process of its own, as bits depend on what it has done before."""
    command = [sys.executable, "-m", "eegemo", "run", "--verify", str(kept[name]), "--jobs", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
    need_same_files(place)
    text = done.stdout
    assert done.returncode == 0, text + done.stderr
    assert "Data, labels and folds are the same.\n" in text
    assert text.endswith(": agrees.\n")
    if not differences():
        assert "All predictions are the same, to the bit.\n" in text


@pytest.mark.parametrize("name", ["band_power", "cnn_gru"])
def test_a_result_is_applied_to_a_recording(kept, place, name):
    """Its test windows get the probabilities that its own folds gave them."""
    run([kept_experiment("band_power")], "results")  # only makes the recording
    out = place / f"applied-{name}"
    text = said("predict", kept[name], recording(), "--fold", "0", "--out", out)
    assert text.endswith("exit code 0\n"), text
    found = pd.read_csv(out / "predictions.csv")
    stored = eegemo.read_predictions(kept[name] / "predictions.parquet")
    stored = stored[(stored["fold"] == 0) & (stored["subject"].astype(str) == "s01")]
    both = stored.merge(found, on=["trial", "start"], suffixes=("_then", "_now"))
    assert len(both) == len(stored) > 0
    for column in [name for name in stored if name.startswith("p_")]:
        then, now = both[f"{column}_then"], both[f"{column}_now"]
        pd.testing.assert_series_equal(
            then, now, check_names=False, check_dtype=False, **PROBABILITIES
        )
