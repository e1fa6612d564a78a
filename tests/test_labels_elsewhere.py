"""Data sets that keep labels in other places, from check to report, none of their tables rewritten.

In the style of OpenNeuro ds003751 (ratings in ``beh/``, times in milliseconds, two spellings of the
task), ds003004 (emotions in ``value``, no trial_type at all) and ds002721 (codes of a trigger box;
answers are events of their own), of small recordings of noise.
"""

import pytest
import yaml
from folders import make_noise, make_sections, write_recording

from eegemo.config import parse_experiment, settings_for_digest
from eegemo.datasets.bids import Bids
from eegemo.errors import DataError
from eegemo.execution import RunContext
from eegemo.results.result import open_result
from eegemo.runs.check import check_experiment
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.run import run_experiment
from eegemo.runs.verify import verify_result

SUBJECTS = ("01", "02")


def experiment(root, **sections):
    return parse_experiment(yaml.safe_dump(make_sections(root, **sections)))


def from_check_to_report(made, results):
    """Check and run an experiment; return the check, the true classes and the report."""
    checked = check_experiment(made, results=results, calibrate=False)
    assert checked.problems == []
    folder = run_experiment(made, results=results)
    result = open_result(folder)
    classes = result.predictions.groupby(["subject", "trial"])["y_true"].first()
    report = (folder / "report.html").read_text(encoding="utf-8")
    stored = parse_experiment((folder / "experiment.yaml").read_text(encoding="utf-8"))
    assert settings_for_digest(stored) == settings_for_digest(made)
    return checked, {key: str(value) for key, value in classes.items()}, report


def made_in(results):
    (folder,) = [path for path in results.iterdir() if path.name.startswith("t-")]
    return folder


def note_of(checked, report, words):
    """Return the note with these words, which check and the report share."""
    (note,) = [note for note in checked.notes if words in note]
    assert note.rstrip(".") in report
    return note


# --- ratings in beh/, times in milliseconds ------------------------------------------------------

#: Valence of each person's clips in the order they were shown; one answer is missing.
VALENCE = {
    "01": ["8.97", "9.0", "1.05", "1.0", "7.01", "4.42", "n/a", "6.06", "3.07", "5.0"],
    "02": ["1.0", "7.95", "8.03", "2.5", "6.5", "2.98", "8.07", "1.0", "9.0", "4.48"],
}
_CATEGORY = "{'0': [u'', u'Afraid: Worried, \"anxious\"', u'', '']}"


@pytest.fixture(scope="module")
def dens(tmp_path_factory):
    root = tmp_path_factory.mktemp("dens") / "ds003751"
    columns = ("onset", "duration", "trial_type", "label", "description")
    for subject in SUBJECTS:
        rows = [(500, "n/a", "base", "n/a", "baseline"), (2500, "n/a", "boundary", "n/a", "pause")]
        for k in range(10):
            onset = 3000 + 6000 * k
            rows += [
                (onset, 4000, "stm", f"{k + 3}_{k + 1}", "stimulus"),
                (onset + 4200, "n/a", "vlnc", "n/a", "rating screen"),
            ]
        write_recording(
            root, subject, task="Emotion", events_task="emotion", events=rows, columns=columns,
            data=make_noise(66, seed=int(subject)),
        )  # fmt: skip
        header = "\tstimuliName\tvalence\tarousal\temotionCateg\tQuadrant"
        lines = [
            f"{k}\t{k + 3}.mp4\t{rating}\t7.5\t{_CATEGORY if k % 2 else '{}'}\tn/a"
            for k, rating in enumerate(VALENCE[subject])
        ]
        folder = root / f"sub-{subject}" / "beh"
        folder.mkdir()
        table = folder / f"sub-{subject}_task-Emotion_beh.tsv"
        table.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return root


