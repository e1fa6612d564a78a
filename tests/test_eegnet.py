"""EEGNet: published counts, lengths at any sampling frequency, norms, and the whole path."""

import keras
import numpy as np
import pytest
import yaml
from fitting import fit_fold

from eegemo.cli import main
from eegemo.errors import ConfigError
from eegemo.models import InputShape, build_model, make_model
from eegemo.models.eegnet import eegnet, samples_of_eegnet
from eegemo.models.keras.cost import count_multiply_adds
from eegemo.splits import make_folds
from experiments import tiny
from helpers import make_test_windows

SMALL = {"temporal_filters": 3, "depth": 2, "separable_filters": 4}
SIZES = [
    # samples, channels, classes, Hz, options, trainable parameters
    (256, 32, 4, 128, {}, 2132),  # by the formula that reproduces the published count below
    (512, 22, 4, 128, {}, 2484),  # braindecode's table of models
    (128, 2, 2, 128, {}, 512 + 16 + 32 + 32 + 512 + 32 + (16 * 4 + 1) * 2),
    (1024, 32, 4, 512, {}, 2132 + 8 * (256 - 64)),  # the same but for a longer first kernel
    (64, 3, 2, 32, SMALL, 16 * 3 + 6 + 3 * 6 + 12 + (16 + 4) * 6 + 8 + (4 * 8 + 1) * 2),
    (250, 5, 3, 250, {"kernel_duration": 0.25, "separable_duration": 0.1}, None),
    (100, 4, 2, 100, {**SMALL, "depth": 1}, None),
]


