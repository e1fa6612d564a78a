"""A table of labels beside the data: which row belongs to which trial, and what is said of it."""

import random

import numpy as np
import pandas as pd
import pytest

from eegemo.config import parse_experiment, settings_for_digest
from eegemo.errors import DataError
from eegemo.labels import join_ratings, label_trials, read_ratings
from eegemo.store import digest_json


def trials(*about, **columns):
    """Metadata of trials given as (subject, session, run, trial, stimulus)."""
    table = pd.DataFrame(about, columns=["subject", "session", "run", "trial", "stimulus"])
    return table.assign(**columns)


#: Two people, two sessions of the second, each with the same clips in another order.
TRIALS = trials(
    ("01", "1", "1", 1, "a.mp4"),
    ("01", "1", "1", 2, "b.mp4"),
    ("01", "1", "1", 3, "c.mp4"),
    ("02", "1", "1", 1, "b.mp4"),
    ("02", "1", "1", 2, "a.mp4"),
    ("02", "1", "1", 3, "c.mp4"),
    ("02", "2", "1", 1, "c.mp4"),
    ("02", "2", "1", 2, "a.mp4"),
)


@pytest.fixture
def write(tmp_path):
    def write(text, name="ratings.csv", encoding="utf-8"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding=encoding)
        return path

    return write


def joined(metadata, path, column="mood"):
    table, notes = join_ratings(metadata, path)
    assert len(table) == len(metadata)
    return table[column].tolist(), notes


# --- which row belongs to which trial ------------------------------------------------------------

#: Each trial's value is known: its subject, session and trial.
KNOWN = [
    f"{s}/{e}/{t}" for s, e, t in zip(TRIALS.subject, TRIALS.session, TRIALS.trial, strict=True)
]
_WAYS = {
    "as they are": ("subject,session,trial,mood", "{s},{e},{t},{v}"),
    "numbers": ("SUBJECT,Session,Trial,mood", "{i},{e}.0,0{t},{v}"),
    "prefixes": ("participant_id,ses,trial,mood", "sub-{s},ses-0{e},trial-{t},{v}"),
    "synonyms": ("Participant ID;Session_ID;Trial No;mood", "{s};{e};{t};{v}"),
    "tabs": ("subj\trun\tsession\ttrial number\tmood", "{s}\trun-01\t{e}\t{t}\t{v}"),
    "quoted": ('"subject","session","trial","mood"', '"{s}","{e}"," {t} ","{v}"'),
}


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("seed", [0, 1])
def test_rows_are_joined_whatever_their_order_and_spelling(write, way, seed):
    header, row = _WAYS[way]
    rows = [
        row.format(s=about.subject, i=int(about.subject), e=about.session, t=about.trial, v=value)
        for about, value in zip(TRIALS.itertuples(), KNOWN, strict=True)
    ]
    random.Random(seed).shuffle(rows)
    path = write("\n".join([header, *rows]) + "\n", "ratings.tsv" if way == "tabs" else "r.csv")
    found, notes = joined(TRIALS, path)
    assert found == KNOWN
    assert len(notes) == 1  # nothing is missing and nothing left over
    assert "for 8 trials, joined on subject" in notes[0]


def test_a_table_of_stimuli_serves_all_who_saw_them(write):
    path = write("stimulus,mood\nb.mp4,sad\nA.MP4,glad\nc.mp4,calm\n")
    clips = {"a.mp4": "glad", "b.mp4": "sad", "c.mp4": "calm"}
    assert joined(TRIALS, path)[0] == [clips[stimulus] for stimulus in TRIALS.stimulus]


def test_a_persons_rating_of_a_stimulus_serves_each_time_it_was_shown(write):
    rows = [f"{s},{c},{s}{c}" for s in ("01", "02") for c in ("a.mp4", "b.mp4", "c.mp4")]
    path = write("\n".join(["subject,clip,mood", *rows]))
    found, notes = joined(TRIALS, path)
    assert found == [s + c for s, c in zip(TRIALS.subject, TRIALS.stimulus, strict=True)]
    assert "joined on subject and stimulus (clip)" in notes[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("subject,mood\n1,x\n2,y\n", ["x"] * 3 + ["y"] * 5),
        ("session,mood\nses-1,x\nses-2,y\n", ["x"] * 6 + ["y"] * 2),
        ("subject,session,mood\n1,1,x\n2,1,y\n2,2,z\n", ["x"] * 3 + ["y"] * 3 + ["z"] * 2),
    ],
)
def test_a_label_of_a_person_or_a_session_serves_all_their_trials(write, text, expected):
    assert joined(TRIALS, write(text))[0] == expected


