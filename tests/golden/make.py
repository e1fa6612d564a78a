"""Record the golden files: ``python tests/golden/make.py``, or with ``text`` the texts alone.

Texts are recorded anew where words get better; all else only where numbers are meant to change.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden import inside, texts
from golden.cases import (
    KEPT,
    RUNS,
    experiment_files,
    experiments,
    kept_experiment,
    make_experiment,
    working_in,
)
from golden.machine import GOLDEN, MADE_WITH, describe_machine
from golden.records import (
    KEPT_FILE,
    RUNS_FILE,
    describe_settings,
    describe_store,
    keep_run,
    pack,
    shorten,
    unpack,
    write_json,
)


def make_settings():
    """Digests and text of every experiment file and variation."""
    found = {name: describe_settings(experiment) for name, experiment in experiments().items()}
    write_json(GOLDEN / "settings.json", shorten(found))


def make_runs():
    """Tables and records of the runs, and names of what they store."""
    with tempfile.TemporaryDirectory() as folder, working_in(folder) as place:
        for name, overrides in RUNS.items():
            (result,) = inside.run([make_experiment(*overrides)], "results")
            keep_run(result, place / "runs" / name)
        pack(place / "runs", RUNS, RUNS_FILE)
        write_json(
            GOLDEN / "keys.json", {"training": inside.training_key(), **describe_store(place)}
        )


def make_kept():
    """Two whole results, and the checkpoint of a fold stopped after its first epoch."""
    with tempfile.TemporaryDirectory() as folder, working_in(folder) as place:
        names = []
        for name in KEPT:
            (result,) = inside.run([kept_experiment(name)], "results", report=True)
            names.append(result.name)
        pack(place / "results", names, KEPT_FILE)
        try:
            with inside.stopping_after(1):
                inside.run([kept_experiment("cnn_gru")], "stopped", report=True)
        except inside.Stopped:
            (checkpoint,) = (place / "stopped").glob("*/folds/0/checkpoint*.npz")
            shutil.copy(checkpoint, GOLDEN / "checkpoint.npz")


def make_texts():
    """All that is said to people."""
    target = GOLDEN / "text"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, working_in(folder) as place:
        said = {
            **texts.of_results(unpack(KEPT_FILE, place), place),
            **texts.of_audit(place),
            **texts.of_checks(place),
            **texts.of_help(),
        }
    for name, text in said.items():
        (target / name).write_text(text, encoding="utf-8")
    write_json(target / "complaints.json", texts.of_complaints())


def make_lightness():
    """Which heavy packages light uses load."""
    write_json(GOLDEN / "lightness.json", texts.loaded(experiment_files()))


def make_machine():
    """What all of this was made with."""
    command = ["git", "-C", str(GOLDEN), "rev-parse", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    write_json(MADE_WITH, describe_machine() | {"commit": commit})


def main(parts):
    """Record everything, or the named parts."""
    makers = {
        "settings": make_settings,
        "lightness": make_lightness,
        "runs": make_runs,
        "kept": make_kept,
        "text": make_texts,
        "machine": make_machine,
    }
    for part in parts or makers:
        makers[part]()


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"
    main(sys.argv[1:])
