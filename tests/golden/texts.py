"""What is said to people: pages, printed lines, help, and complaints about experiment files."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager

import yaml

import eegemo

from .cases import kept_experiment, make_experiment, recording
from .inside import call, complaint
from .records import page_text, tidy

COMMANDS = (
    "run",
    "check",
    "compare",
    "report",
    "predict",
    "preprocess",
    "audit",
    "simulate",
    "init",
)
COMMANDS += ("schema", "list")
HEAVY = ("keras", "tensorflow", "mne", "sklearn", "matplotlib", "pandas")


@contextmanager
def columns(width):
    """Make the terminal that wide."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(width)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def read(path):
    return path.read_text(encoding="utf-8")


def of_results(kept, place):
    """What kept results say when reported again, compared, repeated and applied."""
    found, result = {}, kept["band_power"]
    for name, folder in kept.items():
        found[f"report_{name}_printed.txt"] = said("report", folder, PLACE=place)
        found[f"report_{name}.txt"] = page_text(read(folder / "report.html"))
    compared, applied = place / "compared", place / "applied"
    printed = said("compare", *kept.values(), "--out", compared, PLACE=place)
    verified = said("run", "--verify", result, "--jobs", "0", PLACE=place)
    verified = re.sub(r"^Different software: .*\n", "", verified, flags=re.MULTILINE)
    predicted = said("predict", result, recording(), "--out", applied, PLACE=place)
    return found | {
        "comparison.txt": page_text(read(compared / "comparison.html")),
        "comparison.tex": read(compared / "tables" / "comparison.tex"),
        "compare_printed.txt": printed,
        "verify_printed.txt": verified,
        "predict_printed.txt": predicted,
    }


def of_audit(place):
    """A quick audit by the quick model."""
    experiment = make_experiment("model={name: band_power_logreg}", name="audited")
    page = eegemo.audit_experiment(experiment, results=place / "audits", draws=2, quick=True)
    return {"audit.txt": page_text(read(page))}


def of_checks(place):
    """What `eegemo check` says of an experiment file, and of a data folder."""
    experiment = kept_experiment("band_power")
    (place / "e.yaml").write_text(yaml.safe_dump(experiment.model_dump(mode="json")))
    data = recording().parents[1]  # made by any of the runs
    return {
        "check_experiment.txt": said("check", "e.yaml", "--jobs", "0"),
        "check_data.txt": said("check", data, "--jobs", "0"),
    }


def said(*arguments, **places):
    """What a command prints, but for progress, and its exit code; `places` as for `tidy`."""
    with columns(250):  # no line is broken where a number has a digit more
        code, text, errors = call(*arguments)
    text = text if code == 0 else text + errors
    lines = [line.rstrip() for line in text.splitlines()]
    return tidy("\n".join([*lines, f"exit code {code}\n"]), **places)


def of_help():
    """The help of every command, its lines joined: how wide they are is not ours."""
    with columns(100):
        pages = [call(*command, "--help")[1] for command in ((), *((name,) for name in COMMANDS))]
    return {"help.txt": "\n".join(map(_joined, pages))}


def _joined(text):
    lines = (" ".join(line.split()) for line in text.splitlines())
    text = "\n".join(line for line in lines if line) + "\n"
    return re.sub(r"^Usage: \S+", "Usage: eegemo", text)


def of_complaints():
    """What is said of each wrong experiment file that `test_config` knows."""
    from test_config import WRONG

    return {lines: of_complaint(lines) for lines, *_ in WRONG}


def of_complaint(lines):
    """What is said of an experiment file with these lines added."""
    from test_config import BASE

    return complaint(f"{BASE}{lines}\n")


def loaded(files):
    """Which heavy packages are loaded after light uses; files are read one after another."""
    files = list(map(str, files))
    uses = {
        "import eegemo": "import eegemo",
        "eegemo --help": "sys.argv[1:] = ['--help']; run_module('eegemo', run_name='__main__')",
        "reading experiments": f"import eegemo; [eegemo.load_experiment(f) for f in {files}]",
    }
    return {name: _loaded(statement) for name, statement in uses.items()}


def _loaded(statement):
    code = (
        "import atexit, sys\nfrom runpy import run_module\n"
        f"def look(): print(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr)\n"
        f"atexit.register(look)\n{statement}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stderr.split()
