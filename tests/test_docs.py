"""The documentation: its code runs, its reference is complete, its experiments and links hold."""

import contextlib
import difflib
import importlib.util
import io
import re
import subprocess
import sys
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
import yaml

from eegemo import config
from eegemo.config import Experiment, parse_experiment

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
REFERENCE = DOCS / "experiment-file.md"

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def blocks(page):
    """Return (language, code, line, text up to the next block) of every fenced block."""
    text = page.read_text(encoding="utf-8")
    matches = list(FENCE.finditer(text))
    starts = [match.start() for match in matches] + [len(text)]
    return [
        (m[1], m[2], text.count("\n", 0, m.start()) + 1, text[m.end() : starts[k + 1]])
        for k, m in enumerate(matches)
    ]


def without_code(page):
    """Return a page's text with its code taken out: links in code are no links."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def test_pages_were_found():
    assert {"index.md", "first-run.md", "library.md", "splits.md"} <= {page.name for page in PAGES}


# --- code ---------------------------------------------------------------------------------------

RUNNABLE = [page for page in PAGES if any(language == "python" for language, *_ in blocks(page))]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_python_on_the_page_runs_and_prints_what_the_page_shows(page, tmp_path, monkeypatch):
    """Run all blocks in order in one namespace; a text block right after one is its output."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    found = blocks(page)
    for (language, code, line, between), following in zip(found, [*found[1:], None], strict=True):
        if language != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            # lines are counted from the fence, so that a traceback names the line of the page
            exec(compile("\n" * line + code, str(page), "exec"), namespace)
        if following is not None and following[0] == "text" and not between.strip():
            expected, flags = following[1], ELLIPSIS | NORMALIZE_WHITESPACE
            same = OutputChecker().check_output(expected, printed.getvalue(), flags)
            assert same, f"{page.name}, line {line}: expected\n{expected}\n{printed.getvalue()}"


# --- the reference of the experiment file -------------------------------------------------------

SECTIONS = {
    "The file": Experiment,
    "`data`, source `deap`": config.DeapData,
    "`data`, source `bids`": config.BidsData,
    "`data`, source `simulated`": config.SimulatedData,
    "`preprocessing`": config.PreprocessingSection,
    "`labels`": config.LabelsSection,
    "`windows`": config.WindowsSection,
    "`scaling`": config.ScalingSection,
    "`split`": config.SplitSection,
    "`model`, a network": config.ModelSection,
    "`model`, the baseline": config.BandPowerSection,
    "`training`": config.TrainingSection,
    "`choice`": config.ChoiceSection,
}


def rows(heading):
    """Return {key: cells} of the table below a heading of the reference."""
    text = REFERENCE.read_text(encoding="utf-8")
    part = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert part, f"{REFERENCE.name} has no heading '{heading}'"
    table = {}
    for line in part[1].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `"):
            assert len(cells) == 4, line
            assert cells[0] not in table, f"{heading}: {cells[0]} is there twice"
            table[cells[0].strip("`")] = cells
    return table


def written(field):
    """Write a field's default as the reference does."""
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, config.Section):
        assert default == type(default)(), "a section's default should be all of its own defaults"
        return "its defaults"
    text = yaml.safe_dump(default, default_flow_style=True).removesuffix("...\n").strip()
    return f"`{text}`"


def choices(annotation):
    """Return every literal value that a type allows."""
    if get_origin(annotation) is Literal:
        return set(map(str, get_args(annotation)))
    return set().union(*(choices(inner) for inner in get_args(annotation)), set())


def test_every_section_of_the_config_is_in_the_list():
    known = {
        value
        for value in vars(config).values()
        if isinstance(value, type) and issubclass(value, config.Section)
    }
    assert known - {config.Section} == set(SECTIONS.values())


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_reference_has_every_key_with_its_default_and_choices(heading):
    fields, table = SECTIONS[heading].model_fields, rows(heading)
    assert list(table) == list(fields)
    for name, field in fields.items():
        assert table[name][3] == written(field), f"{heading}, {name}: the default"
        shown = set(re.findall(r"`([^`]+)`", table[name][2]))
        assert choices(field.annotation) <= shown, f"{heading}, {name}: the choices"


# --- experiments in YAML ------------------------------------------------------------------------

BASE = {"name": "a", "data": {"source": "simulated"}, "model": {"name": "cnn_lstm"}}
YAML = [
    pytest.param(code, id=f"{page.stem}-{line}")
    for page in PAGES
    for language, code, line, _ in blocks(page)
    if language == "yaml"
]


@pytest.mark.parametrize("text", YAML)
def test_yaml_on_the_pages_is_accepted(text):
    """A whole experiment by itself; some sections of one, together with the least that it needs."""
    content = yaml.safe_load(text)
    if not set(BASE) <= set(content):
        text = yaml.safe_dump(BASE | content)
    parse_experiment(text)


def test_some_page_shows_a_whole_experiment():
    assert any(set(BASE) <= set(yaml.safe_load(parameter.values[0])) for parameter in YAML)


# --- links --------------------------------------------------------------------------------------


def anchors(page):
    """Return the anchors of a page's headings, made as Markdown's toc makes them."""
    found = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    kept = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in found)
    return {re.sub(r"[-\s]+", "-", heading) for heading in kept}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    for target in LINK.findall(without_code(page)):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name) if name else page
        assert other.is_file(), f"{page.name}: {target}"
        if anchor:
            near = difflib.get_close_matches(anchor, anchors(other))
            assert anchor in anchors(other), f"{page.name}: {target}; did you mean {near}?"


def test_every_page_is_in_the_navigation():
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    named = [name for entry in navigation for name in entry.values()]
    assert sorted(named) == [page.name for page in PAGES]


def test_nothing_is_said_of_this_machine():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(work|home|tmp|root)/", text), page.name


@pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("mkdocstrings") is None,
    reason='mkdocs is not installed: pip install -c constraints.txt -e ".[docs]"',
)
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="?(https?:[^">\s]+)', text)
        loaded += re.findall(
            r'<link[^>]*rel="?(?:stylesheet|preconnect)[^>]*(https?:[^">\s]+)', text
        )
        assert not loaded, f"{page.name}: {loaded}"
