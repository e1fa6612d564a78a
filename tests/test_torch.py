"""PyTorch modules as models: against a loop written out, against Keras, resumed, stored, refused.

They need PyTorch, which is optional; CONTRIBUTING.md has the command to run them.
"""

import os

import numpy as np
import pytest

from eegemo.errors import ConfigError, DataError, InputError
from eegemo.models import as_model
from eegemo.models.base import make_fit_data
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import HISTORY, FitFiles, InputShape, shape_of
from eegemo.scaling import ScaledWindows, fit_scaling
from eegemo.splits import make_folds
from eegemo.training import fit_fold
from helpers import make_test_windows

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install eegemo[torch]")
nn = torch.nn


def net(
    n_times: int, n_channels: int, n_classes: int, *, width: int = 4, dropout: float = 0.0
) -> "torch.nn.Module":
    return nn.Sequential(
        nn.Conv1d(n_channels, width, 5, padding="same"),
        nn.BatchNorm1d(width),
        nn.ELU(),
        nn.AvgPool1d(4),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(n_times // 4 * width, n_classes),
    )


def dropping(n_times: int, n_channels: int, n_classes: int) -> "torch.nn.Module":
    return net(n_times, n_channels, n_classes, dropout=0.5)


# what has a name is known again, so that its checkpoint can be taken up
DROPPING = {"name": "test_torch:dropping"}


@pytest.fixture(scope="module")
def windows():
    codes = [0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1]
    return make_test_windows((4, 4, 4), codes=codes)


@pytest.fixture(scope="module")
def fold(windows):
    return make_folds(windows.table, method="leave_one_group_out", group="subject")[0]


def show(windows, fold, model, **options):
    scaled = ScaledWindows(windows, fit_scaling(windows, fold.train))
    return make_fit_data(windows, fold, scaled, model=as_model(model), **options)


SHORT = {"epochs": 3, "batch_size": 8, "learning_rate": 0.01}


def weights(fitted):
    return [value.numpy() for value in fitted.model.module.state_dict().values()]


def test_training_is_that_of_a_loop_written_out(windows, fold):
    """Adam, weighted cross-entropy, clipped norm; batches in the order that the seed gives."""
    fitted = fit_fold(windows, fold, model=net, training=SHORT, seed=5)
    data = show(windows, fold, net)
    torch.manual_seed(5)
    module = net(*data.shape[:3])
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01, eps=1e-7)
    weight = torch.from_numpy(data.class_weight)
    losses, best = [], (np.inf, None)
    x = {part: torch.from_numpy(data.x(rows).swapaxes(1, 2).copy())
         for part, rows in (("train", data.train), ("validation", data.validation))}  # fmt: skip
    for epoch in range(3):
        module.train()
        order = np.random.default_rng([5, epoch]).permutation(len(data.train))
        total = 0.0
        for first in range(0, len(order), 8):
            rows = order[first : first + 8]
            y = torch.from_numpy(data.y(data.train[rows]))
            log_p = torch.log_softmax(module(x["train"][rows]), dim=1)
            each = -weight[y] * log_p[torch.arange(len(y)), y]
            optimizer.zero_grad()
            each.mean().backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            total += float(each.sum().detach())
        losses.append(total / len(order))
        module.eval()
        y = torch.from_numpy(data.y(data.validation))
        log_p = torch.log_softmax(module(x["validation"]), dim=1).detach()
        loss = float((-weight[y] * log_p[torch.arange(len(y)), y]).mean())
        if loss < best[0]:
            best = loss, {name: value.clone() for name, value in module.state_dict().items()}
    np.testing.assert_allclose(fitted.history["loss"], losses, rtol=1e-5)
    assert fitted.history["val_loss"].min() == pytest.approx(best[0], rel=1e-5)
    for found, expected in zip(weights(fitted), best[1].values(), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-6)


