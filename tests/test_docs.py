"""The documentation: its code runs, its reference is complete, its experiments and links hold."""

import contextlib
import difflib
import importlib.util
import io
import re
import subprocess
import sys
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from docs_folders import FOLDERS

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


# --- your data: every experiment is checked and run -----------------------------------------------

DATA_PAGE = DOCS / "your-data.md"
#: Trials of each class that an experiment finds in its folder, by the name of the experiment.
FOUND = {
    "emotions": "amusement 6, disgust 6, fear 6, joy 6",
    "emotions-in-value": "fear 12, joy 12",
    "merged": "negative 12, positive 12",
    "other-scale": "HV 12, LV 12",
    "spreadsheet": "HVHA 6, HVLA 6, LVHA 6, LVLA 6",
    "answers": "HV 12, LV 12",
    "edf-files": "calm 12, tense 12",
    "without-a-run": "happy 18, sad 18",
    "whole-films-only": "happy 10, sad 10",
    "milliseconds": "happy 12, sad 12",
    "no-copies": "happy 12, sad 12",
    "copies-together": "happy 18, sad 18",
    "cleaned": "happy 12, sad 12",
    "common-channels": "happy 12, sad 12",
    "first-three-seconds": "happy 12, sad 12",
    "blocks": "calm 9, tense 9",
    "unseen-clips": "happy 24, sad 24",
    "by-name": "happy 12, sad 12",
    "by-rating": "HVHA 6, HVLA 4, LVHA 6, LVLA 6; 2 without a class",
}
#: What is said where the line that the page is about is left out: section, key, and words of it.
WITHOUT = {
    "emotions": ("labels", "column", "Write labels: {column: emotion}"),
    "emotions-in-value": ("data", "tmax", "Say how long a trial lasts with tmax"),
    "other-scale": ("labels", "valence", "valence_rating"),
    "spreadsheet": ("labels", "table", "no column is called valence"),
    "answers": ("labels", "table", "no column is called happy"),
    "without-a-run": ("data", "exclude", "data.exclude"),
    "milliseconds": ("data", "times", "write data: {times: milliseconds}"),
    "no-copies": ("data", "exclude", "data.exclude: [sub-03]"),
    "copies-together": ("data", "copies", "set data.copies: keep"),
    "cleaned": ("data", "acquisition", "acquisition: clean or acquisition: raw"),
    "common-channels": ("data", "channels", "Choose channels that all recordings have"),
}
EXPERIMENTS = [
    pytest.param(
        text,
        id=yaml.safe_load(text).get("name", parameter.id),
        # data sets of their own: simulated here, and in the tests of their readers
        marks=() if "name" in yaml.safe_load(text) else pytest.mark.slow,
    )
    for parameter in YAML
    for page, text in [parameter.values]
    if page == DATA_PAGE and "mystudy:MyData" not in text
]


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Return a function that makes the folder of a section `data`, once, and says where it is."""
    from eegemo.datasets.files.proposal import propose_table, write_proposal

    home = tmp_path_factory.mktemp("page")

    def make(data):
        if "root" in data and not (home / data["root"]).exists():
            FOLDERS[data["root"]](home / data["root"])
            if data["source"] == "files":
                write_proposal(propose_table(home / data["root"]))
        return home

    return make


def _complete(text):
    return BASE | {"model": {"name": "band_power_logreg"}} | yaml.safe_load(text)


def _in_small(content):
    """Return the experiment with a fast model in one fold, and a simulation of a few seconds."""
    content = content | {"model": {"name": "band_power_logreg", "bands": [[8.0, 13.0]]}}
    half = {"method": "stratified_group_ratio", "ratios": [0.5, 0.0, 0.5]}
    content["split"] = {"group": content.get("split", {}).get("group")} | half
    if content["data"]["source"] == "simulated":
        content["data"] |= {"n_subjects": 2, "n_trials": 10, "duration": 4.0}
    return parse_experiment(yaml.safe_dump(content))


@pytest.mark.parametrize("text", EXPERIMENTS)
def test_experiments_on_your_data_are_ready_and_run(text, made_up, monkeypatch):
    """Checked as they stand and run, in the folder that the page tells them to be in."""
    from eegemo.results.result import open_result
    from eegemo.runs.check import check_experiment
    from eegemo.runs.run import run_experiments

    content = _complete(text)
    monkeypatch.chdir(made_up(content["data"]))
    # a quarter of the time, and nothing that this is about
    monkeypatch.setattr("eegemo.runs.fit.measure_latency", lambda *_: None)
    monkeypatch.setattr("os.fsync", lambda _: None)
    small = _in_small(content)
    as_it_stands = content["data"]["source"] != "simulated"
    experiment = parse_experiment(yaml.safe_dump(content)) if as_it_stands else small
    checked = check_experiment(experiment, calibrate=False)
    assert checked.problems == []
    found = dict(checked.facts)["trials"]
    assert found == FOUND.get(content["name"], found)
    (folder,) = run_experiments([small], report=False)
    assert len(open_result(folder).roles) == sum(
        int(count) for count in re.findall(r" (\d+)(?=,|;|$)", found.partition(";")[0])
    )


def test_every_experiment_with_a_name_has_its_trials_counted():
    named = {parameter.id for parameter in EXPERIMENTS}
    assert set(WITHOUT) <= set(FOUND) <= named


@pytest.mark.parametrize("name", WITHOUT)
def test_without_its_line_the_question_is_answered_by_that_line(name, made_up, monkeypatch):
    from eegemo.errors import InputError
    from eegemo.runs.check import check_experiment

    (text,) = (p.values[0] for p in EXPERIMENTS if p.id == name)
    content = _complete(text)
    monkeypatch.chdir(made_up(content["data"]))
    section, key, words = WITHOUT[name]
    del content[section][key]
    try:
        checked = check_experiment(parse_experiment(yaml.safe_dump(content)), calibrate=False)
    except InputError as error:
        assert words in str(error)  # noqa: PT017 -- the rest of these is in the list of problems
    else:
        assert checked.problems
        assert words in repr(checked)


def _checks_on_the_page():
    for (language, code, line, between), following in pairwise(blocks(DATA_PAGE)):
        if language == "console" and code.startswith("eegemo check data/"):
            assert following[0] == "text"
            assert not between.strip()
            yield pytest.param(code.split()[1:], following[1], id=f"your-data-{line}")


@pytest.mark.parametrize(("words", "expected"), [*_checks_on_the_page()])
def test_check_prints_what_the_page_shows(words, expected, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from eegemo.cli import app

    monkeypatch.chdir(tmp_path)
    FOLDERS[words[1]](Path(words[1]))
    monkeypatch.setenv("COLUMNS", "160")
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    assert OutputChecker().check_output(expected, said.stdout, ELLIPSIS | NORMALIZE_WHITESPACE), (
        said.stdout
    )


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
