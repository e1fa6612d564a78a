"""The report of a result: figures, tables, numbers and a self-contained HTML page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from eegemo.evaluation import SUMMARY_SCORES
from eegemo.pages import figures
from eegemo.pages.html import data_uri, render
from eegemo.pages.words import data_name
from eegemo.report.caveats import list_caveats
from eegemo.report.choices import describe_choice
from eegemo.report.figures import draw, trial_level
from eegemo.report.promises import make_promise
from eegemo.report.sentences import make_sentences
from eegemo.report.tables import BASELINES, make_tables
from eegemo.report.verdicts import (
    card_texts,
    design_rows,
    detectable_sentence,
    refit_advice,
)
from eegemo.report.words import divided_unit, headline, kept_apart, leak, trial_sentence
from eegemo.results import Result, layout, open_result
from eegemo.results.assemble import seal
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
    """Write the report of a finished run: metrics, tables, figures and ``report.html``.

    Everything is computed from the files of the run, without training; writing it again gives the
    same report.

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
        The folder is not a finished result.
    """
    result = open_result(result_dir)
    sentence = headline(result)
    of_trials = "" if result.leaks else trial_sentence(result)
    choice = describe_choice(result.records)
    numbers = {
        "headline": sentence,
        "trial_sentence": of_trials,
        "leaks": result.leaks,
        "promise": make_promise(result).as_dict(),
        "simulated": result.simulated,
        "sentences": make_sentences(result),
        **result.assessment.metrics,
        "band_power_logreg": result.assessment.baseline_comparison,
        "calibration": result.assessment.calibration,
        "choice": choice,
    }
    write_json(result.path / layout.METRICS, numbers)
    for name, table in make_tables(result).items():
        write_table(table, result.path / layout.TABLE_FOLDER / f"{name}.csv")
    drawn = {}
    for name, figure in draw(result):
        figures.save_figure(figure, result.path / layout.FIGURES / f"{name}.png")
        figure.set_layout_engine("none")  # keep the layout of the saved figure
        drawn[name] = data_uri(figure)
    title = data_name({**result.provenance["data"], "simulated": result.simulated})
    page = render(
        "report.html",
        result=result,
        headline=sentence,
        trial_sentence=of_trials,
        sentences=numbers["sentences"],
        kinds={"window": "windows", "trial": trial_level(result)},
        leak=leak(result),
        divided_unit=divided_unit(result),
        kept_apart=kept_apart(result),
        caveats=list_caveats(result),
        figures=drawn,
        cards=_cards(result),
        design=design_rows(result),
        verdict=result.assessment.metrics["verdict"],
        refitted=result.assessment.refitted,
        advice=refit_advice(result),
        detectable=detectable_sentence(result.assessment.metrics["verdict"]),
        baselines=BASELINES,
        comparison=result.assessment.baseline_comparison,
        calibration=result.assessment.calibration,
        uniform_log_loss=math.log(len(result.classes)),
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
    if (result.path / layout.MANIFEST).is_file():
        seal(result.path)  # another version may word its pages differently
    return path


def _cards(result: Result) -> list[dict[str, Any]]:
    """Return the key numbers, each with its baselines."""
    cards, comparison = [], result.assessment.baseline_comparison
    for level, name, title in (
        ("window", "balanced_accuracy", "Balanced accuracy, windows"),
        ("window", "macro_f1", "Macro F1, windows"),
        ("trial", "balanced_accuracy", f"Balanced accuracy, {trial_level(result)}"),
        ("trial", "accuracy", f"Accuracy, {trial_level(result)}"),
    ):
        scored = result.assessment.levels[level]
        significance = scored["significance"]
        shown = name == "balanced_accuracy"
        cards.append(
            {
                "title": title,
                "value": scored["total"][name],
                "chance": scored["verdict"]["chance"]
                if shown and scored["verdict"]["p_kind"] == "refitted"
                else scored["baselines"]["chance"][name],
                "majority": scored["baselines"]["majority"][name],
                "simple": comparison[level]["total"][name] if comparison else None,
                "test": significance["permutation"] if shown else None,
                **(card_texts(scored) if shown else {"p": None}),
            }
        )
    return cards
