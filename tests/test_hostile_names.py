"""Names with code in them: shown as they are in report and comparison, and never run."""

import base64
import csv
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from eegemo.comparison import compare
from eegemo.report import write_report
from fake_result import fake_result

SCRIPT = "<script>alert(1)</script>"
ATTRIBUTE = '" onmouseover="alert(2)" x=\''
IMAGE = "<img src=x onerror=alert(3)>"
CLASSES = (SCRIPT, f"b{ATTRIBUTE}", IMAGE, "</style></title><svg/onload=alert(4)>")
SUBJECTS = (SCRIPT, "--><script>alert(5)</script>", "{{ 7 * 7 }}", "s04]]>\"'`$\\frac{&lt;")
NAME = "</title><script>alert(6)</script> javascript:alert(7)"
ACTIVE = {"script", "iframe", "object", "embed", "form", "input", "base", "link", "svg", "video"}
ACTIVE |= {"foreignobject", "animate", "set", "handler", "listener", "audio", "math"}
URLS = {"href", "src", "action", "formaction", "data", "xlink:href", "poster", "srcset"}


class Page(HTMLParser):
    """What a browser would act on, and what it would show."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.events, self.urls, self.text = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on") or name == "srcdoc"]
        self.urls += [value for name, value in attrs if name in URLS]

    def handle_data(self, data):
        self.text.append(data)


def drawings(page):
    """Return the figures of a page, as text."""
    head = "data:image/svg+xml;base64,"
    return [base64.b64decode(u[len(head) :]).decode() for u in page.urls if u.startswith(head)]


def check_page(path):
    """Assert that nothing on a page acts; return what it shows."""
    page = Page(path.read_text(encoding="utf-8"))
    assert not page.events
    assert not set(page.tags) & ACTIVE
    assert page.tags.count("style") == page.tags.count("title") == 1
    assert all(url.startswith(("data:image/svg+xml;base64,", "#")) for url in page.urls)
    assert drawings(page)
    for svg in drawings(page):
        for element in ElementTree.fromstring(svg).iter():
            tag = str(element.tag).rpartition("}")[2].lower()
            names = {name.rpartition("}")[2].lower(): value for name, value in element.items()}
            assert tag not in ACTIVE - {"svg"}
            assert not any(name.startswith("on") for name in names)
            assert names.get("href", "#").startswith(("#", "data:image/png;base64,"))
        # as HTML: comments, in which matplotlib repeats what is written, do not end early
        assert not Page(svg).events
        assert "script" not in Page(svg).tags
    return "".join(page.text)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    size = {"n_trials": 8, "n_windows": 2, "n_splits": 2}
    names = {"classes": CLASSES, "subjects": SUBJECTS, "notes": [SCRIPT, IMAGE]}
    one = fake_result(folder / "one", name=NAME, **names, **size)
    two = fake_result(folder / "two", name=f"{NAME}2", model=IMAGE, seed=1, **names, **size)
    return one, two


def test_names_in_the_report(results):
    result, _ = results
    text = check_page(write_report(result))
    for name in (*CLASSES, *SUBJECTS, NAME):
        assert name in text
    for file in (result / "tables").glob(
        "*.csv"
    ):  # the cells that were written, whatever is in them
        with file.open(encoding="utf-8", newline="") as stream:
            assert len({len(row) for row in csv.reader(stream)}) == 1, file


@pytest.mark.slow
def test_names_in_the_comparison(results, tmp_path):
    text = check_page(compare(results, tmp_path / "out"))
    for name in (*CLASSES[:2], IMAGE, NAME):
        assert name in text
