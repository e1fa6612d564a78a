"""The experiment file: strict YAML into checked sections.

Nothing outside `preparation`, `pipeline` and `cli` sees it.
"""

from eegemo.config.reading import find_experiments, load_experiment, parse_experiment
from eegemo.config.sections import (
    BandPowerSection,
    BidsData,
    ChoiceSection,
    DeapData,
    Experiment,
    LabelsSection,
    ModelSection,
    PreprocessingSection,
    ScalingSection,
    Section,
    SimulatedData,
    SplitSection,
    TrainingSection,
    WindowsSection,
)

__all__ = [
    "BandPowerSection",
    "BidsData",
    "ChoiceSection",
    "DeapData",
    "Experiment",
    "LabelsSection",
    "ModelSection",
    "PreprocessingSection",
    "ScalingSection",
    "Section",
    "SimulatedData",
    "SplitSection",
    "TrainingSection",
    "WindowsSection",
    "find_experiments",
    "load_experiment",
    "parse_experiment",
]
