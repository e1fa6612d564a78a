"""What is said to people, word for word; `python tests/golden/make.py text` records it anew."""

import difflib

import pytest

from golden import texts
from golden.cases import working_in
from golden.machine import GOLDEN, differences
from golden.records import KEPT_FILE, read_json, unpack

TEXT = GOLDEN / "text"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with working_in(tmp_path_factory.mktemp("texts")) as folder:
        yield folder


@pytest.fixture(scope="module")
def kept(place):
    return unpack(KEPT_FILE, place)


@pytest.fixture(scope="module")
def metrics(kept):
    """The numbers of the day; `said` writes them anew."""
    return {name: read_json(folder / "metrics.json") for name, folder in kept.items()}


@pytest.fixture(scope="module")
def said(kept, metrics, place):
    """What all commands say, in one go: some need what others make."""
    for folder in kept.values():
        (folder / "metrics.json").unlink()
    return {
        **texts.of_results(kept, place),
        **texts.of_checks(place),
        **texts.of_help(),
    }


FILES = sorted(path.name for path in TEXT.glob("*.t*"))
#: Texts with numbers that were not stored, but computed here.
COMPUTED = ("verify_printed.txt", "predict_printed.txt")


def changes(text, name):
    """What differs from the text that is kept."""
    kept = (TEXT / name).read_text(encoding="utf-8").splitlines()
    found = difflib.unified_diff(kept, text.splitlines(), name, "now", n=1, lineterm="")
    return "\n".join(found)


def test_each_text_is_as_it_was(said):
    assert sorted([*said, "audit.txt"]) == FILES
    wanted = [name for name in said if not (differences() and name in COMPUTED)]
    found = [changes(said[name], name) for name in wanted]
    assert not any(found), "\n".join(filter(None, found))


def close(found, expected):
    """Whether two contents of JSON are the same but for rounding, and the words of sentences."""
    if isinstance(expected, dict):
        same = list(found) == list(expected)
        return same and all(close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    if isinstance(expected, float):
        return found == pytest.approx(expected, rel=1e-9, abs=1e-12)
    sentence = isinstance(expected, str) and " " in expected  # `said` has it, word for word
    return type(found) is type(expected) and (sentence or found == expected)


#: What metrics have since they were kept.
ADDED = {"promise", "design", "verdict"}
#: What is found otherwise since: nulls and intervals over trials are wider.
OTHERWISE = {"significance", "verdict", "bootstrap", "decodable", "difference"}


def as_before(content):
    """Leave out of metrics what is found otherwise since they were kept."""
    if isinstance(content, dict):
        return {key: as_before(value) for key, value in content.items() if key not in OTHERWISE}
    return list(map(as_before, content)) if isinstance(content, list) else content


@pytest.mark.parametrize("name", ["cnn_gru", "band_power"])
def test_a_report_drawn_again_has_the_same_numbers(said, kept, metrics, name):
    found = read_json(kept[name] / "metrics.json")
    assert found.keys() - metrics[name].keys() == ADDED
    same = {key: found[key] for key in found if key not in ADDED}
    assert close(as_before(same), as_before(metrics[name]))


@pytest.mark.slow
@pytest.mark.skipif(bool(differences()), reason=f"its numbers are computed: {differences()}")
def test_the_audit_page_is_as_it_was(tmp_path):
    with working_in(tmp_path):
        page = texts.of_audit(tmp_path)["audit.txt"]
    found = changes(page, "audit.txt")
    assert not found, found


COMPLAINTS = read_json(TEXT / "complaints.json")


def test_each_complaint_is_kept():
    assert list(texts.of_complaints()) == list(COMPLAINTS)


@pytest.mark.parametrize("lines", COMPLAINTS)
def test_a_complaint_is_as_it_was(lines):
    assert texts.of_complaint(lines) == COMPLAINTS[lines]
