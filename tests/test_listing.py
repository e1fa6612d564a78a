"""`eegemo list`: what an experiment file can name, and the options of each."""

import pytest
from test_cli import call

from eegemo.config import experiment_class
from eegemo.registry import DATASETS, MODELS


@pytest.mark.parametrize(("what", "registry"), [("models", MODELS), ("datasets", DATASETS)])
def test_every_name_is_listed_with_its_origin(capsys, what, registry):
    code, out, _ = call(capsys, "list", what)
    assert code == 0
    listed = dict(line.split() for line in out.split("\n\n")[0].splitlines())
    assert listed == dict.fromkeys(registry.built_in, "eegemo")


def test_options_are_those_that_a_file_takes(capsys):
    file = experiment_class("deap", "cnn_gru")
    for name in ("windows", "split", "choice", "cnn_gru", "deap"):
        code, out, _ = call(capsys, "list", "options", name)
        assert code == 0
        part = {"cnn_gru": "model", "deap": "data"}.get(name, name)
        kinds = [file.model_fields[part].annotation]
        kinds += getattr(kinds[0], "__args__", ())  # one that may be null is a union
        (section,) = (kind for kind in kinds if hasattr(kind, "model_fields"))
        said = [line.split(":")[0] for line in out.splitlines() if line[:1].strip()]
        assert said == list(section.model_fields)
    _, out, _ = call(capsys, "list", "options")
    assert all(f"\n{part}: " in f"\n{out}" for part in file.model_fields)


def test_code_of_ones_own_is_described_as_well(capsys, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "listed_net.py").write_text(
        "def build(n_times, n_channels, n_classes, *, width: int = 8) -> 'keras.Model':\n"
        "    '''Build.\n\n    Parameters\n    ----------\n"
        "    width : int\n        How wide.\n    '''\n"
    )
    code, out, _ = call(capsys, "list", "options", "listed_net:build")
    assert code == 0
    assert "width: 8  [whole number]\n    How wide." in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nets"], "expected models, datasets or options; found 'nets'"),
        (["options", "window"], "did you mean 'windows'?"),
        (["options", "cnn_lsmt"], "did you mean 'cnn_lstm'?"),
        (["models", "cnn_lstm"], "eegemo list options cnn_lstm"),
        (["options", "no_such_package:x"], "there is no module 'no_such_package'"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(capsys, arguments, says):
    code, out, err = call(capsys, "list", *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
