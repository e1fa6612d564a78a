"""What of runs, results and pages is kept: all but times, versions, machines and pictures."""

import hashlib
import html
import json
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd

from .cases import REPOSITORY, working_in
from .early import early_lines, early_text
from .inside import result_digests, settings_digest

GOLDEN = Path(__file__).parent
KEPT_FILE = GOLDEN / "kept.zip"
RUNS_FILE = GOLDEN / "runs.zip"
TABLES = ("predictions", "validation", "baseline")
#: Of fold.json and provenance.json, what depends on when, where and by what they were made.
_OF_A_DAY = {
    *("seconds", "made_with", "eegemo", "python", "platform", "backend", "versions", "git_commit"),
    *("device", "started", "finished", "wall_seconds", "peak_memory_bytes", "latency_seconds"),
    # said since these records were made, or said in words, which golden texts hold
    *("title", "citation", "code", "framework", "sentence", "notes", "design"),
}


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_json(path, content):
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    Path(path).write_text(text, encoding="utf-8")


def without_times(record):
    """Leave out of a record what differs between two runs of the same code."""
    if isinstance(record, dict):
        return {key: without_times(value) for key, value in record.items() if key not in _OF_A_DAY}
    return list(map(without_times, record)) if isinstance(record, list) else record


def read_record(folder):
    """Return what was kept of a result, without what is said otherwise since."""
    return without_times(read_json(folder / "record.json"))


def describe_fold(folder):
    """Return what a fold's folder says, and its training history to the bit."""
    history = pd.read_csv(folder / "history.csv", dtype=str).drop(columns="seconds")
    return {
        "fold": without_times(read_json(folder / "fold.json")),
        "history": history.to_csv(index=False).splitlines(),
        "files": sorted(path.name for path in folder.iterdir() if path.name != ".lock"),
    }


def describe_result(folder):
    """Return what a result says beside its tables."""
    folds = sorted((folder / "folds").iterdir(), key=lambda path: int(path.name))
    return {
        "name": folder.name,
        "provenance": without_times(read_json(folder / "provenance.json")),
        "folds": [describe_fold(path) for path in folds],
        "folds.csv": (folder / "folds.csv").read_text(encoding="utf-8").splitlines(),
        "experiment.yaml": early_lines(folder / "experiment.yaml"),
    }


def describe_store(place):
    """Return the names of stored trials and features, and digests of the files they are of."""
    store = place / "results" / ".store"
    return {
        "files": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(place.glob("data/*/data_preprocessed_python/*.dat"))
        },
        "data": [path.name for path in place.glob("data/*") if path.is_dir()],
        "trials": sorted(path.name for path in store.glob("trials/*")),
        "features": sorted(path.name for path in store.glob("features/*")),
    }


def describe_settings(experiment):
    """Return digests and text of an experiment."""
    text = early_text(experiment)
    with working_in(REPOSITORY):  # a table of labels is named from there
        settings, result = settings_digest(experiment), result_digests(experiment)["experiment"]
    return {
        "settings": settings,
        "result": result,
        "text": hashlib.sha256(text.encode()).hexdigest(),
        "yaml": text.splitlines(),
    }


def shorten(settings):
    """Keep of the text of a variation only lines that its base has not, to be looked at."""
    short = {}
    for name, about in settings.items():
        base, *changes = name.split(" ", 1)
        usual = settings[base]["yaml"] if changes else []
        short[name] = about | {"yaml": [line for line in about["yaml"] if line not in usual]}
    return short


def same_files(place):
    """Whether the simulation has written the files it wrote then; it rounds as processors do."""
    return describe_store(place)["files"] == read_json(GOLDEN / "keys.json")["files"]


# --- archives -------------------------------------------------------------------------------------


def keep_run(result, target):
    """Keep tables and record of a run."""
    target.mkdir(parents=True)
    for table in TABLES:
        if (result / f"{table}.parquet").is_file():
            shutil.copy(result / f"{table}.parquet", target)
    write_json(target / "record.json", describe_result(result))


def pack(place, names, file):
    """Keep folders in one archive, without what is drawn from them."""
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            for path in sorted((place / name).rglob("*")):
                inside = path.relative_to(place)
                drawn = inside.parts[1] in ("figures", "tables") or path.name == ".lock"
                if path.is_file() and not drawn:
                    # without a time, so that the same files give the same archive
                    entry = zipfile.ZipInfo(inside.as_posix())
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def unpack(file, place):
    """Lay kept folders into another; return them by name, that of results without the digest."""
    with zipfile.ZipFile(file) as archive:
        names = sorted({name.partition("/")[0] for name in archive.namelist()})
        archive.extractall(place)
    return {name.split("-")[0]: place / name for name in names}


# --- text -----------------------------------------------------------------------------------------


def page_text(page):
    """Return what a page says, a line per piece of text, without pictures and styles."""
    text = re.sub(r"<(style|svg|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    text = re.sub(r'"data:[^"]*"', '"data"', text)
    # what pictures are called is text as well
    text = re.sub(r'<[^>]*\b(?:alt|title|content)="([^"]*)"[^>]*>', r"\n[\1]\n", text)
    text = html.unescape(re.sub(r"<[^>]*>", "\n", text))
    return tidy("\n".join(line for line in map(str.strip, text.splitlines()) if line) + "\n")


#: What differs between machines and days, by what stands in its place.
_PASSING = {
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\+00:00| ?UTC)?": "TIME",
    r"\d+(\.\d+)? ?[kMGTP]?i?B\b": "BYTES",
    r"\bDone in \d+ s": "Done in SECONDS",
}


def tidy(text, **places):
    """Put words in place of what differs between machines; `places` maps a word to a path."""
    for word, path in places.items():
        text = text.replace(str(path), word)
    for pattern, word in _PASSING.items():
        text = re.sub(pattern, word, text)
    return text