def test_probabilities_are_the_softmax_of_what_the_module_gives(windows, fold):
    fitted = fit_fold(windows, fold, model=net, training=SHORT)
    data = show(windows, fold, net)
    module = fitted.model.module.eval()
    x = torch.from_numpy(data.scaled.x(fold.test).swapaxes(1, 2).copy())
    logits = module(x).detach().numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = fitted.predictions[["p_low", "p_high"]].to_numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_same_seed_gives_the_same_numbers_and_leaves_the_generator_alone(windows, fold):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = fit_fold(windows, fold, model=dropping, training=SHORT, seed=1)
    assert torch.equal(torch.rand(2), expected)
    again, other = (
        fit_fold(windows, fold, model=dropping, training=SHORT, seed=seed) for seed in (1, 2)
    )
    for a, b in zip(weights(first), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(weights(first), weights(other), strict=True))
    assert list(first.history.columns) == list(HISTORY)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_training_gives_the_numbers_of_one_that_was_never_stopped(
    windows, fold, tmp_path, monkeypatch, schedule, stop
):
    from eegemo.models.torch import progress

    monkeypatch.setattr(progress, "_WAIT", 0)  # a checkpoint after every epoch
    options = SHORT | {"epochs": 5, "schedule": schedule, "patience": 4}
    whole = fit_fold(windows, fold, model=DROPPING, training=options, seed=7)
    files = FitFiles(tmp_path / "history.csv", tmp_path / "checkpoint.npz")
    add, n_rows = progress.Progress.add, []

    def add_and_stop(self, *arguments, **keywords):
        add(self, *arguments, **keywords)
        n_rows.append(1)
        if len(n_rows) == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.Progress, "add", add_and_stop)
    with pytest.raises(KeyboardInterrupt):
        fit_fold(windows, fold, model=DROPPING, training=options, seed=7, files=files)
    resumed = fit_fold(windows, fold, model=DROPPING, training=options, seed=7, files=files)
    assert len(n_rows) == len(whole.history)  # nothing was trained twice
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    columns = [name for name in HISTORY if name != "seconds"]
    assert resumed.history[columns].equals(whole.history[columns])
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + len(whole.history)
    assert whole.best_epoch == resumed.best_epoch
    # of another seed, it is not taken up
    other = fit_fold(windows, fold, model=DROPPING, training=options, seed=8, files=files)
    assert not other.history["loss"].equals(whole.history["loss"])


def test_a_damaged_checkpoint_means_to_begin_anew(windows, fold, tmp_path):
    files = FitFiles(None, tmp_path / "checkpoint.npz")
    files.checkpoint.write_bytes(b"PK nonsense")
    found = fit_fold(windows, fold, model=DROPPING, training=SHORT, files=files)
    assert len(found.history) == 3


def test_it_stops_early_and_goes_back_to_the_best_epoch(windows, fold):
    options = SHORT | {"epochs": 40, "patience": 2, "learning_rate": 0.1}
    fitted = fit_fold(windows, fold, model=net, training=options)
    history = fitted.history
    assert len(history) < 40
    assert fitted.best_epoch == 1 + int(history["val_loss"].argmin()) == len(history) - 2
    at_best = fit_fold(windows, fold, model=net, training=options | {"epochs": fitted.best_epoch})
    for a, b in zip(weights(fitted), weights(at_best), strict=True):
        np.testing.assert_array_equal(a, b)


def test_schedules_lower_the_rate(windows, fold):
    cosine = fit_fold(windows, fold, model=net, training=SHORT | {"schedule": "cosine"}).history
    expected = 0.01 * (1 + np.cos(np.pi * np.array([1, 2, 3]) / 3)) / 2
    np.testing.assert_allclose(cosine["learning_rate"], expected, atol=1e-9)
    options = SHORT | {"schedule": "plateau", "epochs": 12, "patience": 4, "learning_rate": 0.2}
    history = fit_fold(windows, fold, model=net, training=options).history
    rate, best, waited = 0.2, np.inf, 0
    for loss, used in zip(history["val_loss"], history["learning_rate"], strict=True):
        assert used == rate
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited == 2:  # half the patience
            rate, waited = rate / 2, 0
    assert history["learning_rate"].nunique() > 1


