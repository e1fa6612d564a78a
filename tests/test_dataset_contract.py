"""The contract of data sets: kept by every data set of eegemo, and broken ones are found out."""

import subprocess
import sys
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path

import mne
import numpy as np
import pytest

from eegemo.datasets import Outline, open_dataset
from eegemo.datasets.bids import Bids
from eegemo.datasets.deap import Deap
from eegemo.datasets.dreamer import Dreamer
from eegemo.datasets.memory import Memory, MemoryRecording
from eegemo.errors import ConfigError, DataError, EegemoError
from eegemo.execution import RunContext
from eegemo.registry import DATASETS
from eegemo.runs.check import check_experiment
from eegemo.runs.check_data import check_data
from eegemo.runs.dataset import make_dataset, with_dataset
from eegemo.runs.prepare import prepare_experiment
from eegemo.simulation import Simulated, simulate_deap, simulate_dreamer
from eegemo.testing import check_dataset
from experiments import tiny
from helpers import make_epochs

PLUG_IN = '''
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from eegemo.datasets import Dataset, Outline, Recording, Run, Subjects
from eegemo.errors import DataError


@dataclass(frozen=True, eq=False)
class MyRecording(Recording):
    def read(self, *, eeg_only=False):
        import mne, numpy as np, pandas as pd
        signals = np.load(self.files[0])
        n = len(signals)
        info = mne.create_info(["Fz", "Cz"], 64.0, "eeg")
        about = pd.DataFrame({"subject": self.subject, "session": "1", "trial": range(1, n + 1),
                              "stimulus": [f"film{k}" for k in range(n)], "valence": 2.5})
        SIGNALS
        yield Run(mne.EpochsArray(signals, info, tmin=TMIN, metadata=about, verbose="ERROR"))


@dataclass(frozen=True, kw_only=True)
class MyData(Dataset):
    """My data.

    Parameters
    ----------
    root : path
        Folder with a file per person.
    subjects : "all" or sequence
        Who is included.
    """

    title: ClassVar[str] = "my data"
    rating_range: ClassVar[tuple[float, float]] = (1.0, 5.0)
    default_threshold: ClassVar[float] = 3.0
    root: str
    subjects: Subjects = "all"

    def find(self):
        names = sorted(file.stem for file in Path(self.root).glob("p*.npy"))
        wanted = names if self.subjects == "all" else list(self.subjects)
        for name in wanted:
            if name not in names:
                raise DataError(f"{self.root} does not hold {name}.")
        return [MyRecording(name, (Path(self.root) / f"{name}.npy",), "mine-1") for name in wanted]
'''


def write_plug_in(folder, monkeypatch, name, *changes):
    """Write a package with a data set, changed here and there, and data for it."""
    code = PLUG_IN
    for old, new in changes:
        assert old in code
        code = code.replace(old, new)
    code = code.replace("SIGNALS", "pass").replace("TMIN", "-0.5")
    package = folder / "packages" / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "data.py").write_text(code)
    monkeypatch.syspath_prepend(folder / "packages")
    data = folder / "data"
    data.mkdir()
    rng = np.random.default_rng(0)
    for person in ("p1", "p2"):
        np.save(data / f"{person}.npy", 1e-5 * rng.standard_normal((3, 2, 160)))
    return f"{name}.data:MyData", str(data)


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    root = tmp_path_factory.mktemp("releases")
    simulate_deap(
        root / "deap", n_subjects=2, n_trials=3, duration=4.0, formats=("python", "matlab", "bdf")
    )
    simulate_dreamer(root / "dreamer", n_subjects=2, n_trials=4, shortest=4, longest=6, rest=4)
    return root


@pytest.mark.parametrize("variant", ["python", "matlab", "bdf"])
def test_deap_keeps_the_contract(releases, variant, monkeypatch):
    from eegemo.datasets.deap import dataset

    monkeypatch.setattr(dataset, "_VIDEO", 4.0)  # of an original recording, not read to be told
    check_dataset(Deap(root=str(releases / "deap"), variant=variant))


def test_simulated_keeps_the_contract(tmp_path):
    check_dataset(Simulated(root=str(tmp_path), n_subjects=2, n_trials=3, duration=4.0))


@pytest.mark.parametrize("last", [None, 3.0])
def test_dreamer_keeps_the_contract(releases, last):
    check_dataset(Dreamer(root=str(releases / "dreamer"), last=last))