def test_ratings_in_a_table_for_each_person(dens):
    made = experiment(
        dens,
        data={"trial_types": ["stm"], "tmax": 4.0, "times": "milliseconds"},
        labels={"task": "valence", "table": f"{dens}/sub-*/beh/*_beh.tsv", "ties": "high"},
    )
    checked, classes, report = from_check_to_report(made, dens.parent / "results")
    assert classes == {
        (subject, k + 1): "HV" if float(rating) >= 5 else "LV"
        for subject in SUBJECTS
        for k, rating in enumerate(VALENCE[subject])
        if rating != "n/a"
    }
    words = note_of(checked, report, "Labels are taken from")
    assert "for 20 trials, joined on subject (the name of the file) and trial (order" in words
    note_of(checked, report, "row 1 of a file was taken for trial 1")
    assert "1 trial has no class because a rating is missing" in report
    assert verify_result(made_in(dens.parent / "results")).agrees


def test_a_refusal_says_what_the_events_and_the_tables_have(dens):
    data = {"trial_types": ["stm"], "tmax": 4.0, "times": "milliseconds"}
    plain = experiment(dens, data=data, labels={"task": "valence"})
    (problem,) = check_experiment(plain, calibrate=False).problems
    assert "no column is called valence" in problem
    assert "description (stimulus)" in problem
    assert "labels: {table: ratings.csv}" in problem
    table = {"table": f"{dens}/sub-*/beh/*_beh.tsv", "task": "valence", "valence": "pleasure"}
    (problem,) = check_experiment(experiment(dens, data=data, labels=table)).problems
    assert "valence (1 to 9)" in problem
    assert "Write labels: {valence: valence}" in problem


# --- emotions in value, no trial_type ------------------------------------------------------------

EMOTIONS = ("joy", "fear", "awe", "disgust", "joy", "grief", "awe", "fear", "joy", "grief")


@pytest.fixture(scope="module")
def imagined(tmp_path_factory):
    root = tmp_path_factory.mktemp("imagined") / "ds003004"
    columns = ("onset", "duration", "sample", "trial_type", "response_time", "stim_file", "value")
    for subject in SUBJECTS:
        spoken = EMOTIONS if subject == "01" else EMOTIONS[::-1]
        events = [(0.2, "prebase")]
        for k, emotion in enumerate(spoken):
            begin = 1.0 + 6.5 * k
            events += [(begin, "enter"), (begin + 0.0703125, emotion), (begin + 3.1, "press")]
            events += [(begin + 3.9, "press"), (begin + 5.5, "exit")]
        rows = [
            (f"{onset:.10f}", "0.0", "n/a", "n/a", "n/a", "n/a", value) for onset, value in events
        ]
        write_recording(
            root, subject, task="ImaginedEmotion", events=rows, columns=columns,
            data=make_noise(70, seed=10 + int(subject)),
        )  # fmt: skip
    people = "participant_id\tgroup\nsub-01\tactor\nsub-02\tdancer\n"
    (root / "participants.tsv").write_text(people)
    return root


def test_emotions_in_another_column_are_merged_into_classes(imagined):
    merged = {"positive": ["joy", "awe"], "negative": ["fear", "disgust", "grief"]}
    made = experiment(
        imagined,
        data={"trial_types": sorted(set(EMOTIONS)), "tmax": 4.0},
        labels={"task": "given", "column": "value", "rename": merged},
    )
    checked, classes, _ = from_check_to_report(made, imagined.parent / "results")
    truth = {"01": EMOTIONS, "02": EMOTIONS[::-1]}
    assert classes == {
        (subject, k + 1): "positive" if emotion in merged["positive"] else "negative"
        for subject in SUBJECTS
        for k, emotion in enumerate(truth[subject])
    }
    assert ("trials", "negative 10, positive 10") in checked.facts


def test_the_column_of_the_emotions_is_offered(imagined):
    for data in ({"trial_types": ["joy", "fear"], "tmax": 4.0}, {"tmax": 0.5}):
        (problem,) = check_experiment(
            experiment(imagined, data=data, labels={"task": "given"}), calibrate=False
        ).problems
        assert "no trial has a trial_type" in problem
        assert "labels: {column: value}" in problem
    with pytest.raises(DataError, match=r"no event has the trial_type 'joyy'\. Did you mean 'joy'"):
        Bids(root=str(imagined), trial_types=["joyy"], tmax=4.0).find()


