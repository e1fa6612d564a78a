"""Models and data sets of a package outside the tree, through every command."""

import json
import os
import sys
from hashlib import sha256
from importlib.util import find_spec

import numpy as np
import pytest
import yaml

from eegemo.cli import main
from eegemo.errors import ConfigError, DataError
from eegemo.evaluation import predicted_classes, read_predictions
from eegemo.models import FitFiles, make_model
from eegemo.models.estimator import EstimatorModel
from eegemo.models.shapes import shape_of
from eegemo.results import open_result
from eegemo.runs.resources import check_memory, estimate_resources
from eegemo.scaling import fit_scaling
from eegemo.splits import make_folds
from eegemo.training import fit_fold
from experiments import tiny
from helpers import make_test_windows

NETS = '''
"""Nets of somebody else."""

import numpy as np


def covariances(x):
    products = np.einsum("ntc,ntd->ncd", x, x) / x.shape[1]
    return products[:, *np.triu_indices(x.shape[2])]


def pipeline(*, C: float = 1.0) -> "sklearn.pipeline.Pipeline":
    """Covariances, their upper triangle, logistic regression.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    return make_pipeline(
        FunctionTransformer(covariances), StandardScaler(), LogisticRegression(C=C, max_iter=2000)
    )


def keras_net(n_times, n_channels, n_classes, *, width: int = 4) -> "keras.Model":
    """A convolution.

    Parameters
    ----------
    width : int
        Number of filters.
    """
    import keras

    window = keras.Input((n_times, n_channels))
    x = keras.layers.Conv1D(width, 7, activation="elu", padding="same")(window)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(window, keras.layers.Dense(n_classes, activation="softmax")(x))


def torch_net(n_times, n_channels, n_classes, *, width: int = 4) -> "torch.nn.Module":
    """A convolution.

    Parameters
    ----------
    width : int
        Number of filters.
    """
    from torch import nn

    convolution = nn.Conv1d(n_channels, width, 7, padding="same")
    mean = nn.AdaptiveAvgPool1d(1)
    return nn.Sequential(convolution, nn.ELU(), mean, nn.Flatten(), nn.Linear(width, n_classes))
'''

