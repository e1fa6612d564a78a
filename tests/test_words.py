"""What is said of numbers, without a result folder."""

import pytest

from eegemo.pages.notes import merge_notes
from eegemo.pages.words import describe_permutations, format_interval
from eegemo.report.words import _findings


def level(**changes):
    """One level of a result's metrics, as far as words need it."""
    values = {"observed": 0.6, "low": 0.5, "own": 0.26, "people": 2, "over_people": None}
    values |= {"accuracy": 0.6, "majority": 0.3, "never": ()}
    verdict = {"evidence": "yes", "p": 0.005, "p_kind": "refitted", "n_refits": 199, "chance": 0.25}
    verdict |= {"reason": "", "confounds": [], "detectable": 0.4}
    verdict |= {"holds_for": ["new trials"], "not_for": ["new recordings", "new clips"]}
    values |= {name: value for name, value in changes.items() if name in values}
    verdict |= {name: value for name, value in changes.items() if name in verdict}
    classes = {c: {"precision": None if c in values["never"] else 0.3} for c in ("A", "B", "C")}
    interval = None if values["low"] is None else [values["low"], 1.0]
    total = {"balanced_accuracy": values["observed"], "accuracy": values["accuracy"]}
    return {
        "total": total | {"per_class": classes},
        "subjects": [{}] * values["people"],
        "baselines": {
            "majority": {"accuracy": values["majority"]},
            "chance": {"balanced_accuracy": 0.25},
            "subject_majority": {"balanced_accuracy": values["own"]},
        },
        "verdict": verdict,
        "significance": {"bootstrap": {"trials": interval, "subjects": values["over_people"]}},
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "balanced accuracy 0.60 (chance 0.25; 95 % interval 0.50 to 1.00 for other trials of"),
        ({}, "these 2 people; p = 0.005, 199 refits); evidence for new trials, none for new clips"),
        ({"people": 1}, "for other trials of this person"),
        ({"people": 6, "over_people": [0.41, 0.7]}, "95 % interval over people 0.41 to 0.70; p"),
        ({"people": 4, "over_people": [0.41, 0.7]}, "for other trials of these 4 people"),
        ({"low": None}, "(chance 0.25; p = 0.005, 199 refits)"),
        ({"chance": 0.41}, "(chance 0.41 by refits, 0.25 by guessing;"),
        ({"p_kind": "approximate", "p": 0.0312}, "p ≈ 0.031, without refits)"),
        ({"n_refits": 1}, "p = 0.005, 1 refit)"),
        ({"p": 0.0002}, "p = 0.0002, 199 refits)"),
        (
            {"evidence": "limited", "confounds": ["the clips of the test trials are in training"]},
            "limited evidence for new trials, none for new clips: the clips of the test trials are",
        ),
        ({"evidence": "none", "p": 0.56, "holds_for": []}, "p = 0.56, 199 refits)"),
        (
            {"evidence": "not tested", "p": None, "p_kind": None, "reason": "why", "holds_for": []},
            "for other trials of these 2 people); not tested: why",
        ),
        ({"own": 0.7}, "it does not beat each subject's majority class (0.70)"),
        (
            {"accuracy": 0.3},
            "its accuracy of 0.30 does not beat always predicting the majority class",
        ),
        ({"never": ("A", "C")}, "; it never predicted A or C"),
    ],
)
def test_words_follow_the_verdict(changes, says):
    assert says in _findings(level(**changes))


@pytest.mark.parametrize("evidence", ["yes", "limited", "none", "not tested"])
@pytest.mark.parametrize("kind", ["refitted", "approximate"])
@pytest.mark.parametrize("people", [1, 3, 8])
def test_no_words_without_their_verdict(evidence, kind, people):
    """Evidence is said where it is, and p only where there was a test."""
    tested = evidence != "not tested"
    said = _findings(
        level(
            evidence=evidence,
            p=(0.3 if evidence == "none" else 0.01) if tested else None,
            p_kind=kind if tested else None,
            holds_for=["new trials"] if evidence in ("yes", "limited") else [],
            people=people,
            over_people=None if people == 1 else [0.3, 0.8],
        )
    )
    assert ("evidence for new trials" in said) == (evidence in ("yes", "limited"))
    assert ("limited evidence" in said) == (evidence == "limited")
    assert ("p " in said.partition(";")[2]) == tested
    assert ("refits" in said) == tested
    assert ("not tested" in said) == (not tested)
    assert ("interval over people" in said) == (people >= 5)


def test_intervals_without_meaning_say_so():
    perfect = level(low=None, accuracy=1)
    assert format_interval(perfect, "trials") == "not estimable: no error"
    one = {**perfect, "subjects": [{}]}
    assert format_interval(one, "subjects") == "–"
    assert format_interval(level(low=0.27), "trials") == "0.27 – 1.00"


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
