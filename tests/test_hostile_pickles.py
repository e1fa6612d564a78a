"""Pickles that attack: every shape known to us, in a process that may not take more memory.

`test_pickles` holds what the reader accepts and how it says no; here are the attacks, made with
Python's own pickler and by hand. Each must end in a DataError, run nothing, and stay within twice
the file.
"""

import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
from mutations import memory_below

from eegemo.errors import DataError
from eegemo.formats.pickles import load_pickled_arrays

PROTOCOL = b"\x80\x04"
SYSTEM = b"cos\nsystem\n"
COMMAND = b"\x8c\x0ctouch harmed\x85"
STACKED = b"\x8c\x02os\x8c\x06system\x93"
NDARRAY = b"cnumpy\nndarray\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
DTYPE = b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R"
EMPTY = RECONSTRUCT + NDARRAY + b"K\x00\x85U\x01b\x87R"
BUILT_DTYPE = DTYPE + b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def state(shape=b"K\x02\x85", dtype=BUILT_DTYPE, content=b"U\x10" + bytes(16), fortran=b"\x89"):
    """Return the instructions that give an empty array its content."""
    return b"(K\x01" + shape + dtype + fortran + content + b"tb"


def data(value):
    """Return a pickle of a dictionary with one entry."""
    return PROTOCOL + b"}\x8c\x04data" + value + b"s."


def huge(count, item=b"N"):
    return b"(" + item * count + b"t"


