"""The experiment file, with the sections of its data set and model."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Self

import yaml
from annotated_types import Ge
from pydantic import (
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from eegemo.config.messages import describe
from eegemo.config.sections import (
    STAGES,
    ChoiceSection,
    Section,
    Strict,
    data_section,
    labels_section,
    model_section,
    stage_section,
)
from eegemo.config.strict_yaml import Location
from eegemo.datasets import dataset_class
from eegemo.errors import ConfigError
from eegemo.models import Model, TrainingOptions, make_model
from eegemo.registry.tables import DATASETS, MODELS
from eegemo.significance import wanted_refits

__all__ = ["Experiment", "class_for", "experiment_class", "plain_location"]


class Experiment(Strict):
    """One experiment: everything that changes its result.

    The sections are those of the data set and the model that it names, so each experiment is of the
    class that `experiment_class` makes for these two.
    """

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
            description="Name of the result folder: letters, digits, `.`, `_` and `-`, at most 80, "
            "a letter or digit first.",
        ),
    ]
    seed: Annotated[
        int,
        Field(
            ge=0,
            lt=2**31,
            description="Seed of everything random: folds, weights, dropout, order of windows. The "
            "same seed gives the same numbers on the same machine's CPU.",
        ),
    ] = 0
    data: Annotated[Section, Field(description="Recordings to use; its keys depend on `source`.")]
    preprocessing: Annotated[Section, Field(description="From recordings to trials.")]
    labels: Annotated[Section, Field(description="From ratings to class labels.")]
    windows: Annotated[Section, Field(description="From trials to windows.")]
    scaling: Annotated[Section, Field(description="Scaling of the windows, before the model.")]
    split: Annotated[
        Section, Field(description="From windows to training, validation and test sets.")
    ]
    model: Annotated[Section, Field(description="What is trained; its keys depend on `name`.")]
    training: Annotated[Section, Field(description="How it is trained.")]
    significance: Annotated[
        Section,
        Field(description="How often it is trained again on exchanged labels, to know chance."),
    ]
    repeats: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="Number of repeats of the whole cross-validation, each with another seed "
            "for the split and for the models. The first repeat equals a run without repeats.",
        ),
    ] = 1
    choice: Annotated[
        ChoiceSection | None,
        Field(description="Hyperparameter selection inside each training set. `null` for none."),
    ] = None
    shuffle_labels: Annotated[
        Annotated[int, Ge(0)] | None,
        Field(
            description="Permute the labels of trials within subject and session, in the same way "
            "for subjects who share stimuli, with this seed. The score shows what to expect when "
            "there is nothing to learn. `null` keeps the labels.",
        ),
    ] = None

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Check an experiment given as plain values.

        Raises
        ------
        pydantic.ValidationError
            For every mistake; `eegemo.config.parse_experiment` formats them.
        """
        if cls is not Experiment:
            return super().model_validate(obj, **options)
        context = options.get("context") or {}
        made: Any = class_for(obj, trust=context.get("trust", True))
        return made.model_validate(obj, **options)  # type: ignore[no-any-return]

    def __reduce__(self) -> Any:
        # the class is created at run time, so no module has it under its name
        return Experiment.model_validate, (self.model_dump(),)

    @model_validator(mode="after")
    def _agrees(self, info: ValidationInfo) -> Self:
        ratio = self.split.method == "stratified_group_ratio"
        fraction = self.split.ratios[1] if ratio else self.split.validation
        if self.training.schedule == "plateau" and fraction == 0:
            raise ValueError(
                "training.schedule 'plateau' needs a validation set, and split sets none aside"
            )
        if self.choice is not None and fraction == 0:
            raise ValueError("choice needs a validation set, and split sets none aside")
        self._candidates(info.context)
        return self

    def candidates(self) -> list[tuple[dict[str, Any], "Experiment"]]:
        """Return the candidates: their hyperparameters, and the complete experiment of each.

        A candidate that changes ``model.name`` is read with the section of that model. Options that
        have the defaults of the experiment's own model then get those of the other.
        """
        return self._candidates(None)

    def _candidates(self, context: Any) -> list[tuple[dict[str, Any], "Experiment"]]:
        if self.choice is None:
            return [({}, self)]
        plain = self.model_dump() | {"choice": None}
        found: list[tuple[dict[str, Any], Experiment]] = []
        for settings in self.choice.listed():
            model = plain["model"]
            if settings.get("model.name", model["name"]) != model["name"]:
                options = self.model._options
                model = {
                    key: value
                    for key, value in model.items()
                    if key not in options or value != options[key].default
                }
            changed = plain | {"model": dict(model), "training": dict(plain["training"])}
            for key, value in settings.items():
                section, name = key.split(".")
                changed[section][name] = value
            try:
                found.append((settings, Experiment.model_validate(changed, context=context)))
            except ValidationError as error:
                problem = error.errors(include_url=False)[0]
                if problem["type"] == "unresolved":
                    message = problem["msg"].removesuffix(".")
                    raise ValueError(f"choice: {settings}: {message}") from None
                where = ".".join(map(str, problem["loc"])) or "experiment"
                raise ValueError(f"choice: {settings}: {where}: {problem['msg']}") from None
        if len({candidate.make_model().in_epochs for _, candidate in found}) > 1:
            raise ValueError(
                "choice: a network and a model without epochs cannot be candidates of the same "
                "experiment"
            )
        return found

    def make_model(self) -> Model:
        """Return the model with its options, without building it."""
        return make_model(**self.model.model_dump())

    def make_training(self) -> TrainingOptions:
        """Return the training options."""
        return TrainingOptions(**self.training.model_dump())

    def n_refits(self) -> int:
        """Return how often the model is trained again on exchanged labels."""
        return wanted_refits(
            **self.significance.model_dump(), is_quick=self.make_model().is_baseline
        )

    def to_yaml(self) -> str:
        """Return the experiment as YAML with all defaults; reading it gives the same experiment."""
        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
        return text


