"""Two or more results side by side, on the same folds and labels.

What is compared are stored predictions: differences are taken fold by fold and subject by subject,
each with its spread. No test is made of them here, so nothing is called significant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from . import figures
from .errors import ResultError
from .metrics import LEVELS, normalise_confusion
from .predictions import TRIAL_KEYS
from .report import Result, read_result
from .report.page import SCORES, data_uri, render
from .report.tables import summary, write_table
from .report.words import LEVEL, kept_apart, listed, number_word, p_words, some
from .store import write_text

__all__ = ["check_comparable", "compare", "difference", "first_sentence"]

_KEYS: dict[Literal["fold", "subject"], str] = {"fold": "name", "subject": "subject"}
_FEW_FOLDS = 5
_NEAR = 0.05  # scores further apart than this are not called close, however folds vary
_ADVICE = {
    "data": "Run both on the same recordings with the same preprocessing and windows.",
    "labels": "Run both with the same labels section.",
    "folds": "Run both with the same split section and seed.",
}


def compare(result_dirs: Sequence[str | Path], out_dir: str | Path) -> Path:
    """Compare results: ``comparison.html``, tables and figures.

    Parameters
    ----------
    result_dirs : sequence of str or Path
        Two or more result folders; the others are compared with the first.
    out_dir : str or Path
        Where the comparison is written.

    Returns
    -------
    Path
        The HTML page.

    Raises
    ------
    ResultError
        There are fewer than two results, one is not finished, or their data, labels, classes or
        folds differ.
    """
    if len(result_dirs) < 2:
        raise ResultError(f"Expected two or more results to compare, found {len(result_dirs)}.")
    results = _name([read_result(path) for path in result_dirs])
    check_comparable(results)
    out = Path(out_dir)
    tables = _tables(results)
    for name, table in tables.items():
        write_table(table, out / "tables" / f"{name}.csv")
    drawn = {}
    for name, figure in _draw(results):
        figures.save_figure(figure, out / "figures" / f"{name}.png")
        drawn[name] = data_uri(figure)
    first, *others = results
    page = render(
        "comparison.html",
        results=results,
        first=first,
        others=others,
        run=results[first].provenance,
        sentence=first_sentence(results),
        leaks=any(result.leaks for result in results.values()),
        simulated=any(result.simulated for result in results.values()),
        differences={other: _differences(results[first], results[other]) for other in others},
        kept_apart=kept_apart(results[first]),
        costs=tables["costs"].to_dict("records"),
        figures=drawn,
        scores=SCORES,
    )
    path = out / "comparison.html"
    write_text(path, page)
    return path


def _name(results: Sequence[Result]) -> dict[str, Result]:
    """Name results by model, or by experiment, or by folder: the first of these that is unique."""
    for names in (
        [result.model for result in results],
        [result.name for result in results],
        [result.path.resolve().name for result in results],
        [str(result.path) for result in results],
    ):
        if len(set(names)) == len(names):
            return dict(zip(names, results, strict=True))
    raise ResultError("Expected different results to compare, but one folder is given twice.")


def check_comparable(results: Mapping[str, Result]) -> None:
    """Raise unless results have the same data, labels, classes and folds.

    Parameters
    ----------
    results : mapping of str to Result
        Results by name.

    Raises
    ------
    ResultError
        The message says which results differ, and how.
    """
    (first_name, first), *others = results.items()
    for name, other in others:
        pair = f"{first.path} ({first_name}) and {other.path} ({name}) cannot be compared"
        if first.classes != other.classes:
            raise ResultError(
                f"{pair}: their classes differ, {', '.join(first.classes)} and "
                f"{', '.join(other.classes)}."
            )
        for what, advice in _ADVICE.items():
            digests = [r.provenance["digests"][what] for r in (first, other)]
            if digests[0] != digests[1]:
                raise ResultError(
                    f"{pair}: their {what} differ (digests {digests[0][:8]} and {digests[1][:8]}). "
                    f"{advice}"
                )
        rows = [_test_rows(result) for result in (first, other)]
        if not rows[0].equals(rows[1]):
            raise ResultError(
                f"{pair}: they have the same digests, but predict different windows "
                f"({len(rows[0])} and {len(rows[1])}, or other labels). One of them was changed."
            )


def _test_rows(result: Result) -> pd.DataFrame:
    keys = ["fold", *TRIAL_KEYS, "start"]
    return result.predictions[[*keys, "y_true"]].sort_values(keys, ignore_index=True)


def difference(
    first: Result,
    second: Result,
    *,
    unit: Literal["fold", "subject"] = "fold",
    level: str = "window",
    score: str = "balanced_accuracy",
) -> dict[str, Any]:
    """Compare two results pairwise: second minus first, on each fold or subject.

    Parameters
    ----------
    first, second : Result
        Comparable results.
    unit : {"fold", "subject"}
        What is paired.
    level : {"window", "trial"}
        What one prediction is about.
    score : str
        Which score.

    Returns
    -------
    dict
        ``names``, ``first``, ``second`` and ``difference`` (lists), their ``means`` (first,
        second), ``mean`` and ``sd`` of the differences (None for fewer than two), ``n``, and how
        many are ``higher``, ``lower`` and ``equal``. Pairs where a score is not defined are left
        out.
    """
    pairs = [
        (one[_KEYS[unit]], one[score], two[score])
        for one, two in zip(
            first.metrics["levels"][level][f"{unit}s"],
            second.metrics["levels"][level][f"{unit}s"],
            strict=True,
        )
        if one[score] is not None and two[score] is not None
    ]
    values = np.array([pair[1:] for pair in pairs], dtype=float).reshape(-1, 2)
    gaps = values[:, 1] - values[:, 0]
    # Scores are ratios of whole numbers; rounding in float64 must not decide who is ahead.
    gaps[np.abs(gaps) < 1e-12] = 0
    n = len(gaps)
    return {
        "names": [str(pair[0]) for pair in pairs],
        "first": values[:, 0].tolist(),
        "second": values[:, 1].tolist(),
        "difference": gaps.tolist(),
        "means": values.mean(axis=0).tolist() if n else [None, None],
        "mean": float(gaps.mean()) if n else None,
        "sd": float(gaps.std(ddof=1)) if n > 1 else None,
        "n": n,
        "higher": int((gaps > 0).sum()),
        "lower": int((gaps < 0).sum()),
        "equal": int((gaps == 0).sum()),
    }


def _differences(first: Result, second: Result) -> list[dict[str, Any]]:
    return [
        {
            "level": level,
            "unit": unit,
            **difference(first, second, unit=unit, level=level),
            "nulls": [
                result.metrics["levels"][level]["significance"][f"over_{unit}s"]["null_mean"]
                for result in (first, second)
            ],
        }
        for level in LEVELS
        for unit in _KEYS
    ]


def first_sentence(results: Mapping[str, Result]) -> str:
    """Say which results are better than chance, and which of them is ahead; without a verdict.

    Parameters
    ----------
    results : mapping of str to Result
        Comparable results by name.

    Returns
    -------
    str
        Plain text about the balanced accuracy of all windows together. Paired differences over
        folds say how sure an order is: means over folds are no scores to quote, since chance
        differs between folds.
    """
    start = "On simulated data, " if any(r.simulated for r in results.values()) else ""
    if any(result.leaks for result in results.values()):
        return f"{start}{_ranking(results)}. The split leaks, so none of these numbers is evidence."
    levels = {name: result.metrics["levels"]["window"] for name, result in results.items()}
    tests = {name: level["significance"]["permutation"] for name, level in levels.items()}
    above = [name for name, test in tests.items() if test["p_value"] <= LEVEL]
    if len(above) == len(results):
        return f"{start}{_ranking(results)}; no test was made."
    chance = next(iter(levels.values()))["baselines"]["chance"]["balanced_accuracy"]
    scores = [f"{name} {test['observed']:.3f} ({p_words(test)})" for name, test in tests.items()]
    if above:
        who = f"only {listed(above)} {'is' if len(above) == 1 else 'are'}"
    else:
        who = "neither is" if len(results) == 2 else f"none of {number_word(len(results))} is"
    who = who if start else who[0].upper() + who[1:]
    return (
        f"{start}{who} distinguishable from chance ({chance:.2f}): balanced accuracy of windows "
        f"{listed(scores)}."
    )


def _ranking(results: Mapping[str, Result]) -> str:
    """Order results by their score, and say how sure the order of the first two is."""
    totals = {
        name: result.metrics["levels"]["window"]["total"]["balanced_accuracy"]
        for name, result in results.items()
    }
    best, second, *_ = ranked = sorted(totals, key=lambda name: -totals[name])
    numbers = [f"{name} {totals[name]:.3f}" for name in ranked]
    folds = difference(results[second], results[best], unit="fold")
    subjects = difference(results[second], results[best], unit="subject")
    paired = some(folds["n"], "paired fold")
    spread = "" if folds["sd"] is None else f" ± {folds['sd']:.3f} SD"
    way = "higher" if folds["mean"] >= 0 else "lower"
    support = (
        f"on average over {paired}, {best} is {way} by {abs(folds['mean']):.3f}{spread}, "
        f"and higher in {folds['higher']} of them and for {subjects['higher']} of "
        f"{some(subjects['n'], 'subject')}"
    )
    if len(results) > 2:
        support = f"of the first two, {support}"
    if totals[best] == totals[second] and not folds["mean"]:
        return f"{listed(numbers)} scored the same balanced accuracy of windows in {paired}"
    if _open(folds):
        if totals[best] - totals[ranked[-1]] < _NEAR:
            return f"{listed(numbers)} are close in balanced accuracy of all windows: {support}"
        numbers[0] = f"{best} scored {totals[best]:.3f}"
        return f"{listed(numbers)} in balanced accuracy of all windows: {support}"
    if len(results) == 2:
        lead = f"{best} scored higher than {second}"
    else:
        lead = f"{best} scored highest of {number_word(len(results))}"
    return f"{lead} in balanced accuracy of all windows, {listed(numbers)}: {support}"


def _open(folds: Mapping[str, Any]) -> bool:
    """Tell whether paired differences leave open which result is ahead.

    The mean must exceed the SD of the differences; with fewer than five folds, where an SD says
    little, twice.
    """
    if folds["sd"] is None:
        return True
    return bool(folds["mean"] <= folds["sd"] * (1 if folds["n"] >= _FEW_FOLDS else 2))


def _tables(results: Mapping[str, Result]) -> dict[str, pd.DataFrame]:
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("scores", "folds", "subjects", "classes", "costs")
    }
    for name, result in results.items():
        for level in LEVELS:
            one = result.metrics["levels"][level]
            head = {"result": name, "level": level}
            rows["scores"].append({**head, "what": "total", **summary(one["total"])})
            for unit, key in _KEYS.items():
                spread = one[f"over_{unit}s"]
                for part in ("mean", "sd", "min", "median", "max"):
                    values = {score: spread[score][part] for score in SCORES}
                    what = f"{part} {spread['over']}"
                    rows["scores"].append({**head, "what": what, "n": spread["n"], **values})
                null = {"balanced_accuracy": one["significance"][f"over_{unit}s"]["null_mean"]}
                what = f"mean {spread['over']}, shuffled labels"
                rows["scores"].append({**head, "what": what, "n": spread["n"], **null})
                for part in one[f"{unit}s"]:
                    rows[f"{unit}s"].append({**head, unit: part[key], **summary(part)})
            for label, scores in one["total"]["per_class"].items():
                rows["classes"].append({**head, "class": label, **scores})
        rows["costs"].append(_costs(name, result))
    frames = {name: pd.DataFrame(entries) for name, entries in rows.items()}
    (first_name, first), *others = results.items()
    frames["differences"] = pd.DataFrame(
        [
            {
                "first": first_name, "second": name, "level": part["level"], "unit": part["unit"],
                "name": label, "first_score": one, "second_score": two, "difference": gap,
            }
            for name, other in others
            for part in _differences(first, other)
            for label, one, two, gap in zip(
                part["names"], part["first"], part["second"], part["difference"], strict=True
            )
        ]
    )  # fmt: skip
    return frames


def _costs(name: str, result: Result) -> dict[str, Any]:
    fit = [float(fold["seconds"]["fit"]) for fold in result.folds]
    predict = sum(float(fold["seconds"]["predict"]) for fold in result.folds)
    windows = sum(int(fold["n_windows"]["test"]) for fold in result.folds)
    return {
        "result": name,
        "n_parameters": int(result.provenance["model"]["n_parameters"]),
        "fit_seconds": sum(fit),
        "fit_seconds_per_fold": float(np.mean(fit)),
        "epochs_per_fold": float(np.mean([fold["epochs"] for fold in result.folds])),
        "predict_ms_per_window": 1000 * predict / max(windows, 1),
        "wall_seconds": float(result.provenance["wall_seconds"]),
        "peak_memory_bytes": int(result.provenance["peak_memory_bytes"]),
        "device": str(result.provenance["device"]),
    }


def _draw(results: Mapping[str, Result]) -> Iterator[tuple[str, Figure]]:
    first_name, *others = results
    first = results[first_name]
    window = {name: result.metrics["levels"]["window"] for name, result in results.items()}
    for unit, key in _KEYS.items():
        names = [one[key] for one in window[first_name][f"{unit}s"]]
        scores = {
            name: [one["balanced_accuracy"] for one in level[f"{unit}s"]]
            for name, level in window.items()
        }
        label = "balanced accuracy"
        yield f"{unit}s", figures.paired_scores(names, scores, unit=unit, label=label)
    per_class = {name: level["total"]["per_class"] for name, level in window.items()}
    yield "classes", figures.class_scores(per_class, first.classes)
    for number, name in enumerate(others, start=1):
        matrices = {}
        for level, title in zip(LEVELS, ("Windows", "Trial votes"), strict=True):
            pair = [
                normalise_confusion(r.metrics["levels"][level]["total"]["confusion"])
                for r in (first, results[name])
            ]
            matrices[title] = pair[1] - pair[0]
        yield (
            f"confusion_{number}",
            figures.confusion_differences(matrices, first.classes, first=first_name, second=name),
        )
    curves = {name: result.histories for name, result in results.items()}
    yield "curves", figures.learning_curves_together(curves)
