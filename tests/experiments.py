"""Experiments small enough for tests."""

import json
from hashlib import sha256
from pathlib import Path

import yaml

from eegemo.config import Experiment, parse_experiment

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared"


def tiny(root: Path, *overrides: str, name: str = "tiny") -> Experiment:
    """Make an experiment on 3 simulated subjects that trains in about a second."""
    sections = {
        "name": name,
        "data": {
            "source": "simulated",
            "root": str(root),
            "n_subjects": 3,
            "n_trials": 12,
            "duration": 3.0,
            "effect": 1.6,
        },
        "preprocessing": {"baseline": [-3.0, 0.0]},
        "windows": {"duration": 1.0, "stride": 1.0},
        "scaling": {"steps": ["zscore"], "fit": "subject"},
        "split": {"n_splits": 2},
        "model": {"name": "cnn_gru", "filters": [4], "units": 4, "dense": [], "dropout": 0.1},
        "training": {"epochs": 2, "batch_size": 16},
    }
    return parse_experiment(yaml.safe_dump(sections), source=name, overrides=overrides)


def with_foreign_model(result: Path, folder: Path) -> Path:
    """Let a result name a model of one's own; return the file that its import would make."""
    made = folder / "imported"
    code = f"import pathlib\npathlib.Path({str(made)!r}).touch()\ndef build(): pass\n"
    (folder / "foreign_net.py").write_text(code, encoding="utf-8")
    file = result / "experiment.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8")) | {
        "model": {"name": "foreign_net:build"}
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    manifest = json.loads((result / "manifest.json").read_text(encoding="utf-8"))
    manifest[file.name] = sha256(file.read_bytes()).hexdigest()
    (result / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return made
