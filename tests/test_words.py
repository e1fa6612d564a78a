"""What is said of numbers, without a result folder."""

import pytest

from eegemo.pages.notes import merge_notes
from eegemo.pages.words import describe_permutations, format_interval
from eegemo.report.words import _findings


def level(**changes):
    """One level of a result's metrics, as far as words need it."""
    values = {"observed": 0.29, "p": 0.01, "q95": 0.28, "mean": 0.25, "low": 0.27, "own": 0.26}
    values |= {"accuracy": 0.4, "majority": 0.3, "never": (), "null_low": 0.2, **changes}
    classes = {c: {"precision": None if c in values["never"] else 0.3} for c in ("A", "B", "C")}
    test = {"observed": values["observed"], "p_value": values["p"], "n_permutations": 4999}
    test |= {"null_mean": values["mean"], "null_q95": values["q95"]}
    test |= {"null_interval": [values["null_low"], 0.3]}
    interval = None if values["low"] is None else [values["low"], 1.0]
    return {
        "total": {"accuracy": values["accuracy"], "per_class": classes},
        "subjects": [{}, {}],
        "baselines": {
            "majority": {"accuracy": values["majority"]},
            "chance": {"balanced_accuracy": 0.25},
            "subject_majority": {"balanced_accuracy": values["own"]},
        },
        "significance": {"permutation": test, "bootstrap": {"trials": interval, "subjects": None}},
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "better than chance (p = 0.010), but, on average over classes, wrong for 71 in 100"),
        ({"observed": 0.6}, "better than chance (p = 0.010), and, on average over classes, wrong"),
        ({"observed": 0.9, "low": 0.8, "p": 0.0002}, "): far better than chance (p ≤ 0.0002)"),
        ({"observed": 0.9, "low": 0.2}, "better than chance (p = 0.010), and, on average over"),
        ({"observed": 1.0, "low": None, "accuracy": 1}, ": far better than chance"),
        ({"own": 0.3}, "but no better than each subject's majority class (0.30)"),
        (
            {"observed": 0.24},
            "better than permuted labels (p = 0.010), but no better than uniform guessing",
        ),
        ({"mean": 0.21}, "(chance 0.25, permuted labels 0.21 on average; 95 %"),
        (
            {"accuracy": 0.3},
            "its accuracy of 0.30 does not beat always predicting the majority class",
        ),
        ({"never": ("A", "C")}, "in 100; it never predicted A or C"),
        ({"p": 0.56}, ": balanced accuracy 0.29 (95 % interval 0.27–1.00, chance 0.25), p = 0.56"),
        (
            {"p": 0.99, "observed": 0.1},
            "p = 0.99, no better than chance (below the scores of permuted labels",
        ),
    ],
)
def test_words_follow_the_numbers(changes, says):
    assert says in _findings(level(**changes))


def test_intervals_without_meaning_say_so():
    perfect = level(low=None, accuracy=1)
    assert format_interval(perfect, "trials") == "not estimable: no error"
    one = {**perfect, "subjects": [{}]}
    assert format_interval(one, "subjects") == "–"
    assert format_interval(level(), "trials") == "0.27 – 1.00"


def test_notes_that_say_the_same_are_said_once():
    left_out = "Subject 01: run-{}_eeg.vhdr: 1 trials left out, outside the recording: {}"
    absent = "Fold s0{}/1: no training trial of LVHA, which the test part has."
    notes = [left_out.format(n, 33 * n) for n in range(5)]
    notes += [absent.format(1), "1 trials have no class because a rating is missing."]
    notes += [absent.format(2)]
    assert merge_notes(notes) == [
        "Subject 01, 5 runs: 5 trials left out, outside the recording (0; 33; 66; ...)",
        "Folds s01/1 and s02/1: no training trial of LVHA, which the test part has.",
        "1 trial has no class because a rating is missing.",
    ]
    assert merge_notes(merge_notes(notes)) == merge_notes(notes)
    assert merge_notes(notes[:1]) == [left_out.format(0, 0).replace("1 trials", "1 trial")]


def test_trials_of_many_subjects_are_added_up_and_the_first_named():
    """One line for a data set of any size, with the numbers that the subjects' own lines have."""
    said = "{} hold{} a break (boundary): {}. No filter crosses it"
    notes = [f"Subject 01: {said.format('1 trial', 's', 7)}"]
    notes += [f"Subject 0{k}: {said.format('4 trials', '', '2, 3, 5, 8')}" for k in range(2, 6)]
    notes += ["Subject 03: 2 of 40 trials left out, peak-to-peak amplitude above 150 µV: 3, 4"]
    notes += ["Subject 04: 1 of 38 trials left out, peak-to-peak amplitude above 150 µV: 9"]
    assert merge_notes(notes) == [
        "Subjects 01, 02, 03 and 2 more: 17 trials hold a break (boundary) (01: 7; 02: 2, 3, 5, "
        "...; 03: 2, 3, 5, ...; ...). No filter crosses it",
        "Subjects 03 and 04: 3 of 78 trials left out, peak-to-peak amplitude above 150 µV "
        "(03: 3, 4; 04: 9)",
    ]


def test_both_ways_of_shuffling_are_said():
    assert "independently of the others" in describe_permutations({"n_blocks": 3, "n_joint": 0})
    assert "1 of 3 blocks" in describe_permutations({"n_blocks": 3, "n_joint": 2})
