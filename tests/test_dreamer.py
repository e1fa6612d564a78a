"""DREAMER: its file read with suspicion, its traps, and the whole way on the command line."""

import json
import re
import struct
import zlib
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest
import scipy.io
import yaml

from eegemo.cli import main
from eegemo.config import parse_experiment
from eegemo.datasets.dreamer import Dreamer, look_into
from eegemo.datasets.dreamer.contents import CHANNELS
from eegemo.datasets.memory import Memory
from eegemo.errors import DataError, InputError
from eegemo.execution import RunContext
from eegemo.formats.mat_trees import walk_mat
from eegemo.labels import make_labels
from eegemo.runs.check_data import check_data
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.run import run_experiment
from eegemo.simulation import is_simulated, simulate_dreamer
from eegemo.trials import load_trials, make_trials

SMALL = {"n_subjects": 3, "n_trials": 6, "shortest": 5.0, "longest": 8.0, "rest": 4.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return simulate_dreamer(tmp_path_factory.mktemp("dreamer"), **SMALL, effect=1.6, seed=3)


@pytest.fixture(scope="module")
def content(made):
    """What SciPy reads, which is trusted with a file of our own."""
    return scipy.io.loadmat(made.root / "DREAMER.mat", simplify_cells=True)["DREAMER"]


def of(made, **options):
    return Dreamer(root=str(made.root), **options)


def read(made, subject="s02", **options):
    (recording,) = of(made, subjects=[subject], **options).find()
    return list(recording.read())


# --- what is read -------------------------------------------------------------------------------


def test_whole_clips_are_those_of_the_file(made, content):
    runs = read(made, last=None, rest=2.0)
    assert [len(run.inst.times) for run in runs] == [
        256 + len(film) for film in content["Data"][1]["EEG"]["stimuli"]
    ]
    for k, run in enumerate(runs):
        clips = content["Data"][1]["EEG"]
        joined = np.concatenate([clips["baseline"][k][-256:], clips["stimuli"][k]])
        np.testing.assert_allclose(run.inst.get_data()[0], 1e-6 * joined.T, rtol=1e-15)
        assert run.inst.tmin == -2.0
        assert run.inst.times[256] == 0.0
    about = pd.concat([run.inst.metadata for run in runs], ignore_index=True)
    assert about["trial"].tolist() == [1, 2, 3, 4, 5, 6]
    assert about["stimulus"].tolist() == [f"clip{k:02d}" for k in range(1, 7)]
    assert set(about["subject"]) == {"s02"}
    np.testing.assert_array_equal(
        about[["valence", "arousal", "dominance"]].to_numpy(), made.scores[1]
    )


def test_the_last_seconds_make_one_run(made, content):
    (run,) = read(made, last=4.0, rest=1.0)
    epochs = run.inst
    assert epochs.get_data(copy=False).shape == (6, 14, 128 + 512)
    films = content["Data"][1]["EEG"]["stimuli"]
    for k, film in enumerate(films):
        np.testing.assert_allclose(epochs.get_data()[k, :, 128:], 1e-6 * film[-512:].T, rtol=1e-15)
    assert epochs.ch_names == list(CHANNELS)
    assert set(epochs.get_channel_types()) == {"eeg"}
    place = epochs.get_montage().get_positions()["ch_pos"]
    assert place["F7"][0] < 0 < place["F8"][0]  # left and right


def test_the_offset_is_kept_and_told(made):
    (run,) = read(made, last=4.0)
    mean = run.inst.get_data().mean(axis=(0, 2))
    np.testing.assert_allclose(mean, 1e-6 * made.offset[1], atol=2e-6)
    notes = of(made).notes([], {"l_freq": None, "baseline": None})
    assert "microvolts" in notes[0]
    assert "offset" in notes[1]
    for removed in ({"l_freq": 1.0, "baseline": None}, {"l_freq": None, "baseline": [-3, 0]}):
        assert len(of(made).notes([], removed)) == 1


def test_lengths_are_told_without_reading_signals(made):
    dataset = of(made, last=None)
    assert [dataset.outline(one).durations for one in dataset.find()] == 3 * [made.durations]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"the clip of trial 1 of s01 has .* s; expected at least 60 s.*data\.last"),
        ({"last": 4.0, "rest": 5.0}, r"the rest of trial 1 of s01 has 4 s.*data\.rest"),
    ],
)
def test_clips_that_are_too_short_are_refused(made, options, message):
    recording = of(made, **options).find()[0]
    for look in (lambda: list(recording.read()), lambda: of(made).outline(recording)):
        with pytest.raises(DataError, match=message):
            look()


