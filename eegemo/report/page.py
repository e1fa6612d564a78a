"""The report of one result: figures, tables, numbers and one HTML page that opens offline."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from .. import figures
from ..metrics import LEVELS, SUMMARY_SCORES
from ..store import write_json, write_text
from .result import Result, read_result
from .tables import BASELINES, make_tables, write_table
from .words import (
    headline,
    interval_words,
    kept_apart,
    p_words,
    remarks,
    shuffling,
    some,
    trial_sentence,
)

SCORES = {
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "accuracy": "Accuracy",
    "kappa": "Cohen's kappa",
}
assert set(SCORES) == set(SUMMARY_SCORES)


def write_report(result_dir: str | Path) -> Path:
    """Draw the report of a finished run: metrics, tables, figures and ``report.html``.

    Everything is derived from what the run has stored; nothing is trained, and running it again
    gives the same.

    Parameters
    ----------
    result_dir : str or Path
        A result folder.

    Returns
    -------
    Path
        The HTML page.

    Raises
    ------
    ResultError
        The folder is no finished result.
    """
    result = read_result(result_dir)
    sentence = headline(result)
    votes = "" if result.leaks else trial_sentence(result)
    numbers = {
        "headline": sentence,
        "trial_sentence": votes,
        "leaks": result.leaks,
        "simulated": result.simulated,
    }
    write_json(result.path / "metrics.json", {**numbers, **result.metrics})
    for name, table in make_tables(result).items():
        write_table(table, result.path / "tables" / f"{name}.csv")
    drawn = {}
    for name, figure in _draw(result):
        figures.save_figure(figure, result.path / "figures" / f"{name}.png")
        drawn[name] = data_uri(figure)
    page = render(
        "report.html",
        result=result,
        headline=sentence,
        trial_sentence=votes,
        kinds={"window": "windows", "trial": _votes(result)},
        kept_apart=kept_apart(result),
        remarks=remarks(result),
        figures=drawn,
        cards=_cards(result),
        baselines=BASELINES,
        scores=SCORES,
        levels=result.metrics["levels"],
        folds=result.folds,
        run=result.provenance,
    )
    path = result.path / "report.html"
    write_text(path, page)
    return path


def _draw(result: Result) -> Iterator[tuple[str, Figure]]:
    levels, classes = result.metrics["levels"], result.classes
    window = levels["window"]
    titles = {"window": "Windows", "trial": _votes(result).capitalize()}
    yield (
        "confusion",
        figures.confusion_matrices(
            {titles[name]: levels[name]["total"]["confusion"] for name in LEVELS}, classes
        ),
    )
    for name in LEVELS if len(window["folds"]) > 1 else ():
        yield (
            f"confusion_folds_{name}s",
            figures.fold_confusions(
                [one["confusion"] for one in levels[name]["folds"]],
                [one["name"] for one in window["folds"]],
                classes,
            ),
        )
    yield (
        "classes",
        figures.class_scores(
            {titles[name].lower(): levels[name]["total"]["per_class"] for name in LEVELS}, classes
        ),
    )
    yield (
        "null",
        figures.null_distributions(
            {
                titles[name]: (levels[name]["total"]["balanced_accuracy"], result.nulls[name])
                for name in LEVELS
            }
        ),
    )
    for unit, key in (("fold", "name"), ("subject", "subject")):
        yield (
            f"{unit}s",
            figures.score_dots(
                [one[key] for one in window[f"{unit}s"]],
                [one["balanced_accuracy"] for one in window[f"{unit}s"]],
                unit=unit,
                nulls=[
                    [part[f"null_{what}"] for what in ("q05", "mean", "q95")]
                    for part in window["significance"][f"{unit}s"]
                ],
                total=window["total"]["balanced_accuracy"],
                label="balanced accuracy (windows)",
            ),
        )
    best = [int(fold["best_epoch"]) for fold in result.folds]
    yield "curves", figures.learning_curves(result.histories, best)
    yield "counts", figures.class_counts(result.provenance["labels"]["by_subject"], classes)


def _votes(result: Result) -> str:
    """Name the votes: a trial that is divided votes in every fold that tests part of it."""
    return "fold × trial votes" if result.leaks else "trial votes"


def _cards(result: Result) -> list[dict[str, Any]]:
    """Choose the numbers shown first, each with what it has to beat."""
    cards = []
    for level, name, title in (
        ("window", "balanced_accuracy", "Balanced accuracy, windows"),
        ("window", "macro_f1", "Macro F1, windows"),
        ("trial", "balanced_accuracy", f"Balanced accuracy, {_votes(result)}"),
        ("trial", "accuracy", f"Accuracy, {_votes(result)}"),
    ):
        one = result.metrics["levels"][level]
        significance = one["significance"]
        shown = name == "balanced_accuracy"
        cards.append(
            {
                "title": title,
                "value": one["total"][name],
                "chance": one["baselines"]["chance"][name],
                "majority": one["baselines"]["majority"][name],
                "test": significance["permutation"] if shown else None,
                "interval": interval_words(one, "trials") if shown else None,
            }
        )
    return cards


# --- shared with the comparison ---


def data_uri(figure: Figure) -> str:
    """Return a figure as the source of an ``img`` tag: nothing in it can run or load anything."""
    return f"data:image/svg+xml;base64,{base64.b64encode(figures.to_svg(figure).encode()).decode()}"


def render(template: str, **context: Any) -> str:
    """Fill in a page; every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("eegemo", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "percent": lambda value: "–" if value is None else f"{100 * value:.0f} %",
        "short": lambda value: f"{value:g}",
        "count": lambda value: f"{value:,.0f}",
        "duration": _duration,
        "memory": _memory,
        "place": lambda value: f"{100 * min(max(value, 0), 1):.2f}%",
        "p": p_words,
        "spread": _spread,
        "some": some,
        "interval": interval_words,
        "shuffling": shuffling,
    }
    return environment.get_template(template).render(**context) + "\n"


def _number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    value = round(value, digits) + 0.0  # + 0.0 turns -0.0 into 0.0
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def _spread(summary: Mapping[str, Any], n: int, digits: int = 2, *, sign: bool = False) -> str:
    """Write a mean and its SD over how many of `n` parts, where the score is not in all of them."""
    text = _number(summary["mean"], digits, sign=sign)
    if summary["sd"] is not None:
        text += f" ± {_number(summary['sd'], digits)}"
    return text if summary["n"] in (n, 0) else f"{text} (n = {summary['n']} of {n})"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _memory(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
