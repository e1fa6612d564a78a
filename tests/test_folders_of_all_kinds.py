"""Folders with random mixtures of faults: check and run agree, and nothing is a traceback.

Each fault is one that public data sets have. Whatever is mixed, `check` ends with the status of
`run`, mistakes are a single message, and every row of a table of events is used or counted.
"""

import random
import shutil

import numpy as np
import pandas as pd
import pytest
from folders import CHANNELS, SFREQ, make_events, make_noise, make_sections, write_recording

from eegemo.config import Experiment
from eegemo.errors import InputError
from eegemo.execution import RunContext
from eegemo.runs.check import check_experiment
from eegemo.runs.prepare import prepare_experiment

HEADER = "onset\tduration\ttrial_type\n"


def _rows(spec):
    return [list(row) for row in spec.setdefault("events", make_events())]


def upper_case(spec, rng):
    spec["suffix"] = ".VHDR"


def other_order(spec, rng):
    names = list(CHANNELS)
    rng.shuffle(names)
    spec["names"] = tuple(names)


def other_channels(spec, rng):
    spec["names"] = ("X1", *CHANNELS[1:])


def blanks_in_classes(spec, rng):
    rows = _rows(spec)
    for row in rows[::3]:
        row[2] = rng.choice([f"{row[2]} ", f" {row[2]}", f"{row[2]}\u00a0"])
    spec["events"] = rows


def case_of_classes(spec, rng):
    rows = _rows(spec)
    rows[1][2] = rows[1][2].title()
    spec["events"] = rows


def quotes(spec, rng):
    rows = _rows(spec)
    rows[2][2], rows[5][2] = f'"{rows[2][2]}', f'{rows[5][2]}"'
    spec["events"] = rows


def beyond_the_end(spec, rng):
    spec["data"] = make_noise(rng.choice([22, 40, 58]), seed=rng.randrange(10**6))
    if "names" in spec:
        spec["data"] = spec["data"][: len(spec["names"])]


def milliseconds(spec, rng):
    spec["events"] = [(1000 * row[0], row[1], row[2]) for row in _rows(spec)]


def in_samples(spec, rng):
    spec["events"] = [(SFREQ * row[0], row[1], row[2]) for row in _rows(spec)]


def no_events(spec, rng):
    spec["text"] = ""


def empty_table(spec, rng):
    spec["text"] = HEADER


def short_row(spec, rng):
    lines = [f"{row[0]}\t{row[1]}\t{row[2]}\n" for row in _rows(spec)]
    lines[4] = "21.0\thappy\n"
    spec["text"] = HEADER + "".join(lines)


def odd_columns(spec, rng):
    name = rng.choice(["description", "HED", "sample", "value", "response time", "subject"])
    spec["columns"] = ("onset", "duration", "trial_type", name)
    spec["events"] = [(*row[:3], "x y") for row in _rows(spec)]


def no_onset(spec, rng):
    rows = _rows(spec)
    rows[3][0] = "n/a"
    spec["events"] = rows


def no_duration(spec, rng):
    rows = _rows(spec)
    rows[3][1] = rng.choice(["n/a", 0, ""])
    spec["events"] = rows


def unequal(spec, rng):
    rows = _rows(spec)
    for row in rows:
        row[1] = rng.choice([1.0, 2.5, 4.0, 4.9])
    spec["events"] = rows


def overlapping(spec, rng):
    rows = _rows(spec)
    rows[6][1] = 5.0 + rng.choice([0.012, 1.0, 7.0])
    spec["events"] = rows


def marks(spec, rng):
    rows = _rows(spec)
    rows.append([rng.uniform(0, 60), rng.choice([0, 0.5, "n/a"]), rng.choice(MARKS)])
    spec["events"] = rows


MARKS = ["boundary", "BAD_movement", "bad", "EDGE boundary", "New Segment"]


def new_segment(spec, rng):
    spec["markers"] = [f"New Segment,,{rng.randrange(1, 60 * SFREQ)},1,0,20200101120000000000"]


def other_rate(spec, rng):
    spec["sfreq"] = 256


def dead_channel(spec, rng):
    data = make_noise(seed=rng.randrange(10**6))
    data[2] = 0
    spec["data"] = data[: len(spec.get("names", CHANNELS))]


def volts(spec, rng):
    spec["scale"] = 1e6


