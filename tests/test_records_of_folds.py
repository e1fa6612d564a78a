"""What a result folder records of its folds is what was done with them.

Nothing here is believed because it is stored: each record is made again from windows and folds.
"""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from fitting import fit_fold

from eegemo.config import parse_experiment
from eegemo.errors import ResultError
from eegemo.evaluation import read_predictions, write_predictions
from eegemo.execution import Progress, RunContext
from eegemo.runs import run as finishing
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.run import run_experiments
from eegemo.runs.verify import verify_result
from eegemo.scaling import fit_scaling, load_scaling
from eegemo.splits import group_numbers, split_seed
from eegemo.store import manifest, write_json
from experiments import tiny

BAND_POWER = "model={name: band_power_logreg, bands: [[4.0, 8.0], [8.0, 13.0]]}"
ROLES = ("train", "validation", "test")
TRIAL = ["subject", "session", "trial"]
#: Nearly three in four trials have one class, and weights are not asked for.
UNEVEN = ("labels={task: valence, threshold: 3.5}", "training.class_weight=none", "seed=5")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("recorded")


def run(place, *overrides, name="tiny", report=False):
    """Run an experiment; return its folder and what was prepared for it."""
    experiment = tiny(place / "data", *overrides, name=name)
    results = place / "results"
    (folder,) = run_experiments([experiment], results=results, report=report)
    return folder, prepare_experiment(experiment, RunContext(results))


@pytest.fixture(scope="module")
def network(place):
    """One epoch, a baseline beside it, and classes that are not balanced."""
    with pytest.MonkeyPatch.context() as patch:
        # the baseline is fitted for a report, whose drawings take longer than all the rest
        patch.setattr(finishing, "write_report", lambda folder: None)
        return run(place, "training.epochs=1", *UNEVEN, report=True)


@pytest.fixture(scope="module")
def varied(place):
    """Two repeats, and classes that are not balanced."""
    return run(place, BAND_POWER, "repeats=2", *UNEVEN)


@pytest.fixture(scope="module")
def small(place):
    return run(place, BAND_POWER)


@pytest.fixture
def copied(small, tmp_path):
    shutil.copytree(small[0], tmp_path / small[0].name)
    return tmp_path / small[0].name


def read(folder, k=None):
    file = folder / "provenance.json" if k is None else folder / "folds" / str(k) / "fold.json"
    return json.loads(file.read_text(encoding="utf-8"))


def seal(folder, *files):
    """Let files pass for what was written, as whoever changes a result on purpose would."""
    names = [*json.loads((folder / "manifest.json").read_text(encoding="utf-8")), *files]
    write_json(folder / "manifest.json", manifest(folder, sorted(set(names))))


def seal_fold(folder):
    done = json.loads((folder / "done").read_text(encoding="utf-8"))
    write_json(folder / "done", done | {"files": manifest(folder, sorted(done["files"]))})


# --- a fold's own folder -------------------------------------------------------------------------


def test_a_stored_fold_is_what_its_recorded_seed_scaling_and_windows_give(network):
    folder, prepared = network
    experiment = prepared.experiment
    for k, fold in enumerate(prepared.folds):
        record, at = read(folder, k), folder / "folds" / str(k)
        training = experiment.training.model_dump()
        scaling = load_scaling(at / "scaling.npz")
        options = {"scaling": scaling, "number": k, "seed": record["seeds"]["model"]}
        fitted = fit_fold(
            prepared.windows, fold, model=experiment.model.model_dump(), **options, **training
        )
        baseline = fit_fold(
            prepared.windows, fold, model=record["baseline"], **options, class_weight="none"
        )
        for name, table in (
            ("predictions", fitted.predictions),
            ("validation", fitted.validation),
            ("baseline", baseline.predictions),
        ):
            stored = read_predictions(at / f"{name}.parquet")
            pd.testing.assert_frame_equal(stored, table, check_exact=name != "baseline")


