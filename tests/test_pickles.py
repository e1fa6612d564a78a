"""The pickle reader: files as they occur, and files made to do harm."""

import contextlib
import os
import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from eegemo.errors import DataError
from eegemo.formats.pickles import load_pickled_arrays


def pickle_array_as_python_2(
    array: np.ndarray, *, dtype: bytes = b"f8", order: bytes = b"<"
) -> bytes:
    """Return the instructions that cPickle of Python 2 wrote for an array, protocol 2."""
    shape = b"".join(b"M" + struct.pack("<H", length) for length in array.shape)
    content = array.tobytes()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01(" + shape + b"tcnumpy\ndtype\nU" + bytes([len(dtype)]) + dtype + b"K\x00K\x01\x87R"
        b"(K\x03U\x01" + order + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + struct.pack("<I", len(content)) + content + b"tb"
    )


def pickle_as_python_2(**arrays: np.ndarray) -> bytes:
    items = b"".join(
        b"U" + bytes([len(name)]) + name.encode() + pickle_array_as_python_2(array)
        for name, array in arrays.items()
    )
    return b"\x80\x02}(" + items + b"u."


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {"labels": rng.uniform(1, 9, (3, 4)), "data": rng.normal(size=(3, 40, 500))}


@pytest.fixture
def write(tmp_path):
    def write(content: bytes) -> Path:
        path = tmp_path / "s01.dat"
        path.write_bytes(content)
        return path

    return write