def test_bids_keeps_the_contract(tmp_path):
    from test_bids import write_run

    write_run(tmp_path, "01", run="01")
    write_run(tmp_path, "01", run="02")
    write_run(tmp_path, "02")
    check_dataset(Bids(root=str(tmp_path)))
    check_dataset(Bids(root=str(tmp_path), tmin=-0.25, tmax=1.0))
    check_dataset(Bids(root=str(tmp_path), tmin=0.5))


def test_objects_keep_the_contract():
    long, short = make_epochs(3, tmin=-0.5, n_times=80), make_epochs(2, first=4, n_times=48)
    check_dataset(Memory.of([long, make_epochs(2, subject="s02")]))
    check_dataset(Memory.of([long, short]))


def test_a_data_set_of_another_package_keeps_the_contract(tmp_path, monkeypatch):
    path, root = write_plug_in(tmp_path, monkeypatch, "plug_in_whole")
    check_dataset(open_dataset(path, root=root))


NO_COLUMN = ('"subject": self.subject, ', "")
BROKEN = {
    "metadata without subject": ([NO_COLUMN], "MyRecording.read: expected metadata with the col"),
    "microvolts": ([("SIGNALS", "signals = signals * 1e6")], "expected EEG in volts.*microvolts"),
    "not sorted": (
        [("return [MyRecording", "wanted = wanted[::-1]\n        return [MyRecording")],
        "MyData.find: expected recordings sorted by subject",
    ),
    "not the same twice": (
        [("SIGNALS", "signals = signals + 1e-6 * np.random.standard_normal(signals.shape)")],
        "MyRecording.read: expected the same EEG when read again",
    ),
    "one array for all": (
        [
            ("class MyRecording(Recording):\n", "class MyRecording(Recording):\n    kept = {}\n"),
            ("signals = np.load(self.files[0])", "signals = self.kept.setdefault(self.subject, "
             "np.load(self.files[0]))"),
        ],
        "expected the same EEG when read again",
    ),
    "ends before its onset": ([("TMIN", "-9.0")], "go on after time zero.*times from -9"),
    "begins after its onset": ([("TMIN", "0.5")], "trials that begin at time zero.*0.5 s on"),
    "trial numbers as text": ([("range(1, n + 1)", "list('abc')")], "whole numbers.*'trial'"),
    "a trial twice": ([("range(1, n + 1)", "[1, 1, 2]")], "each trial once per session"),
    "rating out of range": ([("2.5", "9.0")], "ratings from 1 to 5, by rating_range"),
    "NaN": ([("SIGNALS", "signals[1, 0, 5] = np.nan")], "finite samples.*trial 2"),
    "no full stop": (
        [("    def find(", "    def notes(self, recordings, preprocessing):\n"
          "        return ['filtered before']\n\n    def find(")],
        "MyData.notes: expected a list of sentences",
    ),
    "an option without words": (
        [("        Who is included.\n", "")], "words for the option 'subjects'",
    ),
    "an option by position": (
        [("frozen=True, kw_only=True", "frozen=True")], "keyword-only fields",
    ),
    "subjects are ignored": ([("else list(self.subjects)", "else names")], "only p2 with subjects"),
    "anyone is found": (
        [("            if name not in names:", "            if False:")], "DataError with subjects",
    ),
    "signals in the recording": (
        [('"mine-1")', '"mine-1", {"signals": "x" * 2_000_000})')], "recording without signals",
    ),
    "cannot be sent": (
        [('"mine-1")', '"mine-1", {1: lambda: 0})')], "expected options that JSON can hold",
    ),
    "another error": ([("SIGNALS", "signals.no_such()")], "no error but a DataError; found Attr"),
    "no trials": ([("        yield Run", "        return\n        yield Run")], "at least one Run"),
    "an outline that is wrong": (
        [("    def find(", "    def outline(self, recording, *, full=False):\n"
          "        import dataclasses\n"
          "        told = super().outline(recording)\n"
          "        return dataclasses.replace(told, durations=(2.5,) * 3)\n\n    def find(")],
        "MyData.outline: expected 2 s after time zero, as read, of trial 1.*found 2.5 s",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_promise_is_found_with_file_and_function(tmp_path, monkeypatch, fault):
    changes, message = BROKEN[fault]
    name = f"plug_in_{list(BROKEN).index(fault)}"
    path, root = write_plug_in(tmp_path, monkeypatch, name, *changes)
    dataset = DATASETS.resolve(path)(root=root)
    with pytest.raises(AssertionError, match=f"data.py, line .*{message}") as found:
        check_dataset(dataset)
    assert str(tmp_path) in str(found.value)


def test_errors_of_the_data_are_the_plug_ins_own(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        check_dataset(Deap(root=str(tmp_path / "nowhere")))


def test_names_and_options_of_data_sets(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'dreamer'"):
        open_dataset("dreamr", root="x")
    with pytest.raises(ConfigError, match="'bids' has no option 'tasc'; there are root, task"):
        open_dataset("bids", root="x", tasc="rest")
    with pytest.raises(ConfigError, match="'dreamer' needs the option 'root'"):
        open_dataset("dreamer")
    with pytest.raises(ConfigError, match="expected a subclass"):
        open_dataset("statistics:mean")
    with pytest.raises(ConfigError, match="--trust"):
        open_dataset("statistics:mean", trust=False)


def test_classes_of_data_sets_are_light():
    """The experiment file is read with them, and a mistake in it is told at once."""
    code = """
        import sys
        from eegemo.registry import DATASETS, options_of
        for name in DATASETS.names():
            assert all(option.text for option in options_of(DATASETS.resolve(name)).values()), name
        print([m for m in "keras mne sklearn matplotlib pandas scipy".split() if m in sys.modules])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr


def test_an_outline_is_read_where_nothing_else_tells():
    epochs = make_epochs(3, tmin=-0.5, n_times=80, valence=[1.0, 2.0, np.nan])
    shorter = make_epochs(1, first=4, n_times=32)
    shorter.metadata["valence"] = 4.0
    data = Memory.of([epochs, shorter])
    told = data.outline(data.find()[0])
    assert isinstance(told, Outline)
    assert told.durations == (2.0, 2.0, 2.0, 1.0)
    assert told.metadata["trial"].tolist() == [1, 2, 3, 4]
    assert (told.sfreq, told.ch_names) == (32.0, ("Fz", "Cz", "Pz"))


# --- recordings as objects ----------------------------------------------------------------------


def test_objects_of_several_subjects_are_divided():
    mixed = make_epochs(4)
    mixed.metadata["subject"] = ["b", "a", "b", "a"]
    found = Memory.of([mixed]).find()
    assert [one.subject for one in found] == ["a", "b"]
    (run,) = found[0].read()
    np.testing.assert_array_equal(run.inst.get_data(), mixed.get_data()[1::2])


def test_objects_are_named_by_all_that_they_hold():
    def content(change=lambda epochs: epochs):
        return Memory.of([change(make_epochs(3, valence=[1.0, 2.0, 3.0]))]).content

    def sample(epochs):
        epochs._data[2, 1, 7] += 1e-12
        return epochs

    def rating(epochs):
        epochs.metadata.loc[1, "valence"] = 2.5
        return epochs

    def bad(epochs):
        epochs.info["bads"] = ["Cz"]
        return epochs

    changes = [
        sample,
        rating,
        bad,
        lambda epochs: epochs.shift_time(0.5),
        lambda epochs: mne.rename_channels(epochs.info, {"Fz": "F1"}) or epochs,
        lambda epochs: epochs.set_montage("biosemi32", on_missing="ignore"),
        lambda epochs: epochs[:2],
    ]
    seen = [content(), *map(content, changes)]
    assert content() == seen[0]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "at least one recording"),
        ([make_epochs().drop_channels([])], None),
        ([make_epochs(2), mne.EpochsArray(np.zeros((1, 1, 5)), mne.create_info(1, 9.0, "eeg"),
                                          verbose="ERROR")],
         r"recording 2 \(EpochsArray\) needs metadata.*lacks subject, session"),
    ],
)  # fmt: skip
def test_objects_without_what_is_needed_are_refused(given, message):
    if message is None:
        assert Memory.of(given).find()
        return
    with pytest.raises(DataError, match=message):
        Memory.of(given)


def test_a_file_that_was_run_on_objects_asks_for_them():
    with pytest.raises(DataError, match=r"\(abc\); give them again, as run_experiment"):
        open_dataset("memory", content="abc").find()


def test_a_run_takes_range_title_and_citation_from_the_data_set(tmp_path):
    class Mine(Memory):
        title = "my study"
        citation = "Me (2026)"
        rating_range = (1.0, 5.0)
        default_threshold = 3.0

    experiment = tiny(
        tmp_path, "model={name: band_power_logreg}", "labels.task=valence", "labels.threshold=3.0",
        "preprocessing.baseline=null",
        "split.validation=0.0",
    )  # fmt: skip
    ratings = [1.0, 5.0, 2.0, 4.0] * 2
    data = Mine.of([make_epochs(8, n_times=96, valence=ratings)])
    prepared = prepare_experiment(experiment, RunContext(tmp_path / "r"), dataset=data)
    assert (prepared.title, prepared.citation) == ("my study", "Me (2026)")
    assert not prepared.simulated
    data = Mine.of([make_epochs(8, n_times=96, valence=[*ratings[:7], 5.5])])
    with pytest.raises(DataError, match=r"between 1 and 5; found 5\.5 \(subject s01, trial 8"):
        prepare_experiment(experiment, RunContext(tmp_path / "r"), dataset=data)


def test_a_note_of_the_data_set_and_the_room_it_needs_are_asked_for(tmp_path, monkeypatch):
    class Noted(Memory):
        def notes(self, recordings, preprocessing):
            return [f"{len(recordings)} people, channels {preprocessing['channels']}."]

    experiment = tiny(
        tmp_path, "model={name: band_power_logreg}", "labels.task=valence",
        "preprocessing.baseline=null",
        "split.validation=0.0",
    )  # fmt: skip
    data = Noted.of([make_epochs(8, n_times=96, valence=[1.0, 9.0] * 4)], channels=["Cz"])
    prepared = prepare_experiment(experiment, RunContext(tmp_path / "r"), dataset=data)
    assert "1 people, channels ['Cz']." in prepared.notes
    assert prepared.windows.trials.ch_names == ("Cz",)
    monkeypatch.setattr(MemoryRecording, "least_bytes", lambda *_: 10**15)
    with pytest.raises(EegemoError, match=r"the trials of 1 subjects"):
        prepare_experiment(experiment, RunContext(tmp_path / "other"), dataset=data)


def test_an_experiment_names_the_data_set_that_it_is_given(tmp_path):
    experiment = tiny(tmp_path)
    given = Deap(root="data/deap", subjects=("s01", "s02"))
    changed = with_dataset(experiment, given)
    assert changed.data.model_dump() == {
        "source": "deap",
        "root": "data/deap",
        "variant": "python",
        "subjects": ["s01", "s02"],
        "channels": "eeg",
        "exclude": None,
        "copies": "refuse",
    }
    kept = with_dataset(tiny(tmp_path, "data.copies=keep"), given)
    assert kept.data.copies == "keep"
    assert make_dataset(kept) == make_dataset(changed)
    assert make_dataset(changed) == replace(given, subjects=["s01", "s02"])
    others = set(type(experiment).model_fields) - {"data"}
    assert changed.model_dump(include=others) == experiment.model_dump(include=others)

    @dataclass(frozen=True, kw_only=True)
    class Inner(Deap):
        """Inside a function, where no file can find it."""

    with pytest.raises(ConfigError, match="Inner cannot be written to a file"):
        with_dataset(experiment, Inner(root="x"))


def test_a_plug_in_that_cannot_be_imported_is_in_nobodys_way(tmp_path, monkeypatch, releases):
    names = dict.fromkeys([*DATASETS.names(), "broken"], "eegemo")
    resolve = DATASETS.resolve

    def failing(name, **options):
        if name == "broken":
            raise ConfigError("data.source: plug-in 'broken' cannot be imported")
        return resolve(name, **options)

    monkeypatch.setattr(DATASETS, "names", lambda: names)
    monkeypatch.setattr(DATASETS, "resolve", failing)
    assert check_data(releases / "dreamer").ok
    with pytest.raises(ConfigError, match="'broken' cannot be imported"):
        check_data(tmp_path)


def test_a_data_set_that_finds_nothing_is_refused_by_check_and_run(tmp_path, monkeypatch):
    source, root = write_plug_in(tmp_path, monkeypatch, "finds_nothing")
    nowhere = Path(root) / "elsewhere"
    data = f"data={{source: '{source}', root: '{nowhere}'}}"
    experiment = tiny(tmp_path, data, "model={name: band_power_logreg}")
    said = f"data: my data: no recordings found in {nowhere}."
    assert check_experiment(experiment, results=tmp_path / "r").problems == [said]
    with pytest.raises(DataError) as raised:
        prepare_experiment(experiment, RunContext(tmp_path / "r"))
    assert str(raised.value) == said