def test_a_fold_records_its_seeds_name_and_repeat(varied):
    folder, prepared = varied
    assert [fold.repeat for fold in prepared.folds] == [0, 0, 1, 1]
    for k, fold in enumerate(prepared.folds):
        record = read(folder, k)
        model_seed = int(np.random.SeedSequence([5, k]).generate_state(1)[0] >> 1)
        assert record["seeds"] == {"split": split_seed(5, fold.repeat), "model": model_seed}
        assert (record["fold"], record["name"], record["repeat"]) == (k, fold.name, fold.repeat)


def test_the_seed_of_a_repeat_is_that_of_results_already_stored():
    assert [split_seed(0, repeat) for repeat in range(3)] == [0, 1982462498, 1570558271]


@pytest.mark.parametrize("fit", ["training", "subject"])
def test_the_stored_scaling_is_that_of_the_training_windows(place, small, fit):
    folder, prepared = small if fit == "subject" else run(place, BAND_POWER, "scaling.fit=training")
    for k, fold in enumerate(prepared.folds):
        stored = load_scaling(folder / "folds" / str(k) / "scaling.npz")
        expected = fit_scaling(prepared.windows, fold.train, steps=["zscore"], fit=fit)
        assert (stored.fit, stored.steps, stored.units) == (fit, ("zscore",), expected.units)
        np.testing.assert_array_equal(stored.gain, expected.gain)
        np.testing.assert_array_equal(stored.offset, expected.offset)
        # and it is neither that of more windows nor that of others
        learnt = np.concatenate([fold.train, fold.validation])
        for rows in (fold.validation, fold.test, learnt, np.arange(len(prepared.windows))):
            other = fit_scaling(prepared.windows, rows, steps=["zscore"], fit=fit)
            assert not np.array_equal(stored.gain, other.gain)


def test_a_fold_counts_its_windows_and_trials_of_each_class(varied):
    folder, prepared = varied
    windows = prepared.windows
    table = windows.table.assign(name=np.array(windows.labels.classes)[windows.codes])
    table["subject"] = table["subject"].astype(str)

    def counts(rows):
        return {name: int((rows["name"] == name).sum()) for name in windows.labels.classes}

    for k, fold in enumerate(prepared.folds):
        record = read(folder, k)
        parts = {role: table.iloc[rows] for role, rows in fold.parts().items()}
        assert record["n_windows"] == {role: len(rows) for role, rows in parts.items()}
        assert record["windows"] == {role: counts(rows) for role, rows in parts.items()}
        trials = {role: rows.drop_duplicates(TRIAL) for role, rows in parts.items()}
        assert record["trials"] == {role: counts(rows) for role, rows in trials.items()}
        assert record["train_windows_by_subject"] == {
            subject: counts(rows) for subject, rows in parts["train"].groupby("subject")
        }
        learnt = pd.concat([parts["train"], parts["validation"]])
        for kind in ("subject", "stimulus"):
            both = set(learnt[kind].astype(str)) & set(parts["test"][kind].astype(str))
            assert record["shared"][kind] == len(both)
        assert record["shared"]["trial"] == record["shared"]["window"] == 0
        assert record["n_parameters"] == read(folder)["model"]["n_parameters"]
    assert len(set(map(len, prepared.folds[0].parts().values()))) == 3  # so none stands for another


# --- folds.csv -----------------------------------------------------------------------------------


def test_folds_csv_has_the_role_of_each_trial(varied):
    folder, prepared = varied
    written = pd.read_csv(folder / "folds.csv", dtype={"subject": str, "session": str})
    table = prepared.windows.table
    labels = prepared.windows.labels
    for k, fold in enumerate(prepared.folds):
        for role, rows in fold.parts().items():
            there = written.loc[written[f"fold_{k}"] == role, TRIAL]
            expected = table.iloc[rows][TRIAL].astype(str).drop_duplicates()
            assert set(map(tuple, there.astype(str).to_numpy())) == set(
                map(tuple, expected.to_numpy())
            ), (k, role)
    metadata = prepared.windows.trials.metadata.assign(code=labels.codes)
    metadata[["subject", "session"]] = metadata[["subject", "session"]].astype(str)
    merged = written.merge(metadata[[*TRIAL, "code"]], on=TRIAL, validate="one_to_one")
    assert len(merged) == len(written)
    assert merged["y_true"].tolist() == [labels.classes[code] for code in merged["code"]]