def _made(data: Any, model: Any, labels: type[Section] | None = None) -> type[Experiment]:
    """Create the class of experiments with these types of named sections."""
    about = {name: field.description for name, field in Experiment.model_fields.items()}
    fields: dict[str, Any] = {
        name: (stage_section(name), Field(stage_section(name)(), description=about[name]))
        for name in STAGES
    }
    if labels is not None:
        fields["labels"] = (labels, Field(labels(), description=about["labels"]))
    for name, kind in (("data", data), ("model", model)):
        fields[name] = (kind, Field(description=about[name]))
    return create_model("Experiment", __base__=Experiment, __module__=__name__, **fields)


@cache
def experiment_class(source: str, name: str) -> type[Experiment]:
    """Return `Experiment` with the sections of a data set and of a model.

    Parameters
    ----------
    source, name : str
        Values of ``data.source`` and ``model.name``.

    Returns
    -------
    kind : type of Experiment
        The same class for the same names.

    Raises
    ------
    ConfigError
        If there is no such data set or model, or it cannot be imported.

    Examples
    --------
    >>> kind = experiment_class("deap", "cnn_lstm")
    >>> list(kind.model_fields["model"].annotation.model_fields)[:3]
    ['name', 'filters', 'kernel_size']
    """
    threshold = dataset_class(source).default_threshold
    return _made(data_section(source), model_section(name), labels_section(threshold))


def class_for(content: Any, *, trust: bool = True) -> type[Experiment]:
    """Return the class that reads the content of an experiment file, even with mistakes.

    Where a name cannot be resolved, the section is refused with the reason, which is then reported
    together with all other mistakes.

    Parameters
    ----------
    content : object
        The file as parsed by YAML.
    trust : bool
        Whether import paths in it may be imported.
    """
    names: dict[str, str] = {}
    kinds: dict[str, Any] = {}
    for part, key, registry, section in (
        ("data", "source", DATASETS, data_section),
        ("model", "name", MODELS, model_section),
    ):
        given = content.get(part) if isinstance(content, Mapping) else None
        if not isinstance(given, Mapping | Section):
            kinds[part] = Section  # the section is missing, or not a section
            continue
        plain = given if isinstance(given, Mapping) else given.model_dump()
        name = plain.get(key)
        try:
            if key not in plain:
                raise ConfigError(
                    f"{registry.key}: this key is missing; expected {registry.expected()}."
                )
            if not isinstance(name, str):
                raise ConfigError(
                    f"{registry.key}: expected {registry.expected()}, found {describe(name)}."
                )
            registry.resolve(name, trust=trust)
            kinds[part], names[part] = section(name), name
        except ConfigError as error:
            kinds[part] = _refused(str(error), (part, key))
    if len(names) == 2:
        return experiment_class(names["data"], names["model"])
    return _made(kinds["data"], kinds["model"])


def _refused(message: str, location: Location) -> Any:
    """Return a type that refuses every value with a message about a location."""

    def refuse(value: Any) -> Any:
        about = {"message": message, "location": location}
        raise PydanticCustomError("unresolved", "{message}", about)

    return Annotated[Any, PlainValidator(refuse)]


def plain_location(found: Location) -> Location:
    """Remove pydantic's own marks (of the alternatives it tried) from the keys of the file.

    Examples
    --------
    >>> plain_location(("data", "subjects", "list[union[str,int]]", 0, "str"))
    ('data', 'subjects', 0)
    """
    # sections contain no sections: text below their keys is such a mark
    return found[:2] + tuple(part for part in found[2:] if isinstance(part, int))
