"""The report of a comparison: an HTML page, tables, a LaTeX table and figures."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from eegemo.comparison.classes import CLASS_SCORES, confusion_difference
from eegemo.comparison.comparable import name_results
from eegemo.comparison.contents import RECORD, Comparison, gather, make_record
from eegemo.comparison.latex import data_words, latex_table
from eegemo.comparison.paired import KEYS, difference
from eegemo.comparison.rule import RULE, VERDICTS, judge
from eegemo.comparison.tables import make_tables
from eegemo.comparison.words import TEST_NAMES, p_text, probability_text
from eegemo.errors import ResultError
from eegemo.evaluation import LEVELS
from eegemo.execution import Progress
from eegemo.pages import figures
from eegemo.pages.html import data_uri, render
from eegemo.report.page import SCORES
from eegemo.report.words import divided_unit, kept_apart, leak
from eegemo.results import open_result
from eegemo.store import digest_json, write_json, write_text
from eegemo.store.writing import write_table

__all__ = [
    "compare_if_alike",
    "comparison_folder",
]


def compare(result_dirs: Sequence[str | Path], out_dir: str | Path) -> Path:
    """Compare results: ``comparison.html``, tables, LaTeX and figures.

    Parameters
    ----------
    result_dirs : sequence of str or Path
        Two or more result folders. All pairs are tested; figures and tables of
        single folds and classes show differences from the first.
    out_dir : str or Path
        Where the comparison is written: ``comparison.html``, ``comparison.json`` (the sentence and
        every test), ``tables/*.csv``, ``tables/comparison.tex`` and ``figures/`` as PNG and SVG.

    Returns
    -------
    Path
        The HTML page.

    Raises
    ------
    ResultError
        There are fewer than two results, one is not finished, or their data, labels, classes,
        repeats or folds differ.
    """
    if len(result_dirs) < 2:
        raise ResultError(f"Expected two or more results to compare, found {len(result_dirs)}.")
    comparison = gather(name_results([open_result(path) for path in result_dirs]))
    out = Path(out_dir)
    tables = make_tables(comparison)
    for name, table in tables.items():
        write_table(table, out / "tables" / f"{name}.csv")
    write_text(out / "tables" / "comparison.tex", latex_table(comparison))
    drawn = {}
    for name, figure in draw(comparison):
        figures.save_figure(figure, out / "figures" / f"{name}.png")
        drawn[name] = data_uri(figure)
        svg = base64.b64decode(drawn[name].partition(",")[2])  # one drawing for page and file
        write_text(out / "figures" / f"{name}.svg", svg.decode())
    write_json(out / RECORD, make_record(comparison))
    path = out / "comparison.html"
    write_text(path, _page(comparison, tables, drawn))
    return path


def _page(comparison: Comparison, tables: dict[str, pd.DataFrame], drawn: dict[str, str]) -> str:
    results = comparison.results
    first, *others = results
    rows = {
        unit: [
            str(scores[KEYS[unit]])
            for scores in results[first].assessment.levels["window"][f"{unit}s"]
        ]
        for unit in KEYS
    }
    return render(
        "comparison.html",
        comparison=comparison,
        results=results,
        first=first,
        others=others,
        run=results[first].provenance,
        data_words=data_words(comparison),
        kept_apart=kept_apart(results[first]),
        leak=leak(results[first]),
        divided_unit=divided_unit(results[first]),
        figures=drawn,
        scores=SCORES,
        levels=LEVELS,
        unit_names=rows,
        differences={
            (other, level, unit): difference(results[first], results[other], unit=unit, level=level)
            for other in others
            for level in LEVELS
            for unit in KEYS
        },
        classes={
            other: table[table["level"] == "window"].to_dict("records")
            for other, table in comparison.class_differences.items()
        },
        judge=judge,
        verdicts=VERDICTS,
        test_names=TEST_NAMES,
        p_text=p_text,
        probability=probability_text,
        rule=RULE,
    )


def draw(comparison: Comparison) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of a comparison.

    Parameters
    ----------
    comparison : Comparison
        The comparison.

    Yields
    ------
    (name, figure) : tuple of str and Figure
        "curves" only if a model was trained in epochs.
    """
    results = comparison.results
    first_name, *others = results
    first = comparison.first
    window = {name: result.assessment.levels["window"] for name, result in results.items()}
    yield "scores", _draw_scores(comparison)
    for unit in KEYS:
        names = [str(scores[KEYS[unit]]) for scores in window[first_name][f"{unit}s"]]
        scores = {
            name: [scores["balanced_accuracy"] for scores in level[f"{unit}s"]]
            for name, level in window.items()
        }
        yield f"{unit}s", figures.paired_scores(names, scores, unit=unit)
    per_class = {name: level["total"]["per_class"] for name, level in window.items()}
    yield "classes", figures.class_scores(per_class, first.classes)
    yield (
        "class_differences",
        figures.class_differences(
            first.classes,
            {name: _by_class(table) for name, table in comparison.class_differences.items()},
            first=first_name,
        ),
    )
    titles = dict(zip(LEVELS, ("Windows", "Trials"), strict=True))
    for number, name in enumerate(others, start=1):
        matrices = {
            title: confusion_difference(first, results[name], level)
            for level, title in titles.items()
        }
        yield (
            f"confusion_{number}",
            figures.confusion_differences(matrices, first.classes, first=first_name, second=name),
        )
    # a model that is not trained in epochs has no curve
    curves = {
        name: result.histories
        for name, result in results.items()
        if max(map(len, result.histories)) > 1
    }
    if curves:
        yield "curves", figures.learning_curves_together(curves)


def _by_class(table: pd.DataFrame) -> dict[str, Any]:
    window = table[table["level"] == "window"]
    columns = ["difference", "low", "high"]
    return {key: window.loc[window["score"] == key, columns].to_numpy() for key in CLASS_SCORES}


def _draw_scores(comparison: Comparison) -> Figure:
    scores = {}
    for name, result in comparison.results.items():
        scores[name] = {
            level: {
                "value": result.assessment.levels[level]["total"]["balanced_accuracy"],
                **result.assessment.levels[level]["significance"]["bootstrap"],
            }
            for level in LEVELS
        }
    differences = {}
    for pair in comparison.pairs:
        differences[f"{pair.second} − {pair.first}"] = {
            level: {"value": pair.scores[level][1] - pair.scores[level][0], **pair.intervals[level]}
            for level in LEVELS
        }
    baselines = comparison.first.assessment.levels["window"]["baselines"]
    chance = baselines["chance"]["balanced_accuracy"]
    if comparison.leaks:  # intervals would make inflated scores look credible
        for levels in scores.values():
            for scored in levels.values():
                scored.update(trials=None, subjects=None)
    return figures.score_intervals(scores, differences, chance=chance)


def comparison_folder(results: Sequence[str | Path], parent: str | Path) -> Path:
    """Name the folder of a comparison after its results."""
    names = [Path(result).resolve().name for result in results]
    return Path(parent) / f"compare-{digest_json(names)[:8]}"


def compare_if_alike(
    results: Sequence[Path], parent: str | Path, progress: Progress | None = None
) -> Path | None:
    """Compare results, or report why they cannot be compared."""
    try:
        return compare(list(results), comparison_folder(results, parent))
    except ResultError as error:
        (progress or Progress()).message(f"No comparison: {error}")
        return None