def test_python_2_form_is_what_pickle_reads(arrays):
    """The helper above writes what Python's own unpickler takes for the same arrays."""
    loaded = pickle.loads(pickle_as_python_2(**arrays), encoding="latin1")
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_reads_python_2(write, arrays):
    loaded = load_pickled_arrays(write(pickle_as_python_2(**arrays)))
    assert list(loaded) == ["labels", "data"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("keys", [str, str.encode])
def test_reads_python_3(write, arrays, protocol, keys):
    named = {keys(name): array for name, array in arrays.items()}
    loaded = load_pickled_arrays(write(pickle.dumps(named, protocol=protocol)))
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i4", "u1"])
def test_reads_other_numbers_and_orders(write, protocol, dtype):
    array = np.asfortranarray(np.arange(24).reshape(2, 3, 4).astype(dtype))
    loaded = load_pickled_arrays(write(pickle.dumps({"a": array}, protocol=protocol)))["a"]
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype == array.dtype


def test_reads_old_and_new_names_of_numpy(write, arrays):
    new = pickle.dumps(arrays, protocol=2)
    old = new.replace(b"numpy._core", b"numpy.core")
    assert (old == new) is (b"numpy._core" not in new)
    for content in (old, old.replace(b"numpy.core", b"numpy._core")):
        loaded = load_pickled_arrays(write(content))
        np.testing.assert_array_equal(loaded["data"], arrays["data"])


def test_leaves_out_what_is_no_array(write, arrays):
    path = write(pickle.dumps({**arrays, "subject": "s01", "rate": 128}, protocol=2))
    assert list(load_pickled_arrays(path)) == ["labels", "data"]


class Harm:
    """What a hostile pickle does when it is loaded: it leaves a file behind."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("wrap", [lambda harm: harm, lambda harm: {"data": harm, "labels": 1}])
def test_hostile_calls_do_not_run(write, tmp_path, protocol, wrap):
    trace = tmp_path / "harm"
    content = pickle.dumps(wrap(Harm(os.mkdir, str(trace))), protocol=protocol)
    with pytest.raises(
        DataError, match=r"s01\.dat asks for '(posix|nt)\.mkdir'.*none of it was run"
    ):
        load_pickled_arrays(write(content))
    assert not trace.exists()
    pickle.loads(content)  # the payload does work where pickles are run
    assert trace.exists()


def call(module: str, name: str, arguments: bytes) -> bytes:
    """Return a pickle that calls a function, and is what the function returns."""
    return b"\x80\x02" + f"c{module}\n{name}\n".encode() + arguments + b"R."


HOSTILE = {
    "eval": (call("builtins", "eval", b"U\x011\x85"), "builtins.eval"),
    "getattr": (call("__builtin__", "getattr", b"NN\x86"), "__builtin__.getattr"),
    "a submodule of an allowed one": (b"\x80\x02cnumpy\nload\n.", "numpy.load"),
    "a dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "numpy.ndarray.tofile"),
    "an allowed name elsewhere": (b"\x80\x02cos\nndarray\n.", "os.ndarray"),
    "runpy": (call("numpy.testing", "runstring", b"NN\x86"), "runstring"),
    "INST": (b"(U\x01xios\nsystem\n.", "os.system"),
    "INST first": (b"ios\nsystem\n.", "os.system"),
    "OBJ": (b"\x80\x02(cnumpy\nndarray\no.", "OBJ"),
    "NEWOBJ": (b"\x80\x02cnumpy\nndarray\n)\x81.", "NEWOBJ"),
    "EXT1": (b"\x80\x02\x82\x01.", "EXT1"),
    "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
    "PERSID": (b"\x80\x02Pid\n.", "PERSID"),
    "BINPERSID": (b"\x80\x02NQ.", "BINPERSID"),
    "NEXT_BUFFER": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "LONG4": (b"\x80\x02\x8b\xff\xff\xff\x7f.", "LONG4"),
    "an encoding": (call("_codecs", "encode", b"\x8c\x01a\x8c\x05rot13\x86"), "latin1"),
    "encoding of an object": (call("_codecs", "encode", b"}U\x06latin1\x86"), ""),
    "dtype of objects": (call("numpy", "dtype", b"U\x01OK\x00K\x01\x87"), "'O'"),
    "dtype of records": (call("numpy", "dtype", b"U\x02V8K\x00K\x01\x87"), "'V8'"),
    "dtype of a dictionary": (call("numpy", "dtype", b"}\x85"), ""),
    "ndarray called": (call("numpy", "ndarray", b"J\xff\xff\xff\x7f\x85\x85"), ""),
    "a newer protocol": (b"\x80\x63N.", "protocol"),
    "BUILD of nothing": (b"\x80\x02}}b.", ""),
    "BUILD of a function": (b"\x80\x02cnumpy\nndarray\n}b.", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_instructions_are_refused(write, case):
    content, named = HOSTILE[case]
    with pytest.raises(DataError, match=r"s01\.dat ") as caught:
        load_pickled_arrays(write(content))
    assert named in str(caught.value)


def test_object_arrays_are_refused(write):
    array = np.array([{"a": 1}, None], dtype=object)
    with pytest.raises(DataError, match="type 'O8'"):
        load_pickled_arrays(write(pickle.dumps({"data": array}, protocol=2)))


def test_state_of_a_dtype_cannot_add_fields(write):
    """`dtype.__setstate__` can make any dtype one of objects; here only a byte order is taken."""
    content = pickle_as_python_2(data=np.zeros((2, 2)))
    hostile = content.replace(b"U\x01<NNN", b"U\x01<N)}")
    assert hostile != content
    with pytest.raises(DataError, match="corrupt"):
        load_pickled_arrays(write(hostile))


@pytest.mark.parametrize(
    "length", [b"J\xff\xff\xff\x7f", b"J\xff\xff\xff\xff", b"\x8a\x08" + b"\x7f" * 8]
)
def test_claimed_shapes_take_no_memory(write, length):
    content = pickle_as_python_2(data=np.zeros((2, 2)))
    hostile = content.replace(b"(M\x02\x00M\x02\x00t", b"(" + length + length + b"t")
    assert hostile != content
    with pytest.raises(DataError):
        load_pickled_arrays(write(hostile))


@pytest.mark.parametrize(
    "claim",
    [
        b"T\xff\xff\xff\x7f",
        b"B\xff\xff\xff\xff",
        b"X\xff\xff\xff\xff",
        b"\x8e" + struct.pack("<Q", 1 << 62),
        b"\x96" + struct.pack("<Q", 1 << 40),
        b"\x8d" + b"\xff" * 8,
    ],
)
def test_claimed_lengths_take_no_memory(write, claim):
    path = write(b"\x80\x05" + claim + b"abc.")
    tracemalloc.start()
    with pytest.raises(DataError, match="truncated"):
        load_pickled_arrays(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6  # bytes


BOMBS = {
    "empty dictionaries": b"\x80\x02" + b"}" * 1_000_000 + b".",
    "memo": b"\x80\x04N" + b"\x94" * 1_000_000 + b".",
    "tuples in tuples": b"\x80\x04)" + b"\x94h\x00\x86" * 3_000 + b"." + bytes(1_000_000),
    "one text encoded again and again": (
        b"\x80\x02X" + struct.pack("<I", 300_000) + b"a" * 300_000 + b"q\x000"[:2]
        + (b"c_codecs\nencode\nh\x00U\x06latin1\x86R") * 1_000 + b"."
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_memory_stays_within_twice_the_file(write, bomb):
    path = write(BOMBS[bomb])
    tracemalloc.start()
    with pytest.raises(DataError):
        load_pickled_arrays(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 3 MB: up to 10,000 instructions, each of which may leave one small object
    assert peak < 2 * path.stat().st_size + 3e6


def test_every_truncation_is_refused(write, arrays):
    content = pickle_as_python_2(labels=arrays["labels"])
    for end in range(1, len(content)):
        with pytest.raises(DataError):
            load_pickled_arrays(write(content[:end]))


def test_truncation_is_named(write, arrays):
    content = pickle_as_python_2(**arrays)
    with pytest.raises(DataError, match=rf"truncated.*{len(content) // 2}"):
        load_pickled_arrays(write(content[: len(content) // 2]))


def test_damaged_bytes_never_raise_anything_else(write, arrays):
    """Changing any one byte of the instructions gives arrays or a DataError."""
    content = pickle_as_python_2(labels=arrays["labels"])
    rng = np.random.default_rng(1)
    for position in [*range(150), *range(len(content) - 5, len(content))]:
        for value in rng.integers(0, 256, 8):
            damaged = bytearray(content)
            damaged[position] = value
            with contextlib.suppress(DataError):
                load_pickled_arrays(write(bytes(damaged)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 a zip", "not a pickle"),
        (b"<html>not found</html>", "not a pickle"),
        (b"MATLAB 5.0 MAT-file", "pickle"),
        (b"\x89HDF\r\n\x1a\n", "corrupt|not a pickle"),
        (bytes(100), "not a pickle"),
        (pickle.dumps([1.0], protocol=0), "protocol 0"),
        (pickle.dumps({"data": 1.5}, protocol=0), "protocol 0"),
        (pickle.dumps(("data", 1), protocol=2), "dictionary"),
        (pickle.dumps({1: 2}, protocol=2), "key that is not a name"),
        (pickle.dumps({"data": 1}, protocol=2) + b"rest", "4 bytes after the end"),
        (b"\x80\x02}}.", "left over"),
        (b"\x80\x02.", "left over"),
        (b"\x80\x02u.", "corrupt"),
        (b"\x80\x02h\x05.", "corrupt"),
    ],
)
def test_what_is_no_pickle_of_arrays(write, content, says):
    with pytest.raises(DataError, match=says):
        load_pickled_arrays(write(content))


def test_text_that_is_no_bytes(write):
    """A long text beyond latin1 where Python 3 hides bytes."""
    text = ("é" * 1000 + "€").encode()
    content = b"X" + struct.pack("<I", len(text)) + text
    with pytest.raises(DataError, match="latin1"):
        load_pickled_arrays(write(call("_codecs", "encode", content + b"U\x06latin1\x86")))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_pickled_arrays(tmp_path / "s01.dat")
    with pytest.raises(DataError, match="cannot be read"):
        load_pickled_arrays(tmp_path)
