"""The option ``exclude``: names, what they fit, and trials that are left out."""

import pytest

from eegemo.datasets import open_dataset
from eegemo.datasets.deap import find_recordings_deap
from eegemo.datasets.exclude import exclude_recordings, parse_exclusion, same_label
from eegemo.errors import DataError
from eegemo.simulation import simulate_deap

RECORDINGS = [
    {"sub": "01", "ses": "1", "run": "02"},
    {"sub": "01", "ses": "2", "run": "02"},
    {"sub": "anna_b-3", "run": "10"},
    {"sub": "10", "acq": "clean"},
]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("sub-01", [0, 1]),
        ("sub-1", [0, 1]),
        (1, [0, 1]),
        ("01", [0, 1]),
        ("sub-01_ses-2", [1]),
        ("run-2_sub-1", [0, 1]),
        ("run-002", [0, 1]),
        ("run-10", [2]),
        ("anna_b-3", [2]),
        ("anna_b-3_run-10", [2]),
        (" sub-10 ", [3]),
        ("acq-CLEAN", [3]),
    ],
)
def test_names_leave_out_what_they_fit(name, rows):
    found = exclude_recordings([name], RECORDINGS, "here")
    assert [row for row, exclusions in enumerate(found) if exclusions is None] == rows


def test_the_exact_label_comes_first():
    found = exclude_recordings(["sub-1"], [{"sub": "01"}, {"sub": "1"}], "here")
    assert found == [[], None]
    assert not same_label("1", "11")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sub-4", r"'sub-4' fits nothing in here: there is no sub-4\..* There: 01, anna_b-3, 10"),
        ("sub-01_run-3", r"there is no run-3\. There: 02, 10\."),
        ("sub-10_run-2", r"no recording has all of its labels\. There: sub-01_ses-1_run-02"),
        ("acq-claen", r"Did you mean acq-clean\?"),
        ("task-x", "none has such a label"),
        ("sub-", "is no name"),
        ("", "is no name"),
        ("sub-01_sub-02", "names sub- twice"),
        ("s01_sub-02", "is no name"),
    ],
)
def test_a_name_that_fits_nothing_is_refused(name, says):
    with pytest.raises(DataError, match=says):
        exclude_recordings(["sub-10", name], RECORDINGS, "here")


def test_trials_are_named_by_number():
    assert parse_exclusion("sub-01_run-2_trial-3").trial == "3"
    found = exclude_recordings(["sub-01_trial-3", "sub-10"], RECORDINGS, "here")
    assert [None if kept is None else len(kept) for kept in found] == [1, 1, 0, None]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    root = tmp_path_factory.mktemp("release")
    simulate_deap(root, n_subjects=3, n_trials=4, duration=1, formats=["python", "bdf"])
    return root


def trials_of(recording):
    runs = list(recording.read())
    return [
        number
        for run in runs
        for epochs in run.cut()
        for number in epochs.metadata["trial"].tolist()
    ], [note for run in runs for note in run.notes if "excluded" in note]


@pytest.mark.parametrize("variant", ["python", "bdf"])
def test_deap_leaves_out_subjects_and_trials(release, variant):
    data = open_dataset(
        "deap", root=str(release), variant=variant, exclude=["s03", "s01_trial-3", "1_trial-1"]
    )
    first, second = data.find()
    assert (first.subject, second.subject) == ("s01", "s02")
    assert trials_of(first) == ([2, 4], ["2 trials left out, excluded: 1, 3"])
    assert trials_of(second) == ([1, 2, 3, 4], [])
    assert first.options["exclude"] == [1, 3]
    assert second.options == {}  # so that trials stored before are used
    assert data.outline(first).metadata["trial"].tolist() == [2, 4]
    assert len(data.outline(first).durations) == 2


def test_trials_that_are_not_there_are_refused(release):
    (recording,) = find_recordings_deap(release, subjects=[1], exclude=["s01_trial-9"])
    with pytest.raises(DataError, match="s01 has no trial 9; its trials are 1 to 4"):
        trials_of(recording)
    with pytest.raises(DataError, match="'s01_trial-x': trials have numbers"):
        find_recordings_deap(release, exclude=["s01_trial-x"])
    with pytest.raises(DataError, match="leaves no subject"):
        find_recordings_deap(release, subjects=[1], exclude=["s01"])
    (recording,) = find_recordings_deap(
        release, subjects=[1], exclude=[f"s01_trial-{k}" for k in range(1, 5)]
    )
    with pytest.raises(DataError, match="leaves no trial"):
        trials_of(recording)


def test_a_simulation_that_is_not_there_yet_is_outlined_without_them(tmp_path):
    data = open_dataset(
        "simulated", root=str(tmp_path), n_subjects=2, n_trials=3, exclude=["s02", "s01_trial-2"]
    )
    expected = data.expected()
    assert list(expected) == ["s01"]
    assert expected["s01"].metadata["trial"].tolist() == [1, 3]
