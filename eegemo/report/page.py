"""The report of one result: figures, tables, numbers and one HTML page that opens offline."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from .. import figures
from ..metrics import SUMMARY_SCORES
from ..store import write_json, write_text
from .choices import describe_choice
from .drawings import draw, votes
from .remarks import remarks
from .result import Result, read_result
from .sentences import make_sentences
from .tables import BASELINES, make_tables, write_table
from .words import (
    headline,
    interval_words,
    kept_apart,
    leak,
    p_words,
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
    of_votes = "" if result.leaks else trial_sentence(result)
    choice = describe_choice(result.folds)
    numbers = {
        "headline": sentence,
        "trial_sentence": of_votes,
        "leaks": result.leaks,
        "simulated": result.simulated,
        "sentences": make_sentences(result),
        **result.metrics,
        "band_power_logreg": result.beside_baseline,
        "calibration": result.calibration,
        "choice": choice,
    }
    write_json(result.path / "metrics.json", numbers)
    for name, table in make_tables(result).items():
        write_table(table, result.path / "tables" / f"{name}.csv")
    drawn = {}
    for name, figure in draw(result):
        figures.save_figure(figure, result.path / "figures" / f"{name}.png")
        figure.set_layout_engine("none")  # what was laid out once stays so
        drawn[name] = data_uri(figure)
    page = render(
        "report.html",
        result=result,
        headline=sentence,
        trial_sentence=of_votes,
        sentences=numbers["sentences"],
        kinds={"window": "windows", "trial": votes(result)},
        leak=leak(result),
        kept_apart=kept_apart(result),
        remarks=remarks(result),
        figures=drawn,
        cards=_cards(result),
        baselines=BASELINES,
        beside=result.beside_baseline,
        calibration=result.calibration,
        even_log_loss=math.log(len(result.classes)),
        choice=choice,
        decodable=result.metrics["decodable"],
        scores=SCORES,
        levels=result.metrics["levels"],
        folds=result.folds,
        run=result.provenance,
    )
    path = result.path / "report.html"
    write_text(path, page)
    return path


def _cards(result: Result) -> list[dict[str, Any]]:
    """Choose the numbers shown first, each with what it has to beat."""
    cards, beside = [], result.beside_baseline
    for level, name, title in (
        ("window", "balanced_accuracy", "Balanced accuracy, windows"),
        ("window", "macro_f1", "Macro F1, windows"),
        ("trial", "balanced_accuracy", f"Balanced accuracy, {votes(result)}"),
        ("trial", "accuracy", f"Accuracy, {votes(result)}"),
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
                "simple": beside[level]["total"][name] if beside else None,
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
        "signed": lambda value: _number(value, sign=True),
        "percent": lambda value: "–" if value is None else f"{100 * value:.0f} %",
        "short": lambda value: f"{value:g}",
        "count": lambda value: f"{value:,.0f}",
        "duration": _duration,
        "memory": _memory,
        "place": lambda value: f"{100 * min(max(value, 0), 1):.2f}%",
        "p": p_words,
        "holm": lambda row: p_words({"p_value": row["p_holm"], "n_permutations": 10**6})[4:],
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