def test_a_key_that_one_side_lacks_or_leaves_empty_does_not_count(write):
    unnamed = TRIALS.assign(stimulus="").drop(columns="run")
    rows = [
        f"{a.subject},{a.session},{a.trial},7,clip,{v}"
        for a, v in zip(TRIALS.itertuples(), KNOWN, strict=True)
    ]
    path = write("\n".join(["subject,session,trial,run,stimulus,mood", *rows]))
    assert joined(unnamed, path)[0] == KNOWN
    empty = [row.replace(",7,clip,", ",,n/a,") for row in rows]
    path = write("\n".join(["subject,session,trial,run,stimulus,mood", *empty]))
    assert joined(TRIALS, path)[0] == KNOWN


def test_what_is_not_named_on_either_side_does_not_fit(write):
    """A clip that nobody named is not the clip of a row without a name."""
    some = TRIALS.assign(stimulus=[*TRIALS.stimulus[:6], "", "n/a"])
    found, notes = joined(some, write("subject,stimulus,mood\n1,a.mp4,x\n2,n/a,y\n,b.mp4,z\n"))
    assert found == ["x"] + [""] * 7
    assert notes[2] == (
        "2 rows of ratings.csv have no trial: line 3 (subject 2, stimulus n/a); "
        "line 4 (subject n/a, stimulus b.mp4)."
    )


def test_a_session_of_another_name_does_not_matter_where_there_is_one(write):
    first = TRIALS[TRIALS.session == "1"].reset_index(drop=True)
    rows = [f"{a.subject},baseline,{a.trial},{a.subject}{a.trial}" for a in first.itertuples()]
    found, _ = joined(first, write("\n".join(["subject,session,trial,mood", *rows])))
    assert found == [f"{a.subject}{a.trial}" for a in first.itertuples()]


def test_of_two_columns_for_a_stimulus_the_one_that_fits_is_taken(write):
    path = write("video_id,video_name,mood\n1,a.mp4,x\n2,b.mp4,y\n3,c.mp4,z\n")
    assert set(joined(TRIALS, path)[0]) == {"x", "y", "z"}


def test_trials_that_a_table_numbers_within_runs(write):
    """Ours are numbered through a session."""
    about = trials(*(("01", "1", str(run), 3 * run + k, "") for run in range(3) for k in (1, 2, 3)))
    rows = [f"1,{run},{k},{run}-{k}" for run in range(3) for k in (1, 2, 3)]
    path = write("\n".join(["subject,run,trial,mood", *rows]))
    found, notes = joined(about, path)
    assert found == [f"{run}-{k}" for run in range(3) for k in (1, 2, 3)]
    assert "Trials of ratings.csv are numbered within each run." in notes
    # with a trial left out, nobody knows which it was: they are joined by number, and told
    fewer = about.drop(index=3).reset_index(drop=True)
    found, notes = joined(fewer, path)
    assert found == ["0-1", "0-2", "0-3"] + [""] * 5
    assert any("5 trials have no row" in note for note in notes)
    assert any("6 rows of ratings.csv have no trial" in note for note in notes)
    # nor where the table lacks a row as well
    path = write("\n".join(["subject,run,trial,mood", *rows[:5], *rows[6:]]), "fewer.csv")
    assert joined(about.drop(index=4).reset_index(drop=True), path)[0][3:] == [""] * 5


def test_numbers_that_fit_as_they_are_stay(write):
    about = trials(*(("01", "1", str(run), k, "") for run, k in ((1, 1), (1, 2), (2, 3), (2, 4))))
    found, notes = joined(about, write("run,trial,mood\n1,1,a\n1,2,b\n2,3,c\n2,4,d\n"))
    assert found == ["a", "b", "c", "d"]
    assert len(notes) == 1
    found, notes = joined(about.iloc[:2], write("run,trial,mood\n1,1,a\n1,2,b\n"))
    assert found == ["a", "b"]
    assert len(notes) == 1


# --- what is missing or left over is counted -----------------------------------------------------


