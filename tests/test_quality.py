"""Preprocessing as a command: what is stored, what is done again, and what the report shows."""

import json
import re
import shutil
from dataclasses import dataclass
from functools import partial

import mne
import numpy as np
import pandas as pd
import pytest
import yaml

from eegemo.cli import main
from eegemo.config import parse_experiment
from eegemo.datasets import Recording, Run
from eegemo.datasets.deap import DEAP_CHANNELS, load_deap_arrays
from eegemo.errors import DataError
from eegemo.execution import RunContext
from eegemo.pages.figures.quality import draw_bad_counts, draw_blinks, draw_removed, draw_spectra
from eegemo.preprocessing import EogRemoval, load_records, preprocess
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.signals import preprocess_experiment, write_quality_report
from eegemo.runs.trials import TrialsTask, prepare_trials, store_subject
from eegemo.simulation import simulate_deap
from eegemo.simulation.deap_files import write_dat
from eegemo.trials import load_trials
from raw_eeg import simulate


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Four simulated subjects in DEAP's preprocessed form."""
    root = tmp_path_factory.mktemp("release")
    simulate_deap(root, n_subjects=4, n_trials=8, duration=4.0, effect=1.6)
    return root


def experiment(root, *overrides):
    sections = {
        "name": "small",
        "data": {"source": "deap", "root": str(root)},
        "preprocessing": {"baseline": [-3.0, 0.0], "l_freq": 4.0},
        "split": {"n_splits": 2},
        "windows": {"duration": 1.0},
        "model": {"name": "cnn_gru"},
    }
    return parse_experiment(yaml.safe_dump(sections), overrides=overrides)


def spoil(root, subject, change):
    """Write a subject's file again, with something changed in its signals (microvolts)."""
    path = root / "data_preprocessed_python" / f"{subject}.dat"
    data, labels = load_deap_arrays(path)
    change(data)
    write_dat(path, labels, iter(data), data.shape)


# what is done again


def test_only_what_affects_a_subject_is_done_again(release, tmp_path):
    root = shutil.copytree(release, tmp_path / "release")
    first = prepare_trials(experiment(root), RunContext(tmp_path))
    assert first.made == first.subjects == ("s01", "s02", "s03", "s04")
    for change in ("training.epochs=7", "windows.duration=2.0", "split.n_splits=3", "seed=9"):
        again = prepare_trials(experiment(root, change), RunContext(tmp_path))
        assert again.made == (), change
        assert again.folders == first.folders
    other = prepare_trials(experiment(root, "preprocessing.l_freq=5.0"), RunContext(tmp_path))
    assert other.made == first.subjects
    (root / "data_preprocessed_python" / "s02.dat").touch()
    assert prepare_trials(experiment(root), RunContext(tmp_path)).made == ()  # the same bytes
    spoil(root, "s02", lambda data: np.multiply(data, 1.001, out=data))
    assert prepare_trials(experiment(root), RunContext(tmp_path)).made == ("s02",)


def test_a_failure_loses_only_the_subject_in_work(release, tmp_path, monkeypatch):
    def fail_at_third(task):
        if task.recording.subject == "s03":
            raise KeyboardInterrupt
        return store_subject(task)

    monkeypatch.setattr("eegemo.runs.trials.store_subject", fail_at_third)
    with pytest.raises(KeyboardInterrupt):
        preprocess_experiment(experiment(release), results=tmp_path)
    monkeypatch.undo()
    assert prepare_trials(experiment(release), RunContext(tmp_path)).made == ("s03", "s04")


def test_a_run_finds_what_preprocessing_stored(release, tmp_path):
    two = experiment(release, "data.subjects=[s01, s02]")
    prepare_trials(two, RunContext(tmp_path))
    stored = {path.name for path in (tmp_path / ".store" / "trials").iterdir()}
    prepared = prepare_experiment(two, RunContext(tmp_path))
    assert {folder.name for folder in prepared.windows.trials.folders} == stored
    assert {path.name for path in (tmp_path / ".store" / "trials").iterdir()} == stored


# what is known afterwards


def test_rejected_trials_shift_no_label(release, tmp_path):
    """The other trials keep signals, numbers and ratings; the record names those left out."""
    root = shutil.copytree(release, tmp_path / "release")

    def break_two(data):
        data[1, 5, 300] += 5000
        data[4, 20, 700] -= 9000

    spoil(root, "s03", break_two)
    reject = "preprocessing.reject=0.002"
    whole = load_trials(prepare_trials(experiment(root), RunContext(tmp_path)).folders)
    stored = prepare_trials(experiment(root, reject), RunContext(tmp_path))
    trials = load_trials(stored.folders)
    one = whole.metadata.index[
        (whole.metadata["subject"] != "s03") | ~whole.metadata["trial"].isin([2, 5])
    ]
    expected = whole.metadata.loc[one].reset_index(drop=True)
    assert trials.metadata.reset_index(drop=True).equals(expected)
    for row, same in enumerate(one):
        np.testing.assert_array_equal(trials.array(row), whole.array(same))
    note = "2 of 8 trials left out, peak-to-peak amplitude above 2000 µV: 2, 5"
    assert f"Subject s03: {note}" in stored.notes
    (record,) = load_records(stored.folders[2])
    assert [(one.trial, one.channel) for one in record.rejected] == [
        (2, DEAP_CHANNELS[5]),
        (5, DEAP_CHANNELS[20]),
    ]