def test_subjects_are_chosen_by_name_or_number(made):
    assert [one.subject for one in of(made).find()] == ["s01", "s02", "s03"]
    assert [one.subject for one in of(made, subjects=[3, "s01", "1"]).find()] == ["s01", "s03"]
    with pytest.raises(DataError, match=r"Subject 's4' is not in .*holds 3: s01, s02, s03"):
        of(made, subjects=["s4"]).find()


def test_a_structure_in_place_of_a_cell_is_read_alike(made, content, tmp_path):
    """MATLAB's users turn one into the other; also uncompressed, and for one person."""
    for n in (1, 3):
        people = np.empty(n, dtype=[(name, object) for name in content["Data"][0]])
        for k in range(n):
            for name in people.dtype.names:
                people[k][name] = clean(content["Data"][k][name])
        changed = clean(content) | {"Data": people.reshape(1, n)}
        scipy.io.savemat(tmp_path / "DREAMER.mat", {"DREAMER": changed})
        recording = Dreamer(root=str(tmp_path), last=3.0).find()[-1]
        assert recording.subject == f"s{n:02d}"
        expected = read(made, f"s{n:02d}", last=3.0)[0].inst
        (run,) = recording.read()
        np.testing.assert_array_equal(run.inst.get_data(), expected.get_data())


def clean(part):
    """Turn what SciPy simplifies back into cells."""
    if isinstance(part, dict):
        return {name: clean(inner) for name, inner in part.items()}
    if isinstance(part, list) or (isinstance(part, np.ndarray) and part.dtype == object):
        cell = np.empty((len(part), 1), dtype=object)
        for k, inner in enumerate(part):
            cell[k, 0] = clean(inner)
        return cell
    if isinstance(part, np.ndarray):
        return list_of_names(part) if part.dtype.kind == "U" else part.copy()
    return part


def list_of_names(part):
    cell = np.empty((1, len(part)), dtype=object)
    cell[0] = [str(name).strip() for name in part]
    return cell


# --- labels -------------------------------------------------------------------------------------


def test_high_is_above_three_as_the_authors_have_it(made, tmp_path):
    experiment = parse_experiment(f"{{name: a, data: {{source: dreamer, root: {made.root}}}, "
                                  "model: {name: band_power_logreg}}")  # fmt: skip
    assert experiment.labels.threshold == 3.0
    assert "threshold: 3.0\n" in experiment.to_yaml()
    assert parse_experiment(experiment.to_yaml()) == experiment
    about = read(made, last=4.0)[0].inst.metadata
    options = experiment.labels.model_dump() | {"task": "valence"}
    labels = make_labels(about, **options, rating_range=Dreamer.rating_range)
    high = [labels.classes[code] == "HV" for code in labels.codes]
    assert high == (about["valence"] > 3).tolist()


def test_a_threshold_of_the_file_is_kept_and_others_have_theirs():
    text = "{name: a, data: {source: SOURCE, root: x}, LABELS model: {name: band_power_logreg}}"
    for source, labels, expected in [
        ("dreamer", "labels: {threshold: 2.0},", 2.0),
        ("dreamer", "labels: {threshold: median},", "median"),
        ("dreamer", "labels: {task: arousal},", 3.0),
        ("deap", "", 5.0),
        ("bids", "labels: {ties: drop},", 5.0),
    ]:
        experiment = parse_experiment(text.replace("SOURCE", source).replace("LABELS", labels))
        assert experiment.labels.threshold == expected


