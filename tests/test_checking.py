"""What a run would do is told beforehand, and is what it then does."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from eegemo.cli import main
from eegemo.errors import ConfigError, EegemoError, InputError
from eegemo.execution import RunContext
from eegemo.models import InputShape, build_model, make_model
from eegemo.runs.check import check_experiment
from eegemo.runs.check_data import check_data
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.resources import check_memory, estimate_resources
from eegemo.runs.run import run_experiments
from eegemo.store import space
from eegemo.store.space import check_space
from experiments import tiny

BAND_POWER = "model={name: band_power_logreg}"


def write_dat(path, n_trials=3, n_times=1000, rating=5.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    signals = np.random.default_rng(0).normal(size=(n_trials, 40, n_times))
    labels = np.full((n_trials, 4), rating)
    path.write_bytes(pickle.dumps({"data": signals, "labels": labels}, protocol=2))


def facts_of(checked):
    return dict(checked.facts)


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


# --- data ---------------------------------------------------------------------------------------


def test_each_file_of_deap_has_a_state(tmp_path, capsys):
    folder = tmp_path / "data_preprocessed_python"
    for name in ("s01", "s02", "s03", "s04", "s06"):
        write_dat(folder / f"{name}.dat")
    content = (folder / "s02.dat").read_bytes()
    (folder / "s02.dat").write_bytes(content[: len(content) // 2])
    write_dat(folder / "s03.dat", rating=11.0)
    write_dat(folder / "s04.dat", n_times=300)  # no more than a baseline
    (folder / ".DS_Store").write_text("")
    (folder / "notes <b>.txt").write_text("")
    (folder / "s05.dat").symlink_to("not/fetched")
    checked = check_data(tmp_path)
    states = {one.name: one.state for one in checked.files}
    assert states.pop("s01") == states.pop("s06") == "ok"
    assert states.pop("s02") == "truncated"
    assert states.pop("s03") == "ratings out of range"
    assert states.pop("s04") == "wrong shape"
    assert states.pop("s05") == "not fetched"
    assert set(states.values()) == {"missing"}
    assert len(states) == 32 - 6
    assert checked.ignored == (".DS_Store", "notes <b>.txt")
    assert not checked.ok
    code, out, err = call(capsys, "check", tmp_path)
    assert code == 2
    assert "Traceback" not in err
    assert re.search(r"s01 +[\d.]+ .B +ok +3 trials of 4\.8", out)
    assert "2 ok, 26 missing, 4 wrong." in out


def test_a_folder_that_is_no_data_is_said_so(tmp_path, capsys):
    with pytest.raises(InputError, match="expected an experiment file"):
        check_data(tmp_path)
    assert call(capsys, "check", tmp_path)[0] == 2
    assert call(capsys, "check", tmp_path / "nothing")[0] == 2


def test_subjects_of_a_bids_data_set(tmp_path):
    from test_bids import write_run

    write_run(tmp_path, "01")
    write_run(tmp_path, "02")
    (tmp_path / "sub-03").mkdir()
    events = next(tmp_path.rglob("sub-02*_events.tsv"))
    events.write_text("onset\tduration\n")
    checked = check_data(tmp_path)
    assert [one.ok for one in checked.files] == [True, False]
    assert checked.files[0].name == "sub-01"
    assert "trials of" in checked.files[0].detail
    assert checked.ignored == ("sub-03",)


# --- experiments --------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True])
def test_windows_folds_and_trials_are_those_of_the_run(tmp_path, there):
    """Also of data that are yet to be simulated."""
    overrides = ("preprocessing.sfreq=64.0", "data.channels=emotiv", "windows.stride=0.5")
    experiment = tiny(tmp_path / "data", BAND_POWER, *overrides)
    if there:
        prepared = prepare_experiment(experiment, RunContext(tmp_path / "r"))
    checked = check_experiment(experiment, results=tmp_path / "r")
    if not there:
        assert not list(tmp_path.iterdir())  # nothing was written
        assert "to be simulated" in facts_of(checked)["data"]
        prepared = prepare_experiment(experiment, RunContext(tmp_path / "r"))
    assert checked.exit_code == 0
    facts, windows = facts_of(checked), prepared.windows
    assert facts["windows"].startswith(f"{len(windows)} of 1 s: 64 samples at 64 Hz, 14 channels")
    counts = ", ".join(f"{name} {n}" for name, n in windows.labels.counts().items())
    assert facts["trials"] == counts
    assert facts["folds"].startswith("2, of windows each: train ")
    for role in ("train", "test"):
        sizes = sorted(len(fold.parts()[role]) for fold in prepared.folds)
        low, high = sizes[0], sizes[-1]
        shown = f"{low}" if low == high else f"{low} to {high}"
        assert f"{role} {shown}" in facts["folds"]


def test_bytes_to_be_written_are_about_right(tmp_path):
    experiment = tiny(tmp_path / "data", BAND_POWER, "data.duration=30.0")
    results = tmp_path / "results"
    checked = check_experiment(experiment, results=results)
    number, unit = re.match(r"about ([\d.]+) (kB|MB)", facts_of(checked)["disk"]).groups()
    told = float(number) * {"kB": 1e3, "MB": 1e6}[unit]
    run_experiments([experiment], results=results, report=False)
    written = sum(path.stat().st_size for path in results.rglob("*") if path.is_file())
    assert written / 2 < told < written * 2


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.subjects=[s09]", "Subject 's09'"),
        ("data={source: deap, root: no/such/folder}", "does not exist"),
        ("labels.threshold=8.99", "no trial has the class"),
        ("windows.duration=9.0", "longer than every usable trial"),
        ("split.n_splits=99", "99 folds need"),
        ("data.channels=[Fp1, Fz9]", "Fz9"),
    ],
)
def test_what_cannot_work_is_a_problem_and_no_traceback(tmp_path, override, said):
    experiment = tiny(tmp_path / "data", BAND_POWER, override)
    checked = check_experiment(experiment, results=tmp_path / "r")
    assert checked.exit_code == 2
    assert any(said in problem for problem in checked.problems), checked.problems


def test_absurd_sizes_are_refused_before_anything_is_built_or_trained(tmp_path, capsys):
    """A mistyped layer would otherwise ask for terabytes."""
    sections = tiny(tmp_path / "data").model_dump(mode="json")
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(sections))
    for override, said in [
        ("model.filters=[1000000000]", "parameters, and training it takes at least"),
        ("model.units=1000000000", "parameters, and training it takes at least"),
        ("model.pool_size=500", "leave nothing of a window of 128 samples"),
    ]:
        for command in ("check", "run"):
            options = ["--set", override, "--results", tmp_path / "results", "--jobs", "0"]
            code, out, err = call(capsys, command, file, *options)
            assert code == 2
            assert "Traceback" not in err
            assert said in " ".join((out + err).split())
    assert not list(tmp_path.glob("results/tiny*/folds"))


def test_a_disk_that_is_too_small_is_refused_early(tmp_path, monkeypatch, capsys):
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(tiny(tmp_path / "data", BAND_POWER).model_dump(mode="json")))
    monkeypatch.setattr(space, "free_bytes", lambda path: 1000)
    for command in ("check", "run"):
        code, out, err = call(capsys, command, file, "--results", tmp_path / "r", "--jobs", "0")
        assert code == 1
        assert "1.0 kB are free on its disk" in " ".join((out + err).split())
    assert not list(tmp_path.rglob("*.dat"))


# --- estimates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("cnn_lstm", {"filters": [4, 8], "pool_size": 2, "units": 3, "dense": [5]}),
        ("cnn_gru", {"filters": [4], "pool_size": 3, "units": 7, "dense": [], "kernel_size": 3}),
        ("cnn_gru", {"filters": [3, 3, 2], "pool_size": 1, "units": 4, "dense": [2, 9]}),
    ],
)
def test_parameters_are_those_keras_counts(name, sizes):
    shape = {"n_times": 50, "n_channels": 6, "n_classes": 3}
    model = build_model(name, **shape, **sizes)
    given = InputShape(**shape, sfreq=128.0, ch_names=tuple("abcdef"))
    assert make_model(name, **sizes).size(given).parameters == model.count_params()
    assert make_model("band_power_logreg").size(given) is None


def test_more_of_anything_needs_no_less(tmp_path):
    prepared = prepare_experiment(tiny(tmp_path / "data", BAND_POWER), RunContext(tmp_path))
    model = {"name": "cnn_lstm", "filters": [4], "units": 4, "dense": []}

    def estimate(folds=prepared.folds, batch_size=8, **change):
        return estimate_resources(
            prepared.windows, folds, models=[make_model(**(model | change))], batch_size=batch_size
        )

    base = estimate()
    for more in (estimate(units=400), estimate(batch_size=40), estimate(folds=prepared.folds * 9)):
        assert more.disk >= base.disk
        assert more.memory >= base.memory
        assert more.least_memory >= base.least_memory
        assert more != base
    check_memory(base)
    with pytest.raises(ConfigError, match="smaller layers"):
        check_memory(estimate(units=10**7))


def test_space_is_that_of_the_disk_also_of_a_folder_to_come(tmp_path):
    check_space(tmp_path / "a" / "b", 1, "it")
    with pytest.raises(EegemoError, match=r"it would take at least 1,?\d* ?.*TB"):
        check_space(tmp_path / "a" / "b", 10**18, "it")
    assert not Path(tmp_path / "a").exists()


def test_changes_to_an_experiment_are_refused_with_a_data_folder(tmp_path, capsys):
    code, _, err = call(capsys, "check", tmp_path, "--set", "training.epochs=1")
    assert code == 2
    assert "is a data folder" in err


def test_a_simulated_release_is_told_apart_from_deap(tmp_path):
    """By the description beside it; what is missing is counted by that, too."""
    from eegemo.simulation import simulate_deap

    simulate_deap(tmp_path, n_subjects=3, n_trials=2, duration=2.0)
    folder = tmp_path / "data_preprocessed_python"
    (folder / "s02.dat").unlink()
    for place in (tmp_path, folder):
        checked = check_data(place)
        assert checked.kind == "DEAP, data_preprocessed_python, simulated by eegemo"
        assert {one.name: one.state for one in checked.files} == {
            "s01": "ok", "s02": "missing", "s03": "ok",
        }  # fmt: skip
    (tmp_path / "simulation.json").unlink()
    checked = check_data(tmp_path)
    assert checked.kind == "DEAP, data_preprocessed_python"
    assert len(checked.files) == 32


def test_a_whole_number_of_seconds_is_the_same_release():
    from eegemo.simulation import Simulated

    assert Simulated(duration=3, effect=1).folder == Simulated(duration=3.0, effect=1.0).folder
