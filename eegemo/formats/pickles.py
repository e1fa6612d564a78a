"""Reader of arrays in a pickle, without executing it.

DEAP comes as Python 2 pickles, and a pickle is a program that ``pickle.load`` executes. A filter on
``Unpickler.find_class`` still executes the allowed calls, with arguments chosen by the file. This
module reads the few instructions that a dictionary of NumPy arrays needs, and only notes what they
describe. It imports and calls nothing, and takes no more memory than the file has bytes.
"""

import codecs
import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from eegemo.errors import DataError

__all__ = ["load_pickled_arrays"]

# Meaning of the globals that NumPy writes. The second spelling is NumPy 2's; `_frombuffer` appears
# when a file was saved again with protocol 5.
_GLOBALS = {
    "numpy.core.multiarray._reconstruct": "array",
    "numpy._core.multiarray._reconstruct": "array",
    "numpy.core.numeric._frombuffer": "frombuffer",
    "numpy._core.numeric._frombuffer": "frombuffer",
    "numpy.ndarray": "ndarray",
    "numpy.dtype": "dtype",
    "_codecs.encode": "encode",
}
# A real file has about 60; the limit keeps a file of nothing but instructions from filling memory.
_MAX_INSTRUCTIONS = 10_000
_PROTOCOL_0 = {"DICT", "FLOAT", "GET", "LIST", "LONG", "PUT", "STRING", "UNICODE"}
_SHORT = 256  # bytes: longer strings are left where they are in the file
_MARK = object()
_KNOWN = {instruction.code: instruction for instruction in pickletools.opcodes}


class _RefusedError(Exception):
    """Error in the content of a pickle; becomes a DataError that names the file."""


@dataclass(frozen=True)
class _Global:
    role: str  # a value of `_GLOBALS`


@dataclass(frozen=True)
class _Text:
    """A long text: UTF-8 bytes in the file, decoded only if they are needed."""

    utf8: memoryview


@dataclass
class _Dtype:
    code: str
    order: str = "<"

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


@dataclass
class _Array:
    value: NDArray[Any] | None = None


def load_pickled_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """Read the arrays in a pickled dictionary, without executing the pickle.

    Reads files of Python 2 (such as DEAP's) and of Python 3, with protocols 1 to 5.

    Parameters
    ----------
    path : str | pathlib.Path
        The pickle: one dictionary whose keys are names and whose values are numeric arrays.

    Returns
    -------
    dict of str to ndarray
        The arrays by name, in the stored shape and type. They share the memory of the file's bytes
        and may be unaligned: copy those to be kept. Values that are not arrays are dropped.

    Raises
    ------
    DataError
        If the file is missing, empty, truncated or not a pickle, holds anything but numbers, or
        asks for a function that a dictionary of arrays does not need.

    Examples
    --------
    >>> import pickle, tempfile
    >>> file = Path(tempfile.mkdtemp()) / "s01.dat"
    >>> _ = file.write_bytes(pickle.dumps({"labels": np.array([[5.0, 4.5, 1.0, 9.0]])}))
    >>> load_pickled_arrays(file)["labels"]
    array([[5. , 4.5, 1. , 9. ]])
    """
    path = Path(path)
    try:
        # not filled with zeros first; nor mapped, since a file that is cut short meanwhile, or a
        # network that fails, would end the process without a word
        content = np.empty(path.stat().st_size, np.uint8).data
        with path.open("rb") as file:
            size = file.readinto(content)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if size == 0:
        raise DataError(f"{path} is empty; expected a pickled dictionary of arrays.")
    try:
        result = _Reader(content[:size]).read()
        if not isinstance(result, dict):
            raise _RefusedError("does not hold a dictionary of arrays")
    except _RefusedError as reason:
        raise DataError(f"{path} {reason}.") from None
    except (IndexError, TypeError, ValueError, KeyError, AttributeError):
        # an instruction met a stack, a memo or an operand that no pickle writer leaves behind
        raise DataError(f"{path} is corrupt or is not a pickle of arrays.") from None
    return {
        key: item.value
        for key, item in result.items()
        if isinstance(item, _Array) and item.value is not None
    }