def test_ratings_beyond_the_scale_are_refused():
    about = pd.DataFrame({"subject": "s01", "trial": [1, 2], "valence": [1.0, 5.5]})
    message = r"valence must lie between 1 and 5; found 5\.5 \(subject s01, trial 2; 1 such"
    with pytest.raises(DataError, match=message):
        make_labels(about, task="valence", threshold=3.0, rating_range=(1.0, 5.0))
    assert make_labels(about, task="valence", threshold=3.0).counts() == {"HV": 1, "LV": 1}


# --- files that are not what they should be ------------------------------------------------------


def rewrite(tmp_path, content, change):
    changed = clean(content)
    change(changed)
    scipy.io.savemat(tmp_path / "DREAMER.mat", {"DREAMER": changed}, do_compression=True)
    return Dreamer(root=str(tmp_path), last=3.0)


def set_clip(value):
    def change(content):
        content["Data"][1, 0]["EEG"]["stimuli"][2, 0] = value

    return change


def add_nan(content):
    content["Data"][1, 0]["EEG"]["stimuli"][2, 0][-5, 3] = np.nan


def set_score(content):
    content["Data"][1, 0]["ScoreArousal"][4] = 6.0


FAULTS = {
    "rate": (lambda c: c.update(EEG_SamplingRate=256.0), r"EEG_SamplingRate is \[256\.0\].*128 Hz"),
    "no rate": (lambda c: c.pop("EEG_SamplingRate"), "EEG_SamplingRate is none"),
    "electrodes": (
        lambda c: c.update(EEG_Electrodes=list_of_names(["Fz"] * 14)), "EEG_Electrodes are Fz",
    ),
    "transposed": (set_clip(np.zeros((14, 900))), r"clip 3 of person 2.*shape \(14, 900\)"),
    "empty": (set_clip(np.zeros((0, 0))), r"clip 3 of person 2.*shape \(0, 0\)"),
    "text": (set_clip("no signal"), r"clip 3 of person 2 \(EEG.stimuli\)"),
    "complex": (set_clip(np.zeros((900, 14), complex)), "is complex numbers"),
    "fewer clips": (
        lambda c: c["Data"][1, 0]["EEG"].update(stimuli=c["Data"][1, 0]["EEG"]["stimuli"][:5]),
        "person 2 has other numbers of clips than of ratings.*EEG.stimuli 5",
    ),
    "score": (set_score, "ScoreArousal of person 2, clip 5, is 6; expected 1 to 5"),
    "no scores": (lambda c: c["Data"][1, 0].pop("ScoreValence"), "ScoreValence 0"),
    "nobody": (lambda c: c.pop("Data"), "holds nobody"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_as_it_should_be_is_refused_by_name(content, tmp_path, fault):
    change, message = FAULTS[fault]
    dataset = rewrite(tmp_path, content, change)
    with pytest.raises(DataError, match=f"DREAMER.mat.*{message}"):
        [dataset.outline(recording) for recording in dataset.find()]


def test_samples_that_are_no_numbers_are_refused_by_name(content, tmp_path):
    dataset = rewrite(tmp_path, content, add_nan)
    first, second, _ = dataset.find()
    list(first.read())
    with pytest.raises(DataError, match="s02, trial 3, channel FC5 holds nan"):
        list(second.read())


def test_a_missing_rating_is_missing(content, tmp_path):
    def change(content):
        content["Data"][0, 0]["ScoreValence"][1] = np.nan

    (run,) = rewrite(tmp_path, content, change).find()[0].read()
    assert np.isnan(run.inst.metadata["valence"].iloc[1])


def test_a_folder_without_the_file(tmp_path):
    with pytest.raises(DataError, match="expected a folder that holds DREAMER"):
        Dreamer(root=str(tmp_path)).find()
    (tmp_path / "DREAMER.mat").symlink_to("not/fetched")
    with pytest.raises(DataError, match="broken link"):
        Dreamer(root=str(tmp_path)).find()


@pytest.mark.parametrize("compressed", [True, False])
def test_every_cut_and_many_changed_bytes_are_errors_in_words(made, content, tmp_path, compressed):
    """Never a crash, a hang or another exception; and never other numbers where it is checked."""
    file = tmp_path / "DREAMER.mat"
    small = clean(content) | {"Data": clean(content)["Data"][:1]}
    scipy.io.savemat(file, {"DREAMER": small}, do_compression=compressed)
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for n in [0, 5, 127, 128, 135, *rng.integers(136, len(whole), 12)]:
        file.write_bytes(whole[:n])
        with pytest.raises(DataError):
            list(walk_mat(file, "DREAMER"))
    told = []
    for at in [*range(128, 240, 3), *rng.integers(128, len(whole), 40)]:
        broken = bytearray(whole)
        broken[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(broken)
        try:
            list(walk_mat(file, "DREAMER", wanted=lambda place: place[-2:-1] != ("stimuli",)))
        except DataError as error:
            told.append(str(error))
    assert all(str(file) in message for message in told)
    assert len(told) > (70 if compressed else 10)  # a checksum is there only if it is compressed


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def matrix(flags, shape, name, *parts):
    head = element(6, struct.pack("<II", flags, 0))
    head += element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)
    return element(14, head + b"".join(parts))


HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


def deep(n):
    inner = matrix(6, (1, 1), b"", element(9, b"\0" * 8))
    for _ in range(n):
        inner = matrix(1, (1, 1), b"", inner)
    return matrix(1, (1, 1), b"DREAMER", inner)


HOSTILE = {
    "deep": (deep(60), "too deep"),
    "many parts": (matrix(1, (2**30, 2), b"DREAMER"), "claims to have 2147483648 parts"),
    "huge array": (matrix(6, (2**28, 14), b"DREAMER", struct.pack("<II", 9, 2**31)), "claims the"),
    "negative": (matrix(6, (-1, 14), b"DREAMER", element(9, b"")), r"has the shape \(-1, 14\)"),
    "an object": (matrix(3, (1, 1), b"DREAMER"), "is an object"),
    "a function": (matrix(16, (1, 1), b"DREAMER"), "is a function"),
    "sparse": (matrix(5, (1, 1), b"DREAMER"), "is a sparse array"),
    "twice": (2 * matrix(6, (1, 1), b"DREAMER", element(9, b"\0" * 8)), "twice"),
    "not there": (matrix(6, (1, 1), b"other", element(9, b"\0" * 8)), "no variable 'DREAMER'"),
    "longer inside": (
        matrix(1, (1, 1), b"DREAMER", struct.pack("<II", 14, 2**20)), "no array inside another",
    ),
    "bomb": (
        element(15, zlib.compress(struct.pack("<II", 14, 2**31) + bytes(10**6))), "may be hostile",
    ),
    "more than it says": (
        element(15, zlib.compress(matrix(6, (1, 1), b"DREAMER", element(9, bytes(8))) + bytes(9))),
        "holds more than it says",
    ),
    "longer than its array": (
        matrix(6, (1, 1), b"DREAMER", 2 * element(9, bytes(8))), "not as long as it says",
    ),
    "two fields of one name": (
        matrix(2, (1, 1), b"DREAMER", element(5, struct.pack("<i", 2)), element(1, b"a\0a\0")),
        "two fields of one name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_at_once(tmp_path, name):
    body, message = HOSTILE[name]
    file = tmp_path / "DREAMER.mat"
    file.write_bytes(HEADER + body)
    with pytest.raises(DataError, match=message):
        list(walk_mat(file, "DREAMER"))
    with pytest.raises(DataError):
        Dreamer(root=str(tmp_path)).outline(Dreamer(root=str(tmp_path)).find()[0])


def test_other_files_are_said_so(tmp_path):
    file = tmp_path / "DREAMER.mat"
    for start, message in [
        (b"MATLAB 7.3 MAT-file".ljust(200), "7.3"),
        (b"\x89HDF\r\n".ljust(200), "7.3"),
        (b"PK".ljust(200), "does not begin as MATLAB 5 files do"),
    ]:
        file.write_bytes(start)
        with pytest.raises(DataError, match=message):
            Dreamer(root=str(tmp_path)).find()


# --- the simulation -----------------------------------------------------------------------------


def test_a_seed_gives_the_same_and_the_truth_is_in_the_signals(made, tmp_path):
    again = simulate_dreamer(tmp_path, **SMALL, effect=1.6, seed=3)
    for name in ("felt", "scores", "offset", "durations"):
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name))
    (one,), (other,) = read(made, last=3.0), read(again, last=3.0)
    np.testing.assert_array_equal(one.inst.get_data(), other.inst.get_data())
    assert len(set(made.durations)) > 1
    assert set(np.unique(made.scores)) <= {1, 2, 3, 4, 5}
    assert is_simulated(made.root / "DREAMER.mat")
    with pytest.raises(InputError, match="expected 1 to 99"):
        simulate_dreamer(tmp_path, n_subjects=0)


def test_anybody_elses_file_is_not_replaced(content, tmp_path):
    rewrite(tmp_path, content, lambda c: c.update(Provider="The authors"))
    assert not is_simulated(tmp_path / "DREAMER.mat")
    before = (tmp_path / "DREAMER.mat").read_bytes()
    with pytest.raises(InputError, match="may be the real DREAMER"):
        simulate_dreamer(tmp_path, **SMALL)
    assert (tmp_path / "DREAMER.mat").read_bytes() == before


# --- the whole way ------------------------------------------------------------------------------


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return ended.value.code or 0, " ".join((captured.out + captured.err).split())


def write_experiment(folder, made, name="dreamer", **changes):
    sections = {
        "name": name,
        "data": {"source": "dreamer", "root": str(made.root), "last": None},
        "preprocessing": {"l_freq": 1.0},
        "labels": {"task": "arousal"},
        "windows": {"duration": 1.0, "stride": 1.0},
        "split": {"n_splits": 2, "validation": 0.0},
        "model": {"name": "band_power_logreg"},
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(sections | changes))
    return file


def test_check_of_the_folder_tells_the_lengths(made, capsys):
    checked = check_data(made.root)
    assert [one.name for one in checked.files] == ["s01", "s02", "s03"]
    low, high = min(made.durations), max(made.durations)
    assert checked.files[0].detail == f"6 trials of {low:g} to {high:g} s, 128 Hz"
    code, out = call(capsys, "check", made.root)
    assert code == 0
    assert "DREAMER" in out
    assert "3 ok." in out


def test_check_tells_what_a_run_does_then(made, tmp_path):
    from eegemo.config import load_experiment
    from eegemo.runs.check import check_experiment

    experiment = load_experiment(write_experiment(tmp_path, made))
    checked = check_experiment(experiment, results=tmp_path / "r")
    assert checked.exit_code == 0
    prepared = prepare_experiment(experiment, RunContext(tmp_path / "r"))
    facts, windows = dict(checked.facts), prepared.windows
    assert windows.trials.n_times.tolist() == 3 * [round(128 * s) for s in made.durations]
    assert facts["windows"].startswith(f"{len(windows)} of 1 s: 128 samples at 128 Hz, 14 chann")
    assert len(windows) == 3 * sum(int(seconds) for seconds in made.durations)
    (note,) = [note for note in checked.notes if "length" in note]
    low, high = min(made.durations), max(made.durations)
    assert note == f"Trials differ in length: {low:g} to {high:g} s."
    assert set(checked.notes) <= set(prepared.notes)
    assert (prepared.title, prepared.simulated) == ("DREAMER", True)


@pytest.mark.parametrize("last", [None, pytest.param(4.0, marks=pytest.mark.slow)])
def test_the_command_line_from_check_to_verify(made, tmp_path, capsys, last):
    data = {"source": "dreamer", "root": str(made.root), "last": last}
    results = tmp_path / "results"
    one = write_experiment(tmp_path, made, data=data)
    other = write_experiment(tmp_path, made, "other", data=data, model={
        "name": "band_power_logreg", "C": 0.01})  # fmt: skip
    code, out = call(capsys, "check", one, "--results", results)
    assert (code, "no problems found" in out) == (0, True)
    code, out = call(capsys, "run", one, other, "--results", results, "--jobs", 0)
    assert code == 0, out
    first, second = sorted(results.glob("dreamer-*"))[0], sorted(results.glob("other-*"))[0]
    provenance = json.loads((first / "provenance.json").read_text())
    assert provenance["data"]["title"] == "DREAMER"
    assert "Katsigiannis" in provenance["data"]["citation"]
    assert any("unit of its signals" in note for note in provenance["notes"])
    page = (first / "report.html").read_text()
    assert "DREAMER (simulated): 3 subjects" in page
    assert "threshold: 3.0" in (first / "experiment.yaml").read_text()
    assert call(capsys, "report", first)[0] == 0
    code, out = call(capsys, "compare", first, second, "--out", tmp_path / "c")
    assert code == 0, out
    latex = "".join(path.read_text() for path in (tmp_path / "c").rglob("*.tex"))
    assert "DREAMER (simulated data)" in latex
    file = made.root / "DREAMER.mat"
    code, out = call(capsys, "predict", first, file)
    assert code == 2
    assert "--subject s01" in out
    code, out = call(capsys, "predict", first, file, "--subject", "s03", "--out", tmp_path / "p")
    assert code == 0, out
    table = pd.read_csv(tmp_path / "p" / "predictions.csv")
    seconds = made.durations if last is None else [last] * 6
    assert table.groupby("trial").size().tolist() == [int(s) for s in seconds]
    code, out = call(capsys, "run", "--verify", first, "--jobs", 0)
    assert code == 0, out


@pytest.mark.slow
def test_the_audit_of_dreamer(tmp_path, capsys):
    made = simulate_dreamer(tmp_path / "data", **SMALL | {"n_trials": 18}, effect=1.6)
    file = write_experiment(tmp_path, made, split={"n_splits": 2, "validation": 0.2})
    code, out = call(capsys, "audit", file, "--results", tmp_path / "r", "--jobs", 0)
    assert code == 0, out
    page = next(tmp_path.rglob("audit.html")).read_text()
    assert re.search("simulated data", page)


# --- recordings as objects ----------------------------------------------------------------------


def test_a_run_on_objects_equals_the_run_on_their_file(made, tmp_path, capsys):
    """Also with trials of unequal length; the file alone cannot be run again."""
    from eegemo.config import load_experiment

    experiment = load_experiment(write_experiment(tmp_path, made))
    own = [run.inst for one in of(made, last=None).find() for run in one.read()]
    kept = own[0].get_data(copy=True)
    data = Memory.of(own)
    folder = run_experiment(experiment, data=data, results=tmp_path / "memory")
    np.testing.assert_array_equal(own[0].get_data(), kept)
    direct = run_experiment(experiment, results=tmp_path / "file")
    tables = [pd.read_parquet(path / "predictions.parquet") for path in (folder, direct)]
    pd.testing.assert_frame_equal(*tables)
    written = yaml.safe_load((folder / "experiment.yaml").read_text())
    written["data"].pop("copies")
    assert written["data"] == {"source": "memory", "channels": "eeg", "content": data.content}
    assert written["labels"]["threshold"] == 3.0
    code, out = call(
        capsys, "run", folder / "experiment.yaml", "--results", tmp_path / "again", "--jobs", 0
    )
    assert code == 2
    assert f"({data.content}); give them again, as run_experiment" in out
    again = run_experiment(
        load_experiment(folder / "experiment.yaml"),
        data=Memory.of(own),
        results=tmp_path / "memory",
    )
    assert again == folder


def test_stored_trials_of_unequal_length_are_those_read(made, tmp_path):
    from eegemo.config import load_experiment

    experiment = load_experiment(write_experiment(tmp_path, made, preprocessing={}))
    prepared = prepare_experiment(experiment, RunContext(tmp_path / "r"))
    trials = load_trials(prepared.windows.trials.folders)
    assert [array.ndim for array in trials.arrays] == [2, 2, 2]
    expected = make_trials([[run.inst for run in one.read()] for one in of(made, last=None).find()])
    for k in range(len(trials)):
        np.testing.assert_array_equal(trials.array(k), expected.array(k))
    assert isinstance(Path(trials.folders[0]), Path)
    assert look_into(made.root / "DREAMER.mat").people[0].n_times["baseline"] == [512] * 6
    assert mne.__version__
