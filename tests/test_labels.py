"""Ratings to classes: official counts, ties, missing ratings, and relations that must hold."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegemo.config import parse_experiment, settings_for_digest
from eegemo.errors import ConfigError, DataError
from eegemo.labels import TASKS, make_labels

DENS = Path(__file__).resolve().parents[2] / "shared" / "real-ratings" / "dens_ratings.tsv"

# hundredths, as rating scales give them; every tenth one is exactly 5
hundredths = st.integers(100, 900).map(lambda n: n / 100)
ratings = st.one_of(hundredths, hundredths, st.just(5.0), st.just(float("nan")))
tables = st.lists(
    st.tuples(st.sampled_from(["s01", "s02", "s03"]), ratings, ratings), min_size=1, max_size=40
).map(lambda rows: pd.DataFrame(rows, columns=["subject", "valence", "arousal"]))


def with_every_quadrant(table):
    """Add a trial of each quadrant, so that no class is empty under any rule used here."""
    corners = [("s01", v, a) for v in (9.0, 1.0) for a in (9.0, 1.0)]
    return pd.concat([table, pd.DataFrame(corners, columns=table.columns)], ignore_index=True)


def names_of(labels):
    return [labels.classes[code] if code >= 0 else None for code in labels.codes]


def expected_class(valence, arousal, threshold=5.0, ties="low"):
    """Spell out the rule for one trial in plain Python."""
    if valence != valence or arousal != arousal:
        return None
    if ties == "drop" and threshold in (valence, arousal):
        return None

    def letter(rating):
        return "H" if rating > threshold or (rating == threshold and ties == "high") else "L"

    return f"{letter(valence)}V{letter(arousal)}A"


# --- DEAP's official counts ----------------------------------------------------------------------


def deap_ratings(n_both, n_high_tie):
    """Ratings of 1280 trials with DEAP's ties.

    The official counts under "high if > 5" and "high if >= 5", with 16 valence and 17 arousal
    ratings at exactly 5, leave two numbers open: the trials with both at 5, and those with high
    valence and arousal at 5.
    """
    high, tie, low = 7.0, 5.0, 3.0
    tie_high = 19 - n_both - n_high_tie
    cells = {
        (high, high): 439,
        (high, tie): n_high_tie,
        (high, low): 269 - n_high_tie,
        (tie, high): tie_high,
        (low, high): 298 - tie_high,
        (tie, tie): n_both,
        (tie, low): n_high_tie - 3,
        (low, tie): tie_high - 2,
        (low, low): 260,
    }
    rows = [cell for cell, n in cells.items() for _ in range(n)]
    return pd.DataFrame(rows, columns=["valence", "arousal"])


@given(st.data())
def test_deap_ties_give_the_official_counts(data):
    n_both = data.draw(st.integers(0, 14))
    table = deap_ratings(n_both, data.draw(st.integers(3, 17 - n_both)))
    assert len(table) == 1280
    assert (table["valence"] == 5).sum() == 16
    assert (table["arousal"] == 5).sum() == 17
    low = make_labels(table, ties="low").counts()
    high = make_labels(table, ties="high").counts()
    assert low == {"HVHA": 439, "HVLA": 269, "LVHA": 298, "LVLA": 274}
    assert high == {"HVHA": 458, "HVLA": 266, "LVHA": 296, "LVLA": 260}
    dropped = make_labels(table, ties="drop")
    assert dropped.dropped["tie"] == 16 + 17 - n_both
    assert sum(dropped.counts().values()) == 1280 - dropped.dropped["tie"]


# --- the rule, trial by trial --------------------------------------------------------------------


@given(tables, st.sampled_from(["low", "high", "drop"]))
def test_every_trial_gets_the_class_of_the_rule(table, ties):
    table = with_every_quadrant(table)
    expected = [
        expected_class(v, a, ties=ties)
        for v, a in zip(table["valence"], table["arousal"], strict=True)
    ]
    assert names_of(make_labels(table, ties=ties)) == expected


@given(tables, st.sampled_from(["low", "high", "drop"]), st.sampled_from([0.0, 0.5, 2.0]))
def test_every_trial_is_a_class_or_is_counted_as_dropped(table, ties, band):
    table = with_every_quadrant(table)
    labels = make_labels(table, ties=ties, ambiguous_band=band)
    assert sum(labels.counts().values()) + sum(labels.dropped.values()) == len(table)
    assert (labels.codes == -1).sum() == sum(labels.dropped.values())
    assert labels.dropped["missing"] == table[["valence", "arousal"]].isna().any(axis=1).sum()


@given(tables, st.sampled_from(list(TASKS)[:3]), st.sampled_from(["low", "high", "drop"]))
def test_a_missing_rating_is_never_a_class(table, task, ties):
    table = with_every_quadrant(table)
    missing = table[list(TASKS[task][0])].isna().any(axis=1).to_numpy()
    for threshold in (5.0, "median"):
        try:
            labels = make_labels(table, task=task, ties=ties, threshold=threshold)
        except DataError:  # the median can leave a class empty
            continue
        assert (labels.codes[missing] == -1).all()


def test_a_missing_rating_of_a_nullable_column_is_never_a_class():
    valence = pd.Series([7, None, 2], dtype="Float64")
    labels = make_labels(pd.DataFrame({"valence": valence}), task="valence")
    assert names_of(labels) == ["HV", None, "LV"]


@given(tables, st.randoms(use_true_random=False))
def test_permuting_rows_permutes_codes(table, random):
    table = with_every_quadrant(table)
    order = list(range(len(table)))
    random.shuffle(order)
    for threshold in (5.0, "median"):
        try:
            codes = make_labels(table, threshold=threshold).codes
        except DataError:
            continue
        # the index is left permuted too: rows count by position
        permuted = make_labels(table.iloc[order], threshold=threshold)
        assert permuted.codes.tolist() == codes[order].tolist()


@given(tables)
def test_quadrants_are_valence_and_arousal_together(table):
    table = with_every_quadrant(table)
    both = names_of(make_labels(table))
    valence = names_of(make_labels(table, task="valence"))
    arousal = names_of(make_labels(table, task="arousal"))
    for quadrant, v, a in zip(both, valence, arousal, strict=True):
        assert quadrant == (None if v is None or a is None else v + a)


@given(tables)
def test_mirrored_ratings_swap_high_and_low(table):
    """10 - rating mirrors the scale at 5; ties go to the other side too."""
    table = with_every_quadrant(table)
    mirrored = table.assign(
        valence=(10 - table["valence"]).round(2), arousal=(10 - table["arousal"]).round(2)
    )
    swap = str.maketrans("HL", "LH")
    low = [name and name.translate(swap) for name in names_of(make_labels(table, ties="low"))]
    assert low == names_of(make_labels(mirrored, ties="high"))


@given(st.integers(1, 399))
def test_the_ambiguous_band_is_open_and_symmetric(hundredths_wide):
    """Whatever rounding says: 5.3 is not closer to 5 than 0.3, and neither is 4.7."""
    edges = [(500 + sign * hundredths_wide) / 100 for sign in (-1, 1)]
    inside = [(500 + sign * (hundredths_wide - 1)) / 100 for sign in (-1, 1)]
    table = pd.DataFrame({"valence": [*edges, *inside]})
    labels = make_labels(table, task="valence", ambiguous_band=hundredths_wide / 100)
    assert names_of(labels) == ["LV", "HV", None, None]


def test_inside_a_band_a_tie_is_dropped_whatever_the_tie_rule():
    table = pd.DataFrame({"valence": [1.0, 5.0, 5.2, 9.0]})
    for ties in ("low", "high", "drop"):
        labels = make_labels(table, task="valence", ties=ties, ambiguous_band=0.5)
        assert names_of(labels) == ["LV", None, None, "HV"]
        assert labels.dropped == {"missing": 0, "tie": 1, "ambiguous": 1, "excluded": 0}


def test_a_trial_counts_once_as_dropped():
    """Missing goes before tie, tie before ambiguous."""
    nan = float("nan")
    table = pd.DataFrame(
        {
            "valence": [9.0, 9.0, 1.0, 1.0, nan, nan, 5.0, 5.1],
            "arousal": [9.0, 1.0, 9.0, 1.0, 5.0, 5.1, 5.1, 9.0],
        }
    )
    labels = make_labels(table, ties="drop", ambiguous_band=0.5)
    assert labels.dropped == {"missing": 2, "tie": 1, "ambiguous": 1, "excluded": 0}


# --- each subject's own median -------------------------------------------------------------------


def test_median_is_of_each_subject_and_each_dimension():
    table = pd.DataFrame(
        {
            "subject": ["a"] * 4 + ["b"] * 4,
            "valence": [1.0, 2.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0],
            "arousal": [9.0, 8.0, 7.0, 6.0, 1.0, 4.0, 2.0, 3.0],
        }
    )
    labels = make_labels(table, threshold="median")
    assert names_of(labels) == [
        *["LVHA", "LVHA", "HVLA", "HVLA"],
        *["LVLA", "LVHA", "HVLA", "HVHA"],
    ]


@given(st.lists(hundredths, min_size=2, max_size=20, unique=True), st.integers(0, 3))
def test_median_halves_distinct_ratings(values, n_missing):
    table = pd.DataFrame({"subject": "a", "valence": [*values, *[float("nan")] * n_missing]})
    counts = make_labels(table, task="valence", threshold="median", ties="low").counts()
    assert counts == {"HV": len(values) // 2, "LV": len(values) - len(values) // 2}


@given(tables)
def test_a_subjects_median_labels_do_not_depend_on_the_other_subjects(table):
    table = with_every_quadrant(table)
    alone = table["subject"] == "s01"
    try:
        own = make_labels(table[alone], threshold="median")
    except DataError:
        return
    together = make_labels(table, threshold="median")
    assert own.codes.tolist() == together.codes[alone].tolist()


@pytest.mark.parametrize("threshold", [5.0, "median"])
def test_ratings_may_be_in_a_column_of_mixed_objects(threshold):
    """As a table with holes is read now and then; the median is that of what is there."""
    ratings = pd.Series([9.0, None, 1.0, "2", 8], dtype=object)
    table = pd.DataFrame({"subject": "s01", "valence": ratings})
    labels = make_labels(table, task="valence", threshold=threshold)
    assert names_of(labels) == ["HV", None, "LV", "LV", "HV"]


# --- classes as given ----------------------------------------------------------------------------


def test_given_classes_are_sorted_unless_named():
    table = pd.DataFrame({"trial_type": ["sad", "happy", None, "rest", "sad"]})
    labels = make_labels(table, task="given")
    assert labels.classes == ("happy", "rest", "sad")
    assert labels.dropped["missing"] == 1
    chosen = make_labels(table, task="given", classes=["sad", "happy"])
    assert chosen.classes == ("sad", "happy")
    assert chosen.codes.tolist() == [0, 1, -1, -1, 0]
    assert chosen.dropped == {"missing": 1, "tie": 0, "ambiguous": 0, "excluded": 1}


def test_classes_not_asked_for_are_counted_apart_from_missing_ones():
    """Two trials of another class, one without, and one for which a reader has the empty word."""
    table = pd.DataFrame({"trial_type": ["a", "b", "c", "c", None, "", "a"]})
    chosen = make_labels(table, task="given", classes=["b", "a"])
    assert chosen.codes.tolist() == [1, 0, -1, -1, -1, -1, 1]
    assert chosen.codes.dtype == np.int64
    assert chosen.dropped == {"missing": 2, "tie": 0, "ambiguous": 0, "excluded": 2}
    every = make_labels(table, task="given")
    assert every.classes == ("a", "b", "c")  # the empty word is none of them
    assert every.dropped == {"missing": 2, "tie": 0, "ambiguous": 0, "excluded": 0}


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0.0, 0.99, 9.01, -1.0, np.inf, -np.inf, 77.0])
def test_ratings_outside_the_scale_are_refused(wrong):
    table = pd.DataFrame({"subject": "s07", "trial": [1, 2, 3], "valence": [1.0, wrong, 9.0]})
    with pytest.raises(DataError, match=r"valence.*between 1 and 9.*subject s07, trial 2"):
        make_labels(table, task="valence")


def test_a_rating_outside_the_scale_is_found_without_numbers_of_trials():
    ratings = pd.DataFrame({"valence": [1.0, 9.0, 9.5, 0.5, 3.0]})
    with pytest.raises(DataError, match=r"found 9\.5 \(row 2; 2 such ratings\)"):
        make_labels(ratings, task="valence")


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (
            {"valence": [1.0, np.nan, 3.0]},
            {"task": "valence"},
            "trials per class: HV 0, LV 2; without a class: 1",
        ),
        ({"valence": [1.0, 9.0]}, {}, "needs the rating.*arousal"),
        ({"valence": [1.0, 2.0]}, {"task": "valence"}, "no trial has the class HV"),
        ({"valence": [np.nan] * 2}, {"task": "valence"}, "no trial has the class HV or LV"),
        ({"valence": [1.0, 9.0]}, {"task": "valance"}, "task must be one of.*'valance'"),
        ({"valence": [1.0, 9.0]}, {"task": "valence", "ties": "Low"}, "ties.*'Low'"),
        ({"valence": [1.0, 9.0]}, {"task": "valence", "threshold": "mean"}, "threshold.*'mean'"),
        ({"valence": [1.0, 9.0]}, {"task": "valence", "threshold": "median"}, "subject"),
        ({"valence": [1.0, 9.0]}, {"task": "given"}, "trial_type"),
        ({"trial_type": ["a", "a"]}, {"task": "given"}, "at least two different classes"),
        ({"trial_type": ["a", "b"]}, {"task": "given", "classes": ["a", "c"]}, "the class c"),
        ({"trial_type": ["a", "b"]}, {"task": "given", "classes": ["a", "a"]}, "two different"),
    ],
)
def test_what_cannot_be_labelled_is_refused_in_words(table, options, message):
    with pytest.raises(DataError, match=message):
        make_labels(pd.DataFrame(table), **options)


# --- real ratings --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dens():
    if not DENS.is_file():
        pytest.skip(f"the real ratings are missing: expected the table {DENS}")
    return pd.read_csv(DENS, sep="\t").rename(columns={"participant_id": "subject"})


@pytest.mark.parametrize("ties", ["low", "high", "drop"])
def test_real_ratings_by_the_rule_in_plain_python(dens, ties):
    with DENS.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert len(rows) == len(dens) == 367
    expected = [
        expected_class(float(row["valence"]), float(row["arousal"]), ties=ties) for row in rows
    ]
    assert names_of(make_labels(dens, ties=ties)) == expected


def test_real_ratings_hold_24_exact_ties(dens):
    """They are all that the tie rule moves."""
    tied = ((dens["valence"] == 5) | (dens["arousal"] == 5)).to_numpy()
    assert tied.sum() == 24
    low, high, drop = (make_labels(dens, ties=ties).codes for ties in ("low", "high", "drop"))
    assert ((low != high) == tied).all()
    assert ((drop == -1) == tied).all()
    assert make_labels(dens, ties="drop").dropped["tie"] == 24


def test_the_authors_quadrant_of_the_real_ratings_is_no_oracle(dens):
    """Their column says HVHA or nothing, also where both ratings are at the bottom of the scale.

    So agreement with it would be wrong. It is stated here so that nobody takes it for the truth:
    of the 251 trials they call HVHA, 56 have both ratings above 5.
    """
    given_class = dens["Quadrant"].dropna()
    assert given_class.unique().tolist() == ["HVHA"]
    called = dens.loc[given_class.index]
    assert ((called["valence"] < 2) & (called["arousal"] < 2)).any()
    ours = np.array(names_of(make_labels(dens)))[given_class.index]
    assert len(ours) == 251
    assert (ours == "HVHA").sum() == 56


def test_real_ratings_do_not_depend_on_the_order_of_subjects(dens):
    for threshold in (5.0, "median"):
        codes = make_labels(dens, threshold=threshold).codes
        backwards = make_labels(dens.iloc[::-1], threshold=threshold).codes
        assert backwards[::-1].tolist() == codes.tolist()


# --- classes in any column -----------------------------------------------------------------------


def events(**columns):
    """Six trials of one subject, as a reader of BIDS gives them, with further columns."""
    about = {
        "subject": "01",
        "session": "1",
        "trial": range(1, 7),
        "stimulus": "",
        "run": "1",
        "trial_type": "",
    }
    return pd.DataFrame(about | columns, index=range(6))


WORDS = ["joy", "fear", "amusement", "disgust", "joy", "fear"]


@pytest.mark.parametrize(
    ("columns", "name", "found"),
    [
        (["Emotion", "emotion"], "emotion", "emotion"),  # exactly, then whatever the case
        (["Emotion", "participants.emotion"], "EMOTION", "Emotion"),
        (["participants.group", "scans.x"], "participants.group", "participants.group"),
        (["participants.group", "scans.x"], "group", "participants.group"),
        (["participants.Group", "scans.x"], "group", "participants.Group"),
        (["participants.Group", "scans.group"], "group", "scans.group"),
        (["events.duration", "x"], "Duration", "events.duration"),
    ],
)
def test_a_column_is_found_by_its_name_its_case_or_its_end(columns, name, found):
    other = ["other", "names"] * 3
    table = events(**{column: WORDS if column == found else other for column in columns})
    assert names_of(make_labels(table, column=name)) == WORDS


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["Emotion", "EMOTION"], "'emotion' may be Emotion or EMOTION; write which"),
        (["scans.emotion", "sessions.emotion"], "may be scans.emotion or sessions.emotion"),
        (["scans.Emotion", "sessions.EMOTION"], "may be scans.Emotion or sessions.EMOTION"),
        (["emotions"], "no column is called emotion .*Did you mean emotions?"),
    ],
)
def test_a_column_that_is_several_or_none_is_refused(columns, message):
    with pytest.raises(DataError, match=message):
        make_labels(events(**dict.fromkeys(columns, WORDS)), column="emotion")


def test_values_of_a_column_may_be_text_numbers_or_missing():
    table = events(value=[1, 2.0, None, " 1 ", "n/a", "2"])
    labels = make_labels(table, column="value")
    assert labels.classes == ("1", "2")
    assert labels.codes.tolist() == [0, 1, -1, 0, -1, 1]
    assert labels.dropped == {"missing": 2, "tie": 0, "ambiguous": 0, "excluded": 0}


def test_values_are_merged_into_classes_of_new_names():
    merged = {"positive": ["joy", "amusement"], "negative": ["fear", "disgust"]}
    labels = make_labels(events(emotion=WORDS), column="emotion", rename=merged)
    assert labels.classes == ("negative", "positive")
    assert labels.codes.tolist() == [1, 0, 1, 0, 1, 0]


def test_a_value_that_is_not_renamed_keeps_its_name_and_classes_leaves_it_out():
    table = events(trial_type=WORDS)
    some = {"good": ["joy", "amusement"], "bad": "fear"}
    labels = make_labels(table, rename=some)  # of trial_type; one value needs no list
    assert labels.counts() == {"bad": 2, "disgust": 1, "good": 3}
    fewer = make_labels(table, rename=some, classes=["good", "bad"])
    assert fewer.counts() == {"good": 3, "bad": 2}
    assert fewer.dropped["excluded"] == 1


def test_names_may_be_swapped_and_numbers_be_values():
    table = events(value=["1", "2.0", "3", "1", "2.0", "3"])
    swapped = make_labels(table, column="value", rename={"3": ["1"], "1": [3]})
    assert names_of(swapped) == ["3", "2.0", "1", "3", "2.0", "1"]
    named = make_labels(table, column="value", rename={"low": [1, 2], "high": 3.0})
    assert named.counts() == {"high": 2, "low": 4}


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"a": ["joi"], "b": ["fear"]}, "no trial has the value joi.*mean joy.*joy .2., fear .2."),
        ({"a": ["Joy"], "b": ["fear"]}, "no trial has the value Joy.*Did you mean joy"),
        ({"a": ["joy", "fear"], "b": ["fear"]}, "'fear' into two classes, 'a' and 'b'"),
        ({"a": [], "b": ["fear"]}, "class 'a' has no values"),
        ({" ": ["joy"]}, "a class needs a name"),
    ],
)
def test_renaming_what_is_not_there_or_twice_is_refused(rename, message):
    with pytest.raises(DataError, match=message):
        make_labels(events(emotion=WORDS), column="emotion", rename=rename)


def test_a_number_that_is_spelled_twice_belongs_to_one_class():
    table = events(value=["1", "1.0", "2", "2", "2", "2"])
    with pytest.raises(DataError, match=r"'1\.0' is in two classes, a and b"):
        make_labels(table, column="value", rename={"a": [1], "b": ["1.0", "2"]})
    with pytest.raises(DataError, match="no trial has the value '7'"):
        make_labels(table, column="value", rename={"a": 7})


SPELLINGS = ["happy", "Happy", "happy", "very sad", "verysad", "calm"]


def test_values_that_differ_in_case_or_blanks_are_told_together():
    with pytest.raises(DataError) as caught:
        make_labels(events(emotion=SPELLINGS), column="emotion")
    assert "'happy' (2), 'Happy' (1); 'very sad' (1), 'verysad' (1)" in str(caught.value)
    assert "rename: {happy: [Happy], very sad: [verysad]}" in str(caught.value)
    # what it offers is what helps
    merged = {"happy": ["Happy"], "very sad": ["verysad"]}
    labels = make_labels(events(emotion=SPELLINGS), column="emotion", rename=merged)
    assert labels.counts() == {"calm": 1, "happy": 3, "very sad": 2}


def test_spellings_are_told_where_they_matter_and_not_where_each_was_named():
    table = events(emotion=SPELLINGS)
    with pytest.raises(DataError, match=r"'happy' \(2\), 'Happy' \(1\)\. If"):
        make_labels(table, column="emotion", classes=["happy", "calm"])
    apart = make_labels(table, column="emotion", classes=["happy", "Happy", "calm"])
    assert apart.counts() == {"happy": 2, "Happy": 1, "calm": 1}


# --- ratings by other names and on other scales --------------------------------------------------


def test_rating_columns_have_any_name_and_case():
    both = make_labels(
        events(Valence=["8", "2", "8", "2", "", "n/a"], aro=[1, 1, 9, 9, 9, 9]), arousal="Aro"
    )
    assert names_of(both) == ["HVLA", "LVLA", "HVHA", "LVHA", None, None]
    assert both.dropped["missing"] == 2


@pytest.mark.parametrize("text", ["7,5", "high", "1_0", "0x5", "7 8", "٣"])
def test_a_rating_that_is_no_number_is_refused_with_its_trial(text):
    table = events(valence=["8", "2", text, "7", text, "5"])
    with pytest.raises(DataError, match=r"valence must be a number or n/a.*subject 01, trial 3; 2"):
        make_labels(table, task="valence")


def test_words_where_ratings_are_expected_may_be_classes():
    table = events(valence=["positive", "negative"] * 3)
    with pytest.raises(DataError, match=r"found positive in .*labels: \{column: valence\}"):
        make_labels(table, task="valence")
    assert make_labels(table, column="valence").counts() == {"negative": 3, "positive": 3}


def test_a_decimal_comma_is_told():
    with pytest.raises(DataError, match=r"Write 7\.5, with a decimal point"):
        make_labels(events(valence=["8", "2", "7,5", "7", "1", "5"]), task="valence")


@pytest.mark.parametrize("scale", [(0, 100), (-1.0, 1.0), (1, 7), (0.0, 10.0)])
def test_the_threshold_is_the_middle_of_the_scale(scale):
    middle, step = sum(scale) / 2, (scale[1] - scale[0]) / 8
    table = events(valence=[*scale, middle, middle + step, middle - step, np.nan])
    labels = make_labels(table, task="valence", scale=scale, ties="drop")
    assert names_of(labels) == ["LV", "HV", None, "HV", "LV", None]
    assert labels.dropped["tie"] == 1
    own = make_labels(table, task="valence", scale=scale, threshold=middle + 2 * step)
    assert names_of(own) == ["LV", "HV", "LV", "LV", "LV", None]
    # without a scale it is that of the data set
    assert names_of(make_labels(table, task="valence", ties="drop", rating_range=scale)) == (
        names_of(labels)
    )


@pytest.mark.parametrize("wrong", [-0.1, 100.5, np.inf])
def test_ratings_outside_the_own_scale_are_refused(wrong):
    table = events(valence=[0.0, 100.0, 5.0, wrong, 7.0, 70.0])
    with pytest.raises(DataError, match=r"between 0 and 100; found .* trial 4; 1 such"):
        make_labels(table, task="valence", scale=(0, 100))


def test_ratings_on_another_scale_are_told_where_to_say_it():
    with pytest.raises(DataError, match=r"between 1 and 9.*labels: \{scale: \[lowest, highest"):
        make_labels(events(valence=[0.0, 100.0, 5.0, 3.0, 7.0, 70.0]), task="valence")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "valence", "column": "value"}, "column is about classes.*task 'valence'"),
        ({"task": "arousal", "rename": {"a": "b"}}, "rename is about classes.*task 'arousal'"),
        ({"scale": (9.0, 1.0)}, "lowest and the highest rating; found 9 and 1"),
        ({"scale": (5.0, 5.0)}, "lowest and the highest rating"),
        ({"scale": (0, 10), "threshold": 50.0}, "threshold 50 lies outside the scale 0 to 10"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        make_labels(events(value=WORDS, valence=5.0), **options)


# --- a refusal says what there is ----------------------------------------------------------------


def test_a_refusal_lists_columns_with_examples_and_the_likely_one():
    table = events(
        value=["joy", "awe"] * 3, onset=[0.5, 1.5, 2.5, 3.5, 4.5, 5.5], note="", HED="(a, b)"
    )
    with pytest.raises(DataError) as caught:
        make_labels(table, task="given")
    said = str(caught.value)
    assert "no trial has a trial_type" in said
    assert "value (joy, awe)" in said
    assert "onset (0.5 to 5.5)" in said
    assert "note (empty)" in said
    assert said.endswith("Write labels: {column: value}.")


def test_the_likely_column_has_few_values_that_repeat():
    table = events(
        response_time=["0.5", "0.7", "0.5", "0.7", "0.5", "0.7"],
        group=["1", "2", "3", "4", "5", "6"],
        code=["7", "8", "7", "8", "7", "8"],
        emotion_label=["joy", "awe"] * 3,
        same="x",
    )
    with pytest.raises(DataError, match=r"Write labels: \{column: emotion_label\}"):
        make_labels(table, task="given")
    with pytest.raises(DataError, match=r"Write labels: \{column: code\}"):
        make_labels(table.drop(columns="emotion_label"), task="given")
    with pytest.raises(DataError) as caught:
        make_labels(table.drop(columns=["emotion_label", "code"]), task="given")
    assert "Write" not in str(caught.value)


def test_a_column_of_one_class_is_refused_with_the_others():
    table = events(trial_type="film", emotion=WORDS)
    with pytest.raises(DataError, match=r"found \['film'\] in the column trial_type.*: emotion\}"):
        make_labels(table, task="given")


def test_many_columns_and_values_are_shortened():
    table = events(**{f"c{number}": WORDS for number in range(30)})
    with pytest.raises(DataError) as caught:
        make_labels(table, column="nothing_like_that")
    said = str(caught.value)
    assert said.count("(joy, fear, amusement, ...)") == 12
    assert "and 24 more" in said


def test_rating_columns_of_other_names_are_offered():
    table = events(
        valence_rating=["63.2", "5.1", "20", "n/a", "99", "1"], Aro=range(6), value=["a", "b"] * 3
    )
    with pytest.raises(DataError) as caught:
        make_labels(table)
    said = str(caught.value)
    assert "valence_rating (1 to 99)" in said
    assert "Write labels: {valence: valence_rating, arousal: Aro}, and scale: [lowest" in said
    with pytest.raises(DataError, match=r"ratings\.csv.* in a table of their own"):
        make_labels(events(value=WORDS))


# --- in an experiment file -----------------------------------------------------------------------


def experiment(labels, *overrides, source="deap"):
    text = f"name: a\ndata: {{source: {source}, root: x}}\nmodel: {{name: band_power_logreg}}\n"
    return parse_experiment(f"{text}labels: {labels}\n", overrides=overrides)


@pytest.mark.parametrize(
    ("labels", "overrides", "expected"),
    [
        ("{scale: [0, 100]}", (), 50.0),
        ("{scale: [0, 100], threshold: 40.0}", (), 40.0),
        ("{scale: [0, 100], threshold: median}", (), "median"),
        ("{}", ("labels.scale=[0, 7]",), 3.5),
        ("{scale: [0, 100]}", ("labels.threshold=40.0",), 40.0),
        ("{}", (), 3.0),
    ],
)
def test_the_written_threshold_is_the_one_that_is_used(labels, overrides, expected):
    made = experiment(labels, *overrides, source="dreamer")
    assert made.labels.threshold == expected
    again = parse_experiment(made.to_yaml())
    assert again == made
    assert again.to_yaml() == made.to_yaml()
    assert settings_for_digest(again) == settings_for_digest(made)


@pytest.mark.parametrize("labels", ["{column: emotion}", "{rename: {a: [x, 1], b: y}}"])
def test_a_column_or_new_names_imply_given_classes(labels):
    made = experiment(labels)
    assert made.labels.task == "given"
    assert parse_experiment(made.to_yaml()) == made


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("{task: valence, column: emotion}", "line 4: labels: column is about classes"),
        ("{rename: {a: x, b: [y, x]}}", "'x' into two classes, 'a' and 'b'"),
        ("{scale: [9, 1]}", "found 9 and 1"),
        ("{scale: [0, 10], threshold: 50.0}", "lies outside the scale"),
        ("{threshold: null}", "labels.threshold: expected a number or 'median', found nothing"),
        ("{scale: [0, .inf]}", "labels.scale.1: expected a finite number"),
        ("{rename: {a: [{}]}}", "expected a text or a whole number"),
    ],
)
def test_contradictions_are_found_in_the_file(labels, message):
    with pytest.raises(ConfigError, match=message):
        experiment(labels)