def test_trials_without_a_row_and_rows_without_a_trial_are_counted_and_named(write):
    path = write(
        "subject,session,trial,mood\n1,1,1,x\n1,1,2,y\n2,1,9,z\n2,1,1,x\n\n2,,2,y\n7,1,1,x\n8,1,1,x\n"
    )
    table, notes = join_ratings(TRIALS, path)
    assert table["mood"].tolist() == ["x", "y", "", "x", "", "", "", ""]
    assert notes[1:] == [
        "5 trials have no row in ratings.csv: subject 01, session 1, trial 3; "
        "subject 02, session 1, trial 2; subject 02, session 1, trial 3; and 2 more.",
        "2 rows of ratings.csv are of subjects that are not used: 7, 8.",
        "2 rows of ratings.csv have no trial: line 4 (subject 2, session 1, trial 9); "
        "line 7 (subject 2, session n/a, trial 2).",
    ]


@pytest.mark.parametrize("seed", range(20))
def test_every_row_and_every_trial_is_accounted_for(write, seed):
    rng = np.random.default_rng(seed)
    keys = [(s, t) for s in range(1, 5) for t in range(1, 6)]
    rows = [keys[k] for k in rng.permutation(len(keys))[: rng.integers(1, 20)]]
    shown = [keys[k] for k in rng.permutation(len(keys))[: rng.integers(1, 20)]]
    about = trials(*((f"{s:02}", "1", "1", t, "") for s, t in shown))
    path = write("\n".join(["subject,trial,mood", *(f"{s},{t},{s}-{t}" for s, t in rows)]))
    both = set(rows) & set(shown)
    if not both:
        with pytest.raises(DataError, match=r"no row of ratings\.csv belongs to a trial"):
            join_ratings(about, path)
        return
    found, notes = joined(about, path)
    assert found == [f"{s}-{t}" if (s, t) in both else "" for s, t in shown]
    words = [note.split() for note in notes]
    count = {
        kind: sum(int(note[0]) for note, text in zip(words, notes, strict=True) if kind in text)
        for kind in ("no row in", "not used", "no trial:")
    }
    assert count["no row in"] == len(shown) - len(both)
    assert count["not used"] + count["no trial:"] == len(rows) - len(both)


def test_trials_without_a_row_have_no_class_and_are_counted_as_such(write):
    path = write("subject,session,trial,mood\n1,1,1,x\n1,1,2,y\n2,1,1,n/a\n")
    labels, notes = label_trials(TRIALS, {"table": str(path), "column": "mood"})
    assert labels.counts() == {"x": 1, "y": 1}
    assert labels.dropped["missing"] == 6
    assert any(note.startswith("5 trials have no row") for note in notes)


# --- what is not one to one is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "subject,session,trial,mood\n1,1,1,x\n1,1,2,y\n01,1,1,x\n",
            "several rows for subject 1, session 1, trial 1 in line 2 and line 4. Leave one row",
        ),
        (
            "stimulus,mood\na.mp4,x\nb.mp4,y\nA.mp4,z\na.mp4,x\n",
            "stimulus a.mp4 in line 2, line 4 and line 5. It was joined on stimulus",
        ),
        ("subject,mood\n1,x\n1,y\n2,y\n", "subject 1 in line 2 and line 3.*or add a column trial"),
        (
            "subject,trial,mood\n1,1,x\n2,1,y\n",
            "line 3 of .* .subject 2, trial 1. belongs to 2 trials: subject 02, session 1, "
            "trial 1; subject 02, session 2, trial 1.*Add the column session",
        ),
        (
            "trial,mood\n1,x\n2,y\n",
            "line 2 .*belongs to 3 trials.*2 such rows.*subject and session",
        ),
        (
            "subject,trial,mood\ns1,1,x\n",
            "no row .* joined on subject and trial; the first trial "
            "has subject 01, trial 1, the first row .line 2. has subject s1, trial 1",
        ),
        ("mood,energy\nx,1\n", "shares no column with the trials.*it has mood, energy"),
        ("subject,trial,mood\n", "the table has no rows"),
        ("subject,trial,mood\n1,1\n", "line 2: 2 cells"),
        ("subject,Subject,mood\n1,1,x\n", "several columns of the name subject"),
    ],
)
def test_a_join_that_is_not_one_to_one_is_refused_with_its_lines(write, text, message):
    with pytest.raises(DataError, match=message) as caught:
        join_ratings(TRIALS, write(text))
    assert "ratings.csv" in str(caught.value)


def test_a_doubled_row_of_somebody_else_does_not_matter(write):
    text = "subject,session,trial,mood\n1,1,1,x\n1,1,2,y\n9,1,1,x\n9,1,1,y\n1,1,9,x\n1,1,9,x\n"
    assert joined(TRIALS, write(text))[0][:3] == ["x", "y", ""]


