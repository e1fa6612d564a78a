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

import pytest
import yaml

from eegemo.config import parse_experiment

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))

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


@pytest.fixture
def write_modules(tmp_path, monkeypatch):
    """Write a page's modules, blocks that begin with ``# NAME.py``, where Python finds them."""
    written = []

    def write(page):
        for language, code, *_ in blocks(page):
            named = re.match(r"# (\w+)\.py\n", code)
            if language == "python" and named:
                (tmp_path / f"{named[1]}.py").write_text(code, encoding="utf-8")
                written.append(named[1])

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_python_on_the_page_runs_and_prints_what_the_page_shows(
    page, tmp_path, monkeypatch, write_modules
):
    """Run all blocks in order in one namespace; a text block right after one is its output."""
    monkeypatch.chdir(tmp_path)
    write_modules(page)
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


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # MNE, in read_epochs
def test_the_data_set_on_the_page_keeps_the_contract_and_runs(tmp_path, monkeypatch, write_modules):
    import mne
    import numpy as np
    import pandas as pd

    from eegemo.runs.run import run_experiments
    from eegemo.testing import check_dataset

    monkeypatch.chdir(tmp_path)
    write_modules(DOCS / "your-data.md")
    (tmp_path / "data" / "mine").mkdir(parents=True)
    info = mne.create_info(["Fz", "Cz", "Pz"], 128.0, "eeg")
    rng = np.random.default_rng(0)
    for person in ("p01", "p02"):
        about = {"subject": person, "session": "1", "trial": range(1, 13)}
        about |= {"stimulus": [f"clip {k}" for k in range(12)]}
        about |= {"valence": [1.0, 5.0] * 6, "arousal": [1.0, 1.0, 5.0, 5.0] * 3}
        epochs = mne.EpochsArray(
            1e-5 * rng.normal(size=(12, 3, 512)),
            info,
            metadata=pd.DataFrame(about),
            verbose="ERROR",
        )
        epochs.save(tmp_path / "data" / "mine" / f"{person}-epo.fif", verbose="ERROR")
    (text,) = (p.values[1] for p in YAML if "mystudy:MyData" in p.values[1])
    experiment = parse_experiment(text)
    check_dataset(importlib.import_module("mystudy").MyData(root="data/mine"))
    (folder,) = run_experiments([experiment], results=tmp_path / "results")
    assert "My study: 2 subjects" in (folder / "report.html").read_text(encoding="utf-8")


# --- experiments in YAML ------------------------------------------------------------------------

BASE = {"name": "a", "data": {"source": "simulated"}, "model": {"name": "cnn_lstm"}}
YAML = [
    pytest.param(page, code, id=f"{page.stem}-{line}")
    for page in PAGES
    for language, code, line, _ in blocks(page)
    if language == "yaml"
]


@pytest.mark.parametrize(("page", "text"), YAML)
def test_yaml_on_the_pages_is_accepted(page, text, write_modules):
    """A whole experiment by itself; some sections of one, together with the least that it needs."""
    write_modules(page)
    content = yaml.safe_load(text)
    if not set(BASE) <= set(content):
        text = yaml.safe_dump(BASE | content)
    parse_experiment(text)


def test_some_page_shows_a_whole_experiment():
    assert any(set(BASE) <= set(yaml.safe_load(parameter.values[1])) for parameter in YAML)


def test_the_pytorch_module_on_the_page_keeps_the_contract(write_modules):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install eegemo[torch]")
    from eegemo.testing import check_model

    write_modules(DOCS / "your-model.md")
    check_model("mytorch:torch_net")


@pytest.mark.slow
def test_the_first_experiment_of_the_page_runs(write_modules, tmp_path):
    from eegemo.runs.run import run_experiments

    page = DOCS / "your-model.md"
    write_modules(page)
    (text,) = (p.values[1] for p in YAML if p.values[0] == page)
    experiment = parse_experiment(
        text, overrides=["training.epochs=2", f"data.root={tmp_path / 'data'}"]
    )
    (folder,) = run_experiments([experiment], results=tmp_path / "results")
    assert folder.name.startswith("my-first-net-")
    assert "mynets:small_net" in (folder / "report.html").read_text(encoding="utf-8")


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