def test_no_trial_left_names_the_subject(release, tmp_path):
    with pytest.raises(DataError, match=r"subject s01: reject=1e-06 V leaves none of 8 trials"):
        prepare_trials(experiment(release, "preprocessing.reject=1.0e-6"), RunContext(tmp_path))


def test_a_step_that_cannot_be_done_names_the_subject(release, tmp_path):
    wrong = experiment(release, "preprocessing.eog=ica", "data.channels=[Fz, Cz, Pz]")
    with pytest.raises(DataError, match="subject s01: eog: ica needs 8 good EEG channels"):
        prepare_trials(wrong, RunContext(tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("preprocessing.l_freq=1.0", "nothing outside 4 to 45 Hz, so a wider band-pass"),
        (
            "preprocessing.h_freq=45.0",
            "were filtered to 4-45 Hz by its authors; they were filtered",
        ),
        ("preprocessing.eog=regression", "were freed of eye movements by its authors; eog: regr"),
        ("preprocessing.reference=average", "have the average reference of all 32 channels"),
    ],
)
def test_what_the_authors_of_deap_did_is_not_done_twice_without_saying_so(
    release, tmp_path, change, says
):
    one = experiment(release, change, "data.subjects=[s01, s02]")
    notes = prepare_trials(one, RunContext(tmp_path)).notes
    assert sum(says in note for note in notes) == 1  # not once for each subject


def test_cleaned_files_as_they_are_need_no_note(release, tmp_path):
    plain = experiment(release, "preprocessing.l_freq=null", "data.subjects=[s01]")
    assert prepare_trials(plain, RunContext(tmp_path)).notes == ()


# several runs, continuous


@dataclass(frozen=True, eq=False)
class TwoRuns(Recording):
    """Two continuous runs of a subject, four trials of 5 s each; what is wrong is in `damage`."""

    damage: tuple = (None, None)

    def read(self, *, eeg_only=False):
        for number, change in enumerate(self.damage):
            raw, _, _ = simulate(number, 30)
            if eeg_only:
                raw.pick("eeg")
            if change is not None:
                change(raw)
            yield Run(raw, partial(self.make_epochs, number), (f"run {number + 1} was read",))

    def make_epochs(self, run, raw):
        metadata = pd.DataFrame({"trial": np.arange(4) + 1 + 4 * run, "subject": "x"})
        metadata["session"], metadata["stimulus"] = "1", metadata["trial"].astype(str)
        onsets = np.arange(4) * 6 * int(raw.info["sfreq"]) + int(raw.info["sfreq"])
        events = np.column_stack([onsets, np.zeros(4, int), np.ones(4, int)])
        options = {"baseline": None, "preload": True, "metadata": metadata, "verbose": "ERROR"}
        return mne.Epochs(raw, events, tmin=0.0, tmax=4.99, picks="all", **options)


def store_runs(folder, *damage, **steps):
    every = parse_experiment("name: a\ndata: {source: simulated}\nmodel: {name: cnn_gru}\n")
    steps = every.preprocessing.model_dump() | {"channels": "eeg"} | steps
    recording = TwoRuns("x", (), "test", damage=damage)
    store_subject(TrialsTask(recording, folder, steps))
    return load_trials([folder]), load_records(folder)


def test_the_same_section_drives_continuous_runs(tmp_path):
    def flat(raw):
        raw._data[2] = 0

    steps = {"sfreq": 128.0, "l_freq": 4.0, "h_freq": 45.0, "reference": "average"}
    steps |= {"bads": "interpolate", "eog": "regression"}
    trials, records = store_runs(tmp_path / "t", None, flat, **steps)
    assert trials.ch_names == DEAP_CHANNELS[:32]
    assert trials.metadata["trial"].tolist() == list(range(1, 9))
    assert [list(record.bads) for record in records] == [[], [DEAP_CHANNELS[2]]]
    raw = simulate(1, 30)[0]
    flat(raw)
    alone = preprocess(raw, **steps, make_epochs=partial(TwoRuns.make_epochs, None, 1))
    np.testing.assert_array_equal(
        trials.arrays[0][4:], alone.get_data().swapaxes(1, 2).astype(np.float32)
    )
    assert (tmp_path / "t" / "notes.txt").read_text(encoding="utf-8").splitlines() == [
        "Subject x: run 1 was read",
        "Subject x: run 2 was read",
        f"Subject x: channel {DEAP_CHANNELS[2]} replaced by its neighbours: flat",
    ]