def test_many_doubled_rows_are_counted_and_three_named(write):
    rows = [f"{k},{k}" for k in (1, 2, 3, 4, 5)] * 2
    about = trials(*((f"0{k}", "1", "1", 1, "") for k in (1, 2, 3, 4, 5)))
    with pytest.raises(DataError, match=r"subject 3 in line 4 and line 9 \(5 such\)"):
        join_ratings(about, write("\n".join(["subject,mood", *rows])))


def test_a_table_that_is_not_there_is_refused_with_the_nearest(write, tmp_path):
    write("subject,mood\n1,x\n")
    with pytest.raises(DataError, match=r"no such table.*Did you mean 'ratings.csv'"):
        read_ratings(tmp_path / "rating.csv")
    with pytest.raises(DataError, match=r"Tables in that folder: ratings\.csv\."):
        read_ratings(tmp_path / "labels.txt")
    with pytest.raises(DataError, match="is a folder"):
        read_ratings(tmp_path)
    with pytest.raises(DataError, match="no table fits this pattern"):
        read_ratings(f"{tmp_path}/sub-*/beh.tsv")


def test_a_spreadsheet_is_read_or_asked_for_as_csv(tmp_path):
    path = tmp_path / "ratings.xlsx"
    path.write_bytes(b"PK")
    with pytest.raises(DataError, match=r"ratings\.xlsx .*Save it as CSV \(UTF-8\)"):
        read_ratings(path)
    pytest.importorskip("openpyxl")
    pd.DataFrame({"subject": ["01", "02"], "mood": [" x", None]}).to_excel(path, index=False)
    assert read_ratings(path).rows.to_numpy().tolist() == [["01", "x"], ["02", ""]]


# --- a table for each recording ------------------------------------------------------------------


def write_each(write, counts=(3, 3), name="sub-{s:02}/beh/sub-{s:02}_task-x_beh.tsv"):
    """One table a person, with a column that counts rows, as pandas writes it."""
    for s, count in enumerate(counts, start=1):
        rows = [f"{k}\tclip{k}.mp4\tp{s}t{k + 1}" for k in range(count)]
        write("\n".join(["\tstimuliName\tmood", *rows]) + "\n", name.format(s=s))


def people(n_trials=3):
    return trials(*((f"0{s}", "1", "1", t, "") for s in (1, 2) for t in range(1, n_trials + 1)))


def test_a_table_for_each_recording_is_joined_by_its_name_and_order(write, tmp_path):
    write_each(write)
    found, notes = joined(people(), f"{tmp_path}/sub-*/beh/*_beh.tsv")
    assert found == ["p1t1", "p1t2", "p1t3", "p2t1", "p2t2", "p2t3"]
    assert "subject (the name of the file) and trial (order of rows)" in notes[0]
    assert any("row 1 of a file was taken for trial 1" in note for note in notes)
    # a trial in the middle that was left out keeps its number
    fewer = people().drop(index=1).reset_index(drop=True)
    found, notes = joined(fewer, f"{tmp_path}/sub-*/beh/*_beh.tsv")
    assert found == ["p1t1", "p1t3", "p2t1", "p2t2", "p2t3"]
    assert any("sub-01_task-x_beh.tsv, line 3 (subject 1, trial 2)" in note for note in notes)


def test_an_order_of_more_or_fewer_rows_says_nothing(write, tmp_path):
    write_each(write, (3, 4))
    with pytest.raises(DataError, match=r"sub-02_task-x_beh.tsv has 4 rows, but .* 3 trials"):
        join_ratings(people(), f"{tmp_path}/sub-*/beh/*_beh.tsv")
    # 3 rows and the last trial is the third: only the first was left out
    fewer = people().drop(index=0).reset_index(drop=True)
    write_each(write, (3, 3))
    assert joined(fewer, f"{tmp_path}/sub-*/beh/*_beh.tsv")[0][:2] == ["p1t2", "p1t3"]
    # neither does one whose first or last trial was left out
    for gone in (0, 2):
        fewer = people().drop(index=gone).reset_index(drop=True)
        write_each(write, (2 if gone == 0 else 3, 3))
        with pytest.raises(DataError, match=r"sub-01_task-x_beh.tsv has . rows, but .* 2 trials"):
            join_ratings(fewer, f"{tmp_path}/sub-*/beh/*_beh.tsv")


