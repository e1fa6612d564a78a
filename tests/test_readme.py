"""The README is true: its code runs, its experiment is valid, its commands and files exist."""

import re
import subprocess
import sys

from typer.main import get_command

from eegemo.cli import app
from eegemo.config import parse_experiment
from experiments import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_library_script_gives_a_confusion_matrix(tmp_path):
    (script,) = blocks("python")
    lines = [line for line in script.splitlines() if line and not line.startswith("import")]
    assert len(lines) <= 10
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    matrix = [[int(n) for n in re.findall(r"\d+", row)] for row in done.stdout.splitlines()]
    assert [len(row) for row in matrix] == [2, 2]
    assert sum(map(sum, matrix)) == 4 * 7  # 4 test trials of 4 s, windows of 1 s every 0.5 s


def test_the_experiment_is_valid():
    (text,) = blocks("yaml")
    assert parse_experiment(text, source="README.md").model.name == "cnn_lstm"


def test_every_command_is_listed_and_exists():
    listed = set(re.findall(r"^\| `eegemo (\w+)", README, flags=re.MULTILINE))
    assert listed == set(get_command(app).commands)


def test_linked_and_named_files_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (REPOSITORY / target).exists(), target
    for folder in re.findall(r"eegemo run (experiments/\S+)", README):
        assert list((REPOSITORY / folder).glob("*.yaml")), folder
