"""The experiment file: strict YAML into checked sections.

Sections are generated from the signatures of the functions that take their options, so an option is
defined once, where it is used.
"""

from eegemo.config.digests import (
    code_for_digest,
    foreign_code,
    section_for_digest,
    settings_for_digest,
)
from eegemo.config.experiment import Experiment, experiment_class
from eegemo.config.reading import find_experiments, load_experiment, parse_experiment
from eegemo.config.sections import ChoiceSection, Section

__all__ = [
    "ChoiceSection",
    "Experiment",
    "Section",
    "code_for_digest",
    "experiment_class",
    "find_experiments",
    "foreign_code",
    "load_experiment",
    "parse_experiment",
    "section_for_digest",
    "settings_for_digest",
]
