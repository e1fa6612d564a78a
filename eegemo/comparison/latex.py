r"""The comparison as a LaTeX table for ``\input`` in a paper; it requires booktabs."""

from __future__ import annotations

import re
from typing import Any

from eegemo.comparison.contents import Comparison
from eegemo.comparison.paired import ROPE, Pair
from eegemo.comparison.words import TEST_NAMES, probability_text
from eegemo.pages.words import count_of, data_name, join_names, number_word
from eegemo.report.words import kept_apart

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "–": "--", "≤": r"$\leq$",
}  # fmt: skip


def escape(text: str) -> str:
    r"""Escape plain text for LaTeX.

    Parameters
    ----------
    text : str
        Any text; control characters and line breaks become spaces.

    Returns
    -------
    str

    Examples
    --------
    >>> print(escape("CNN_LSTM & 50% {new}"))
    CNN\_LSTM \& 50\% \{new\}
    """
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)
    return "".join(_SPECIAL.get(character, character) for character in plain)


def latex_table(comparison: Comparison) -> str:
    r"""Write a table of scores and costs, and a table of the tests between results.

    Parameters
    ----------
    comparison : Comparison
        The comparison.

    Returns
    -------
    str
        One ``table`` environment. The caption names the data (and whether they are simulated),
        the split, and the unit of resampling. A name is bold only if the deciding test finds its
        result better than every other. If the split leaks, the caption says so and no name is bold.
    """
    lines = [
        "% made by eegemo compare; requires \\usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_caption(comparison)}}}",
        r"  \label{tab:eegemo-comparison}",
        r"  \begin{tabular}{lccrrrr}",
        r"    \toprule",
        r"    & \multicolumn{2}{c}{Balanced accuracy} & Para- & Multiply- & Training & Latency \\",
        r"    \cmidrule(lr){2-3}",
        r"    Model & windows & trials & meters & adds ($10^6$) & (s) & (ms) \\",
        r"    \midrule",
        *(f"    {' & '.join(_row(comparison, name))} \\\\" for name in comparison.results),
        r"    \bottomrule",
        r"  \end{tabular}",
    ]
    if comparison.pairs:
        lines += [
            "",
            r"  \medskip",
            r"  \begin{tabular}{lccccc}",
            r"    \toprule",
            r"    Pair & Difference & $p$ & Effect & McNemar $p$ & $P$(equivalent) \\",
            r"    \midrule",
            *(f"    {' & '.join(_pair(pair))} \\\\" for pair in comparison.pairs),
            r"    \bottomrule",
            r"  \end{tabular}",
        ]
    return "\n".join([*lines, r"\end{table}", ""])


def data_words(comparison: Comparison) -> str:
    """Name the data, and mark simulated data."""
    data = {**comparison.first.provenance["data"], "simulated": comparison.simulated}
    return data_name(data, remark="simulated data")


def _caption(comparison: Comparison) -> str:
    first = comparison.first
    data = first.provenance["data"]
    repeated = f", repeated {comparison.repeats} times" if comparison.repeats > 1 else ""
    parts = [
        f"{join_names(comparison.results)} on {data_words(comparison)}: "
        f"{count_of(len(data['subjects']), 'subject')}, {count_of(data['n_trials'], 'trial')}, "
        f"{count_of(data['n_windows'], 'window')} of {data['window_duration']:g} s, "
        f"{number_word(len(first.classes))} classes.",
        f"Split: {first.provenance['split']['sentence']}",
        f"{count_of(len(first.folds), 'fold')} in all{repeated}.",
    ]
    if comparison.leaks:
        parts.append("The split leaks, so none of these numbers is evidence, and no test was made.")
    else:
        parts.append(f"No {kept_apart(first)} is in both training and test.")
    drawn = "subjects and their trials" if comparison.resampled == "subjects" else "trials"
    parts.append(
        f"Brackets: 95 % percentile bootstrap intervals that resample {drawn} and take the trained "
        "models as given. Latency: one window; training: all folds."
    )
    if comparison.pairs:
        pair = comparison.pairs[0]
        unit = pair.unit
        adjusted = ", adjusted by Holm's method" if len(comparison.pairs) > 1 else ""
        parts.append(
            f"Differences are of windows, with the interval over {pair.interval[0]}; p: "
            f"{TEST_NAMES[f'{unit}s']} over {count_of(pair.units[unit]['n'], unit)}{adjusted}; "
            f"effect: {pair.deciding.effect_name}; McNemar: exact, on trials{adjusted}; "
            f"P(equivalent): probability that the mean difference lies within ±{ROPE:g}."
        )
        if comparison.best is not None:
            parts.append("Bold: better than every other by the test that decides.")
    return escape(" ".join(parts))


def _row(comparison: Comparison, name: str) -> list[str]:
    cost = comparison.costs[name]
    title = escape(name)
    cells = [rf"\textbf{{{title}}}" if name == comparison.best else title]
    for level in ("window", "trial"):
        value = comparison.results[name].assessment.levels[level]["total"]["balanced_accuracy"]
        cells.append(_with_interval(value, comparison.interval(name, level)))
    adds = cost["multiply_adds"]
    return [
        *cells,
        _or_dash(cost["n_parameters"], ",").replace(",", r"\,"),
        _or_dash(None if adds is None else adds / 1e6, ".2f"),
        _or_dash(cost["fit_seconds"], ".0f" if cost["fit_seconds"] >= 10 else ".1f"),
        _or_dash(cost["latency_ms"], ".1f"),
    ]


def _pair(pair: Pair) -> list[str]:
    return [
        escape(f"{pair.second} − {pair.first}"),
        _with_interval(pair.gap, pair.interval[1], sign=True),
        _p(pair.p_value),
        _or_dash(pair.deciding.effect, "+.2f"),
        _p(pair.adjusted["trials"]),
        _probability(pair.practical.p_equivalent),
    ]


def _p(value: float | None) -> str:
    if value is None:
        return "--"
    return "$<$0.001" if value < 0.001 else f"{value:.3f}"


def _probability(value: float | None) -> str:
    text = "--" if value is None else probability_text(value)
    return text.replace("above ", "$>$").replace("below ", "$<$")


def _or_dash(value: Any, form: str) -> str:
    return "--" if value is None else _minus(f"{value:{form}}")


def _with_interval(
    value: float | None, interval: tuple[float, float] | None, *, sign: bool = False
) -> str:
    if value is None:
        return "--"
    form = "+.3f" if sign else ".3f"
    text = f"{value:{form}}"
    if interval is not None:
        low, high = (f"{bound:{'+.2f' if sign else '.2f'}}" for bound in interval)
        text += f" [{low}, {high}]"
    return _minus(text)


def _minus(text: str) -> str:
    return text.replace("-", "$-$")