def test_tables_of_runs_count_from_the_first_trial_of_their_run(write, tmp_path):
    about = trials(*(("01", "1", str(run), 2 * run + k, "") for run in (0, 1, 2) for k in (1, 2)))
    for run in (0, 1, 2):
        write(f"mood\n{run}a\n{run}b\n", f"sub-01_run-0{run}_beh.tsv")
    pattern = f"{tmp_path}/sub-01_*.tsv"
    assert joined(about, pattern)[0] == ["0a", "0b", "1a", "1b", "2a", "2b"]
    with pytest.raises(DataError, match=r"run-01_beh.tsv has 2 rows, but its recording has 1"):
        join_ratings(about.drop(index=2).reset_index(drop=True), pattern)


def test_one_table_of_all_is_never_joined_by_its_order(write):
    rows = [f"{a.subject},x" for a in TRIALS.itertuples()]
    with pytest.raises(DataError, match="several rows for subject 1"):
        join_ratings(TRIALS, write("\n".join(["subject,mood", *rows])))


# --- columns of a table --------------------------------------------------------------------------


def test_a_column_of_the_table_goes_before_that_of_the_recordings(write):
    about = TRIALS.assign(valence=[9.0] * 8, arousal=[5.0] * 8)
    rows = [f"{a.subject},{a.session},{a.trial},{1 + k}" for k, a in enumerate(TRIALS.itertuples())]
    path = write("\n".join(["subject,session,trial,Valence", *rows]))
    labels, _ = label_trials(about, {"table": str(path), "task": "valence"})
    assert labels.codes.tolist() == [1] * 5 + [0] * 3
    table, _ = join_ratings(about, path)
    assert table["recordings.valence"].tolist() == [9.0] * 8
    assert table["subject"].tolist() == TRIALS.subject.tolist()
    assert "valence" in about  # what is given is not changed
    other = about.rename(columns={"valence": "VALENCE"})
    again, _ = label_trials(other, {"table": str(path), "task": "valence"})
    assert again.codes.tolist() == labels.codes.tolist()


def test_a_table_of_ratings_goes_through_names_scale_and_median(write):
    rows = [
        f"{a.subject},{a.session},{a.trial},{10 * k}" for k, a in enumerate(TRIALS.itertuples())
    ]
    path = str(write("\n".join(["subject,session,trial,Pleasure", *rows])))
    options = {"table": path, "task": "valence", "valence": "pleasure", "scale": [0, 100]}
    assert label_trials(TRIALS, options)[0].codes.tolist() == [1] * 6 + [0] * 2
    median = label_trials(TRIALS, options | {"threshold": "median"})[0]
    assert median.codes.tolist() == [1, 1, 0, 1, 1, 1, 0, 0]
    with pytest.raises(
        DataError, match=r"between 0 and 60; found 70 .subject 02, session 2, trial"
    ):
        label_trials(TRIALS, options | {"scale": [0, 60]})


def test_a_refusal_lists_the_columns_of_the_table_too(write):
    rows = [
        f"{a.subject},{a.session},{a.trial},{'xy'[k % 2]}"
        for k, a in enumerate(TRIALS.itertuples())
    ]
    path = str(write("\n".join(["subject,session,trial,feeling", *rows])))
    with pytest.raises(DataError, match=r"feeling \(x, y\).*Write labels: \{column: feeling\}"):
        label_trials(TRIALS, {"table": path, "task": "given"})


# --- its content is part of the experiment, its place is not -------------------------------------


def settings(path, *overrides):
    text = "name: a\ndata: {source: deap, root: x}\nmodel: {name: band_power_logreg}\n"
    return settings_for_digest(
        parse_experiment(text, overrides=[f"labels.table={path}", *overrides])
    )


def test_a_changed_rating_changes_the_digest_and_a_moved_table_does_not(write):
    text = "subject,trial,valence\n1,1,7.0\n1,2,3.0\n"
    first = digest_json(settings(write(text)))
    assert digest_json(settings(write(text, "elsewhere/other.csv"))) == first
    crlf = "\ufeff" + text.replace("\n", "\r\n")
    assert digest_json(settings(write(crlf, "crlf.csv"))) == first
    tabs = text.replace(",", "\t")
    assert digest_json(settings(write(tabs, "tabs.tsv"))) == first
    for changed in ("7.0", "1,2"), ("7.1", "1,2"), ("7.0", "1,3"):
        other = text.replace("7.0", changed[0]).replace("1,2", changed[1])
        same = digest_json(settings(write(other, "changed.csv"))) == first
        assert same == (other == text)
    bare = "name: a\ndata: {source: deap, root: x}\nmodel: {name: band_power_logreg}\n"
    assert digest_json(settings_for_digest(parse_experiment(bare))) != first
