"""The command line: what it prints, and with which exit code it ends."""

import json
import os
import subprocess
import sys
from contextlib import suppress

import pandas as pd
import pytest
import yaml

from eegemo import __version__
from eegemo.cli import main
from eegemo.config import load_experiment
from eegemo.evaluation import read_predictions
from experiments import tiny


def call(capsys, *arguments):
    """Return exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


GOOD = "name: a\ndata: {source: deap, root: ROOT}\nmodel: {name: cnn_lstm}\n"


def test_version_and_help(capsys):
    assert call(capsys, "--version") == (0, f"{__version__}\n", "")
    code, out, _ = call(capsys, "--help")
    assert code == 0
    assert all(command in out for command in ("run", "compare", "report", "simulate"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "training: {epoks: 3}", "line 4: training.epoks: there is no such key; did you"),
        (GOOD + "seed: 1\nseed: 2", "line 5: the key 'seed' occurs twice"),
        (GOOD + "training: {learning_rate: 1e-3}", "expected a number, found the text '1e-3'"),
        (GOOD, "ROOT"),
    ],
)
def test_wrong_files_get_one_message_and_exit_code_2(capsys, tmp_path, text, expected):
    file = write(tmp_path / "e.yaml", text.replace("ROOT", str(tmp_path / "ROOT")))
    code, out, err = call(capsys, "run", file, "--results", str(tmp_path / "r"), "--jobs", "0")
    assert code == 2
    assert out == ""
    assert expected in err
    assert "Traceback" not in err
    assert err.strip().count("\n") <= 1  # the list of experiments, and the message


def test_a_missing_file_a_folder_without_files_and_a_folder_of_folders(capsys, tmp_path):
    assert call(capsys, "run", str(tmp_path / "no.yaml"))[0] == 2
    code, _, err = call(capsys, "run", str(tmp_path))
    assert code == 2
    assert "no experiment file" in err
    (tmp_path / "inner").mkdir()
    write(tmp_path / "inner" / "a.yaml", GOOD)
    assert str(tmp_path / "inner") in call(capsys, "run", str(tmp_path))[2]


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(ValueError, match="no such experiment"):
        main(["--debug", "run", str(tmp_path / "no.yaml")])


def test_bad_simulations_are_refused(capsys, tmp_path):
    code, _, err = call(capsys, "simulate", str(tmp_path / "x"), "--subjects", "0")
    assert code == 2
    assert "0" in err
    code, _, err = call(capsys, "simulate", str(tmp_path / "x"), "--formats", "pyton")
    assert code == 2
    assert "pyton" in err
    assert not (tmp_path / "x").exists() or not any((tmp_path / "x").iterdir())


def test_reports_and_comparisons_of_what_is_no_result(capsys, tmp_path):
    code, _, err = call(capsys, "report", str(tmp_path))
    assert code == 2
    assert str(tmp_path) in err
    assert call(capsys, "compare", str(tmp_path), str(tmp_path))[0] == 2


@pytest.mark.slow
def test_two_experiments_from_the_shell_with_one_and_two_jobs(tmp_path):
    """Run as a user would: same predictions for any number of jobs, every result named."""
    files = tmp_path / "files"
    files.mkdir()
    for name in ("cnn_lstm", "cnn_gru"):
        experiment = tiny(tmp_path / "data", f"model.name={name}", name=f"tiny-{name}")
        write(files / f"{name}.yaml", yaml.safe_dump(experiment.model_dump(mode="json")))
    outputs = []
    for jobs, given in (("1", files / "cnn_gru.yaml"), ("2", files)):
        command = [sys.executable, "-m", "eegemo", "run", str(given), "--jobs", jobs]
        command += ["--results", str(tmp_path / jobs)]
        # a fresh user's environment, without the thread settings of the test run
        kept = {k: v for k, v in os.environ.items() if "THREADS" not in k}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert "WARNING" not in done.stderr
        outputs.append(done.stdout)
    assert outputs[1].count("report.html") == 2
    assert "comparison.html" in outputs[1]
    (folder,) = (path.name for path in (tmp_path / "1").glob("tiny-*"))
    one, two = (read_predictions(tmp_path / jobs / folder / "predictions.parquet") for jobs in "12")
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_init_writes_a_file_with_every_option_and_never_over_another(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with suppress(SystemExit):
        main(["init", "--data", "simulated", "--model", "cnn_gru"])
    assert "experiment.yaml: written" in capsys.readouterr().out
    experiment = load_experiment("experiment.yaml")
    assert (experiment.data.source, experiment.model.name) == ("simulated", "cnn_gru")
    text = (tmp_path / "experiment.yaml").read_text(encoding="utf-8")
    code, out, err = call(capsys, "init")
    assert (code, out) == (2, "")
    assert err == "eegemo: experiment.yaml: the file exists already; give another name.\n"
    assert (tmp_path / "experiment.yaml").read_text(encoding="utf-8") == text
    code, _, err = call(capsys, "init", "other.yaml", "--model", "cnn_lsmt")
    assert code == 2
    assert "did you mean 'cnn_lstm'?" in err
    assert call(capsys, "init", "no/such/folder.yaml")[0] == 2
    assert [file.name for file in tmp_path.iterdir()] == ["experiment.yaml"]


def test_schema_is_printed_or_written(capsys, tmp_path):
    with suppress(SystemExit):
        main(["schema"])
    printed = capsys.readouterr().out
    assert "model cnn_lstm" in json.loads(printed)["$defs"]
    with suppress(SystemExit):
        main(["schema", "--output", str(tmp_path / "s.json")])
    assert (tmp_path / "s.json").read_text(encoding="utf-8") == printed
