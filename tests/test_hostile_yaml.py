"""Experiment files that blow up or build objects; and that eegemo has no reader that runs code."""

import ast
import time
from pathlib import Path

import pytest
import yaml
from mutations import memory_below

import eegemo
from eegemo.config import load_experiment, parse_experiment
from eegemo.errors import ConfigError

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 30)
)
YAML = {
    "a billion laughs": (LAUGHS, r"aliases \(\*name\) are not allowed"),
    "an object": ("name: !!python/object/apply:os.system ['touch harm']", "tags .* not allowed"),
    "an object, called": ("name: !!python/object/new:os.system ['touch harm']", "not allowed"),
    "a module": ("name: !!python/module:os", "not allowed"),
    "a name": ("name: !!python/name:os.system", "not allowed"),
    "a tag of one's own": ("name: !harm {a: 1}", "not allowed"),
    "bytes": ("name: !!binary aGFybQ==", "not allowed"),
    "a directive": ("%TAG ! tag:yaml.org,2002:python/\n---\nname: !name:os.system ''", "not allow"),
    "keys that merge": ("base: &base {name: a}\n<<: *base", "not allowed"),
    "keys that merge without an alias": ("<<: {name: a}", "keys must be words|merge"),
    "a key twice": ("name: a\nname: b", "the key 'name' occurs twice"),
    "a key twice, deeper": ("data: {root: a, root: b}", "the key 'root' occurs twice"),
    "a list as a key": ("? [a, b]\n: c", "keys must be words"),
    "a mapping as a key": ("? {a: b}\n: c", "keys must be words"),
    "no text": ("name: \x00", "not readable as YAML"),
    "two documents": ("name: a\n---\nname: b", "document"),
    "deep": ("[" * 100_000, "too deeply nested|not readable"),
    "deep and closed": ("name: " + "[" * 1000 + "]" * 1000, "too deeply nested"),
    "deep in mappings": ("{a: " * 5000, "too deeply nested"),
    "deep by indentation": ("".join(f"{' ' * k}a:\n" for k in range(600)), "deep|characters"),
    "long": ("name: a\nnotes:\n" + "- x\n" * 100_000, "characters; an experiment has 200000"),
    "a long word": ("name: " + "x" * 300_000, "characters; an experiment has 200000"),
    "a long number": ("seed: " + "9" * 10_000, "YAML|whole number|integer"),
    "a long number of base 16": ("seed: 0x" + "f" * 10_000, "YAML|whole number|integer|seed"),
}  # fmt: skip


@pytest.mark.parametrize("case", YAML)
def test_experiment_files_that_do_harm(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    text, says = YAML[case]
    began = time.process_time()
    with memory_below(30e6), pytest.raises(ConfigError, match=says) as caught:
        parse_experiment(text, source="a.yaml")
    # a guard against minutes, with a hundredfold margin
    assert time.process_time() - began < 20
    assert len(str(caught.value)) < 6000
    assert not list(tmp_path.iterdir())


def test_what_strict_yaml_is_kept_from():
    """Python's own loader does build objects from such a tag, and does follow aliases."""
    built = yaml.load("!!python/object/apply:operator.add [1, 2]", yaml.UnsafeLoader)
    assert built == 3
    assert len(yaml.safe_load(LAUGHS)["a29"]) == 10


def test_experiment_files_that_do_not_end(tmp_path):
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 32)  # no bytes on disk, 4 GiB of NUL to read
    with memory_below(5e6), pytest.raises(ConfigError):
        load_experiment(path)


# What runs code that a file holds, and the one place where it may be called.
UNSAFE = {
    "eval", "exec", "pickle.load", "pickle.loads", "pickle.Unpickler", "dill.load", "joblib.load",
    "marshal.loads", "shelve.open", "pd.read_pickle", "yaml.unsafe_load", "yaml.full_load",
    "keras.config.enable_unsafe_deserialization", "keras.models.load_model", "os.system",
}  # fmt: skip


# No file: what a worker of a cluster is sent by the process that started it.
MESSAGES = {("process.py", "pickle.loads"), ("working.py", "pickle.loads")}
# The contract test of data sets sends an object to itself: what is read was just written.
MESSAGES |= {("findings.py", "pickle.loads")}
# the one that reads descriptions first, by its plain name
OUR_LOADERS = {"load_model"}


def test_eegemo_has_no_reader_that_runs_code():
    package = Path(eegemo.__file__).parent
    loaders = []
    for file in package.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        # a result has a method of the same name, so Keras's is known by who imports Keras
        imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        knows_keras = any("keras" in ast.unparse(one).split("eegemo")[0] for one in imports)
        for node in nodes:
            if not isinstance(node, ast.Call):
                continue
            name, given = (
                ast.unparse(node.func),
                {k.arg: ast.unparse(k.value) for k in node.keywords},
            )
            assert name not in UNSAFE or (file.name, name) in MESSAGES, f"{file}: {name}"
            assert given.get("allow_pickle", "False") == "False", f"{file}: {name}"
            assert given.get("shell", "False") == "False", f"{file}: {name}"
            if name == "yaml.load":
                assert [ast.unparse(one) for one in node.args[1:]] == ["StrictLoader"], file
            if knows_keras and name.split(".")[-1] == "load_model" and name not in OUR_LOADERS:
                loaders.append((file.name, given.get("safe_mode"), given.get("compile")))
    assert loaders == [("loading.py", "True", "False")]
