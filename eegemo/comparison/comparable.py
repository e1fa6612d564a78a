"""Check that results have the same data, labels, classes, repeats and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from eegemo.config.sections import STAGES, data_section, stage_section
from eegemo.errors import ResultError
from eegemo.evaluation import TRIAL_KEYS
from eegemo.registry.tables import DATASETS
from eegemo.results import Result

_ADVICE = {
    "data": "Run both on the same recordings with the same preprocessing and windows.",
    "labels": "Run both with the same labels section.",
    "folds": "Run both with the same split section and seed.",
}


def name_results(results: Sequence[Result]) -> dict[str, Result]:
    """Name results by model, experiment or folder, whichever is unique first.

    Parameters
    ----------
    results : sequence of Result
        Results from different folders.

    Returns
    -------
    dict of str to Result
        In the given order.

    Raises
    ------
    ResultError
        One folder is given twice.
    """
    for names in (
        [result.model for result in results],
        [result.name for result in results],
        [result.path.resolve().name for result in results],
        [str(result.path) for result in results],
    ):
        if len(set(names)) == len(names):
            return dict(zip(names, results, strict=True))
    raise ResultError("Expected different results to compare, but one folder is given twice.")


def other_settings(results: Mapping[str, Result]) -> list[str]:
    """List the differences between experiments other than their names and models.

    Parameters
    ----------
    results : mapping of str to Result
        Results by name.

    Returns
    -------
    list of str
        Such as ``"training.epochs (8, 50)"``, in the order of the results.
    """
    found: dict[str, list[Any]] = {}
    flat = [_flat(result.settings) for result in results.values()]
    for key in dict.fromkeys(key for settings in flat for key in settings):
        values = [settings.get(key) for settings in flat]
        if any(value != values[0] for value in values):
            found[key] = values
    return [f"{key} ({', '.join(map(str, values))})" for key, values in found.items()]


def _flat(experiment: Mapping[str, Any]) -> dict[str, Any]:
    plain = _later_defaults(experiment)
    for section, content in experiment.items():
        if section in ("name", "model", "choice"):
            continue
        for key, value in content.items() if isinstance(content, Mapping) else [("", content)]:
            if (section, key) != ("data", "root"):
                plain[f"{section}.{key}".rstrip(".")] = value
    if experiment.get("choice") is not None:
        plain["choice"] = experiment["choice"]
    return plain


def _later_defaults(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of options that earlier versions did not write into a result."""
    source = experiment["data"].get("source") if isinstance(experiment.get("data"), dict) else None
    sections = {name: stage_section(name) for name in STAGES if name in experiment}
    if source in DATASETS.built_in:
        sections["data"] = data_section(source)
    return {
        f"{name}.{option.name}": option.default
        for name, section in sections.items()
        for option in section._options.values()
        if option.since is not None
    }


def n_repeats(result: Result) -> int:
    """Return the number of repeats of the cross-validation."""
    return int(result.predictions["repeat"].nunique())


def check_comparable(results: Mapping[str, Result]) -> None:
    """Raise unless results have the same data, labels, classes, repeats and folds.

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
        both = (first, other)
        pair = f"{first.path} ({first_name}) and {other.path} ({name}) cannot be compared"
        if first.classes != other.classes:
            raise ResultError(
                f"{pair}: their classes differ, {', '.join(first.classes)} and "
                f"{', '.join(other.classes)}."
            )
        # the digest of folds would differ as well, but would not say what is different
        for what, (first_number, second_number) in {
            "repeats": [n_repeats(result) for result in both],
            "folds": [len(result.folds) for result in both],
        }.items():
            if first_number != second_number:
                raise ResultError(
                    f"{pair}: their numbers of {what} differ, {first_number} and {second_number}. "
                    f"Run both with the same {'repeats' if what == 'repeats' else 'split section'}."
                )
        for what, advice in _ADVICE.items():
            digests = [result.provenance["digests"][what] for result in both]
            if digests[0] != digests[1]:
                raise ResultError(
                    f"{pair}: their {what} differ (digests {digests[0][:8]} and {digests[1][:8]}). "
                    f"{advice}"
                )
        rows = [_test_rows(result) for result in both]
        if not rows[0].equals(rows[1]):
            raise ResultError(
                f"{pair}: they have the same digests, but predict different windows "
                f"({len(rows[0])} and {len(rows[1])}, or other labels). One of them was changed."
            )


def _test_rows(result: Result) -> pd.DataFrame:
    keys = ["repeat", "fold", *TRIAL_KEYS, "start"]
    return result.predictions[[*keys, "y_true"]].sort_values(keys, ignore_index=True)
