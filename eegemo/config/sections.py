"""What an experiment file may hold: a section for each stage.

Each section's fields are the keyword arguments of the function that does the work, with the same
defaults; a test holds the two together.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Subjects = Literal["all"] | Annotated[list[str | int], Field(min_length=1)]
Channels = Literal["eeg", "emotiv"] | Annotated[list[str], Field(min_length=1)]


class Section(BaseModel):
    """A part of the experiment file: unknown keys and look-alike types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class DeapData(Section):
    """DEAP's preprocessed release (`eegemo.recordings.deap.find_recordings_deap`)."""

    source: Literal["deap"]
    root: str
    variant: Literal["python", "matlab"] = "python"
    subjects: Subjects = "all"
    channels: Channels = "eeg"


class BidsData(Section):
    """EEG in BIDS (`eegemo.recordings.bids.find_recordings_bids`)."""

    source: Literal["bids"]
    root: str
    task: str | None = None
    subjects: Subjects = "all"
    channels: Channels = "eeg"
    tmin: float = 0.0
    tmax: float | None = None
    trial_types: list[str] | None = None


class SimulatedData(Section):
    """A simulated DEAP release, made on first use (`eegemo.recordings.simulated.simulate_deap`)."""

    source: Literal["simulated"]
    root: str = "data/simulated"
    variant: Literal["python", "matlab"] = "python"
    subjects: Subjects = "all"
    channels: Channels = "eeg"
    n_subjects: Annotated[int, Field(ge=1, le=99)] = 32
    n_trials: Count = 40
    duration: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 60.0
    effect: Annotated[float, Field(ge=0, le=5)] = 1.0
    fingerprint: Annotated[float, Field(ge=0, le=5)] = 0.4
    seed: Annotated[int, Field(ge=0)] = 0


class PreprocessingSection(Section):
    """`eegemo.preprocessing.preprocess`."""

    sfreq: Positive | None = None
    l_freq: Positive | None = None
    h_freq: Positive | None = None
    eog: Literal["none"] = "none"
    reference: Literal["average"] | None = None
    baseline: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None


class LabelsSection(Section):
    """`eegemo.labels.make_labels`."""

    task: Literal["quadrant", "valence", "arousal", "given"] = "quadrant"
    threshold: Annotated[float, Field(allow_inf_nan=False)] | Literal["median"] = 5.0
    ties: Literal["low", "high", "drop"] = "low"
    ambiguous_band: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    classes: Annotated[list[str], Field(min_length=2)] | None = None


class WindowsSection(Section):
    """`eegemo.windows.make_windows`."""

    duration: Positive = 2.0
    stride: Positive = 1.0


class ScalingSection(Section):
    """`eegemo.scaling.fit_scaling`."""

    steps: list[Literal["zscore", "minmax"]] = ["zscore", "minmax"]
    fit: Literal["training", "subject", "trial", "window"] = "training"


class SplitSection(Section):
    """`eegemo.splits.make_folds`."""

    method: Literal["stratified_group_k_fold", "stratified_group_ratio", "leave_one_group_out"] = (
        "stratified_group_k_fold"
    )
    group: Literal["trial", "stimulus", "session", "subject", "window"] = "trial"
    within: Literal["subject"] | None = None
    n_splits: Annotated[int, Field(ge=2)] = 5
    ratios: Annotated[list[Fraction], Field(min_length=3, max_length=3)] = [0.8, 0.1, 0.1]
    validation: Fraction = 0.2
    allow_leakage: bool = False

    @model_validator(mode="after")
    def _agrees(self) -> "SplitSection":
        if self.group == "window" and not self.allow_leakage:
            raise ValueError(
                "group 'window' puts windows of one trial into both training and test, so the "
                "score is not evidence; set allow_leakage: true to run it all the same (its report "
                "is marked)"
            )
        if self.group == "window" and self.method == "leave_one_group_out":
            raise ValueError("leaving out one window at a time would train a model per window")
        if self.within == "subject" and self.group == "subject":
            raise ValueError("within: subject leaves a single subject, which cannot be held out")
        if abs(sum(self.ratios) - 1) > 1e-9 or self.ratios[0] == 0 or self.ratios[2] == 0:
            raise ValueError(
                "ratios must add up to 1, with something to train on and to test; "
                f"found {self.ratios}"
            )
        return self


class ModelSection(Section):
    """`eegemo.models.cnn_rnn.build_cnn_rnn`."""

    name: Literal["cnn_lstm", "cnn_gru"]
    filters: Annotated[list[Count], Field(min_length=1)] = [64, 128]
    kernel_size: Count = 5
    pool_size: Count = 2
    units: Count = 64
    dense: list[Count] = [64]
    dropout: Fraction = 0.5


class TrainingSection(Section):
    """`eegemo.training.fit_fold`."""

    epochs: Count = 50
    batch_size: Count = 64
    learning_rate: Positive = 1e-3
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    patience: Count = 8
    class_weight: Literal["balanced", "none"] = "balanced"
    clip_norm: Positive | None = 1.0
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"


def source_of(data: Any) -> str | None:
    """Return what the data section names as its source, if it is a section and names one."""
    source = data.get("source") if isinstance(data, Mapping) else getattr(data, "source", None)
    return source if isinstance(source, str) else None


Data = Annotated[
    Annotated[DeapData, Tag("deap")]
    | Annotated[BidsData, Tag("bids")]
    | Annotated[SimulatedData, Tag("simulated")],
    Discriminator(
        source_of,
        custom_error_type="source",
        custom_error_message="source must be one of deap, bids, simulated",
    ),
]


class Experiment(Section):
    """One experiment: everything that changes its result."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    data: Data
    preprocessing: PreprocessingSection = PreprocessingSection()
    labels: LabelsSection = LabelsSection()
    windows: WindowsSection = WindowsSection()
    scaling: ScalingSection = ScalingSection()
    split: SplitSection = SplitSection()
    model: ModelSection
    training: TrainingSection = TrainingSection()

    @model_validator(mode="after")
    def _agrees(self) -> "Experiment":
        ratio = self.split.method == "stratified_group_ratio"
        share = self.split.ratios[1] if ratio else self.split.validation
        if self.training.schedule == "plateau" and share == 0:
            raise ValueError(
                "training.schedule 'plateau' watches the validation part, and split sets none aside"
            )
        return self

    def to_yaml(self) -> str:
        """Return the experiment as YAML, complete with defaults, that reads back to the same."""
        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
        return text
