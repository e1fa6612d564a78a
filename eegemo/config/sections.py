"""What an experiment file may hold: a section for each stage.

Each section's fields are the keyword arguments of the function that does the work, with the same
defaults; a test holds the two together.
"""

import math
from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Subjects = Literal["all"] | Annotated[list[str | int], Field(min_length=1)]
Channels = Literal["eeg", "emotiv"] | Annotated[list[str], Field(min_length=1)]


#: The most settings that a choice may try; each is a whole training.
MOST_CANDIDATES = 64
#: Pydantic's own marks in the place of an error: which alternative it tried.
_TAGS = ("ModelSection", "BandPowerSection", "deap", "bids", "simulated")


class Section(BaseModel):
    """A part of the experiment file: unknown keys and look-alike types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class DeapData(Section):
    """DEAP, preprocessed or raw (`eegemo.recordings.find_recordings_deap`)."""

    source: Literal["deap"]
    root: str
    variant: Literal["python", "matlab", "bdf"] = "python"
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
    variant: Literal["python", "matlab", "bdf"] = "python"
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
    notch: Positive | Annotated[list[Positive], Field(min_length=1)] | None = None
    l_freq: Positive | None = None
    h_freq: Positive | None = None
    bads: Literal["keep", "interpolate"] = "keep"
    eog: Literal["none", "regression", "ica"] = "none"
    eog_channels: Annotated[list[str], Field(min_length=1)] | None = None
    reference: Literal["average"] | None = None
    baseline: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    reject: Positive | None = None


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
    group: Literal["trial", "stimulus", "session", "subject", "window", "segment"] = "trial"
    within: Literal["subject"] | None = None
    n_splits: Annotated[int, Field(ge=2)] = 5
    ratios: Annotated[list[Fraction], Field(min_length=3, max_length=3)] = [0.8, 0.1, 0.1]
    validation: Fraction = 0.2
    allow_leakage: bool = False

    @model_validator(mode="after")
    def _agrees(self) -> "SplitSection":
        leaks = self.group in ("window", "segment")
        if leaks and not self.allow_leakage:
            raise ValueError(
                f"group {self.group!r} puts windows of one trial into both training and test, so "
                "the score is not evidence; set allow_leakage: true to run it all the same (its "
                "report is marked)"
            )
        if leaks and self.method == "leave_one_group_out":
            raise ValueError(f"leaving out one {self.group} at a time is not offered")
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


class BandPowerSection(Section):
    """`eegemo.models.band_power.build_band_power_logreg`."""

    name: Literal["band_power_logreg"]
    bands: Annotated[
        list[Annotated[list[Positive], Field(min_length=2, max_length=2)]], Field(min_length=1)
    ] = [[4.0, 8.0], [8.0, 13.0], [13.0, 30.0], [30.0, 45.0]]
    C: Positive = 1.0
    max_iter: Count = 1000


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


def model_name_of(model: Any) -> str | None:
    """Return what kind of section a model's name asks for, if it is known."""
    name = model.get("name") if isinstance(model, Mapping) else getattr(model, "name", None)
    for kind in (ModelSection, BandPowerSection):
        if name in get_args(kind.model_fields["name"].annotation):
            return kind.__name__
    return None


#: Names of all models.
MODEL_NAMES = tuple(
    name
    for kind in (ModelSection, BandPowerSection)
    for name in get_args(kind.model_fields["name"].annotation)
)

Model = Annotated[
    Annotated[ModelSection, Tag("ModelSection")]
    | Annotated[BandPowerSection, Tag("BandPowerSection")],
    Discriminator(
        model_name_of,
        custom_error_type="model_name",
        custom_error_message="unknown",
    ),
]


class ChoiceSection(Section):
    """Settings to choose among inside each training part (`eegemo.training.fit_candidates`)."""

    grid: Annotated[
        dict[str, Annotated[list[Any], Field(min_length=1)]] | None, Field(min_length=1)
    ] = None
    settings: Annotated[list[dict[str, Any]] | None, Field(min_length=2)] = None
    metric: Literal["loss", "balanced_accuracy"] = "loss"

    @model_validator(mode="after")
    def _agrees(self) -> "ChoiceSection":
        if (self.grid is None) == (self.settings is None):
            raise ValueError(
                "give either grid (a list of values for each key) or settings (a list of sections "
                "of keys and values)"
            )
        one = self.listed()
        for key in {key for setting in one for key in setting}:
            if key.partition(".")[0] not in ("model", "training") or key.count(".") != 1:
                raise ValueError(
                    f"only keys of model and training can be chosen inside a training part, "
                    f"written as model.units or training.learning_rate; found {key!r}"
                )
        if not 2 <= len(one) <= MOST_CANDIDATES:
            raise ValueError(
                f"expected 2 to {MOST_CANDIDATES} settings to choose among, found {len(one)}"
            )
        if any(first in one[:k] for k, first in enumerate(one)):
            raise ValueError("the same settings are there twice")
        return self

    def listed(self) -> list[dict[str, Any]]:
        """Return the settings of each candidate, in order."""
        if self.settings is not None:
            return [dict(one) for one in self.settings]
        grid = self.grid or {}
        # a mistyped grid may ask for billions
        if math.prod(len(values) for values in grid.values()) > MOST_CANDIDATES:
            raise ValueError(f"the grid has more than {MOST_CANDIDATES} settings")
        return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


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
    model: Model
    training: TrainingSection = TrainingSection()
    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    choice: ChoiceSection | None = None
    shuffle_labels: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> "Experiment":
        ratio = self.split.method == "stratified_group_ratio"
        share = self.split.ratios[1] if ratio else self.split.validation
        if self.training.schedule == "plateau" and share == 0:
            raise ValueError(
                "training.schedule 'plateau' watches the validation part, and split sets none aside"
            )
        if self.choice is not None and share == 0:
            raise ValueError("choice needs a validation part to choose by, and split sets none")
        self.candidates()
        return self

    def candidates(self) -> list[tuple[dict[str, Any], "Experiment"]]:
        """Return what is tried: the settings that tell candidates apart, and the whole of each."""
        if self.choice is None:
            return [({}, self)]
        plain = self.model_dump() | {"choice": None}
        found = []
        for settings in self.choice.listed():
            changed = plain | {part: dict(plain[part]) for part in ("model", "training")}
            for key, value in settings.items():
                part, name = key.split(".")
                changed[part][name] = value
            try:
                found.append((settings, Experiment.model_validate(changed)))
            except ValidationError as error:
                problem = error.errors(include_url=False)[0]
                where = ".".join(str(part) for part in problem["loc"] if part not in _TAGS)
                raise ValueError(
                    f"choice: {settings}: {where or 'experiment'}: {problem['msg']}"
                ) from None
        return found

    def to_yaml(self) -> str:
        """Return the experiment as YAML, complete with defaults, that reads back to the same."""
        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
        return text
