"""Names of models, data sets and the like: what they resolve to, and how they are refused."""

import hashlib
import importlib.metadata
import sys

import pytest

from eegemo.errors import ConfigError
from eegemo.registry.registry import Registry
from eegemo.registry.tables import COMMANDS, DATASETS, MODELS, REGISTRIES

FIRST = "expected 'cnn_lstm', 'cnn_gru', 'eegnet' or 'band_power_logreg'"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write modules into a folder from which they can be imported, and forget them afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name, text):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def install(write):
    """Declare entry points as an installed package does."""

    def install(distribution, version, text):
        about = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        folder = f"{distribution.replace('-', '_')}-{version}.dist-info"
        write(f"{folder}/METADATA", about)
        write(f"{folder}/entry_points.txt", text)

    return install


def refusal(name, registry=MODELS, **options):
    with pytest.raises(ConfigError) as caught:
        registry.resolve(name, **options)
    return str(caught.value)


# --- the built-in tables -------------------------------------------------------------------------

BUILT_IN = [
    pytest.param(registry, name, id=f"{kind}-{name}")
    for kind, registry in REGISTRIES.items()
    for name in registry.built_in
]


@pytest.mark.parametrize(("registry", "name"), BUILT_IN)
def test_every_built_in_name_resolves_to_something_that_can_be_called(registry, name):
    assert callable(registry.resolve(name, trust=False))


def test_commands_are_those_of_the_command_line():
    from eegemo.cli import app

    assert [command.callback.__name__ for command in app.registered_commands] == [
        COMMANDS.resolve(name).__name__ for name in COMMANDS.built_in
    ]


def test_kinds_are_those_that_the_design_names():
    kinds = {"models", "adapters", "datasets", "splits", "scaling", "exporters", "commands"}
    assert set(REGISTRIES) == kinds


def test_a_built_in_name_asks_no_installed_package(monkeypatch):
    def fail(**_):
        raise AssertionError("entry points were read")

    monkeypatch.setattr(importlib.metadata, "entry_points", fail)
    assert MODELS.resolve("cnn_lstm") is not None


# --- names that are not known --------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_nearest():
    said = refusal("cnn_lsmt")
    assert said == f"model.name: {FIRST}, found the text 'cnn_lsmt'; did you mean 'cnn_lstm'?"
    assert refusal("svm") == f"model.name: {FIRST}, found the text 'svm'."
    assert refusal("daep", DATASETS).startswith("data.source: expected 'deap', 'bids', 'simulat")


def test_a_long_name_is_cut():
    assert len(refusal("x" * 10_000)) < 300


# --- plug-ins ------------------------------------------------------------------------------------


def test_plug_ins_are_resolved_by_entry_points(write, install):
    write("plug/__init__.py", "")
    write("plug/nets.py", "def deepnet(*, width=16):\n    pass\n")
    install("eeg-plug", "1.2", "[eegemo.models]\ndeepnet = plug.nets:deepnet\n")
    assert MODELS.names()["deepnet"] == "eeg-plug 1.2"
    assert "plug" not in sys.modules  # names() imports nothing
    assert refusal("deepent").endswith(
        "or 'deepnet', found the text 'deepent'; did you mean 'deepnet'?"
    )
    assert "plug" not in sys.modules
    # an installed package is trusted as much as eegemo is
    assert MODELS.resolve("deepnet", trust=False).__name__ == "deepnet"
    assert "deepnet" not in DATASETS.names()


def test_a_plug_in_cannot_replace_a_built_in_name(write, install):
    write("other.py", "def cnn(): pass\n")
    install("other", "1", "[eegemo.models]\ncnn_lstm = other:cnn\n")
    assert MODELS.resolve("cnn_lstm").__module__ == "eegemo.models.cnn_rnn"
    assert MODELS.names()["cnn_lstm"] == "eegemo"


def test_a_broken_plug_in_is_named_with_its_package_and_only_when_it_is_asked_for(write, install):
    file = write("broken_plug.py", "\nraise RuntimeError('no licence')\n")
    install("broken-plug", "3.1", "[eegemo.models]\nnet = broken_plug:net\ngone = nowhere.at:all\n")
    assert {"net", "gone"} <= set(MODELS.names())
    said = refusal("net")
    assert said.startswith("model.name: plug-in 'net' (broken-plug 3.1): ")
    assert f"{file}, line 2, cannot be imported (RuntimeError: no licence)" in said
    assert "plug-in 'gone' (broken-plug 3.1): there is no module 'nowhere'" in refusal("gone")


