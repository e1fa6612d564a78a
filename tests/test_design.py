"""What the class is constant over, and what is held out where nobody says it."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from bids_files import write_recording

from eegemo import parse_experiment
from eegemo.errors import DataError, DesignError, InputError
from eegemo.execution import RunContext
from eegemo.labels import Labels
from eegemo.results import open_result
from eegemo.runs.check import check_experiment
from eegemo.runs.design import check_design, resolve_design
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.run import run_experiments
from eegemo.splits import constant_over, default_group, make_folds, nearly_constant, unit_numbers
from eegemo.trials import Trials
from eegemo.windows import make_windows

CHECKED = "name: t\ndata: {source: bids, root: ROOT}\nlabels: {task: given}\n"
CHECKED += "windows: {duration: 1.0, stride: 1.0}\nsplit: {n_splits: 2, validation: 0}\n"
CHECKED += "model: {name: band_power_logreg, bands: [[8.0, 13.0]]}\n"


def design(changes, *, subjects=4, sessions=2, runs=2, trials=4):
    """Trials whose class changes with the named part of the design alone."""
    rows = [
        {"subject": f"s{i}", "session": str(j), "run": str(k), "trial": n, "stimulus": f"v{n}"}
        for i, j, k, n in product(range(subjects), range(sessions), range(runs), range(trials))
    ]
    table = pd.DataFrame(rows)
    table["code"] = {
        "subject": table["subject"].str[1:].astype(int),
        "session": table["session"].astype(int),
        "run": table["run"].astype(int),
        "trial": table["trial"],
    }[changes] % 2
    table["trial"] += trials * table["run"].astype(int)  # numbered through the session
    return table


@pytest.mark.parametrize(
    ("changes", "units"),
    [
        ("trial", ()),
        ("run", ("run",)),
        ("session", ("run", "session")),
        ("subject", ("run", "session", "subject")),
    ],
)
def test_the_units_of_a_single_class_are_found(changes, units):
    table = design(changes)
    assert constant_over(table) == units
    assert default_group(table) == (units[-1] if units else "trial")
    shuffled = table.sample(frac=1, random_state=0).reset_index(drop=True)
    assert constant_over(shuffled) == units
    renamed = table.assign(
        subject="x" + table["subject"], run=table["run"].map({"0": "9", "1": "a"})
    )
    assert constant_over(renamed) == units
    assert constant_over(table.astype({"subject": "category", "run": "category"})) == units
    windows = table.loc[table.index.repeat(3)].reset_index(drop=True)
    assert constant_over(windows) == units


def test_one_trial_of_another_class_is_enough_to_change_it():
    table = design("run")
    table.loc[5, "code"] = 1 - table.loc[5, "code"]
    assert constant_over(table) == ()
    table.loc[5, "code"] = -1  # it has no class, and does not count
    assert constant_over(table) == ("run",)


def test_a_class_that_hardly_ever_changes_within_recordings_is_told():
    table = design("run")
    table.loc[5, "code"] = 1 - table.loc[5, "code"]
    assert nearly_constant(table) == ("run", 15, 16)
    assert nearly_constant(design("run")) is None  # it is constant
    assert nearly_constant(design("trial")) is None
    for seed in range(50):  # classes that have nothing to do with recordings
        codes = np.random.default_rng(seed).integers(2, size=len(table))
        assert nearly_constant(table.assign(code=codes)) is None


def test_where_a_unit_is_one_trial_or_there_is_one_unit_nothing_follows():
    assert constant_over(design("trial", runs=1)) == ()
    assert constant_over(design("run", trials=1)) == ()  # the recording is the trial
    one_class = design("run").assign(code=0)
    assert constant_over(one_class) == ()
    alone = design("trial", subjects=1, sessions=1, runs=1)
    assert constant_over(alone) == ()
    # a recording of several people is none: the label of a run counts within subject and session
    assert len(set(unit_numbers(design("run"), "run"))) == 16


def test_recordings_without_a_label_are_one_for_each_session():
    """Trials that were stored before, alone or beside others."""
    table = design("session", runs=1)
    assert constant_over(table.drop(columns="run")) == ("run", "session")
    assert constant_over(table.assign(run=None)) == ("run", "session")
    half = table.assign(run=np.where(table["subject"] == "s0", None, "1"))
    assert constant_over(half) == ("run", "session")
    # what has no label is the first recording of its session
    mixed = design("run", runs=2)
    mixed["run"] = mixed["run"].map({"0": None, "1": "2"})
    assert constant_over(mixed) == ("run",)


@pytest.mark.parametrize("changes", ["trial", "run", "session", "subject"])
def test_folds_never_divide_what_the_class_is_constant_over(changes):
    table = design(changes)
    folds = make_folds(table, n_splits=2, validation=0)
    units = constant_over(table)
    assert {fold.group for fold in folds} == {default_group(table)}
    for unit, fold in product(units, folds):
        numbers = unit_numbers(table, unit)
        assert not set(numbers[fold.train]) & set(numbers[fold.test])


# --- what is refused ------------------------------------------------------------------------------


def prepared(table, split="", n_splits=2):
    """What a run makes of trials: its experiment, and the folds' check."""
    written = f"n_splits: {n_splits}, validation: 0{split}"
    text = CHECKED.replace("n_splits: 2, validation: 0", written)
    experiment = parse_experiment(text)
    signals = np.zeros((len(table), 64, 2), np.float32)
    trials = Trials((signals,), table.drop(columns="code"), 64.0, ("Fz", "Cz"))
    labels = Labels(table["code"].to_numpy(), ("a", "b"), {})
    experiment, units = resolve_design(experiment, trials, labels)
    windows = make_windows(trials, labels, duration=0.5, stride=0.5)
    folds = make_folds(windows.table, **experiment.split.model_dump())
    check_design(experiment, windows, folds, units)
    return experiment