def one_class(spec, rng):
    spec["events"] = [[*row[:2], "happy"] for row in _rows(spec)]


def utf16(spec, rng):
    spec["utf16"] = True


FAULTS = [
    *(upper_case, other_order, other_channels, blanks_in_classes, case_of_classes, quotes),
    *(beyond_the_end, milliseconds, in_samples, no_events, empty_table, short_row, odd_columns),
    *(no_onset, no_duration, unequal, overlapping, marks, new_segment, other_rate, dead_channel),
    *(volts, one_class, utf16),
]


def write_folder(root, rng):
    """Write subjects with faults; return the names of these."""
    told = []
    for subject in ("01", "02", "03")[: rng.choice([1, 2, 3])]:
        runs = rng.choice([[{}], [{"run": "2"}, {"run": "10"}], [{"ses": "1"}, {"ses": "2"}]])
        for entities in runs:
            spec = {}
            for fault in rng.sample(FAULTS, rng.choice([0, 0, 1, 2])):
                fault(spec, rng)
                told.append(f"{subject}: {fault.__name__}")
            wide = spec.pop("utf16", False)
            if "data" in spec and "sfreq" in spec:
                del spec["sfreq"]
            folder, stem = write_recording(root, subject, **entities, **spec)
            events = folder / f"{stem}_events.tsv"
            if wide and events.exists():
                events.write_text(events.read_text("utf-8"), encoding="utf-16")
    for whole in rng.sample([copied_subject, derivatives, clean_copy], rng.choice([0, 0, 1])):
        whole(root, rng)
        told.append(whole.__name__)
    return told


def copied_subject(root, rng):
    """Enrol the first subject again."""
    shutil.copytree(root / "sub-01", root / "sub-09")
    for file in sorted((root / "sub-09").rglob("*")):
        if file.is_file():
            if file.suffix.lower() in (".vhdr", ".vmrk"):
                file.write_text(file.read_text("utf-8").replace("sub-01", "sub-09"), "utf-8")
            file.rename(file.with_name(file.name.replace("sub-01", "sub-09")))


def derivatives(root, rng):
    """Keep cleaned data where BIDS wants them."""
    shutil.copytree(root / "sub-01", root / "derivatives" / "clean" / "sub-01")


def clean_copy(root, rng):
    """Store the first recording twice, before and after cleaning."""
    write_recording(root, "01", acq="raw", data=make_noise(seed=5))
    write_recording(root, "01", acq="clean", data=0.9 * make_noise(seed=5))


def try_both(root, place):
    """Return the problems of check and the error of run, each a single text or None."""
    experiment = Experiment.model_validate(make_sections(root, split={"validation": 0.0}))
    checked = check_experiment(experiment, results=place, calibrate=False)
    try:
        plan = prepare_experiment(experiment, RunContext(place))
    except InputError as error:
        return checked, str(error), None
    return checked, None, plan


def count_rows(root):
    """Rows of the tables of events that a reader of the root finds, as pandas counts them."""
    tables = sorted(root.glob("sub-*/**/*_events.tsv"))
    n_rows = 0
    for file in tables:
        encoding = "utf-16" if file.read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        n_rows += len(pd.read_csv(file, sep="\t", quoting=3, encoding=encoding))
    return n_rows


@pytest.mark.parametrize(
    "seed",
    [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 160))],
)
def test_check_and_run_agree_on_any_folder(tmp_path, seed):
    rng = random.Random(seed)
    root = tmp_path / "bids"
    root.mkdir()
    told = write_folder(root, rng)
    checked, error, plan = try_both(root, tmp_path / "results")
    assert (checked.exit_code == 2) == (error is not None), (told, checked.problems, error)
    said = [error] if error else []
    said += [*checked.problems, *checked.notes, *(file.detail for file in checked.files)]
    for text in said:
        for foreign in ("mne.", "read_raw_bids", "on_missing", "Traceback", "KeyError", "pandas"):
            assert foreign not in text, (told, text)
        assert len(text) < 1500, (told, text)
    if plan is None:
        return
    assert dict(checked.facts)["windows"].startswith(f"{len(plan.windows):,} of 1 s")
    trials = plan.windows.trials
    assert len(trials) <= count_rows(root)
    keys = trials.metadata[["subject", "session", "trial"]]
    assert not keys.duplicated().any()
    assert np.isfinite(plan.windows.gather(np.arange(len(plan.windows)))).all()