ATTACKS = {
    # calls, by both ways to name a function, at the top and inside
    "REDUCE of GLOBAL": PROTOCOL + SYSTEM + COMMAND + b"R.",
    "REDUCE of STACK_GLOBAL": PROTOCOL + STACKED + COMMAND + b"R.",
    "a call as a value": data(SYSTEM + COMMAND + b"R"),
    "a call as a key": PROTOCOL + b"}" + SYSTEM + COMMAND + b"RNs.",
    "a call in a tuple in a tuple": data(SYSTEM + COMMAND + b"R\x85\x85"),
    "a call as the shape of an array": data(EMPTY + state(shape=SYSTEM + COMMAND + b"R")),
    "a call as the dtype of an array": data(EMPTY + state(dtype=SYSTEM + COMMAND + b"R")),
    "a call as the content of an array": data(EMPTY + state(content=SYSTEM + COMMAND + b"R")),
    "a call as an argument of _reconstruct": data(RECONSTRUCT + SYSTEM + COMMAND + b"R\x85R"),
    "a function as the type of an array": data(RECONSTRUCT + SYSTEM + b"K\x00\x85U\x01b\x87R"),
    "a call before the dictionary": PROTOCOL + SYSTEM + COMMAND + b"R0}.",
    "a call after the dictionary": PROTOCOL + b"}" + SYSTEM + COMMAND + b"R0.",
    # names put together on the stack, or fetched from the memo
    "names from the memo": PROTOCOL + b"\x8c\x02os\x94\x8c\x06system\x9400h\x00h\x01\x93" + COMMAND
    + b"R.",
    "names as bytes": PROTOCOL + b"C\x02osC\x06system\x93" + COMMAND + b"R.",
    "a long name": PROTOCOL + b"\x8c\x02osX" + struct.pack("<I", 300) + b"s" * 300 + b"\x93.",
    "a function from the memo": PROTOCOL + SYSTEM + b"q\x000h\x00" + COMMAND + b"R.",
    "a memo that was overwritten": PROTOCOL + NDARRAY + b"q\x000" + SYSTEM + b"q\x000h\x00.",
    "a memo that is not there": data(b"j\xff\xff\xff\x7f"),
    "a mark as a function": PROTOCOL + b"(" + COMMAND + b"R.",
    "attributes by a dotted name": PROTOCOL + b"\x8c\x05numpy\x8c\x13ndarray.__reduce__x\x93.",
    "a module inside an allowed one": PROTOCOL + b"cnumpy.core\nmultiarray._reconstruct\n.",
    "an allowed name with a space": PROTOCOL + b"cnumpy \nndarray\n.",
    "an allowed name in other letters": PROTOCOL + "cnumpy\nndａrray\n.".encode(),
    "a module of code": PROTOCOL + b"cbuiltins\nexec\n\x8c\x01x\x85R.",
    "pickle in pickle": PROTOCOL + b"c_pickle\nloads\nC\x02N.\x85R.",
    "an import": PROTOCOL + b"cbuiltins\n__import__\n\x8c\x02os\x85R.",
    "a method through getattr": PROTOCOL + b"cbuiltins\ngetattr\n(" + NDARRAY + b"\x8c\x05dumpst.",
    "a file through memmap": PROTOCOL + b"cnumpy\nmemmap\n\x8c\x0b/etc/passwd\x85R.",
    "a file through load": PROTOCOL + b"cnumpy\nload\n\x8c\x0b/etc/passwd\x85R.",
    "a file through fromfile": PROTOCOL + b"cnumpy\nfromfile\n\x8c\x0b/etc/passwd\x85R.",
    # other instructions that call
    "INST": PROTOCOL + b"(\x8c\x02idios\nsystem\n.",
    "OBJ": PROTOCOL + b"(" + SYSTEM + b"\x8c\x02ido.",
    "NEWOBJ": PROTOCOL + SYSTEM + COMMAND + b"\x81.",
    "NEWOBJ_EX": PROTOCOL + SYSTEM + COMMAND + b"}\x92.",
    "NEWOBJ of an allowed type": PROTOCOL + NDARRAY + b"J\xff\xff\xff\x7f\x85\x85\x81.",
    "EXT1": PROTOCOL + b"\x82\x01.",
    "EXT2": PROTOCOL + b"\x83\x01\x00.",
    "EXT4": PROTOCOL + b"\x84\x01\x00\x00\x00.",
    "PERSID": PROTOCOL + b"P/etc/passwd\n.",
    "BINPERSID": PROTOCOL + b"\x8c\x02idQ.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "READONLY_BUFFER": b"\x80\x05N\x98.",
    "BUILD of a dictionary": PROTOCOL + b"}}\x8c\x09__class__Nsb.",
    "BUILD with slots": PROTOCOL + EMPTY + b"N}\x8c\x05dtypeNs\x86b.",
    # sizes that are claimed
    "BINUNICODE8": data(b"\x8d" + struct.pack("<Q", 1 << 40)),
    "BINBYTES8": data(b"\x8e" + struct.pack("<Q", (1 << 63) - 1)),
    "BYTEARRAY8": data(b"\x96" + struct.pack("<Q", 1 << 40)),
    "BINBYTES": data(b"B\xff\xff\xff\xff"),
    "BINSTRING, negative": data(b"T\xff\xff\xff\xff"),
    "BINUNICODE": data(b"X\xff\xff\xff\x7f"),
    "LONG1": data(b"\x8a\xff" + b"\x7f" * 255),
    "LONG4": data(b"\x8b\xff\xff\xff\x7f"),
    "LONG4, negative": data(b"\x8b\xff\xff\xff\xff"),
    "INT of many digits": data(b"I" + b"9" * 100_000 + b"\n"),
    "LONG_BINPUT far away": data(b"Nr\xff\xff\xff\x7f") + b"x",
    "a frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"}.x",
    "a name without end": PROTOCOL + b"c" + b"a" * 1_000_000,
    # arrays that are none
    "dtype of objects": data(EMPTY + state(dtype=DTYPE.replace(b"f8", b"O8"))),
    "dtype of records": data(EMPTY + state(dtype=DTYPE.replace(b"U\x02f8", b"U\x03V16"))),
    "dtype with fields": data(
        EMPTY + state(dtype=BUILT_DTYPE.replace(b"<NNN", b"<N\x8c\x01a\x85}\x8c\x01aNs"))
    ),
    "dtype with a subarray": data(
        EMPTY + state(dtype=BUILT_DTYPE.replace(b"<NNN", b"<" + DTYPE + b"K\x02\x85\x86NN"))
    ),
    "dtype by a long word": data(EMPTY + state(dtype=DTYPE.replace(b"U\x02f8", b"U\x06f8,f8,"))),
    "dtype with metadata": data(EMPTY + state(dtype=BUILT_DTYPE.replace(b"K\x00tb", b"K\x00}ttb"))),
    "dtype state of another size": data(EMPTY + state(dtype=DTYPE + b"(K\x03U\x01<tb")),
    "dtype of no known order": data(EMPTY + state(dtype=BUILT_DTYPE.replace(b"<NNN", b"xNNN"))),
    "state too short": data(EMPTY + b"(K\x01K\x02\x85tb"),
    "state too long": data(EMPTY + state().replace(b"tb", b"NNtb")),
    "state that is a dictionary": data(EMPTY + b"}b"),
    "state of a list of objects": data(EMPTY + state(content=huge(2))),
    "huge shape": data(EMPTY + state(shape=b"J\xff\xff\xff\x7f\x85")),
    "huge product of lengths": data(EMPTY + state(shape=huge(8, b"J\xff\xff\xff\x7f"))),
    "huge shape of nothing": data(EMPTY + state(shape=huge(9, b"J\xff\xff\xff\x7f"))),
    "negative shape": data(EMPTY + state(shape=b"J\xfe\xff\xff\xff\x85")),
    "shape that overflows to what is there": data(
        EMPTY + state(shape=b"\x8a\x08" + struct.pack("<q", (1 << 62) + 2) + b"K\x04\x86")
    ),
    "shape of truths": data(EMPTY + state(shape=b"\x88\x88\x86", content=b"U\x08" + bytes(8))),
    "shape of itself": data(EMPTY + state(shape=b"}")),
    "_frombuffer of an array": data(
        b"cnumpy.core.numeric\n_frombuffer\n(" + EMPTY + DTYPE + b"K\x01\x85U\x01CtR"
    ),
    # depth and number
    "deep tuples": PROTOCOL + b")" + b"\x85" * 1_000_000 + b".",
    "deep dictionaries": PROTOCOL + b"}\x8c\x01a" * 300_000 + b"}" + b"s" * 300_000 + b".",
    "marks": PROTOCOL + b"(" * 1_000_000 + b".",
    "a dictionary in itself": PROTOCOL + b"}q\x00\x8c\x04datah\x00sh\x00" + b"s.",
    "tuples that double": PROTOCOL + b")" + b"q\x00h\x00\x86" * 3_000 + b"\x85t.",
    "one content for many arrays": PROTOCOL + b"}B\x10\x00\x00\x00" + bytes(16) + b"q\x01"
    + b"\x8c\x01ah\x01s" * 4_000 + b".",
}  # fmt: skip


