"""Sections of the experiment file, generated from the signatures of functions and classes."""

import math
from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from eegemo.datasets import dataset_class
from eegemo.errors import ConfigError
from eegemo.labels import complete_options, find_contradiction, make_labels, middle_of
from eegemo.models.options import TrainingOptions
from eegemo.preprocessing import preprocess
from eegemo.registry.options import REQUIRED, Option, options_of
from eegemo.registry.tables import MODELS
from eegemo.scaling import fit_scaling
from eegemo.splits import make_folds
from eegemo.windows import make_windows

__all__ = [
    "MOST_CANDIDATES",
    "STAGES",
    "ChoiceSection",
    "Section",
    "Strict",
    "data_section",
    "labels_section",
    "make_section",
    "model_section",
    "stage_section",
]

#: Maximum number of candidates; each is trained in full.
MOST_CANDIDATES = 64
#: Arguments that a run passes to a model's builder: not keys of the experiment file.
_OF_THE_RUN = ("n_times", "n_channels", "n_classes", "sfreq", "ch_names")

#: Section -> the function or class whose options are its keys.
STAGES: dict[str, Callable[..., Any]] = {
    "preprocessing": preprocess,
    "labels": make_labels,
    "windows": make_windows,
    "scaling": fit_scaling,
    "split": make_folds,
    "training": TrainingOptions,
}