class _Reader:
    """Reader of the instructions of a pickle, with a stack of inert descriptions."""

    def __init__(self, content: memoryview) -> None:
        self.content = content
        self.position = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.encodable = len(content)  # bytes that may still be copied out of texts

    def read(self) -> Any:
        """Return the content that the pickle describes."""
        for _ in range(_MAX_INSTRUCTIONS):
            code = bytes(self.take(1))
            if code == b".":
                if self.position != len(self.content):
                    rest = len(self.content) - self.position
                    raise _RefusedError(f"has {rest} bytes after the end of its pickle")
                if len(self.stack) != 1:
                    raise _RefusedError("is corrupt: its pickle ends with values left over")
                return self.stack[0]
            action = _ACTIONS.get(code)
            if action is None:
                self.refuse_instruction(code)
            action(self)
        raise _RefusedError(
            f"has more than {_MAX_INSTRUCTIONS} pickle instructions; expected about 60"
        )

    def refuse_instruction(self, code: bytes) -> NoReturn:
        known = _KNOWN.get(code.decode("latin1"))
        if known is None or (self.position == 1 and known.name != "INST"):
            raise _RefusedError("is not a pickle of arrays; expected a file such as DEAP's s01.dat")
        if known.name in _PROTOCOL_0:
            raise _RefusedError("is a pickle of protocol 0; save it again with protocol 2")
        what = f"the pickle instruction {known.name}"
        if known.name == "INST":
            what = f"'{_printable(self.take_line() + '.' + self.take_line())}' through {what}"
        raise _RefusedError(
            f"asks for {what}, which no array needs. It may be hostile; none of it was run"
        )

    def take(self, size: int) -> memoryview:
        end = self.position + size
        if end > len(self.content):
            raise _RefusedError(
                f"is truncated: it needs at least {end} bytes, and there are {len(self.content)}"
            )
        piece = self.content[self.position : end]
        self.position = end
        return piece

    def take_number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def take_line(self) -> str:
        """Read a name that ends with a line feed; names are short."""
        window = bytes(self.content[self.position : self.position + _SHORT])
        end = window.find(b"\n")
        if end < 0:
            raise _RefusedError("is corrupt or truncated: a name in its pickle does not end")
        self.position += end + 1
        return window[:end].decode("utf-8", "backslashreplace")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop_to_mark(self) -> list[Any]:
        start = len(self.stack) - 1
        while self.stack[start] is not _MARK:
            start -= 1
            if start < 0:
                raise IndexError
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def push_global(self, module: str, name: str) -> None:
        full = f"{module}.{name}"
        if full not in _GLOBALS:
            raise _RefusedError(
                f"asks for '{_printable(full)}', which no array needs. It may be hostile; none of "
                "it was run"
            )
        self.push(_Global(_GLOBALS[full]))

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError
        self.push_global(module, name)

    def protocol(self) -> None:
        if self.take_number(1) > 5:
            raise _RefusedError("is a pickle of a protocol after 5; save it again with protocol 2")

    def frame(self) -> None:
        self.take(8)  # a hint for buffering, of no use here

    def push_line(self) -> None:
        self.push(int(self.take_line()))  # how protocol 1 writes True and False

    def push_bytes(self, size: int) -> None:
        piece = self.take(size)
        self.push(bytes(piece) if size <= _SHORT else piece)

    def push_text(self, size: int) -> None:
        piece = self.take(size)
        self.push(str(piece, "utf-8") if size <= _SHORT else _Text(piece))

    def push_long(self) -> None:
        size = self.take_number(1)
        if size > 8:
            raise _RefusedError("holds a number of more than 64 bits, which no array needs")
        self.push(self.take_number(size, signed=True))

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError
        for key, value in zip(items[::2], items[1::2], strict=True):
            name = key.decode("latin1") if isinstance(key, bytes) else key
            if not isinstance(name, str):
                raise _RefusedError("has a key that is not a name")
            target[name] = value

    def memoize(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise TypeError
        match function.role, arguments:
            case "array", (_Global(role="ndarray"), tuple(), _):
                self.push(_Array())
            case "dtype", (str() | bytes() as code, *_):
                self.push(_describe_dtype(_string(code)))
            case "encode", (str() | _Text() as text, str() | bytes() as encoding):
                if _string(encoding).lower().replace("-", "") not in {"latin1", "iso88591"}:
                    raise _RefusedError("encodes its bytes in something else than latin1")
                self.encodable -= len(text.utf8) if isinstance(text, _Text) else len(text)
                if self.encodable < 0:  # one text encoded over and over would fill memory
                    raise _RefusedError("uses the same text more than once for its numbers")
                self.push(_encode(text))
            case "frombuffer", (content, _Dtype() as dtype, tuple() as shape, order):
                self.push(_Array(_make_array(content, dtype, shape, fortran=_string(order) == "F")))
            case _:
                raise TypeError

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        match target, state:
            case _Dtype(), (_, str() | bytes() as order, None, None, None, *_):
                if _string(order) not in {"<", ">", "|", "="}:
                    raise TypeError
                target.order = _string(order)
            case _Array(), (_, tuple() as shape, _Dtype() as dtype, fortran, content):
                target.value = _make_array(content, dtype, shape, fortran=bool(fortran))
            case _:
                raise TypeError


def _string(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin1")
    if not isinstance(value, str):
        raise TypeError
    return value


def _printable(name: str) -> str:
    return name[:80].encode("unicode_escape").decode("ascii")


def _describe_dtype(code: str) -> _Dtype:
    match = re.fullmatch(r"([<>=|]?)([iu][1248]|f[248])", code)
    if match is None:
        raise _RefusedError(f"holds an array of type '{_printable(code)}'; expected numbers")
    return _Dtype(match[2], match[1] or "=")


def _make_array(
    content: Any, dtype: _Dtype, shape: tuple[Any, ...], *, fortran: bool
) -> NDArray[Any]:
    """Return a view of the file's bytes as an array, if the claimed shape fits exactly."""
    if not isinstance(content, bytes | bytearray | memoryview) or len(shape) > 8:
        raise TypeError
    if any(type(length) is not int or length < 0 for length in shape):
        raise TypeError
    expected = math.prod(shape) * dtype.numpy().itemsize
    if expected != len(content):
        raise _RefusedError(
            f"claims an array of shape {shape}, {expected} bytes, but holds {len(content)} bytes"
        )
    flat = np.frombuffer(content, dtype.numpy())
    return flat.reshape(shape, order="F" if fortran else "C")


def _encode(text: str | _Text) -> bytes | memoryview:
    """Convert the text in which Python 3 stores bytes under protocol 2 back to bytes.

    It is decoded piece by piece; otherwise it would be in memory three times.
    """
    try:
        if isinstance(text, str):
            return text.encode("latin1")
        result = bytearray(len(text.utf8))
        decoder, end = codecs.getincrementaldecoder("utf-8")(), 0
        for start in range(0, len(text.utf8), 1 << 20):
            piece = decoder.decode(bytes(text.utf8[start : start + (1 << 20)])).encode("latin1")
            result[end : end + len(piece)] = piece
            end += len(piece)
        decoder.decode(b"", final=True)
    except UnicodeError:
        raise _RefusedError("is corrupt: the text that holds its numbers is not latin1") from None
    return memoryview(result)[:end]


def _constant(value: Any) -> Callable[[_Reader], None]:
    return lambda reader: reader.push(value)


def _tuple_of(size: int) -> Callable[[_Reader], None]:
    def action(reader: _Reader) -> None:
        items = [reader.stack.pop() for _ in range(size)]
        reader.push(tuple(reversed(items)))

    return action


# One entry per instruction that a dictionary of arrays needs, in any protocol from 1 to 5; names as
# in `pickletools`.
_ACTIONS: dict[bytes, Callable[[_Reader], None]] = {
    b"\x80": _Reader.protocol,
    b"\x95": _Reader.frame,
    b"(": _constant(_MARK),
    b"N": _constant(None),
    b"\x88": _constant(True),
    b"\x89": _constant(False),
    b"}": lambda reader: reader.push({}),
    b")": _constant(()),
    b"\x85": _tuple_of(1),
    b"\x86": _tuple_of(2),
    b"\x87": _tuple_of(3),
    b"t": lambda reader: reader.push(tuple(reader.pop_to_mark())),
    b"K": lambda reader: reader.push(reader.take_number(1)),  # BININT1
    b"M": lambda reader: reader.push(reader.take_number(2)),  # BININT2
    b"J": lambda reader: reader.push(reader.take_number(4, signed=True)),  # BININT
    b"I": _Reader.push_line,  # INT
    b"\x8a": _Reader.push_long,  # LONG1
    b"U": lambda reader: reader.push_bytes(reader.take_number(1)),  # SHORT_BINSTRING
    b"T": lambda reader: reader.push_bytes(reader.take_number(4)),  # BINSTRING
    b"C": lambda reader: reader.push_bytes(reader.take_number(1)),  # SHORT_BINBYTES
    b"B": lambda reader: reader.push_bytes(reader.take_number(4)),  # BINBYTES
    b"\x8e": lambda reader: reader.push_bytes(reader.take_number(8)),  # BINBYTES8
    b"\x96": lambda reader: reader.push_bytes(reader.take_number(8)),  # BYTEARRAY8
    b"\x8c": lambda reader: reader.push_text(reader.take_number(1)),  # SHORT_BINUNICODE
    b"X": lambda reader: reader.push_text(reader.take_number(4)),  # BINUNICODE
    b"\x8d": lambda reader: reader.push_text(reader.take_number(8)),  # BINUNICODE8
    b"q": lambda reader: reader.memoize(reader.take_number(1)),  # BINPUT
    b"r": lambda reader: reader.memoize(reader.take_number(4)),  # LONG_BINPUT
    b"\x94": lambda reader: reader.memoize(len(reader.memo)),  # MEMOIZE
    b"h": lambda reader: reader.push(reader.memo[reader.take_number(1)]),  # BINGET
    b"j": lambda reader: reader.push(reader.memo[reader.take_number(4)]),  # LONG_BINGET
    b"c": lambda reader: reader.push_global(reader.take_line(), reader.take_line()),  # GLOBAL
    b"\x93": _Reader.stack_global,
    b"s": lambda reader: reader.set_items([reader.stack.pop(-2), reader.stack.pop()]),
    b"u": lambda reader: reader.set_items(reader.pop_to_mark()),
    b"R": _Reader.reduce,
    b"b": _Reader.build,
}