@pytest.fixture
def harmless(tmp_path, monkeypatch):
    """Run in an empty folder: a command that ran would leave a file there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_refused(harmless, attack):
    path = harmless / "s01.dat"
    path.write_bytes(ATTACKS[attack])
    with memory_below(2 * path.stat().st_size + 3e6), pytest.raises(DataError, match=r"s01\.dat "):
        load_pickled_arrays(path)
    # 3 MB: up to 10,000 instructions, each of which may leave one small object
    assert [file.name for file in harmless.iterdir()] == ["s01.dat"]


def test_attacks_are_attacks(harmless):
    """Python's own unpickler does run the simplest of them."""
    pickle.loads(ATTACKS["REDUCE of GLOBAL"])
    pickle.loads(ATTACKS["REDUCE of STACK_GLOBAL"])
    assert list(harmless.iterdir())


class Everything:
    """Made by every way in which an object can tell how to be made again."""

    def __init__(self, answer):
        self.answer = answer

    def __reduce_ex__(self, protocol):
        return self.answer


@pytest.mark.parametrize("protocol", range(6))
def test_objects_of_all_kinds_are_refused(harmless, protocol):
    answers = [
        (print, ("harm",)),
        (print, (), {"state": 1}),
        (print, (), None, iter([1])),
        (print, (), None, None, iter({"a": 1}.items())),
        (dict, ([],), {"a": np.zeros(2)}),
        (getattr, ({"a": 1}, "update")),
        (type, ("name", (), {})),
        (np.zeros, (10,)),
        (np.lib.format.open_memmap, ("harmed",)),
    ]
    for answer in answers:
        path = harmless / "s01.dat"
        path.write_bytes(pickle.dumps({"data": Everything(answer)}, protocol=protocol))
        with pytest.raises(DataError):
            load_pickled_arrays(path)
        path.unlink()
    assert not list(harmless.iterdir())


LIMITED = """
import resource, sys
from pathlib import Path
from eegemo.errors import DataError
from eegemo.formats.pickles import load_pickled_arrays
for path in map(Path, sys.argv[1:]):
    before = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    size = path.stat().st_size
    limit = before + 2 * size + 16 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        arrays = load_pickled_arrays(path)
        print(path.stem, "read", arrays["data"].shape)
    except DataError:
        print(path.stem, "refused")
    arrays = None
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_that_the_system_grants(tmp_path):
    """With twice the file and little more, good files are read and bombs are refused."""
    array = np.random.default_rng(0).integers(0, 100, (1, 40, 100_000)) / 7
    claims = b"".join(b"\x8d" + struct.pack("<Q", 1 << 33) for _ in range(100))
    contents = {
        "five": pickle.dumps({"data": array}, protocol=5),
        "two": pickle.dumps({"data": array}, protocol=2),
        "bomb": PROTOCOL + b"}" + claims + bytes(30_000_000),
    }
    paths = [tmp_path / f"{name}.dat" for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    shape = "(1, 40, 100000)"
    expected = [f"five read {shape}", f"two read {shape}", "bomb refused"]
    assert done.stdout.splitlines() == expected, done.stderr