def test_classes_weigh_the_same_if_they_are_to(windows, fold):
    balanced = fit_fold(windows, fold, model=net, training=SHORT).history
    plain = fit_fold(windows, fold, model=net, training=SHORT | {"class_weight": "none"}).history
    assert not balanced["loss"].equals(plain["loss"])


def test_the_history_agrees_with_that_of_keras(windows, fold):
    """The same weights see the same windows: a training that changes nothing."""
    import keras

    def keras_net(n_times, n_channels, n_classes) -> "keras.Model":
        return keras.Sequential(
            [
                keras.Input((n_times, n_channels)),
                keras.layers.Flatten(),
                keras.layers.Dense(n_classes, "softmax", kernel_initializer="zeros"),
            ]
        )

    def torch_net(n_times, n_channels, n_classes) -> "torch.nn.Module":
        last = nn.Linear(n_times * n_channels, n_classes)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        return nn.Sequential(nn.Flatten(), last)

    # all windows in one batch: the order does not matter
    options = {"epochs": 4, "batch_size": 1000, "learning_rate": 0.01}
    found, expected = (
        fit_fold(windows, fold, model=model, training=options) for model in (torch_net, keras_net)
    )
    for column in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
        np.testing.assert_allclose(
            found.history[column], expected.history[column], rtol=1e-4, err_msg=column
        )
    columns = ["p_low", "p_high"]
    np.testing.assert_allclose(found.predictions[columns], expected.predictions[columns], atol=2e-4)


def test_without_validation_it_trains_to_the_end(windows):
    (fold, *_) = make_folds(
        windows.table, method="leave_one_group_out", group="subject", validation=0.0
    )
    fitted = fit_fold(windows, fold, model=net, training=SHORT)
    assert fitted.best_epoch == len(fitted.history) == 3
    assert fitted.history["val_loss"].isna().all()


def test_weights_are_stored_as_plain_arrays(windows, fold, tmp_path):
    model = as_model(net)
    fitted = fit_fold(windows, fold, model=net, training=SHORT)
    path = tmp_path / model.file
    fitted.model.save(path)
    with np.load(path, allow_pickle=False) as file:
        assert file["format"].item() == "eegemo torch 1"
        assert {"state.0.weight", "state.1.num_batches_tracked"} <= set(file.files)
    loaded = model.load(path, shape_of(windows))
    x = show(windows, fold, net).scaled.x(fold.test)
    np.testing.assert_array_equal(loaded.classify(x), fitted.model.classify(x))
    assert loaded.cost() == fitted.model.cost()
    assert loaded.cost().parameters == sum(p.numel() for p in fitted.model.module.parameters())


def test_a_stored_file_that_is_another_is_refused(windows, fold, tmp_path):
    model, shape = as_model(net), shape_of(windows)
    fitted = fit_fold(windows, fold, model=net, training=SHORT)
    path = tmp_path / "model.npz"
    fitted.model.save(path)
    wider = as_model({"name": "test_torch:net", "width": 5})
    with pytest.raises(DataError, match=r"'0.weight' has the shape \(4, 3, 5\); expected \(5, 3"):
        wider.load(path, shape)
    with np.load(path) as file:
        arrays = dict(file.items())
    for change, message in (
        ({"format": np.array("eegemo torch 9")}, "expected 'eegemo torch 1' as its format"),
        ({"state.0.weight": np.array([object()])}, "expected the kind|expected numbers"),
        ({"state.0.bias": np.full(4, np.nan, np.float32)}, "NaN or infinity"),
        ({"state.9.weight": np.zeros(2)}, "expected the arrays"),
    ):
        np.savez(path, **(arrays | change))
        with pytest.raises(DataError, match=message):
            model.load(path, shape)
    torch.save(fitted.model.module, path)  # a pickle
    with pytest.raises(DataError, match=r"expected the arrays|compressed"):
        model.load(path, shape)