@pytest.mark.parametrize("group", ["window", "segment"])
def test_a_split_that_leaks_is_marked_and_written_window_by_window(place, group):
    split = f"split={{group: {group}, allow_leakage: true, n_splits: 2, validation: 0.4}}"
    folder, prepared = run(place, BAND_POWER, split, "windows={duration: 0.5, stride: 0.5}")
    recorded = read(folder)["split"]
    assert recorded["leaks"] is True
    assert (recorded["group"], recorded["n_folds"]) == (group, 2)
    assert "not an emotion" in recorded["sentence"]
    written = pd.read_csv(folder / "folds.csv")
    assert written["start"].tolist() == prepared.windows.table["start"].tolist()
    for k, fold in enumerate(prepared.folds):
        for role, rows in fold.parts().items():
            assert np.flatnonzero(written[f"fold_{k}"] == role).tolist() == rows.tolist()
        record = read(folder, k)
        numbers = group_numbers(prepared.windows.table)["trial"]
        learnt = np.concatenate([fold.train, fold.validation])
        both = set(numbers[learnt].tolist()) & set(numbers[fold.test].tolist())
        assert record["shared"]["trial"] == len(both) > 0


# --- the whole -----------------------------------------------------------------------------------


def test_tables_of_a_result_are_those_of_its_folds_one_after_another(network):
    folder, prepared = network
    for name, role in (("predictions", "test"), ("validation", "validation"), ("baseline", "test")):
        parts = [folder / "folds" / str(k) / f"{name}.parquet" for k in range(2)]
        whole = read_predictions(folder / f"{name}.parquet")
        expected = pd.concat(map(read_predictions, parts), ignore_index=True)
        pd.testing.assert_frame_equal(whole, expected, check_exact=True)
        assert whole["fold"].tolist() == [
            k for k, fold in enumerate(prepared.folds) for _ in fold.parts()[role]
        ]


def test_provenance_counts_what_was_used(varied):
    folder, prepared = varied
    found, windows = read(folder), prepared.windows
    labels, metadata = windows.labels, windows.trials.metadata
    names = pd.Series([labels.classes[code] if code >= 0 else None for code in labels.codes])

    def counts(values):
        return {name: int((values == name).sum()) for name in labels.classes}

    assert found["digests"] == prepared.digests
    assert found["split"]["leaks"] is False
    assert (found["split"]["n_folds"], found["seed"], found["repeats"]) == (4, 5, 2)
    assert found["labels"]["trials"] == counts(names)
    assert found["labels"]["windows"] == counts(names.iloc[windows.trial])
    assert found["labels"]["by_subject"] == {
        subject: counts(names[metadata["subject"].astype(str) == subject])
        for subject in ("s01", "s02", "s03")
    }
    totals = sorted(found["labels"]["trials"].values())
    assert totals[0] < totals[1]  # so that no class stands for the other
    assert found["baseline"] == read(folder, 0)["baseline"]


@pytest.mark.parametrize("metric", ["loss", "balanced_accuracy"])
def test_a_choice_goes_by_the_score_that_was_asked_for(place, metric):
    choice = f"choice={{grid: {{model.C: [1.0e-4, 0.1, 100.0]}}, metric: {metric}}}"
    folder, prepared = run(place, BAND_POWER, choice, "training.class_weight=none")
    for k, fold in enumerate(prepared.folds):
        record, stored = read(folder, k)["choice"], load_scaling(folder / f"folds/{k}/scaling.npz")
        assert record["metric"] == metric
        scores = np.array([attempt[metric] for attempt in record["candidates"]])
        assert record["chosen"] == (scores.argmin() if metric == "loss" else scores.argmax())
        settings = record["candidates"][record["chosen"]]["settings"]
        model = prepared.experiment.model.model_dump() | {"C": settings["model.C"]}
        options = {"scaling": stored, "number": k, "class_weight": "none"}
        fitted = fit_fold(prepared.windows, fold, model=model, **options)
        table = read_predictions(folder / f"folds/{k}/predictions.parquet")
        pd.testing.assert_frame_equal(table, fitted.predictions, atol=1e-4)


