"""The parts of an experiment that enter digests, which name results and stored trials."""

from collections.abc import Iterable
from typing import Any

from eegemo.config.experiment import Experiment
from eegemo.config.sections import Section
from eegemo.labels import digest_ratings
from eegemo.registry.options import Since
from eegemo.registry.registry import Code
from eegemo.registry.tables import DATASETS, MODELS

__all__ = ["code_for_digest", "foreign_code", "section_for_digest", "settings_for_digest"]


def settings_for_digest(experiment: Experiment) -> dict[str, Any]:
    """Return everything that determines the result of an experiment, ready for JSON.

    The name and the places of the data and of a table of labels are excluded, since none changes a
    result. Options marked as later (`eegemo.registry.options.Since`) are excluded while they have
    their default, so older results keep their digest.

    Parameters
    ----------
    experiment : Experiment

    Returns
    -------
    settings : dict
        With ``"data.code"`` and ``"model.code"``, the SHA-256 of the source, for code outside
        eegemo, and ``"labels.table"``, a digest of its content, for a table of labels.

    Raises
    ------
    InputError
        If that code or that table cannot be read.
    """
    settings: dict[str, Any] = experiment.model_dump(
        mode="json", exclude={"name": True, "data": {"root"}, "labels": {"table"}}
    )
    for name, field in type(experiment).model_fields.items():
        value = getattr(experiment, name)
        later = any(isinstance(mark, Since) for mark in field.metadata)
        if later and value == field.get_default(call_default_factory=True):
            del settings[name]
        elif isinstance(value, Section):
            kept = section_for_digest(value)
            settings[name] = {key: part for key, part in settings[name].items() if key in kept}
    # nobody knows yet what is held out; a run says it before it makes a digest
    settings["split"]["group"] = settings["split"]["group"] or "trial"
    if experiment.labels.table is not None:
        settings["labels.table"] = digest_ratings(experiment.labels.table)
    return settings | code_for_digest(experiment)


def section_for_digest(section: Section) -> dict[str, Any]:
    """Return the values of a section, without later options that have their defaults."""
    later = {name: option for name, option in section._options.items() if option.since is not None}
    return {
        name: value
        for name, value in section.model_dump(mode="json").items()
        if name not in later or value != later[name].default
    }


def code_for_digest(experiment: Experiment, *parts: str) -> dict[str, str | None]:
    """Return the digest of the code of data sets and models outside eegemo.

    Parameters
    ----------
    experiment : Experiment
    *parts : {"data", "model"}
        Both if not given.

    Returns
    -------
    code : dict of str to str
        ``"data.code"`` and ``"model.code"``, and ``"model.code of NAME"`` of further models among
        the candidates; empty for built-in ones.

    Raises
    ------
    ConfigError
        If the file of the code cannot be found or read.
    """
    return {
        key: code.sha256
        for key, code in _foreign(experiment).items()
        if key.partition(".")[0] in (parts or ("data", "model"))
    }


def foreign_code(experiments: Iterable[Experiment]) -> list[Code]:
    """Return the code of data sets and models outside eegemo."""
    found = [code for experiment in experiments for code in _foreign(experiment).values()]
    return list(dict.fromkeys(found))


def _foreign(experiment: Experiment) -> dict[str, Code]:
    model_name = experiment.model.name
    others = {candidate.model.name for _, candidate in experiment.candidates()}
    others -= {model_name}
    named = [("data.code", DATASETS, experiment.data.source), ("model.code", MODELS, model_name)]
    named += [(f"model.code of {name}", MODELS, name) for name in sorted(others)]
    return {
        key: registry.describe_code(name)
        for key, registry, name in named
        if registry.is_foreign(name)
    }