GRID = ("trial", "run", "session", "subject")


@pytest.mark.parametrize(("changes", "group"), list(product(GRID, (*GRID, "stimulus"))))
def test_a_split_that_divides_a_unit_of_one_class_needs_to_be_allowed(changes, group):
    table = design(changes)
    fine = group in GRID and GRID.index(group) >= GRID.index(changes)
    if changes == "trial" or fine:
        assert prepared(table, f", group: {group}").split.group == group
        return
    with pytest.raises(DesignError) as caught:
        prepared(table, f", group: {group}")
    text = str(caught.value)
    noun = {"run": "recording", "session": "session", "subject": "person"}[changes]
    assert f"The class never changes within a {noun}" in text
    assert f"Write group: {changes}" in text
    assert "allow_leakage: true" in text
    assert isinstance(caught.value, InputError)  # exit code 2, without a traceback
    allowed = prepared(table, f", group: {group}, allow_leakage: true")
    assert allowed.split.group == group


def test_a_default_is_made_explicit_and_what_is_written_stays():
    assert parse_experiment(CHECKED).split.group is None
    for changes in GRID:
        assert prepared(design(changes)).split.group == changes
    explicit = prepared(design("trial"), ", group: session")
    assert explicit.split.group == "session"


def test_too_few_recordings_are_told_with_what_would_do():
    table = design("run", subjects=1, sessions=1, runs=2)
    with pytest.raises(
        DataError, match=r"every class needs at least 2 .*found a 1, b 1.*group: tr"
    ):
        prepared(table)
    table = design("run", subjects=2, sessions=1, runs=4)
    with pytest.raises(DataError, match=r"9 folds need at least 9 recordings, and there are 8 \(a"):
        prepared(table, n_splits=9)
    with pytest.raises(DataError, match=r"every class needs at least 2 of them of subject s0"):
        prepared(design("run", subjects=2, sessions=1), ", within: subject")
    with pytest.raises(DataError, match=r"within: subject would train a model per person"):
        prepared(design("subject"), ", within: subject")


# --- from files to the report ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    """Two people, four recordings each; every recording is of one class."""
    root = tmp_path_factory.mktemp("blocks")
    for subject, run in product(("01", "02"), (1, 2, 3, 4)):
        kind = ("happy", "sad")[run % 2]
        rows = [(1 + 4 * k, 3.0, kind, f"{subject}{run}{k}") for k in range(3)]
        seed = int(subject) * 10 + run
        write_recording(root / "b", subject, rows, run=str(run), seconds=14, seed=seed)
    return root


def experiment_on(root, *overrides):
    return parse_experiment(CHECKED.replace("ROOT", str(root / "b")), overrides=overrides)


SENTENCE = "The class never changes within a recording, so a drift of the recording is as good as"


def test_check_run_and_report_say_it_and_the_result_names_what_was_held_out(blocks):
    experiment = experiment_on(blocks)
    checked = check_experiment(experiment, results=blocks / "r", calibrate=False)
    assert any(SENTENCE in note for note in checked.notes)
    assert checked.exit_code == 0
    (folder,) = run_experiments([experiment], results=blocks / "r")
    text = (folder / "experiment.yaml").read_text()
    assert "  group: run\n" in text
    page = (folder / "report.html").read_text()
    assert SENTENCE in page
    assert "unseen recordings of participants seen in training" in page
    result = open_result(folder)
    assert result.provenance["split"]["constant_over"] == ["run"]
    assert not result.leaks
    # written out, it is the same experiment with the same result
    named = experiment_on(blocks, "split.group=run")
    assert prepare_experiment(named, RunContext(blocks / "r")).folder == folder
    again = open_result(folder).experiment
    assert prepare_experiment(again, RunContext(blocks / "r")).folder == folder


def test_trials_of_such_data_are_held_out_only_as_a_marked_leak(blocks):
    explicit = experiment_on(blocks, "split.group=trial")
    checked = check_experiment(explicit, results=blocks / "r", calibrate=False)
    assert checked.exit_code == 2
    assert any("Write group: run" in problem for problem in checked.problems)
    with pytest.raises(DesignError, match="Write group: run"):
        prepare_experiment(explicit, RunContext(blocks / "r"))
    allowed = experiment_on(blocks, "split.group=trial", "split.allow_leakage=true")
    plan = prepare_experiment(allowed, RunContext(blocks / "r"))
    assert plan.leaks
    assert any("does not hold out whole recordings" in note for note in plan.notes)


def test_permuted_labels_do_not_change_what_is_held_out(blocks):
    """Whole recordings exchange their classes, since these were what was randomised."""
    plan = prepare_experiment(experiment_on(blocks, "shuffle_labels=1"), RunContext(blocks / "r"))
    assert plan.experiment.split.group == "run"
    numbers = unit_numbers(plan.windows.table, "run")
    for fold in plan.folds:
        assert fold.group == "run"
        assert not set(numbers[fold.train]) & set(numbers[fold.test])
    assert constant_over(plan.windows.table) == ("run",)
