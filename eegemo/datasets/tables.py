"""The strict reader of tables: every table of a data set is read by it, as text.

BIDS writes tables separated by tabs, without quoting: a quotation mark is a character as any other.
Other tables (ratings from a spreadsheet) are separated by commas or semicolons, with quoting. In
both, blanks around cells mean nothing, and each line has a cell for each column.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from eegemo.errors import DataError
from eegemo.formats.files import check_file, named_errors

__all__ = [
    "MAX_TABLE_BYTES",
    "check_table",
    "find_near_misses",
    "fold",
    "is_missing",
    "read_table",
    "show_names",
    "strip_invisible",
]

#: Bytes of a table or sidecar; the largest real ones have a few MB.
MAX_TABLE_BYTES = 32 * 2**20
# Many readers make all cells of a table as wide as the widest, with four bytes a character: a
# single cell of a megabyte in a table of a thousand rows would take gigabytes.
_MAX_MEMORY = 256 * 2**20
_BYTES_PER_CHARACTER = 4
_MAX_CELL = 131_072  # characters, as in Python's own reader of CSV
_MISSING = ("", "n/a", "nan")
# Letters and marks that are drawn as nothing; the others are known by their category.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe0e\ufe0f\uffa0")
_BETWEEN_NUMBERS = re.compile(r"(?<=\d) +(?=\d)")
_LINES = re.compile(r"\r\n|\n|\r")
_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def read_table(file: Path, *, required: Sequence[str] = ()) -> pd.DataFrame:
    r"""Read a table as text.

    Parameters
    ----------
    file : pathlib.Path
        A ``.tsv`` is separated by tabs and has no quoting, as BIDS says; any other table by what
        its header is separated by (commas, semicolons or tabs), with quoting. In UTF-8, with or
        without a byte order mark.
    required : sequence of str
        Columns that it must have.

    Returns
    -------
    table : DataFrame of str
        A row per line, without blanks and invisible characters around cells and names of columns.
        The index is the line's number in the file. Lines without any text are not rows.

    Raises
    ------
    DataError
        If the file is no table in UTF-8; if a line has more or fewer cells than the header; if a
        column is required and missing, has no name or the name of another (in any case); or if the
        table would take too much memory.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "events.tsv"
    >>> _ = file.write_text('onset\tstim_file\n1.5\t"Up\n\n6.5 \tUp"\n')
    >>> read_table(file, required=["onset"]).to_dict("index")
    {2: {'onset': '1.5', 'stim_file': '"Up'}, 4: {'onset': '6.5', 'stim_file': 'Up"'}}
    """
    check_file(file)
    with named_errors(file):
        size = file.stat().st_size
        if size > MAX_TABLE_BYTES:
            raise DataError(
                f"{file} has {size / 2**20:.0f} MiB; a table or sidecar has at most "
                f"{MAX_TABLE_BYTES / 2**20:.0f}. It may be hostile, or another kind of file."
            )
        content = file.read_bytes()
    check_table(content, file)
    text = _decode(content, file)
    rows = _split_tabs(text) if file.suffix.lower() == ".tsv" else _split_quoted(text, file)
    lines: list[int] = []
    table: list[list[str]] = []
    header: list[str] | None = None
    for line, cells in rows:
        longest = max(map(len, cells), default=0)
        if longest > _MAX_CELL:
            raise DataError(
                f"{file}, line {line}: a cell of {longest} characters; expected at most "
                f"{_MAX_CELL}."
            )
        row = [strip_invisible(cell) for cell in cells]
        if not any(row):
            continue
        if header is None:
            header = _check_header(row, file, line, required)
            continue
        if len(row) != len(header):
            raise DataError(
                f"{file}, line {line}: {len(row)} cells; expected one for each of the "
                f"{len(header)} columns."
            )
        lines.append(line)
        table.append(row)
    if header is None:
        header = _check_header([], file, 1, required)
    return pd.DataFrame(table, columns=header, index=pd.Index(lines, dtype=int), dtype="str")


def check_table(content: bytes, file: Path) -> None:
    """Refuse the bytes of a table that are no text or would take too much memory.

    Parameters
    ----------
    content : bytes
    file : pathlib.Path
        For the message.

    Raises
    ------
    DataError
        If there is a NUL in them, or a cell that is far too large.
    """
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    if encoding is None and b"\0" in content:
        if len(content) % 2 == 0 and b"\0" in (content[:1], content[1:2]):
            encoding = "UTF-16 or UTF-32, without a byte order mark"
        else:
            line = content[: content.index(b"\0")].count(b"\n") + 1
            raise DataError(f"{file}, line {line}: a NUL byte; expected a table, in text.")
    if encoding is not None:
        raise DataError(
            f"{file} is a table in {encoding}; expected UTF-8. Save it as UTF-8 (in a spreadsheet: "
            '"CSV UTF-8" or "Text, encoding UTF-8").'
        )
    lines = content.splitlines()
    n_cells = len(lines) * (1 + max((line.count(b"\t") for line in lines), default=0))
    longest = max((len(cell) for line in lines for cell in line.split(b"\t")), default=0)
    if n_cells * longest * _BYTES_PER_CHARACTER > _MAX_MEMORY:
        raise DataError(
            f"{file} has a cell of {longest} bytes among {n_cells} cells, which together would "
            f"take {n_cells * longest * _BYTES_PER_CHARACTER / 2**30:.1f} GiB. It may be hostile; "
            "shorten that cell if it is not."
        )


def _decode(content: bytes, file: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{file} cannot be read as a table: line {line} holds the byte "
            f"0x{content[error.start]:02x}, which is not utf-8. Save the table as UTF-8."
        ) from error


def _split_tabs(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_LINES.split(text), start=1):
        yield number, line.split("\t")


def _split_quoted(text: str, file: Path) -> Iterator[tuple[int, list[str]]]:
    first = next((line for line in _LINES.split(text) if strip_invisible(line)), "")
    outside = re.sub(r'"[^"]*"', "", first)
    delimiter = max(",;\t", key=outside.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        problem = (
            f"a cell of more than {csv.field_size_limit()} characters"
            if "field larger" in str(error)
            else "a quotation mark that is not closed, or closed inside a cell"
        )
        raise DataError(f"{file}, line {line}: {problem}; expected a table.") from error


def _check_header(header: list[str], file: Path, line: int, required: Sequence[str]) -> list[str]:
    for name in required:
        if name not in header:
            raise DataError(
                f"{file} has no column {name!r}; it has {show_names(header) or 'no text'}."
                f"{_explain_header(header, name)}"
            )
    lower = [name.lower() for name in header]
    twice = [name for name in dict.fromkeys(lower) if lower.count(name) > 1 and name]
    if twice:
        raise DataError(f"{file} has several columns of the name {show_names(twice)}.")
    if "" in header:
        raise DataError(
            f"{file}, line {line}: column {header.index('') + 1} has no name. Give it one, or "
            "remove the column."
        )
    return header


def _explain_header(header: list[str], name: str) -> str:
    """Return what a header without a column probably is."""
    near = next((other for other in header if fold(other) == fold(name)), None)
    if near is not None and near[:1] in ('"', "'"):
        return " BIDS writes names and cells without quotation marks: remove them."
    if near is not None:
        return f" Is it {near!r}? Write {name!r}."
    if len(header) == 1 and re.search(r"[,;]|  ", header[0]):
        return " Its cells are not separated by tabs; expected a tab between them."
    return ""


def strip_invisible(text: str) -> str:
    r"""Remove blanks and characters that are drawn as nothing from both ends of a text.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Without spaces of all widths, no-break and zero-width ones, marks of direction and of byte
        order around it. Those inside stay.

    Examples
    --------
    >>> strip_invisible("\u00a0happy \u200b")
    'happy'
    """
    text = text.strip()
    if not text or (text[0].isascii() and text[-1].isascii()):  # as nearly all cells are
        return text
    first, last = 0, len(text)
    while first < last and _is_invisible(text[first]):
        first += 1
    while last > first and _is_invisible(text[last - 1]):
        last -= 1
    return text[first:last]


def _is_invisible(letter: str) -> bool:
    if letter.isascii():
        return letter.isspace()
    return (
        letter.isspace()
        or letter in _BLANK
        or unicodedata.category(letter) in ("Zs", "Zl", "Zp", "Cf")
    )


def fold(text: str) -> str:
    r"""Return a text by which values that look alike are the same.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Without case, blanks, invisible characters, quotation marks around it, and differences of
        how an accent is written (a letter with it, or a letter and a mark).

    Examples
    --------
    >>> fold("Clip 1.mp4") == fold("clip\u00a01.MP4") == fold('"clip1.mp4"')
    True
    """
    plain = unicodedata.normalize("NFKC", text)
    plain = "".join(" " if _is_invisible(letter) else letter for letter in plain)
    plain = _BETWEEN_NUMBERS.sub("\0", plain).replace(" ", "")  # clip 1 1 is not clip 11
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "\"'":
        plain = plain[1:-1]
    return unicodedata.normalize("NFKC", plain.casefold())


def find_near_misses(values: Iterable[Any]) -> list[tuple[str, ...]]:
    """Find values that differ only in case, blanks or how an accent is written.

    Parameters
    ----------
    values : iterable of str
        Missing values ("", "n/a") are left out.

    Returns
    -------
    groups : list of tuple of str
        Each with two or more values, in the order in which they come first.

    Examples
    --------
    >>> find_near_misses(["happy", "sad", "Happy", "sad", "ha ppy"])
    [('happy', 'Happy', 'ha ppy')]
    """
    groups: dict[str, dict[str, None]] = {}
    for value in dict.fromkeys(map(str, values)):
        if not is_missing(value):
            groups.setdefault(fold(value), {})[value] = None
    return [tuple(group) for group in groups.values() if len(group) > 1]


def is_missing(text: str) -> bool:
    """Return whether a cell is empty, "n/a" or "nan", in any case."""
    return text.lower() in _MISSING


def show_names(names: Iterable[Any]) -> str:
    """Join names from a file in a single line, escaped and shortened for a terminal.

    Parameters
    ----------
    names : iterable
        At most twenty are shown.

    Returns
    -------
    str

    Examples
    --------
    >>> show_names(["onset", "x" * 50])
    'onset, xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'
    """
    shown = [
        "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(name)[:1000])
        for name in names
    ]
    short = [name if len(name) <= 40 else f"{name[:40]}..." for name in shown[:20]]
    return ", ".join([*short, "..."] if len(shown) > 20 else short)
