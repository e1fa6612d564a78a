"""The page of an audit: sentences, a figure and a table."""

from pathlib import Path

import pandas as pd

from eegemo.audit.outcome import Audit, read_audit, sentences
from eegemo.audit.protocols import PROTOCOLS
from eegemo.pages import figures
from eegemo.pages.html import data_uri, render
from eegemo.pages.notes import merge_notes
from eegemo.store import write_text
from eegemo.store.writing import write_table

__all__ = ["write_audit"]


def write_audit(folder: str | Path) -> Path:
    """Write ``audit.html``, the figure and the tables of a finished audit, without training.

    Parameters
    ----------
    folder : path
        The audit's folder.

    Returns
    -------
    page : Path

    Raises
    ------
    ResultError
        If the folder is not a finished audit.
    """
    audit = read_audit(folder)
    rows = [row.as_dict() for row in audit.rows.values()]
    figure = figures.audit_scores(rows, chance=audit.rows["trial"].chance)
    figures.save_figure(figure, audit.path / "figures" / "audit.png")
    for name, table in _tables(audit).items():
        write_table(table, audit.path / "tables" / f"{name}.csv")
    first, *others = sentences(audit)
    page = render(
        "audit.html",
        audit=audit,
        rows=audit.rows,
        protocols={protocol.name: protocol for protocol in PROTOCOLS},
        headline=first,
        sentences=others,
        figure=data_uri(figure),
        run=audit.provenance,
        caveats=_list_caveats(audit),
    )
    path = audit.path / "audit.html"
    write_text(path, page)
    return path


def _tables(audit: Audit) -> dict[str, pd.DataFrame]:
    plain = []
    for row in audit.rows.values():
        values = row.as_dict()
        for name in ("interval", "null", "inflation_interval"):
            low, high = values.pop(name) or (None, None)
            values |= {f"{name}_low": low, f"{name}_high": high}
        nulls = values.pop("shuffled")
        values["shuffled_mean"] = sum(nulls) / len(nulls) if nulls else None
        values["above_chance"] = None if row.leaks else row.above
        plain.append(values)
    draws = [
        {"protocol": row.name, "draw": k, "balanced_accuracy": value}
        for row in audit.rows.values()
        for k, value in enumerate(row.shuffled)
    ]
    columns = ["protocol", "draw", "balanced_accuracy"]
    return {"audit": pd.DataFrame(plain), "shuffled": pd.DataFrame(draws, columns=columns)}


def _list_caveats(audit: Audit) -> list[str]:
    about = audit.about
    found = []
    if about["model"] != about["model_of_file"]:
        found.append(
            f"The model is {audit.model} instead of {about['model_of_file']} from the file: "
            "another model may leak more or less, and score higher or lower."
        )
    within = about["protocols"]["trial"]["split"]["within"]
    pooled = [name for name in ("stimulus", "subject") if name in about["protocols"]]
    if within == "subject" and pooled:
        found.append(
            "As the file asks, each subject has its own models. Where videos or subjects are held "
            "out, one model is trained for all, which also changes the scores."
        )
    found += [
        f"Not run: {protocol.title}. {_sentence(about['missing'][protocol.name])}"
        for protocol in PROTOCOLS
        if protocol.name in about["missing"]
    ]
    draws = about["draws"]
    if draws:
        found.append(
            f"Labels were permuted {draws} {'times' if draws > 1 else 'time'} per protocol, by "
            "trial within each subject and session, in the same way for subjects who share "
            "stimuli, and the model was trained again each time. The grey band permutes the labels "
            "of stored predictions, without training."
        )
    if any(row.shares_stimuli for row in audit.rows.values()):
        found.append(
            "Where test videos occur in training, recognising the video may be enough: a model "
            "trained on permuted labels can learn it, too, since the labels of subjects who share "
            "videos are permuted in the same way. Intervals refer to other trials of these videos."
        )
    return found + merge_notes(list(about["notes"]))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