DATA = '''
"""Data of somebody else."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eegemo.datasets import Dataset, Recording, Run, Subjects


@dataclass(frozen=True, eq=False)
class MyRecording(Recording):
    def read(self, *, eeg_only=False):
        import mne, numpy as np, pandas as pd

        signals = np.load(self.files[0])
        numbers = np.arange(1, len(signals) + 1)
        about = pd.DataFrame({"subject": self.subject, "session": "1", "trial": numbers,
                              "stimulus": numbers.astype(str), "valence": 1.0 + 3 * (numbers % 2)})
        info = mne.create_info(["Fz", "Cz"], 64.0, "eeg")
        yield Run(mne.EpochsArray(signals, info, metadata=about, verbose="ERROR"))


@dataclass(frozen=True, kw_only=True)
class MyData(Dataset):
    """My data.

    Parameters
    ----------
    root : path
        Folder with a file per person.
    """

    title: ClassVar[str] = "my data"
    rating_range: ClassVar[tuple[float, float]] = (1.0, 5.0)
    default_threshold: ClassVar[float] = 3.0
    root: str

    def find(self):
        files = sorted(Path(self.root).glob("*.npy"))
        return [MyRecording(file.stem, (file,), "mine-1") for file in files]
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package, and let this process and its workers find it."""
    before = set(sys.modules)
    folder = tmp_path / "packages"
    (folder / "their_pkg").mkdir(parents=True)
    for name, text in {"__init__": "", "nets": NETS, "data": DATA}.items():
        (folder / "their_pkg" / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("their_pkg"):
            del sys.modules[name]


@pytest.fixture
def installed(package):
    """Declare the package's names as an installed package does."""
    about = package / "their_pkg-1.5.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-pkg\nVersion: 1.5\n")
    (about / "entry_points.txt").write_text(
        "[eegemo.models]\ntheirs = their_pkg.nets:pipeline\n"
        "[eegemo.datasets]\ntheir_data = their_pkg.data:MyData\n"
    )
    (about / "top_level.txt").write_text("their_pkg\n")
    return package


def forget():
    for name in [name for name in sys.modules if name.startswith("their_pkg")]:
        del sys.modules[name]


@pytest.fixture
def say(capsys):
    """Run the command line; return its exit code and all that it said, on one line."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code or 0, " ".join((captured.out + captured.err).split())

    return call


def write(folder, *overrides, model="{name: 'their_pkg.nets:pipeline'}"):
    experiment = tiny(folder / "data", f"model={model}", *overrides, name="theirs")
    file = folder / "theirs.yaml"
    file.write_text(yaml.safe_dump(experiment.model_dump(mode="json")), encoding="utf-8")
    return file


def the_result(folder):
    (found,) = folder.glob("theirs-*")
    return found


def through_every_command(say, folder, model, *, jobs, stored, title):
    """Go the whole way with a model by its import path; return the result."""
    file, results = write(folder, model=model), folder / "results"
    code, said = say("check", file, "--results", results)
    assert code == 0, said
    code, said = say("run", file, "--results", results, "--jobs", jobs)
    assert code == 0, said
    assert "their_pkg.nets is imported from" in said
    result = the_result(results)
    assert (result / "folds" / "0" / stored).is_file()

    about = json.loads((result / "provenance.json").read_text())["model"]
    source = folder / "packages" / "their_pkg" / "nets.py"
    assert about["title"] == title
    assert about["code"] == {
        "module": "their_pkg.nets",
        "file": "nets.py",
        "distribution": None,
        "version": None,
        "sha256": sha256(source.read_bytes()).hexdigest(),
    }
    assert str(folder) not in json.dumps(about)

    recording = next((folder / "data").rglob("s01.dat"))
    common = ["--out", folder / "predicted"]
    forget()
    for command in (
        ["predict", result, recording, *common],
        ["run", "--verify", result, "--jobs", "0"],
    ):
        code, said = say(*command)
        assert code == 2
        assert "is code from outside eegemo; add --trust to import it" in said
    code, said = say("report", result)
    assert code == 0, said
    assert title in (result / "report.html").read_text(encoding="utf-8")
    other = write(folder, model="{name: band_power_logreg}")
    assert say("run", other, "--results", folder / "other", "--jobs", "0")[0] == 0
    code, said = say("compare", result, the_result(folder / "other"), "--out", folder / "compared")
    assert code == 0, said
    assert title in (folder / "compared" / "comparison.html").read_text(encoding="utf-8")
    # all this without importing what the result names
    assert not [name for name in sys.modules if name.startswith("their_pkg")]

    code, said = say("predict", result, recording, *common, "--trust")
    assert code == 0, said
    assert (folder / "predicted" / "predictions.csv").is_file()
    code, said = say("run", "--verify", result, "--jobs", jobs, "--trust")
    assert code == 0, said
    assert "to the bit" in said
    return result


@pytest.mark.slow
def test_a_pipeline_by_its_import_path_goes_the_whole_way(package, tmp_path, say):
    pytest.importorskip("skops", reason="skops is not installed: pip install eegemo[skops]")
    through_every_command(
        say,
        tmp_path,
        "{name: 'their_pkg.nets:pipeline', C: 0.5}",
        jobs="0",
        stored="model.skops",
        title="their_pkg.nets:pipeline",
    )


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["0", "2"])
def test_a_keras_builder_by_its_import_path_goes_the_whole_way(package, tmp_path, say, jobs):
    through_every_command(
        say,
        tmp_path,
        "{name: 'their_pkg.nets:keras_net', width: 3}",
        jobs=jobs,
        stored="model.weights.h5",
        title="their_pkg.nets:keras_net",
    )
    if jobs == "0":
        return
    audit = ["--results", tmp_path / "audit", "--jobs", jobs, "--draws", "1"]
    file = write(tmp_path, "training.epochs=1", model="{name: 'their_pkg.nets:keras_net'}")
    code, said = say("audit", file, *audit)
    assert code == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["0", "2"])
def test_a_pytorch_builder_by_its_import_path_goes_the_whole_way(package, tmp_path, say, jobs):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install eegemo[torch]")
    result = through_every_command(
        say,
        tmp_path,
        "{name: 'their_pkg.nets:torch_net', width: 3}",
        jobs=jobs,
        stored="model.npz",
        title="their_pkg.nets:torch_net",
    )
    about = json.loads((result / "provenance.json").read_text())
    assert about["versions"]["torch"]
    assert about["model"]["framework"] == "torch"


@pytest.mark.slow
def test_a_pipeline_is_audited_in_other_processes(package, tmp_path, say):
    file = write(tmp_path)
    audit = ["--results", tmp_path / "audit", "--jobs", "2", "--draws", "1"]
    code, said = say("audit", file, *audit)
    assert code == 0, said


@pytest.mark.slow
def test_an_edited_source_gives_another_result(package, tmp_path, say):
    file, results = write(tmp_path), tmp_path / "results"
    assert say("run", file, "--results", results, "--jobs", "0")[0] == 0
    first = the_result(results)
    assert "already complete" in say("run", file, "--results", results, "--jobs", "0")[1]
    source = package / "their_pkg" / "nets.py"
    source.write_text(source.read_text() + "\n# another version\n")
    forget()
    assert say("run", file, "--results", results, "--jobs", "0")[0] == 0
    assert len({first, *results.glob("theirs-*")}) == 2


def test_names_that_an_installed_package_declares_go_the_whole_way(installed, tmp_path, say):
    root = tmp_path / "recordings"
    root.mkdir()
    rng = np.random.default_rng(0)
    for person in ("p1", "p2", "p3"):
        signals = 1e-5 * rng.standard_normal((8, 2, 256))
        signals[::2] *= 2  # odd numbers are of high valence
        np.save(root / f"{person}.npy", signals)
    file = tmp_path / "theirs.yaml"
    content = {
        "name": "theirs",
        "data": {"source": "their_data", "root": str(root)},
        "labels": {"task": "valence"},
        "windows": {"duration": 1.0, "stride": 1.0},
        "split": {"n_splits": 2},
        "model": {"name": "theirs"},
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    results = tmp_path / "results"
    code, said = say("check", file, "--results", results)
    assert code == 0, said
    code, said = say("run", file, "--results", results, "--jobs", "0")
    assert code == 0, said
    result = the_result(results)
    scores = open_result(result).assessment
    assert scores is not None
    code, said = say("run", "--verify", result, "--jobs", "0")  # installed, and so trusted
    assert code == 0, said
    code, said = say("report", result)
    assert code == 0, said
    about = json.loads((result / "provenance.json").read_text())
    code = about["model"]["code"]
    assert (code["distribution"], code["version"]) == ("their-pkg", "1.5")
    assert about["data"]["title"] == "my data"
    predictions = read_predictions(result / "predictions.parquet")
    right = predictions["y_true"] == predicted_classes(predictions)
    assert right.mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_other_processes_find_the_package_too(installed, tmp_path, say, jobs):
    file = write(tmp_path, model="{name: theirs}")
    code, said = say("run", file, "--results", tmp_path / "results", "--jobs", jobs)
    assert code == 0, said
    code, said = say("run", "--verify", the_result(tmp_path / "results"), "--jobs", jobs)
    assert code == 0, said


# --- objects -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def windows():
    return make_test_windows((4, 4, 4))


@pytest.fixture(scope="module")
def fold(windows):
    return make_folds(windows.table, method="leave_one_group_out", group="subject")[0]


def numbers(predictions):
    return predictions[["p_low", "p_high"]].to_numpy()


def test_an_estimator_is_fitted_as_by_hand(package, windows, fold):
    from sklearn.base import clone
    from their_pkg.nets import pipeline

    estimator = pipeline(C=0.3)
    found = fit_fold(windows, fold, model=estimator)
    assert not hasattr(estimator[-1], "coef_")  # the fold got a clone
    scaling = fit_scaling(windows, fold.train)
    by_hand = clone(estimator).set_params(logisticregression__class_weight="balanced")
    by_hand.fit(scaling.transform(windows.gather(fold.train)), windows.codes[fold.train])
    expected = by_hand.predict_proba(scaling.transform(windows.gather(fold.test)))
    np.testing.assert_allclose(numbers(found.predictions), expected, atol=1e-6)  # float32
    builder = fit_fold(windows, fold, model=pipeline)
    by_name = fit_fold(windows, fold, model={"name": "their_pkg.nets:pipeline"})
    np.testing.assert_array_equal(numbers(builder.predictions), numbers(by_name.predictions))


def test_without_class_weight_an_estimator_gets_weights_of_windows(windows, fold):
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    from eegemo.models.fit_data import class_weights

    flat = FunctionTransformer(_flatten)
    found = fit_fold(windows, fold, model=make_pipeline(flat, GaussianNB()))
    scaling, codes = fit_scaling(windows, fold.train), windows.codes[fold.train]
    by_hand = GaussianNB()
    x = _flatten(scaling.transform(windows.gather(fold.train)))
    by_hand.fit(x, codes, sample_weight=class_weights(codes, 2)[codes])
    expected = by_hand.predict_proba(_flatten(scaling.transform(windows.gather(fold.test))))
    np.testing.assert_allclose(numbers(found.predictions), expected, atol=1e-6)


def _flatten(x):
    return x.reshape(len(x), -1)


@pytest.mark.slow
def test_a_keras_network_is_the_same_by_name_builder_or_object(package, windows, fold):
    from their_pkg.nets import keras_net

    training = {"epochs": 2, "batch_size": 8}
    given = {"training": training, "seed": 3}
    by_name = fit_fold(windows, fold, model={"name": "their_pkg.nets:keras_net"}, **given)
    by_builder = fit_fold(windows, fold, model=keras_net, **given)
    network = keras_net(windows.n_times, windows.n_channels, 2)
    before = network.get_weights()
    by_object = fit_fold(windows, fold, model=network, **given)
    for other in (by_builder, by_object):
        np.testing.assert_array_equal(numbers(other.predictions), numbers(by_name.predictions))
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)  # each fold trains one of its own


@pytest.mark.slow
def test_two_functions_of_one_name_are_two_networks(windows, fold):
    """As when a cell of a notebook is run again: no compiled network is taken for another."""
    import keras

    def nets(activation):
        def net(n_times, n_channels, n_classes) -> "keras.Model":
            return keras.Sequential(
                [
                    keras.Input((n_times, n_channels)),
                    keras.layers.Conv1D(3, 5, activation=activation),
                    keras.layers.GlobalAveragePooling1D(),
                    keras.layers.Dense(n_classes, activation="softmax"),
                ]
            )

        return net

    training = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01}
    found = [
        fit_fold(windows, fold, model=nets(name), training=training).predictions
        for name in ("relu", "tanh", "relu")
    ]
    np.testing.assert_array_equal(numbers(found[0]), numbers(found[2]))
    assert (numbers(found[0]) != numbers(found[1])).any()


# --- what is stored ------------------------------------------------------------------------------

needs_skops = pytest.mark.skipif(
    find_spec("skops") is None, reason="skops is not installed: pip install eegemo[skops]"
)


@needs_skops
def test_a_stored_estimator_gives_the_same_predictions(package, windows, fold, tmp_path):
    model = make_model("their_pkg.nets:pipeline")
    fitted = fit_fold(windows, fold, model=model).model
    fitted.save(tmp_path / model.file)
    x = fit_scaling(windows, fold.train).transform(windows.gather(fold.test))
    loaded = model.load(tmp_path / "model.skops", shape_of(windows))
    np.testing.assert_array_equal(loaded.classify(x), fitted.classify(x))


class Steals:
    """What a hostile file asks for."""

    def predict_proba(self, x):
        raise AssertionError("it was run")


@needs_skops
@pytest.mark.parametrize("what", ["class", "function", "no classifier"])
def test_a_hostile_skops_file_is_refused(package, windows, tmp_path, what):
    import skops.io
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    made = {
        "class": Steals(),
        "function": FunctionTransformer(os.system),
        "no classifier": StandardScaler(),
    }[what]
    path = tmp_path / "model.skops"
    path.write_bytes(skops.io.dumps(made))
    model = make_model("their_pkg.nets:pipeline")
    message = "no fitted classifier" if what == "no classifier" else "nothing of it was run"
    with pytest.raises(DataError, match=message) as caught:
        model.load(path, shape_of(windows))
    assert "model.skops" in str(caught.value)


@needs_skops
def test_an_estimator_that_cannot_be_read_back_is_refused_before_it_is_fitted(
    windows, fold, tmp_path
):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    fits = []

    def build() -> "sklearn.pipeline.Pipeline":  # noqa: F821
        from sklearn.dummy import DummyClassifier

        return make_pipeline(FunctionTransformer(lambda x: fits.append(1) or x), DummyClassifier())

    assert fit_fold(windows, fold, model=build)  # in memory it may be anything
    del fits[:]
    with pytest.raises(ConfigError, match=r"build in .*test_plugins.py.*must be at the top"):
        fit_fold(windows, fold, model=build, files=FitFiles(tmp_path / "history.csv"))
    assert not fits


@pytest.mark.slow
def test_without_skops_the_model_is_not_stored_and_predict_says_so(
    package, tmp_path, say, monkeypatch
):
    from eegemo.models import estimator

    def find(name, *arguments):
        return None if name == "skops" else find_spec(name, *arguments)

    monkeypatch.setattr(estimator.importlib.util, "find_spec", find)
    file, results = write(tmp_path), tmp_path / "results"
    code, said = say("run", file, "--results", results, "--jobs", "0")
    assert code == 0, said
    result = the_result(results)
    assert not list(result.rglob("model.*"))
    recording = next((tmp_path / "data").rglob("s01.dat"))
    code, said = say("predict", result, recording, "--trust", "--out", tmp_path / "p")
    assert code == 2
    assert "was not stored" in said
    assert "pip install eegemo[skops]" in said
    model = EstimatorModel("x", _flatten)
    with pytest.raises(ConfigError, match="reading it needs skops"):
        model.load(tmp_path / "model.skops", None)


def test_a_training_set_that_does_not_fit_is_refused_before_training(
    package, tmp_path, say, monkeypatch, windows, fold
):
    from eegemo.runs import resources

    model = make_model("their_pkg.nets:pipeline")
    needs = estimate_resources(windows, [fold], models=[model], batch_size=8)
    taken = 4 * len(fold.train) * windows.n_times * windows.n_channels
    assert needs.least_memory == taken
    monkeypatch.setattr(resources, "available_memory", lambda: taken)
    check_memory(needs)
    monkeypatch.setattr(resources, "available_memory", lambda: taken - 1)
    with pytest.raises(ConfigError, match="a whole training set in memory"):
        check_memory(needs)
    file = write(tmp_path)
    monkeypatch.setattr(resources, "available_memory", lambda: 1000)
    code, said = say("run", file, "--results", tmp_path / "results", "--jobs", "0")
    assert code == 2
    assert "it is fitted on a whole training set in memory" in said
    assert not list((tmp_path / "results").rglob("history.csv"))


# --- broken plug-ins on the way ------------------------------------------------------------------

BROKEN = {
    "no annotation": ('-> "sklearn.pipeline.Pipeline"', "", "does not say what it returns"),
    "wrong return": ("return make_pipeline(", "return (", "expected a scikit-learn estimator"),
    "raises": ("    from sklearn.linear_model", "    1 / 0\n    from sklearn.linear_model",
               "ZeroDivisionError: division by zero"),
    "takes features": ("FunctionTransformer(covariances), ", "", "needs a step in front"),
    "not finite": ("/ x.shape[1]", "/ 0.0", "cannot be fitted on windows"),
}  # fmt: skip


# each reads and windows the data first: two stand for all in the default run
LONG = ("raises", "takes features", "not finite")


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=[pytest.mark.slow] if c in LONG else []) for c in BROKEN]
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_a_broken_plug_in_is_named_on_the_command_line(package, tmp_path, say, case):
    old, new, message = BROKEN[case]
    source = package / "their_pkg" / "nets.py"
    assert old in NETS
    file = write(tmp_path)
    forget()
    source.write_text(NETS.replace(old, new, 1))
    code, said = say("run", file, "--results", tmp_path / "results", "--jobs", "0")
    assert code == 2, said
    assert "Traceback" not in said
    assert message in said
    assert "pipeline in" in said
    assert "nets.py" in said.replace(" ", "")


def test_probabilities_that_are_none_are_refused_with_file_and_function(windows, fold):
    from test_model_contract import odd

    for what, message in (("nan", "not finite"), ("sums", "sum to 1"), ("columns", "a column for")):
        with pytest.raises(DataError, match=message) as caught:
            fit_fold(windows, fold, model=odd(what))
        assert f"odd_{what} in " in str(caught.value)
        assert "test_model_contract.py" in str(caught.value)