# --- digests -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("split.validation=0.4", {"folds"}),
        ("split.n_splits=3", {"folds"}),
        ("repeats=2", {"folds"}),
        ("seed=1", {"folds"}),
        ("windows.stride=0.5", {"folds"}),
        ("windows.stride=0.875", {"folds"}),  # as many windows, at other times
        ("windows.duration=0.5", {"folds"}),
        ("shuffle_labels=1", {"labels", "folds"}),
        ("labels.threshold=4.5", {"labels", "folds"}),
        ("preprocessing.h_freq=30.0", {"data"}),
        ("data.effect=1.5", {"data"}),
        ("scaling.fit=training", set()),
        ("training.patience=3", set()),
    ],
)
def test_each_digest_is_of_what_it_names(place, small, override, changes):
    before = small[1].digests
    experiment = tiny(place / "data", BAND_POWER, override)
    after = prepare_experiment(experiment, RunContext(place / "results")).digests
    assert after["experiment"] != before["experiment"]
    different = {name for name in ("data", "labels", "folds") if after[name] != before[name]}
    assert different == changes


def test_shuffled_labels_stay_within_subject_and_depend_on_their_seed(place, small):
    plain = small[1].windows
    codes = []
    for seed in (1, 1, 2):
        experiment = tiny(place / "data", BAND_POWER, f"shuffle_labels={seed}")
        codes.append(
            prepare_experiment(experiment, RunContext(place / "results")).windows.labels.codes
        )
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])
    assert not np.array_equal(codes[0], plain.labels.codes)
    for subject in ("s01", "s02", "s03"):
        own = (plain.trials.metadata["subject"].astype(str) == subject).to_numpy()
        assert sorted(codes[0][own]) == sorted(plain.labels.codes[own])


# --- what is stored decides what is fitted again -------------------------------------------------


class Heard(Progress):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


def change_name(folder):
    write_json(folder / "fold.json", json.loads((folder / "fold.json").read_text()) | {"name": "9"})


def change_seed(folder):
    record = json.loads((folder / "fold.json").read_text())
    record["seeds"]["model"] += 1
    write_json(folder / "fold.json", record)


def change_split_seed(folder):
    record = json.loads((folder / "fold.json").read_text())
    record["seeds"]["split"] += 1
    write_json(folder / "fold.json", record)


def shorten(name):
    def change(folder):
        table = read_predictions(folder / f"{name}.parquet")
        write_predictions(table.iloc[1:], folder / f"{name}.parquet")

    return change


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda folder: None, 2),
        (change_name, 1),
        (change_seed, 1),
        (change_split_seed, 1),
        (shorten("predictions"), 1),
        (shorten("validation"), 1),
    ],
    ids=["nothing", "name", "model seed", "split seed", "predictions", "validation"],
)
def test_a_fold_that_records_something_else_is_fitted_again(place, small, copied, change, kept):
    """Its files are what was written; they are only not those of the fold that is wanted."""
    change(copied / "folds" / "1")
    seal_fold(copied / "folds" / "1")
    (copied / "manifest.json").unlink()
    heard = Heard()
    (again,) = run_experiments(
        [small[1].experiment],
        results=copied.parent,
        store=place / "results" / ".store",
        report=False,
        progress=heard,
    )
    assert again == copied
    assert [line for line in heard.lines if f"resuming after {kept} of 2 folds" in line]
    pd.testing.assert_frame_equal(
        *(read_predictions(folder / "predictions.parquet") for folder in (copied, small[0])),
        check_exact=True,
    )


# --- verify --------------------------------------------------------------------------------------


def verify(folder, place, **options):
    return verify_result(folder, store=place / "results" / ".store", **options)


def other_start(table):
    table.loc[0, "start"] = 77.0
    return table


def other_stimulus(table):
    table.loc[table["trial"] == table.loc[0, "trial"], "stimulus"] = "another"
    return table


