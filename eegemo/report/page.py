"""The report of one result: figures, tables, numbers and one HTML page that opens offline."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from eegemo.evaluation import SUMMARY_SCORES
from eegemo.pages import figures
from eegemo.pages.html import data_uri, render
from eegemo.pages.words import data_name, interval_words
from eegemo.report.choices import describe_choice
from eegemo.report.figures import draw, votes
from eegemo.report.remarks import remarks
from eegemo.report.sentences import make_sentences
from eegemo.report.tables import BASELINES, make_tables
from eegemo.report.words import headline, kept_apart, leak, trial_sentence
from eegemo.results import Result, layout, open_result
from eegemo.store import write_json, write_text
from eegemo.store.writing import write_table

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
    result = open_result(result_dir)
    sentence = headline(result)
    of_votes = "" if result.leaks else trial_sentence(result)
    choice = describe_choice(result.records)
    numbers = {
        "headline": sentence,
        "trial_sentence": of_votes,
        "leaks": result.leaks,
        "simulated": result.simulated,
        "sentences": make_sentences(result),
        **result.assessment.metrics,
        "band_power_logreg": result.assessment.beside_baseline,
        "calibration": result.assessment.calibration,
        "choice": choice,
    }
    write_json(result.path / layout.METRICS, numbers)
    for name, table in make_tables(result).items():
        write_table(table, result.path / layout.TABLE_FOLDER / f"{name}.csv")
    drawn = {}
    for name, figure in draw(result):
        figures.save_figure(figure, result.path / layout.FIGURES / f"{name}.png")
        figure.set_layout_engine("none")  # what was laid out once stays so
        drawn[name] = data_uri(figure)
    title = data_name({**result.provenance["data"], "simulated": result.simulated})
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
        beside=result.assessment.beside_baseline,
        calibration=result.assessment.calibration,
        even_log_loss=math.log(len(result.classes)),
        choice=choice,
        decodable=result.assessment.metrics["decodable"],
        scores=SCORES,
        levels=result.assessment.levels,
        folds=result.records,
        run=result.provenance,
        data_title=title[:1].upper() + title[1:],
    )
    path = result.path / layout.REPORT
    write_text(path, page)
    return path


def _cards(result: Result) -> list[dict[str, Any]]:
    """Choose the numbers shown first, each with what it has to beat."""
    cards, beside = [], result.assessment.beside_baseline
    for level, name, title in (
        ("window", "balanced_accuracy", "Balanced accuracy, windows"),
        ("window", "macro_f1", "Macro F1, windows"),
        ("trial", "balanced_accuracy", f"Balanced accuracy, {votes(result)}"),
        ("trial", "accuracy", f"Accuracy, {votes(result)}"),
    ):
        one = result.assessment.levels[level]
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