def test_an_object_is_copied_for_each_fold(windows, fold):
    torch.manual_seed(0)
    module = net(*shape_of(windows)[:3])
    before = {name: value.clone() for name, value in module.state_dict().items()}
    first, again = (fit_fold(windows, fold, model=module, training=SHORT) for _ in range(2))
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    for a, b in zip(weights(first), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_last_batch_of_one_window_is_no_batch(windows, fold):
    """Batch normalisation of a single vector is refused by PyTorch."""

    def flat(n_times, n_channels, n_classes) -> "torch.nn.Module":
        return nn.Sequential(
            nn.Flatten(), nn.BatchNorm1d(n_times * n_channels), nn.LazyLinear(n_classes)
        )

    size = next(k for k in range(3, 20) if len(fold.train) % k == 1)
    fitted = fit_fold(windows, fold, model=flat, training=SHORT | {"batch_size": size})
    # layers that learn their sizes are made before the optimizer collects what is trained
    data = show(windows, fold, net)
    torch.manual_seed(0)
    new = as_model(flat).build(data.shape)
    assert not torch.equal(fitted.model.module[2].weight, new[2].weight)


def test_mixed_precision_is_bfloat16_or_refused(windows, fold):
    fitted = fit_fold(windows, fold, model=net, training=SHORT | {"precision": "mixed_bfloat16"})
    assert all(value.dtype != np.float16 for value in weights(fitted))
    assert fitted.predictions["p_low"].dtype == np.float32
    with pytest.raises(ConfigError, match="expected 'float32' or 'mixed_bfloat16'"):
        fit_fold(windows, fold, model=net, training=SHORT | {"precision": "mixed_float16"})


class Exploding(nn.Linear):
    def forward(self, x):
        return super().forward(x.flatten(1)) * (torch.inf if self.training else 1.0)


def exploding(n_times: int, n_channels: int, n_classes: int) -> "torch.nn.Module":
    return Exploding(n_times * n_channels, n_classes)


def test_a_loss_that_is_no_number_ends_the_fit(windows, fold):
    with pytest.raises(DataError, match="is not a number after 1 epochs"):
        fit_fold(windows, fold, model=exploding, training=SHORT)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.setitem(os.environ, "EEGEMO_DEVICE", "gpu")
    with pytest.raises(InputError, match="PyTorch sees no GPU"):
        as_model(net).prepare_device()
    monkeypatch.setitem(os.environ, "EEGEMO_DEVICE", "auto")
    assert as_model(net).prepare_device() == "cpu"


def softmaxed(n_times: int, n_channels: int, n_classes: int) -> "torch.nn.Module":
    return nn.Sequential(net(n_times, n_channels, n_classes), nn.Softmax(dim=1))


def narrow(n_times: int, n_channels: int, n_classes: int) -> "torch.nn.Module":
    return net(n_times, n_channels, n_classes + 1)


def swapped(n_times: int, n_channels: int, n_classes: int) -> "torch.nn.Module":
    return net(n_times, n_times, n_classes)


def no_module(n_times: int, n_channels: int, n_classes: int) -> "torch.nn.Module":
    return 3


def failing(n_times: int, n_channels: int, n_classes: int) -> "torch.nn.Module":
    raise ValueError("too wide")


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (softmaxed, "gives probabilities; expected logits. Leave out its last softmax"),
        (narrow, r"gives shape \(4, 3\) for four windows .* expected logits.* = \(4, 2\)"),
        (swapped, r"cannot take windows of \(n, n_channels, n_times\) = \(n, 3, 32\)"),
        (no_module, "returned int; expected a torch.nn.Module"),
        (failing, "ValueError: too wide"),
    ],
)
def test_a_broken_module_is_named_with_file_and_function(builder, message):
    shape = InputShape(32, 3, 2, 32.0, ("a", "b", "c"))
    with pytest.raises(ConfigError, match=message) as error:
        as_model(builder).build(shape)
    assert f"{builder.__name__} in " in str(error.value)
    assert "test_torch.py" in str(error.value)


def test_folds_at_once_are_refused_in_words():
    assert "PyTorch module" in as_model(net).cannot_fit_many([])


def test_a_step_is_timed():
    shape = InputShape(32, 3, 2, 32.0, ("a", "b", "c"))
    assert 0 < as_model(net).seconds_per_batch(shape, 4) < 5
    assert TrainingOptions().precision == "float32"