def other_class(table):
    mine = (table[TRIAL] == table.loc[0, TRIAL]).all(axis=1)
    names = [name.removeprefix("p_") for name in table if name.startswith("p_")]
    table.loc[mine, "y_true"] = next(name for name in names if name != table.loc[0, "y_true"])
    return table


OTHER = {
    "one less": lambda table: table.iloc[1:],
    "another order": lambda table: table.iloc[::-1],
    "another start": other_start,
    "another stimulus": other_stimulus,
    "another class": other_class,
    "another subject": lambda table: table.assign(subject=table["subject"].replace("s01", "s09")),
    "another session": lambda table: table.assign(session="2"),
    "another trial": lambda table: table.assign(trial=table["trial"] + 100),
    "another fold": lambda table: table.assign(fold=1 - table["fold"]),
    "another repeat": lambda table: table.assign(repeat=1),
}


@pytest.mark.parametrize("name", OTHER)
def test_predictions_of_other_windows_do_not_agree(place, copied, name):
    """Nothing is damaged, each probability is right, and still it is another result."""
    path = copied / "predictions.parquet"
    write_predictions(OTHER[name](read_predictions(path)), path)
    seal(copied)
    found = verify(copied, place)
    assert found.damaged == ()
    assert found.max_difference is None
    assert not found.agrees
    assert found.sentences[-1] == "The predictions are of other windows or classes."


@pytest.mark.parametrize(("difference", "agrees"), [(5e-5, True), (2e-4, False)])
def test_only_so_much_counts_as_agreement(place, copied, difference, agrees):
    path = copied / "predictions.parquet"
    table = read_predictions(path)
    names = [name for name in table if name.startswith("p_")]
    row = table[names].min(axis=1).argmax()  # away from 0 and 1
    table.loc[row, names[0]] += difference
    table.loc[row, names[1]] -= difference
    write_predictions(table, path)
    with pytest.raises(ResultError, match="not what the run wrote"):
        verify(copied, place)  # whatever it is, the file has been changed
    seal(copied)
    found = verify(copied, place)
    assert found.max_difference == pytest.approx(difference, rel=0.01)
    assert found.agrees is agrees


@pytest.mark.parametrize("name", ["data", "labels", "folds"])
def test_each_digest_is_compared_and_nothing_is_fitted(place, copied, name):
    record = read(copied)
    record["digests"][name] = record["digests"]["experiment"]
    write_json(copied / "provenance.json", record)
    seal(copied)
    found = verify(copied, place)
    assert found.different == (name,)
    assert not found.agrees
    assert found.max_difference is None


@pytest.fixture
def elsewhere(network, tmp_path):
    """Return a copy of the network's result that says that another back end made it."""
    folder = tmp_path / network[0].name
    shutil.copytree(network[0], folder)
    write_json(folder / "provenance.json", read(folder) | {"backend": "another"})
    seal(folder)
    return folder


def backwards(function, tasks, **options):
    from eegemo.execution import run_tasks

    return run_tasks(function, list(tasks)[::-1], **options)


def test_on_another_back_end_each_stored_model_is_asked_for_its_own_windows(place, elsewhere):
    found = verify(elsewhere, place, runner=backwards)
    assert any("stored models predicted again" in sentence for sentence in found.sentences)
    assert found.agrees


@pytest.mark.parametrize("name", ["another order", "another start", "another class"])
def test_asked_again_predictions_of_other_windows_do_not_agree(place, elsewhere, name):
    path = elsewhere / "predictions.parquet"
    write_predictions(OTHER[name](read_predictions(path)), path)
    (elsewhere / "baseline.parquet").unlink()  # of the windows that it was, so it would tell
    record = json.loads((elsewhere / "manifest.json").read_text(encoding="utf-8"))
    del record["baseline.parquet"]
    write_json(elsewhere / "manifest.json", record)
    seal(elsewhere)
    found = verify(elsewhere, place)
    assert any("stored models predicted again" in sentence for sentence in found.sentences)
    assert found.max_difference is None
    assert not found.agrees


def test_the_experiment_of_a_result_reads_back(varied):
    folder, prepared = varied
    text = (folder / "experiment.yaml").read_text(encoding="utf-8")
    assert parse_experiment(text) == prepared.experiment