def run(*arguments):
    """Run the command line; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def trainable(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


@pytest.mark.parametrize(("n_times", "n_channels", "n_classes", "sfreq", "options", "n"), SIZES)
def test_sizes_are_known_before_building(n_times, n_channels, n_classes, sfreq, options, n):
    shape = InputShape(n_times, n_channels, n_classes, float(sfreq), ("x",) * n_channels)
    model = make_model("eegnet", **options)
    network, size = model.build(shape), model.size(shape)
    assert network.input_shape == (None, n_times, n_channels)
    assert network.output_shape == (None, n_classes)
    assert size.parameters == trainable(network)
    assert n is None or size.parameters == n
    computed = [layer for layer in network.layers if layer.name not in ("window", "image")]
    computed = [layer for layer in computed if not layer.name.startswith(("dropout", "flatten"))]
    # the input is not counted, nor what only changes its shape or, in training, hides some
    assert size.activations == sum(int(np.prod(layer.output.shape[1:])) for layer in computed)


def test_keras_counts_running_means_and_variances_as_well():
    network = eegnet(256, 32, 4, sfreq=128.0)
    assert network.count_params() == 2212
    assert network.count_params() - trainable(network) == 2 * (8 + 16 + 16)


def test_layers_last_as_long_at_any_sampling_frequency():
    for sfreq in (64, 128, 256, 512, 1024):
        samples = samples_of_eegnet(2 * sfreq, float(sfreq))
        assert samples.kernel == sfreq // 2
        assert samples.pool * 32 == sfreq
        assert (samples.separable_kernel, samples.second_pool, samples.left) == (16, 8, 8)
    assert samples_of_eegnet(40, 20.0).pool == 1  # slower than what the average leaves
    assert samples_of_eegnet(500, 250.0).pool == 8


def test_windows_that_are_too_short_are_refused():
    assert build_model("eegnet", n_times=32, n_channels=2, n_classes=2)
    for build in (make_model("eegnet").build, make_model("eegnet").size):
        with pytest.raises(ConfigError, match=r"a window of 31.*at least 32 samples \(0.25 s\)"):
            build(InputShape(31, 2, 2, 128.0, ("a", "b")))


def test_norms_are_held_to_the_studys_limits():
    """Over all channels of a spatial filter, and over all inputs of a class."""
    network = eegnet(64, 5, 3, sfreq=128.0, **SMALL)
    network.compile(keras.optimizers.SGD(100.0), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 64, 5)).astype("float32")
    network.fit(x, rng.integers(3, size=16), epochs=2, verbose=0)
    spatial = network.get_layer("spatial").get_weights()[0]  # (1, n_channels, temporal, depth)
    norms = np.linalg.norm(spatial, axis=(0, 1))
    assert norms.shape == (3, 2)
    assert 0.99 < norms.max() < 1 + 1e-5
    classes = np.linalg.norm(network.get_layer("probability").get_weights()[0], axis=0)
    assert 0.24 < classes.max() < 0.25 + 1e-5


def test_it_is_the_network_of_the_study():
    """The same numbers as convolutions written out: over time, then channels, then time."""
    from scipy.special import softmax

    keras.utils.set_random_seed(1)
    network = eegnet(64, 3, 2, sfreq=128.0, **SMALL)
    x = np.random.default_rng(1).normal(size=(2, 64, 3)).astype("float32")
    weights = {layer.name: layer.get_weights() for layer in network.layers}

    def along_time(signal, kernel):
        before = (len(kernel) - 1) // 2
        padded = np.pad(signal, ((0, 0), (before, len(kernel) - 1 - before)))
        return np.stack([np.correlate(row, kernel, "valid") for row in padded])

    def average(signal, n):
        return signal.reshape(len(signal), -1, n).mean(axis=2)

    def elu(signal):
        return np.where(signal > 0, signal, np.expm1(signal))

    unit = np.sqrt(1 + 1e-3)  # a new normalisation divides by the root of its variance, 1
    temporal, spatial = weights["temporal"][0], weights["spatial"][0]
    depthwise, pointwise = weights["separable"]
    for window, p in zip(x, network.predict(x, verbose=0), strict=True):
        filtered = [along_time(window.T, temporal[:, 0, 0, k]) / unit for k in range(3)]
        mixed = [spatial[0, :, k, d] @ filtered[k] for k in range(3) for d in range(2)]
        pooled = average(elu(np.stack(mixed) / unit), 4)
        each = np.concatenate(
            [along_time(pooled[[k]], depthwise[:, 0, k, 0]) for k in range(len(pooled))]
        )
        last = average(elu(pointwise[0, 0].T @ each / unit), 8)
        kernel, bias = weights["probability"]
        np.testing.assert_allclose(softmax(last.T.ravel() @ kernel + bias), p, atol=1e-5)


def test_its_multiply_adds_by_hand():
    network = eegnet(256, 32, 4, sfreq=128.0)
    convolutions = 256 * 32 * 64 * 8 + 256 * 32 * 16 + 64 * (16 * 16 + 16 * 16)
    norms = 256 * 32 * 8 + 256 * 16 + 64 * 16
    assert count_multiply_adds(network) == convolutions + norms + 8 * 16 * 4


@pytest.fixture(scope="module")
def fitted():
    windows = make_test_windows((4, 4, 4), n_times=96)
    (fold, *_) = make_folds(windows.table, method="leave_one_group_out", group="subject")

    def fit(seed=0):
        return fit_fold(
            windows, fold, model={"name": "eegnet", **SMALL}, epochs=2, batch_size=8, seed=seed
        )

    return windows, fold, fit, fit()


def test_the_same_seed_gives_the_same_weights(fitted):
    _, _, fit, first = fitted
    again, other = fit(), fit(seed=1)
    weights = [one.model.network.get_weights() for one in (first, again, other)]
    for a, b in zip(*weights[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(weights[0], weights[2], strict=True))


def test_windows_are_classified_each_by_itself(fitted):
    windows, _, _, first = fitted
    x = windows.gather(np.arange(len(windows)))
    order = np.random.default_rng(0).permutation(len(x))
    p = first.model.classify(x)
    np.testing.assert_allclose(first.model.classify(x[order]), p[order], atol=1e-6)
    np.testing.assert_allclose(first.model.classify(x[:1]), p[:1], atol=1e-6)


def test_what_is_stored_gives_the_same_predictions(fitted, tmp_path):
    _, _, _, first = fitted
    model = make_model("eegnet", **SMALL)
    first.model.save(tmp_path / model.file)
    loaded = model.load(tmp_path / "model.keras", first.model.shape)
    x = np.random.default_rng(0).normal(size=(3, 32, 3)).astype("float32")
    np.testing.assert_array_equal(loaded.classify(x), first.model.classify(x))
    assert loaded.cost() == first.model.cost()


@pytest.mark.slow
def test_two_sampling_frequencies_in_one_process_are_two_networks():
    """A compiled network is kept for the next fold; one of other kernels is not taken for it."""
    for sfreq in (32.0, 64.0, 32.0):
        windows = make_test_windows((4, 4, 4), n_times=96, sfreq=sfreq, duration=64 / sfreq)
        (fold, *_) = make_folds(windows.table, method="leave_one_group_out", group="subject")
        fitted = fit_fold(
            windows, fold, model={"name": "eegnet", **SMALL}, epochs=1, batch_size=8, seed=0
        )
        assert fitted.model.network.get_layer("temporal").kernel_size == (sfreq // 2, 1)


def test_all_folds_at_once_is_refused_in_words():
    said = make_model("eegnet").cannot_fit_many([])
    assert said == "eegnet has layers that are not known to train for all folds at once"


def write(file, folder, *overrides):
    chosen = "model={name: eegnet, temporal_filters: 2, separable_filters: 3}"
    experiment = tiny(folder / "data", chosen, "training.epochs=1", *overrides, name="eegnet")
    file.write_text(yaml.safe_dump(experiment.model_dump(mode="json")))


def test_an_experiment_with_it_is_checked(tmp_path, capsys):
    file = tmp_path / "eegnet.yaml"
    write(file, tmp_path)
    assert run("check", file, "--results", tmp_path / "results") == 0
    assert "network of" in capsys.readouterr().out
    write(file, tmp_path, "windows.duration=0.1875", "windows.stride=0.1875")
    assert run("check", file, "--results", tmp_path / "results") == 2
    assert "Use windows of at least 32 samples" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_from_a_file_to_a_report_and_back(tmp_path, capsys):
    file, results = tmp_path / "eegnet.yaml", tmp_path / "results"
    write(file, tmp_path)
    assert run("run", file, "--results", results, "--jobs", "1") == 0
    (result,) = results.glob("eegnet-*")
    assert run("report", result) == 0
    assert "EEGNet" in (result / "report.html").read_text()
    model = "model={name: band_power_logreg}"
    assert run("run", file, "--results", results / "b", "--jobs", "0", "--set", model) == 0
    (other,) = (results / "b").glob("eegnet-*")
    assert run("compare", result, other, "--out", tmp_path / "compare") == 0
    assert "EEGNet" in (tmp_path / "compare" / "comparison.html").read_text()
    common = ["--results", tmp_path / "audit", "--jobs", "0", "--draws", "1"]
    assert run("audit", file, *common) == 0
    recording = next((tmp_path / "data").rglob("s01.dat"))
    assert run("predict", result, recording, "--out", tmp_path / "predicted") == 0
    assert (tmp_path / "predicted" / "predictions.csv").is_file()
    assert run("run", "--verify", result, "--jobs", "0") == 0
    assert "to the bit" in " ".join(capsys.readouterr().out.split())