def test_two_packages_with_the_same_name_are_both_named(write, install):
    install("first", "1", "[eegemo.models]\nnet = first:net\n")
    install("second", "2", "[eegemo.models]\nnet = second:net\n")
    said = refusal("net")
    assert "declared by two installed packages" in said
    assert "first 1" in said
    assert "second 2" in said


# --- import paths --------------------------------------------------------------------------------


def test_an_import_path_is_imported(write):
    write("mine.py", "class Nets:\n    @staticmethod\n    def build(): return 3\n")
    assert MODELS.resolve("mine:Nets.build")() == 3


def test_without_trust_nothing_is_imported(write, tmp_path):
    victim = tmp_path / "victim"
    write("evil.py", f"import pathlib\npathlib.Path({str(victim)!r}).touch()\ndef build(): pass\n")
    said = refusal("evil:build", trust=False)
    assert "evil:build is code from outside eegemo; add --trust to import it" in said
    assert not victim.exists()
    assert "evil" not in sys.modules
    MODELS.resolve("evil:build")
    assert victim.exists()


WRONG = [
    ("build = 3", "mine:build", "expected a function or a class; 'build' of {file} is int."),
    ("def build(): pass", "mine:builds", "{file} has no 'builds'; did you mean 'build'?"),
    ("def build(): pass", "mine:zzz", "{file} has no 'zzz'."),
    ("import nowhere_at_all", "mine:build", "{file} needs the module 'nowhere_at_all', which is"),
    ("from json import nothing", "mine:build", "{file}, line 1, cannot be imported (ImportError: "),
    ("x = 1\ny = 1 / 0", "mine:build", "{file}, line 2, cannot be imported (ZeroDivisionError: "),
    ("x = 1\ndef build(:\n", "mine:build", "{file}, line 2, cannot be imported (SyntaxError: "),
    ("raise SystemExit(3)", "mine:build", "{file}, line 1, cannot be imported (SystemExit: 3)"),
    ("", "mine.inner:build", "there is no module 'mine.inner'"),
    ("", "nowhere_at_all.nets:build", "there is no module 'nowhere_at_all'; install it, or add"),
]


@pytest.mark.parametrize(("text", "path", "message"), WRONG, ids=[case[2][:30] for case in WRONG])
def test_what_is_wrong_with_an_import_path_is_named_with_its_file(write, text, path, message):
    file = write("mine.py", text)
    said = refusal(path)
    assert said.startswith(f"model.name: {path}: ")
    assert message.format(file=file) in said


@pytest.mark.parametrize("name", ["", ":", "a:", ":b", "a b:c", "../x:y", "a:b:c", "1a:b"])
def test_what_is_no_import_path_is_an_unknown_name(name):
    assert refusal(name).startswith(f"model.name: {FIRST}, found the text ")


# --- which code it is ----------------------------------------------------------------------------


def test_the_code_of_an_import_path_is_known_by_the_digest_of_its_source(write):
    file = write("mine.py", "def build(): pass\n")
    MODELS.resolve("mine:build")
    code = MODELS.describe_code("mine:build")
    assert (code.module, code.file) == ("mine", str(file))
    assert code.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert code.distribution is None
    file.write_text("def build(): return 3\n")
    assert MODELS.describe_code("mine:build").sha256 != code.sha256


def test_the_code_of_a_plug_in_is_known_by_its_package_too(write, install):
    file = write("plug_two.py", "def net(): pass\n")
    install("plug-two", "0.3", "[eegemo.models]\nnet = plug_two:net\n")
    code = MODELS.describe_code("net")
    assert (code.distribution, code.version) == ("plug-two", "0.3")
    assert code.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_what_eegemo_comes_with_needs_no_digest():
    code = MODELS.describe_code("cnn_lstm")
    assert (code.module, code.sha256) == ("eegemo.models.cnn_rnn", None)
    assert not MODELS.is_foreign("cnn_lstm")
    assert MODELS.is_foreign("mine:build")


def test_code_that_cannot_be_found_is_refused():
    registry = Registry("models", "model.name", {})
    with pytest.raises(ConfigError, match="'nowhere_at_all' has no file"):
        registry.describe_code("nowhere_at_all:build")
    with pytest.raises(ConfigError, match="the module 'sys' has no file"):
        registry.describe_code("sys:exit")
    with pytest.raises(ConfigError, match="found the text 'net'"):
        registry.describe_code("net")
