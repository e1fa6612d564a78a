"""HTML pages: templates, and numbers as they show them."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import jinja2
from matplotlib.figure import Figure

from eegemo.pages import figures
from eegemo.pages.words import interval_words, p_words, shuffling, some


def data_uri(figure: Figure) -> str:
    """Return a figure as the source of an ``img`` tag: nothing in it can run or load anything."""
    return f"data:image/svg+xml;base64,{base64.b64encode(figures.to_svg(figure).encode()).decode()}"


def render(template: str, **context: Any) -> str:
    """Fill in a page; every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("eegemo.pages", "templates"),
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
