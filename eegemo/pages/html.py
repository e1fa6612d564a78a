"""HTML pages: templates, and the format of their numbers."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import jinja2
from matplotlib.figure import Figure

from eegemo.pages import figures
from eegemo.pages.words import count_of, describe_permutations, format_interval, format_p_value


def data_uri(figure: Figure) -> str:
    """Return a figure as the source of an ``img`` tag, where it can run or load nothing."""
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
        "number": format_number,
        "signed": lambda value: format_number(value, sign=True),
        "percent": lambda value: "–" if value is None else f"{100 * value:.0f} %",
        "short": lambda value: f"{value:g}",
        "count": lambda value: f"{value:,.0f}",
        "duration": format_duration,
        "memory": format_memory,
        "place": lambda value: f"{100 * min(max(value, 0), 1):.2f}%",
        "p": format_p_value,
        "holm": lambda row: format_p_value({"p_value": row["p_holm"], "n_permutations": 10**6})[4:],
        "spread": format_spread,
        "count_of": count_of,
        "interval": format_interval,
        "permutations": describe_permutations,
    }
    return environment.get_template(template).render(**context) + "\n"


def format_number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Format a number with a true minus sign; a dash for None, NaN and infinity."""
    if value is None or not math.isfinite(value):
        return "–"
    value = round(value, digits) + 0.0  # + 0.0 turns -0.0 into 0.0
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def format_spread(
    summary: Mapping[str, Any], n: int, digits: int = 2, *, sign: bool = False
) -> str:
    """Format a mean and its SD, with n where the score is defined in fewer than `n` parts."""
    text = format_number(summary["mean"], digits, sign=sign)
    if summary["sd"] is not None:
        text += f" ± {format_number(summary['sd'], digits)}"
    return text if summary["n"] in (n, 0) else f"{text} (n = {summary['n']} of {n})"


def format_duration(seconds: float) -> str:
    """Format seconds as seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def format_memory(n_bytes: float) -> str:
    """Format bytes as megabytes or gigabytes."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