def test_a_class_of_people_comes_from_their_table(imagined):
    made = experiment(
        imagined,
        data={"trial_types": sorted(set(EMOTIONS)), "tmax": 4.0},
        labels={"task": "given", "column": "group"},
    )
    checked = check_experiment(made, calibrate=False)
    # one person of each group: all there is to say, since nobody else could be held out
    assert any("participants.group: actor 10, dancer 10" in text for _, text in checked.facts)
    assert any("never changes within a person" in problem for problem in checked.problems)


# --- codes of a trigger box, answers as events ---------------------------------------------------

#: The answer, 1 to 9, to the question how happy each of the clips made them.
HAPPY = {"01": (1, 9, 7, 2, 8, 3, 9, 1, 6, 2), "02": (7, 2, 8, 1, 3, 9, 2, 6, 1, 9)}


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    root = tmp_path_factory.mktemp("music") / "ds002721"
    for subject in SUBJECTS:
        rows = []
        for k, answer in enumerate(HAPPY[subject]):
            begin = 1.0 + 6.5 * k
            rows += [(begin, 20, 301 + k), (begin + 0.002, 20, 788)]
            rows += [(begin + 4.5, 20, 805), (begin + 5.5, 20, 900 + answer)]
        write_recording(
            root, subject, task="run2", events=rows, data=make_noise(70, seed=20 + int(subject))
        )
    lines = [
        f"sub-{subject},{k},{answer}"
        for subject in SUBJECTS
        for k, answer in enumerate(HAPPY[subject], start=1)
    ]
    table = root.parent / "answers.csv"
    table.write_text("\n".join(["participant_id,trial,happy", *lines, "sub-07,1,5"]) + "\n")
    return root, table


def answers(root, table):
    labels = {"task": "valence", "valence": "happy", "table": str(table), "scale": [1, 9]}
    return experiment(root, data={"trial_types": ["788"], "tmax": 4.0}, labels=labels)


@pytest.fixture(scope="module")
def answered(music):
    root, table = music
    return from_check_to_report(answers(root, table), root.parent / "results")


def test_answers_in_a_table_of_ones_own(answered):
    checked, classes, report = answered
    assert classes == {
        (subject, k): "HV" if answer > 5 else "LV"
        for subject in SUBJECTS
        for k, answer in enumerate(HAPPY[subject], start=1)
    }
    assert "joined on subject (participant_id) and trial." in note_of(checked, report, "joined")
    note_of(checked, report, "1 row of answers.csv is of subjects that are not used: 7")


def test_a_changed_answer_is_another_result_and_a_moved_table_is_not(music, answered):
    root, table = music
    results = root.parent / "results"

    def plan(path):
        return prepare_experiment(answers(root, path), RunContext(results))

    first = plan(table)
    moved = root.parent / "elsewhere.csv"
    moved.write_bytes(table.read_bytes())
    assert plan(moved).folder == first.folder == made_in(results)
    # 7 is as high as 6: the same classes of another table
    moved.write_text(table.read_text().replace("sub-01,3,7", "sub-01,3,6"))
    other = plan(moved)
    assert other.folder != first.folder
    assert other.digests["labels"] == first.digests["labels"]
    assert other.digests["experiment"] != first.digests["experiment"]
    # a stored result says so where its table has changed since, or is gone
    before = table.read_text()
    try:
        table.write_text(before.replace("sub-01,3,7", "sub-01,3,1"))
        told = verify_result(made_in(results))
        assert not told.agrees
        assert "labels" in told.different
        table.unlink()
        with pytest.raises(DataError, match="no such table"):
            verify_result(made_in(results))
    finally:
        table.write_text(before)
