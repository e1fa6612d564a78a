"""A damaged record is named, with what was expected of it, before anything is computed."""

import json

import numpy as np
import pandas as pd
import pytest

from eegemo.errors import ResultError
from eegemo.results import open_result
from eegemo.results.records import FOLD, PROVENANCE
from fake_result import fake_result

RECORDS = {"provenance.json": PROVENANCE, "folds/1/fold.json": FOLD}
ENTRIES = [(file, where) for file, kinds in RECORDS.items() for where in kinds]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return fake_result(tmp_path_factory.mktemp("records") / "r", n_subjects=2, n_splits=2)


@pytest.fixture
def change(whole):
    """Change a file of the result, and change it back after the test."""
    kept = {}

    def write(name, content):
        file = whole / name
        kept.setdefault(file, file.read_bytes())
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def set_entry(name, where, *value):
        record = json.loads((whole / name).read_text())
        at = record
        *above, last = where.split(".")
        for key in above:
            at = at[key]
        at.pop(last, None)
        if value:
            at[last] = value[0]
        write(name, json.dumps(record))

    write.entry = set_entry
    yield write
    for file, content in kept.items():
        file.write_bytes(content)


@pytest.mark.parametrize(("file", "where"), ENTRIES)
def test_every_entry_that_is_used_is_checked(whole, change, file, where):
    optional = RECORDS[file][where].optional
    nullable = ("git_commit", "split.within", "model.n_parameters")
    for value in ((), (None,)):
        change.entry(file, where, *value)
        if optional or (value and where in nullable):
            open_result(whole)
            continue
        found = "None" if value else "no such entry"
        with pytest.raises(
            ResultError, match=rf"{file}: expected .* as '{where}.*', found {found}"
        ):
            open_result(whole)
    for value in (float("nan"), 10**30, [[]]):
        change.entry(file, where, value)
        with pytest.raises(ResultError, match=rf"{file}: expected .* as '{where}', found"):
            open_result(whole)


@pytest.mark.parametrize(
    ("file", "where", "value", "says"),
    [
        (
            "provenance.json",
            "digests",
            "abc",
            "expected entries with names as 'digests', found 'ab",
        ),
        ("provenance.json", "model", [], r"expected entries with names as 'model', found \[\]"),
        ("provenance.json", "labels.dropped", {"tie": 1}, "a count as 'labels.dropped.missing'"),
        ("provenance.json", "labels.by_subject", {}, "counts for each subject as 'labels.by_subj"),
        ("provenance.json", "data.simulated", "false", "true or false as 'data.simulated'"),
        ("provenance.json", "seed", True, "a whole number as 'seed', found True"),
        ("provenance.json", "device", "\ud800", "cannot be read as JSON"),
        ("folds/1/fold.json", "fold", 0, "expected the record of fold 1, found that of fold 0"),
        ("folds/1/fold.json", "best_epoch", 0, "'best_epoch' from 1 to 8, .* found 0"),
        ("folds/1/fold.json", "best_epoch", 9, "'best_epoch' from 1 to 8, .* found 9"),
        ("folds/1/fold.json", "windows.train", {"HVHA": -1}, "for each name as 'windows.train'"),
    ],
)
def test_what_does_not_fit_is_quoted(whole, change, file, where, value, says):
    change.entry(file, where, value)
    with pytest.raises(ResultError, match=f"{file}.*: .*{says}"):
        open_result(whole)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("experiment.yaml", b"name: caf\xe9\n", "expected text in UTF-8, found the byte 0xe9"),
        ("experiment.yaml", "a: [1", "cannot be read as YAML"),
        ("experiment.yaml", "day: 2024-99-99", "cannot be read as YAML"),
        ("experiment.yaml", "[" * 3000, "cannot be read as YAML"),
        ("experiment.yaml", "", "expected sections, found None"),
        ("experiment.yaml", "name: [1]", r"text or nothing as 'name', found \[1\]"),
        ("provenance.json", b"\xff\xfe{}", "expected text in UTF-8, found the byte 0xff"),
        ("provenance.json", "", "cannot be read as JSON"),
        ("provenance.json", "[" * 100_000, "cannot be read as JSON"),
        ("provenance.json", "[]", r"expected a JSON object, found \[\]"),
        ("folds/1/fold.json", "{}", "expected a count as 'fold', found no such entry"),
        ("folds/1/history.csv", b"", "cannot be read as a CSV table"),
        ("folds/1/history.csv", b"epoch,l\xffss\n1,2\n", "cannot be read as a CSV table"),
        ("folds/1/history.csv", "loss\n1\n", r"\(missing: epoch, accuracy\)"),
        ("folds/1/history.csv", "epoch,loss,accuracy\n1,low,0.5\n", "the column loss, found 'low'"),
        ("predictions.parquet", b"PAR1", "cannot be read as one"),
    ],
)
def test_files_that_cannot_be_read_are_named(whole, change, file, content, says):
    change(file, content)
    with pytest.raises(ResultError, match=says) as caught:
        open_result(whole)
    assert str(caught.value).startswith(str(whole / file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["experiment.yaml", "provenance.json", "folds/1/fold.json"])
def test_a_folder_in_the_place_of_a_file_is_named(tmp_path, file):
    path = fake_result(tmp_path / "r", n_subjects=1, n_splits=2)
    (path / file).unlink()
    (path / file).mkdir()
    with pytest.raises(ResultError, match=file.rpartition("/")[2]):
        open_result(path)


def test_training_that_diverged_is_still_drawn(whole, change):
    from eegemo.pages.figures import learning_curves, save_figure

    history = pd.read_csv(whole / "folds" / "1" / "history.csv")
    history["loss"] = [1.0, 2.0, *[np.inf] * 6]
    change("folds/1/history.csv", history.to_csv(index=False))
    result = open_result(whole)
    figure = learning_curves(result.histories, [fold["best_epoch"] for fold in result.records])
    save_figure(figure, whole.parent / "curves.png")
