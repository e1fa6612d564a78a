"""The strict reader of tables: text as it is written, a cell for each column, no quoting in TSV."""

import pytest

from eegemo.datasets.tables import find_near_misses, fold, read_table, strip_invisible
from eegemo.errors import DataError


def write(tmp_path, content, name="a.tsv"):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return file


def read(tmp_path, content, name="a.tsv", **options):
    table = read_table(write(tmp_path, content, name), **options)
    return list(table.columns), table.index.tolist(), table.to_numpy().tolist()


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ('"Up', '"Up'),  # quotes that are never closed would swallow rows elsewhere
        ('Up"', 'Up"'),
        ('"Up"', '"Up"'),
        ('a ""b', 'a ""b'),
        ("it's", "it's"),
        ("a\\tb", "a\\tb"),
        ("#1", "#1"),
        ("a,b;c", "a,b;c"),
        ("a\x0bb\x0cc\x1cd\x85e\u2028f", "a\x0bb\x0cc\x1cd\x85e\u2028f"),  # no ends of lines
        ("1_0", "1_0"),
        ("007", "007"),
        ("NA", "NA"),
        ("", ""),
        (" happy ", "happy"),
        ("\u00a0happy\u2009", "happy"),
        ("\u200bhappy\ufeff", "happy"),
        ("\u2060 \u200d happy \u3000\u3164\u2800", "happy"),
        ("\u202ehappy\u00ad", "happy"),
        ("very  happy", "very  happy"),
    ],
)
def test_cells_are_text_without_blanks_around(tmp_path, cell, found):
    content = f"onset\t x \n1\t{cell}\n2\tnext\n"
    for text in (content, content.replace("\n", "\r\n"), content.replace("\n", "\r")):
        for mark in (b"", b"\xef\xbb\xbf"):
            got = read(tmp_path, mark + text.encode("utf-8"), required=["onset"])
            assert got == (["onset", "x"], [2, 3], [["1", found], ["2", "next"]])


def test_rows_are_named_by_their_lines(tmp_path):
    content = "\na\tb\n1\t2\n\n \t \n \u200b\n3\t4"
    assert read(tmp_path, content) == (["a", "b"], [3, 7], [["1", "2"], ["3", "4"]])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a\tb\n1\t2\n3\n", "line 3: 1 cells; expected one for each of the 2 columns"),
        ("a\tb\n1\t2\t\n", "line 2: 3 cells"),
        ("a\tA\n1\t2\n", "several columns of the name a"),
        ("a\t\u00a0a\n1\t2\n", "several columns of the name a"),
        ("\ta\n0\t1\n", "line 1: column 1 has no name"),
        ("a\t\u200b\n0\t1\n", "line 1: column 2 has no name"),
        (b"a\tb\n1\t2\nx\t\xe9\n", "line 3 holds the byte 0xe9, which is not utf-8"),
        (b"a\n1\0\n", "line 2: a NUL byte"),
        ("a\tb\n1\t2\n".encode("utf-16"), "in UTF-16; expected UTF-8"),
        ("a\tb\n1\t2\n".encode("utf-16-le"), "in UTF-16 or UTF-32"),
        ("a\tb\n1\t2\n".encode("utf-16-be"), "in UTF-16 or UTF-32"),
        ("a\tb\n1\t2\n".encode("utf-32"), "in UTF-32; expected UTF-8"),
        ("a\n" + "x" * 200_000, "line 2: a cell of 200000 characters"),
        ("a" + "\tb" * 0 + "\n" + "1\n" * 1000 + "x" * 70_000 + "\n", "shorten that cell"),
    ],
)
def test_what_is_no_table_is_refused_by_line(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no column 'onset'; it has no text"),
        ("Onset\n1\n", "it has Onset. Is it 'Onset'"),
        ('"onset"\t"x"\n1\t2\n', "without quotation marks"),
        ("onset,duration\n1,2\n", "not separated by tabs"),
        ("onset  duration\n1  2\n", "not separated by tabs"),
    ],
)
def test_headers_without_a_column_are_explained(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        read(tmp_path, content, required=["onset"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_other_tables_have_quoting(tmp_path, delimiter):
    content = 'a,"b, c"\n1,"x ""y"", z"\n\n2,"two\nlines"\n3,\n'.replace(",", delimiter)
    for mark in ("", "\ufeff"):
        found = read(tmp_path, mark + content, "ratings.csv")
        quoted = f'x "y"{delimiter} z'.strip()
        assert found == (
            ["a", f"b{delimiter} c"],
            [2, 4, 6],
            [["1", quoted], ["2", "two\nlines"], ["3", ""]],
        )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('a,b\n1,"open\n2,3\n', "line 2: a quotation mark that is not closed"),
        ("a,b\n1\n", "line 2: 1 cells"),
        ("a,b\n1,2,3\n", "line 2: 3 cells"),
        (",a\n0,1\n", "column 1 has no name"),
        ("a\n" + "x" * 200_000, "line 2: a cell of more than 131072 characters"),
    ],
)
def test_other_tables_are_refused_by_line(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        read(tmp_path, content, "ratings.csv")


def test_invisible_characters_are_removed_around_a_text_alone():
    assert strip_invisible("\u200b \ufeff") == ""
    assert strip_invisible("\u00e4 b\u200b") == "\u00e4 b"
    assert strip_invisible("a\u200bb") == "a\u200bb"


def test_near_misses():
    same = ["Clip 1", "clip1", "CLIP\u00a01", '"clip1"', "cl\u200bip1"]
    assert len(set(map(fold, same))) == 1
    assert fold("gl\u00fcck") == fold("GLU\u0308CK")
    assert fold("clip1") != fold("clip10")
    assert fold("clip 1 1") == fold("clip1  1") != fold("clip 11")
    assert find_near_misses(["a", "n/a", "N/A", "", "b", "A", "B ", "c"]) == [
        ("a", "A"),
        ("b", "B "),
    ]
