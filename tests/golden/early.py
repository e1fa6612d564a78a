"""Experiments as they were written before later options were added, while these have defaults."""

import yaml

from eegemo.config import parse_experiment

__all__ = ["early_lines", "early_text", "later_keys"]


def later_keys(section):
    """Names of the options of a section that are marked as later."""
    return {name for name, option in section._options.items() if option.since is not None}


def early_text(experiment):
    """Return the text of an experiment without later options that have their defaults."""
    content = experiment.model_dump(mode="json")
    for name in type(experiment).model_fields:
        section = getattr(experiment, name)
        for key in later_keys(section) if hasattr(section, "_options") else ():
            if getattr(section, key) == section._options[key].default:
                del content[name][key]
        if content[name] == {}:  # a section of later options only
            del content[name]
    return yaml.safe_dump(content, sort_keys=False)


def early_lines(file):
    """Return the lines of an experiment file of a result, likewise."""
    return early_text(parse_experiment(file.read_text(encoding="utf-8"))).splitlines()