class Strict(BaseModel):
    """Refuses unknown keys and implicit conversions."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


class Section(Strict):
    """A part of the experiment file, whose keys are the options of a function or class."""

    _options: ClassVar[Mapping[str, Option]] = {}

    if TYPE_CHECKING:  # the keys come from a signature, which a type checker cannot follow

        def __getattr__(self, name: str) -> Any: ...


class LabelsSection(Section):
    """Section `labels`, with checks across the options of `eegemo.labels.make_labels`."""

    @model_validator(mode="before")
    @classmethod
    def _completes(cls, content: Any) -> Any:
        # what follows from written keys is written out, so that a stored file reads the same
        return complete_options(content) if isinstance(content, Mapping) else content

    @model_validator(mode="after")
    def _agrees(self) -> "LabelsSection":
        problem = find_contradiction(self.model_dump())
        if problem is not None:
            raise ValueError(problem)
        return self


class SplitSection(Section):
    """Section `split`, with checks across the options of `eegemo.splits.make_folds`."""

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


#: Sections with checks across their options.
_BASES: dict[str, type[Section]] = {"split": SplitSection}


def make_section(
    name: str,
    function: Callable[..., Any],
    *,
    key: tuple[str, str] | None = None,
    base: type[Section] = Section,
) -> type[Section]:
    """Create a section whose keys are the options of a function or class.

    Parameters
    ----------
    name : str
        The section's name in the experiment file.
    function : callable
        See `eegemo.registry.options.options_of`.
    key : (str, str), optional
        An initial key and its only value, the name of the function in the file.
    base : type of Section
        Base class with checks across options.

    Returns
    -------
    section : type of Section

    Raises
    ------
    ConfigError
        If the options of the function cannot be keys of a file; the message names its module.
    """
    where = f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', function)}"
    fields: dict[str, Any] = {}
    if key is not None:
        fields[key[0]] = (Literal[key[1]], Field(description=f"Name of the {_NOUNS[name]}."))
    try:
        options = options_of(function, without=_OF_THE_RUN if name == "model" else ())
        for option in options.values():
            if option.name in fields or hasattr(Section, option.name):
                raise ConfigError(
                    f"{name}: the option {option.name!r} of {where} needs another name; this one "
                    "is taken by the section itself."
                )
            default = ... if option.default is REQUIRED else option.default
            fields[option.name] = (option.type, Field(default, description=option.text))
        made = create_model(name, __base__=base, __module__=__name__, **fields)
    except ConfigError:
        raise
    except Exception as error:  # foreign signatures may contain anything
        problem = " ".join(str(error).split())
        raise ConfigError(
            f"{name}: {where} has options that a file cannot hold: {problem}"
        ) from error
    made.__doc__ = (function.__doc__ or "").partition("\n")[0]
    made._options = options
    return made


#: Meaning of the first key of a section.
_NOUNS = {"data": "data set", "model": "model"}


@cache
def stage_section(name: str) -> type[Section]:
    """Return the section of a stage."""
    if name == "labels":
        return labels_section(middle_of((1.0, 9.0)))
    return make_section(name, STAGES[name], base=_BASES.get(name, Section))


#: Keys of every section `data`, which are no options of the data set itself.
_OF_EVERY_DATA_SET = {
    "copies": Option(
        "copies",
        Literal["refuse", "keep"],
        "refuse",
        "What to do where nearly the same signals stand under two names: in another unit, "
        "reference or filter, or cut elsewhere. `refuse` names them. `keep` uses both, and no "
        "split divides them. Identical signals are always refused.",
        since="0.2",
    )
}


@cache
def data_section(source: str) -> type[Section]:
    """Return the section of a data set, with the keys that all data sets have."""
    base = make_section("data", dataset_class(source), key=("source", source))
    taken = sorted(set(_OF_EVERY_DATA_SET) & set(base.model_fields))
    if taken:
        raise ConfigError(
            f"data: the option {taken[0]!r} of {source} needs another name; this one is taken by "
            "the section itself."
        )
    fields: dict[str, Any] = {
        option.name: (option.type, Field(option.default, description=option.text))
        for option in _OF_EVERY_DATA_SET.values()
    }
    made = cast("type[Section]", create_model("data", __base__=base, __module__=__name__, **fields))
    made.__doc__ = base.__doc__
    made._options = {**base._options, **_OF_EVERY_DATA_SET}
    return made


@cache
def labels_section(threshold: float) -> type[Section]:
    """Return the section `labels` with the default threshold of a data set."""
    base = make_section("labels", make_labels, base=LabelsSection)
    text = base.model_fields["threshold"].description
    # a file has a number, since `make_labels` alone cannot know that of the data set
    other: Any = (float | Literal["median"], Field(threshold, description=text))
    return create_model("labels", __base__=base, __module__=__name__, threshold=other)


@cache
def model_section(name: str) -> type[Section]:
    """Return the section of a model."""
    return make_section("model", MODELS.resolve(name), key=("name", name))


class ChoiceSection(Section):
    """Candidates to choose among inside each training set (`eegemo.training.fit_candidates`)."""

    grid: Annotated[
        dict[str, Annotated[list[Any], Field(min_length=1)]] | None,
        Field(
            min_length=1,
            description="Values to try for each key, such as `model.units` or "
            "`training.learning_rate`. All combinations are candidates, at most 64.",
        ),
    ] = None
    settings: Annotated[
        list[dict[str, Any]] | None,
        Field(
            min_length=2,
            description="The candidates themselves, in place of a grid: sections such as "
            "`{model.units: 32}`.",
        ),
    ] = None
    metric: Annotated[
        Literal["loss", "balanced_accuracy"],
        Field(
            description="Keep the candidate with the lowest loss, or with the highest balanced "
            "accuracy, on validation windows. Every class counts equally in both."
        ),
    ] = "loss"

    @model_validator(mode="after")
    def _agrees(self) -> "ChoiceSection":
        if (self.grid is None) == (self.settings is None):
            raise ValueError(
                "give either grid (a list of values for each key) or settings (a list of sections "
                "of keys and values)"
            )
        candidates = self.listed()
        for key in {key for settings in candidates for key in settings}:
            if key.partition(".")[0] not in ("model", "training") or key.count(".") != 1:
                raise ValueError(
                    f"only keys of model and training can be candidates, "
                    f"written as model.units or training.learning_rate; found {key!r}"
                )
        if not 2 <= len(candidates) <= MOST_CANDIDATES:
            raise ValueError(
                f"expected 2 to {MOST_CANDIDATES} settings to choose among, found {len(candidates)}"
            )
        if any(settings in candidates[:k] for k, settings in enumerate(candidates)):
            raise ValueError("the same settings occur twice")
        return self

    def listed(self) -> list[dict[str, Any]]:
        """Return the settings of each candidate, in order."""
        if self.settings is not None:
            return [dict(settings) for settings in self.settings]
        grid = self.grid or {}
        # a mistyped grid may have billions of combinations
        if math.prod(len(values) for values in grid.values()) > MOST_CANDIDATES:
            raise ValueError(f"the grid has more than {MOST_CANDIDATES} settings")
        return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