def test_a_run_without_a_good_trial_leaves_the_other(tmp_path):
    def wild(raw):
        raw._data[:32] *= 1000

    steps = {"l_freq": 4.0, "reject": 0.001}
    trials, records = store_runs(tmp_path / "t", wild, None, **steps)
    assert trials.metadata["trial"].tolist() == [5, 6, 7, 8]
    assert [len(record.rejected) for record in records] == [4, 0]
    notes = (tmp_path / "t" / "notes.txt").read_text(encoding="utf-8")
    assert "leaves none of 4 trials" in notes
    with pytest.raises(DataError, match=r"subject x: .*leaves none of 4 trials"):
        store_runs(tmp_path / "u", wild, wild, **steps)
    assert not (tmp_path / "u").exists()


# the report


def test_the_report_shows_what_was_done_and_draws_only_what_is_new(release, tmp_path):
    root = shutil.copytree(release, tmp_path / "release")

    def damage(data):
        data[:, 3] = 0
        data[6, 10, 800] += 5000

    spoil(root, "s02", damage)
    steps = ("eog=regression", "h_freq=45.0", "bads=interpolate", "reject=0.002")
    asked = experiment(
        root, "data.subjects=[s01, s02]", *(f"preprocessing.{step}" for step in steps)
    )
    path = preprocess_experiment(asked, results=tmp_path)
    text = path.read_text(encoding="utf-8")
    assert path.name == "quality.html"
    for words in ("Spectra before and after", "Eye movements: what was removed", "Bad channels"):
        assert words in text
    assert not re.search(r"<(?:script|img|link)[^>]*(?:src|href)=\"https?:", text)
    page = (path.parent / "subjects" / "s02.html").read_text(encoding="utf-8")
    for words in ("F7: flat", "Rejected trials", "<td>7</td>", "band-pass 4 to 45 Hz"):
        assert words in page
    numbers = json.loads((path.parent / "quality.json").read_text(encoding="utf-8"))
    (run,) = numbers["subjects"]["s02"]
    assert run["interpolated"] == ["F7"]
    assert [one["trial"] for one in run["rejected"]] == [7]
    assert run["eog"]["channels"] == ["hEOG", "vEOG"]

    pages = {page: page.stat().st_ino for page in (path.parent / "subjects").iterdir()}
    stored = prepare_trials(asked, RunContext(tmp_path))
    write_quality_report(stored, path.parent)
    assert {page: page.stat().st_ino for page in pages} == pages
    spoil(root, "s01", lambda data: np.multiply(data, 1.001, out=data))
    write_quality_report(prepare_trials(asked, RunContext(tmp_path)), path.parent)
    assert [page.stem for page in sorted(pages) if page.stat().st_ino != pages[page]] == ["s01"]


def test_figures_are_not_wider_than_mne_draws_them():
    """Above 850 pixels MNE scales figures, and shears those of another width by a fraction."""
    rng = np.random.default_rng(0)
    power = rng.uniform(1, 2, (3, 20)) * 1e-12
    names = ["Fz", "Cz", "Pz"]
    maps = rng.normal(size=(3, 8))
    labels = [f"component {k}" for k in range(8)]
    removal = EogRemoval("ica", ["vEOG"], names, labels, maps, removed=np.ones(3) * 1e-6)
    removal.blink_times = np.linspace(-0.5, 0.5, 9)
    removal.blink_before = removal.blink_after = rng.normal(size=(3, 9)) * 1e-5
    places = [[0.0, 0.06, 0.07], [0.0, 0.0, 0.09], [0.0, -0.06, 0.07]]
    for figure in (
        draw_spectra(np.arange(20.0), power, power),
        draw_removed(removal, places),
        draw_removed(removal, None),
        draw_blinks(removal),
        draw_bad_counts({"Fz": ["s01", "s02"]}, 3),
    ):
        assert figure.get_figwidth() * figure.dpi <= 850


@pytest.mark.slow
def test_processes_store_what_one_process_stores(release, tmp_path):
    steps = ("preprocessing.eog=ica", "preprocessing.h_freq=45.0")
    one = prepare_trials(experiment(release, *steps), RunContext(tmp_path / "one"))
    two = prepare_trials(experiment(release, *steps), RunContext(tmp_path / "two", jobs=2))
    for first, second in zip(one.folders, two.folders, strict=True):
        assert (first / "trials.npy").read_bytes() == (second / "trials.npy").read_bytes()


def test_the_command_prints_where_the_report_is(release, tmp_path, capsys):
    file = tmp_path / "a.yaml"
    file.write_text(experiment(release, "data.subjects=[s01]").to_yaml(), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["preprocess", str(file), "--results", str(tmp_path / "r"), "--jobs", "0"])
    printed = capsys.readouterr()
    assert not ended.value.code
    (report,) = (tmp_path / "r").glob("small-preprocessing-*/quality.html")
    assert printed.out.strip() == str(report)
    assert "s01" in printed.err
