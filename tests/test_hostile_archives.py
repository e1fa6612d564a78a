"""Archives that attack: ``.npz`` files, and ``.keras`` files that name code or claim memory."""

import io
import json
import stat
import struct
import zipfile

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from mutations import memory_below

from eegemo.errors import DataError, ResultError
from eegemo.evaluation import read_predictions
from eegemo.formats.archives import load_arrays, open_archive
from eegemo.models import build_model
from eegemo.models.keras.loading import load_model
from fake_result import fake_result


def write_zip(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


def header(text):
    """Return the start of an ``.npy`` file with a description of one's own."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


# --- any archive ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../a.npy", "/etc/a.npy", "a/../../b.npy", "..\\a.npy", "C:\\a.npy", "C:a.npy"]
)
def test_entries_that_lead_out(tmp_path, name):
    path = write_zip(tmp_path / "a.npz", [(name, npy([1.0]))])
    with pytest.raises(DataError, match="would lead out of the archive"):
        load_arrays(path, {"a": "f"})


def test_links_in_archives(tmp_path):
    entry = zipfile.ZipInfo("a.npy")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = write_zip(tmp_path / "a.npz", [(entry, "/etc/passwd")])
    with pytest.raises(DataError, match="would lead out of the archive"):
        load_arrays(path, {"a": "f"})


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_entries_there_twice(tmp_path):
    path = write_zip(tmp_path / "a.npz", [("a.npy", npy([1.0])), ("a.npy", npy([2.0]))])
    with pytest.raises(DataError, match=r"'a\.npy' is there twice"):
        load_arrays(path, {"a": "f"})


def test_too_many_entries(tmp_path):
    path = write_zip(tmp_path / "a.npz", [(f"{k}.npy", b"") for k in range(1001)])
    with pytest.raises(DataError, match="holds 1001 entries"):
        load_arrays(path, {"a": "f"})


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_bombs(tmp_path, compression):
    path = write_zip(tmp_path / "a.npz", [("a.npy", bytes(10_000_000))], compression)
    with memory_below(1e6), pytest.raises(DataError, match="is compressed, 10000000 bytes in"):
        load_arrays(path, {"a": "f"})


def test_entries_that_overlap(tmp_path):
    """One content for many names multiplies without compression."""
    path = write_zip(tmp_path / "a.npz", [("a.npy", bytes(1000)), ("b.npy", bytes(1000))])
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, second + 42, 0)  # the second entry begins where the first does
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_arrays(path, {"a": "f", "b": "f"})


def test_a_flipped_byte_is_noticed(tmp_path):
    path = write_zip(tmp_path / "a.npz", [("a.npy", npy(np.zeros(100)))])
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="is corrupt"):
        load_arrays(path, {"a": "f"})


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"PK\x03\x04", b"x" * 1000])
def test_what_is_no_archive(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_arrays(path, {"a": "f"})
    with pytest.raises(DataError, match="cannot be read"), open_archive(tmp_path / "none.npz"):
        pass


ARRAYS = {
    "objects": (npy(np.array([{}], object)), "expected numbers or text, found object"),
    "records": (npy(np.zeros(2, "f8,i4")), "expected numbers or text"),
    "a subarray": (
        header("{'descr': ('<f8', (2,)), 'fortran_order': False, 'shape': (1,)}"),
        "expected numbers",
    ),
    "complex": (npy([1j]), "expected numbers or text, found complex128"),
    "dates": (npy(np.array(["2020-01-01"], "M8[s]")), "expected numbers or text"),
    "not a number": (npy([np.nan]), "NaN or infinity"),
    "integers": (npy([1]), "expected the kind 'f', found int64"),
    "a huge shape": (
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**15,)}"),
        "header is corrupt",
    ),
    "a huge number": (
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,)}"),
        "takes 8000000000000000 bytes; there are 0",
    ),
    "a negative shape": (
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
        "is none|corrupt",
    ),
    "a shape of texts": (
        header("{'descr': '<f8', 'fortran_order': False, 'shape': ('a',)}"),
        "corrupt",
    ),
    "a call": (header("__import__('os').system('touch harm')"), "header is corrupt"),
    "a deep header": (header("(" * 5000), "header is corrupt"),
    "a long header": (header("[" + "0," * 20_000 + "]"), "header is corrupt"),
    "another version": (b"\x93NUMPY\x03\x00" + bytes(100), "version 1.0"),
    "no array": (b"x" * 100, "corrupt"),
    "nothing": (b"", "corrupt"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_that_are_none(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    content, says = ARRAYS[case]
    path = write_zip(tmp_path / "a.npz", [("a.npy", content)])
    with memory_below(3e6), pytest.raises(DataError, match=says):
        load_arrays(path, {"a": "f"})
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_texts_that_are_none(tmp_path):
    """A number that is no letter would fail far from here, when the text is shown."""
    start = header("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}")
    for letter in (b"\xff" * 4, b"\x00\xd8\x00\x00"):
        path = write_zip(tmp_path / "a.npz", [("a.npy", start + letter)])
        with pytest.raises(DataError, match="what is no text"):
            load_arrays(path, {"a": "U"})


def test_tables_that_claim_rows(tmp_path, monkeypatch):
    """What repeats takes no space in a parquet file: 800 kB of rows in some hundred bytes."""
    monkeypatch.setattr("eegemo.evaluation.predictions._MOST_BYTES", 100_000)
    path = tmp_path / "predictions.parquet"
    pd.DataFrame({"fold": np.zeros(100_000, np.int64)}).to_parquet(path)
    assert path.stat().st_size < 5_000
    with memory_below(500e3), pytest.raises(ResultError, match="cannot be read"):
        read_predictions(path)


def test_damaged_pages_of_predictions_are_noticed(tmp_path):
    """Parquet has no checksum unless asked: a changed probability would be read as another."""
    path = fake_result(tmp_path, n_subjects=2, n_trials=4, n_windows=20) / "predictions.parquet"
    content, original = bytearray(path.read_bytes()), read_predictions(path)
    refused = []
    for position in range(4, len(content), 53):
        content[position] ^= 1
        path.write_bytes(content)
        content[position] ^= 1
        try:  # some bytes are of no consequence, such as those that name the writer
            assert read_predictions(path).equals(original)
        except ResultError:
            refused.append(position)
    assert len(refused) > 20


# --- networks -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.keras"
    network = build_model("cnn_lstm", n_times=16, n_channels=3, n_classes=2, units=4, filters=(4,))
    network.save(path)
    return network, path


def rewrite(stored, target, *, config=None, weights=None, extra=()):
    """Write a stored network again with its description or weights changed."""
    with zipfile.ZipFile(stored) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    if config is not None:
        description = json.loads(entries["config.json"])
        entries["config.json"] = json.dumps(config(description) or description).encode()
    if weights is not None:
        stream = io.BytesIO(entries["model.weights.h5"])
        with h5py.File(stream, "r+") as file:
            weights(file)
        entries["model.weights.h5"] = stream.getvalue()
    return write_zip(target, [*entries.items(), *extra])


def test_networks_come_back_as_they_were(stored):
    network, path = stored
    again = load_model(path)
    x = np.random.default_rng(0).normal(size=(5, 16, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(x, verbose=0), network.predict(x, verbose=0))
    assert not again.compiled


@pytest.mark.parametrize("name", ["cnn_lstm", "cnn_gru"])
def test_every_network_of_eegemo_is_let_through(tmp_path, name):
    network = build_model(name, n_times=16, n_channels=3, n_classes=2, units=4, filters=(4,))
    network.compile(keras.optimizers.Adam(global_clipnorm=1.0), "sparse_categorical_crossentropy")
    network.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").count_params() == network.count_params()


def layer(description, k):
    return description["config"]["layers"][k]


def call(module, name, **config):
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


HARM = "import pathlib; pathlib.Path('harm').touch()"
DESCRIPTIONS = {
    "a Lambda layer": call("keras.layers", "Lambda", function={"class_name": "__lambda__"}),
    "CVE-2025-1550": call("builtins", "eval", arg=HARM),
    "a function by name": {"class_name": "function", "module": "os", "config": "system"},
    "CVE-2025-8747": call("keras.utils", "get_file", origin="file:///etc/passwd", cache_dir="."),
    "CVE-2025-9906": call("keras.config", "enable_unsafe_deserialization"),
    "CVE-2025-12058": call("keras.layers", "StringLookup", vocabulary="/etc/passwd"),
    "a layer that reads a model": call("keras.layers", "TFSMLayer", filepath="/etc"),
    "a layer of another package": call("os", "system", command="touch harm"),
    "an allowed name elsewhere": call("mine.layers", "Dense", units=2),
    "a registered name": call("keras.layers", "Dense", units=2) | {"registered_name": "mine>Dense"},
    "no module": {"class_name": "Lambda", "config": {}},
    "a module that is no text": {"class_name": "Dense", "module": ["keras.layers"], "config": {}},
    "a name that is no text": {"class_name": {"a": 1}, "module": "keras.layers", "config": {}},
    "an array": {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
}


@pytest.mark.parametrize("place", ["layer", "initializer", "activation", "argument", "whole"])
@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_descriptions_that_name_code(stored, tmp_path, monkeypatch, place, case):
    monkeypatch.chdir(tmp_path)
    harm = DESCRIPTIONS[case]

    def edit(description):
        if place == "layer":
            description["config"]["layers"][1] = {**harm, "name": "conv_1", "inbound_nodes": []}
        elif place == "initializer":
            layer(description, 1)["config"]["kernel_initializer"] = harm
        elif place == "activation":
            layer(description, 1)["config"]["activation"] = harm
        elif place == "argument":
            layer(description, 1)["inbound_nodes"][0]["kwargs"] = {"mask": [harm]}
        else:
            return harm | {"config": harm.get("config") or {}}
        return None

    path = rewrite(stored[1], tmp_path / "harmful.keras", config=edit)
    with pytest.raises(DataError, match=r"asks for .*nothing of it was run|is not that of a"):
        load_model(path)
    assert [file.name for file in tmp_path.iterdir()] == ["harmful.keras"]


def test_names_of_functions_are_not_looked_up(stored, tmp_path):
    def edit(description):
        layer(description, 1)["config"]["activation"] = "os.system"

    with pytest.raises(DataError, match="cannot be loaded"):
        load_model(rewrite(stored[1], tmp_path / "harmful.keras", config=edit))


def test_compilation_is_not_loaded(stored, tmp_path):
    def edit(description):
        description["compile_config"] = {"loss": call("builtins", "eval", arg=HARM)}

    assert not load_model(rewrite(stored[1], tmp_path / "a.keras", config=edit)).compiled


@pytest.mark.parametrize(
    ("kind", "size"), [("LSTM", "units"), ("Dense", "units"), ("Conv1D", "filters")]
)
def test_descriptions_of_more_than_there_is(stored, tmp_path, kind, size):
    """A billion units would be built before the weights are looked at."""

    def edit(description):
        for one in description["config"]["layers"]:
            if one["class_name"] == kind:
                one["config"][size] = 1_000_000_000

    with pytest.raises(DataError, match="describes a network of more weights than"):
        load_model(rewrite(stored[1], tmp_path / "huge.keras", config=edit))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "cannot be read"),
        ('{"config": ' * 200 + "1" + "}" * 200, "nested too deeply"),
        ("[]", "is not that of a network"),
        ("", "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_descriptions_that_are_none(stored, tmp_path, text, says):
    with zipfile.ZipFile(stored[1]) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    path = write_zip(tmp_path / "a.keras", [*(entries | {"config.json": text.encode()}).items()])
    with pytest.raises(DataError, match=says):
        load_model(path)


def _external(file):
    del file["layers/conv1d/vars/0"]
    file["layers/conv1d/vars/0"] = h5py.ExternalLink("/etc/passwd", "/")


def _soft(file):
    file["layers/conv1d/vars/2"] = h5py.SoftLink("/layers")


def _raw(file):
    del file["layers/conv1d/vars/0"]
    file["layers/conv1d/vars"].create_dataset(
        "0", (12,), "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
    )


def _compressed(file):
    file.create_dataset("bomb", (10_000_000,), "f4", compression="gzip", fillvalue=1.0)


def _empty(file):
    file.create_dataset("bomb", (1 << 40,), "f4", chunks=(1024,))


def _text(file):
    file["text"] = "text"


def _circle(file):
    file["layers/circle"] = file["layers"]


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (_external, "link to another place"),
        (_soft, "link to another place"),
        (_raw, "not a plain array"),
        (_compressed, "not a plain array"),
        (_empty, "not a plain array"),
        (_text, "not a plain array"),
        (_circle, "in more than 1000 groups"),
    ],
)
def test_weights_that_are_elsewhere_or_none(stored, tmp_path, weights, says):
    with pytest.raises(DataError, match=says):
        load_model(rewrite(stored[1], tmp_path / "a.keras", weights=weights))


def test_other_files_in_the_archive(stored, tmp_path):
    """Keras unpacks an ``assets`` folder for some layers; those of eegemo have none."""
    extra = [("assets/layer/vocabulary.txt", "text")]
    with pytest.raises(DataError, match=r"expected a \.keras archive of config\.json"):
        load_model(rewrite(stored[1], tmp_path / "a.keras", extra=extra))
    (tmp_path / "old.keras").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000))
    with pytest.raises(DataError, match="not a zip archive"):
        load_model(tmp_path / "old.keras")
    with pytest.raises(DataError, match="cannot be read"):
        load_model(tmp_path / "none.keras")
