"""DEAP's files: numbers that cannot be, and MATLAB files that claim, hide or blow up."""

import zlib

import numpy as np
import pytest
import scipy.io
from mutations import memory_below

from eegemo.datasets.deap import load_deap_arrays
from eegemo.errors import DataError
from eegemo.formats.mat import load_mat_arrays
from eegemo.simulation.deap_files import write_dat


def change(file, old, new):
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"U\x01<NNN", b"U\x01>NNN"), (b"U\x02f8", b"U\x02i8"), (b"U\x02f8", b"U\x02u8")],
)
def test_numbers_that_are_read_as_others(tmp_path, old, new):
    """One changed letter makes other numbers of the same bytes; they are beyond any amplifier."""
    data = np.random.default_rng(0).normal(scale=10.0, size=(1, 40, 400))
    write_dat(tmp_path / "s01.dat", np.full((1, 4), 5.0), iter(data), data.shape)
    change(tmp_path / "s01.dat", old, new)
    with pytest.raises(DataError, match=r"expected 1 to 9|reaches from .* corrupt"):
        load_deap_arrays(tmp_path / "s01.dat")


@pytest.mark.parametrize(("channel", "value"), [(0, 1.1e6), (31, -1.1e6), (36, 1.1e9)])
def test_samples_beyond_any_amplifier(tmp_path, channel, value):
    data = np.random.default_rng(0).normal(scale=10.0, size=(2, 40, 400))
    data[:, 36] *= 1e4  # skin response is in ohm
    path = tmp_path / "s01.dat"
    write_dat(path, np.full((2, 4), 5.0), iter(data), data.shape)
    assert load_deap_arrays(path)[0].shape == data.shape
    data[1, channel, 7] = value
    write_dat(path, np.full((2, 4), 5.0), iter(data), data.shape)
    with pytest.raises(DataError, match=r"trial 2 reaches from .*The file is corrupt"):
        load_deap_arrays(path)


@pytest.fixture
def mat(tmp_path):
    def write(compress=False, **arrays):
        path = tmp_path / "s01.mat"
        arrays = arrays or {"labels": np.full((2, 4), 5.0), "data": np.ones((2, 3, 50))}
        scipy.io.savemat(path, arrays, do_compression=compress)
        return path

    return write


def element(kind, content):
    return kind.to_bytes(4, "little") + len(content).to_bytes(4, "little") + content


def rewrite_compressed(path, edit):
    """Edit the description of a file's only element, and compress it again."""
    content = path.read_bytes()
    inner = bytearray(zlib.decompress(content[136:]))
    path.write_bytes(content[:128] + element(15, zlib.compress(bytes(edit(inner)))))


MAT = {
    "objects": ({"data": np.array([{"a": 1}, "b"], dtype=object)}, "'data' is a cell array"),
    "a structure": ({"data": {"a": 1}}, "'data' is a structure"),
    "text": ({"data": "text"}, "'data' is text"),
    "complex numbers": ({"data": np.ones(3) * 1j}, "'data' is complex"),
    "a sparse array": ({"data": scipy.sparse.eye_array(3)}, "'data' is a sparse array"),
}


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("case", MAT)
def test_matlab_files_of_anything_but_numbers(mat, compress, case):
    arrays, says = MAT[case]
    with pytest.raises(DataError, match=says):
        load_mat_arrays(mat(compress, **arrays), ["data"])


def test_objects_that_are_not_asked_for_are_not_read(mat):
    path = mat(data=np.ones(3), other=np.array([{"a": 1}], dtype=object))
    assert list(load_mat_arrays(path, ["data", "labels"])) == ["data"]


def test_matlab_bombs(mat, tmp_path):
    """A file of 100 kB that unpacks to 100 MB."""
    path = mat(compress=True, data=np.zeros((1, 12_000_000)))
    assert path.stat().st_size < 1_000_000
    with memory_below(3e6), pytest.raises(DataError, match="which no signals do"):
        load_mat_arrays(path, ["data"])


def test_matlab_claims_are_held_to_what_is_there(mat):
    path = mat(compress=True, data=np.ones((2, 3, 50)))

    def longer(inner):
        return inner + bytes(1_000_000)

    def another_shape(inner):
        at = inner.index((2).to_bytes(4, "little") + (3).to_bytes(4, "little"))
        inner[at : at + 4] = (200_000_000).to_bytes(4, "little")
        return inner

    def negative_shape(inner):
        at = inner.index((2).to_bytes(4, "little") + (3).to_bytes(4, "little"))
        inner[at : at + 4] = b"\xff\xff\xff\xff"
        return inner

    def many_bytes(inner):
        at = inner.index((9).to_bytes(4, "little") + (2400).to_bytes(4, "little"))
        inner[at + 4 : at + 8] = (4_000_000_000).to_bytes(4, "little")
        return inner

    good = path.read_bytes()
    for edit in (longer, another_shape, negative_shape, many_bytes):
        path.write_bytes(good)
        rewrite_compressed(path, edit)
        with memory_below(3e6), pytest.raises(DataError, match=r"corrupt|claims"):
            load_mat_arrays(path, ["data"])


def test_matlab_arrays_there_twice(mat):
    path = mat(data=np.ones(3))
    content = path.read_bytes()
    path.write_bytes(content + content[128:])
    with pytest.raises(DataError, match="holds 'data' twice"):
        load_mat_arrays(path, ["data"])


@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u2", "i8"])
def test_matlab_numbers_of_every_kind_are_read(mat, dtype):
    """What MATLAB stores in fewer bytes than it computes with, and what is not in the way."""
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for compress in (False, True):
        path = mat(compress, note="text", data=array, labels=np.ones((2, 4)))
        loaded = load_mat_arrays(path, ["data", "labels"])
        np.testing.assert_array_equal(loaded["data"], array)
        assert list(loaded) == ["data", "labels"]
