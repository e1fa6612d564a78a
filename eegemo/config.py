"""The experiment file: strict YAML into checked sections.

Each section is a model whose fields are the keyword arguments of the function that does the work; a
test holds the two together. Nothing here changes results by itself, and nothing outside `pipeline`
and `cli` sees it.
"""

import difflib
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

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

from eegemo.errors import ConfigError

__all__ = ["Experiment", "find_experiments", "load_experiment", "parse_experiment"]

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


def _source(data: Any) -> str | None:
    source = data.get("source") if isinstance(data, Mapping) else getattr(data, "source", None)
    return source if isinstance(source, str) else None


Data = Annotated[
    Annotated[DeapData, Tag("deap")]
    | Annotated[BidsData, Tag("bids")]
    | Annotated[SimulatedData, Tag("simulated")],
    Discriminator(
        _source,
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


class _Loader(yaml.SafeLoader):
    """YAML as experiment files use it: no duplicate keys, no aliases, no tags."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=mark)
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            problem = f"tags ({event.tag}) are not allowed"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                problem = f"keys must be words; found {key!r}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            if key in seen:
                problem = f"the key {key!r} is there twice, first in line {seen[key]}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen[key] = key_node.start_mark.line + 1
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Read a number unless YAML reads it as people do not: 010 is 8, and 1:30 is 90."""
        is_int = node.tag == "tag:yaml.org,2002:int"
        number: int | float = (self.construct_yaml_int if is_int else self.construct_yaml_float)(
            node
        )
        if ":" in node.value or (is_int and not _is_plain(node.value, number)):
            problem = f"{node.value} means {number} in YAML; write that, or a text in quotes"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return number


def _is_plain(text: str, number: float) -> bool:
    try:
        return int(text) == number
    except ValueError:
        return False


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_number)


def _lines(
    node: yaml.Node | None, place: tuple[str | int, ...] = ()
) -> dict[tuple[str | int, ...], int]:
    """Map the place of every value to its line."""
    if node is None:
        return {}
    lines = {place: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, key.value)
            lines |= _lines(value, inner)
            lines[inner] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for k, value in enumerate(node.value):
            lines |= _lines(value, (*place, k))
    return lines


def parse_experiment(
    text: str, *, source: str = "experiment", overrides: Sequence[str] = ()
) -> Experiment:
    r"""Check the text of an experiment file.

    Parameters
    ----------
    text : str
        YAML.
    source : str
        Named in messages: the file's path.
    overrides : sequence of str
        Changes of single values, as ``"training.epochs=2"``; the value is YAML.

    Returns
    -------
    experiment : Experiment

    Raises
    ------
    ConfigError
        One line per mistake: where it is, what was expected and what was found.

    Examples
    --------
    >>> text = "name: a\ndata: {source: deap, root: data/deap}\nmodel: {name: cnn_lstm, unitz: 3}"
    >>> parse_experiment(text, source="a.yaml")
    Traceback (most recent call last):
    eegemo.errors.ConfigError: a.yaml, line 3: model.unitz: there is no such key; did you mean
    'units'?
    """
    try:
        # one character that YAML forbids is reported like any other mistake
        node = yaml.compose(text, _Loader)
        content = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{source}{line}: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(f"{source}: not readable as YAML: {problem}") from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{source}: expected an experiment (name, data, model, ...), found {_say(content)}."
        )
    lines = _lines(node)
    for override in overrides:
        _override(content, override)
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        problems: dict[tuple[str | int, ...], list[Any]] = {}
        for found in error.errors(include_url=False):
            problems.setdefault(_place(found["loc"]), []).append(found)
        # where one alternative got further into a value than another, its complaint is the useful
        # one
        outer = {place[:n] for place in problems for n in range(1, len(place))}
        messages = [
            f"{_at(source, lines, place)}: {_explain(complaints, place, content)}"
            for place, complaints in problems.items()
            if place not in outer
        ]
        raise ConfigError("\n".join(messages)) from None


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(
            f"--set {override}: expected section.key=value, such as training.epochs=2."
        )
    try:
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"--set {override}: {text!r} is not readable as YAML.") from None
    target = content
    for part in parts[:-1]:
        inner = target.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override}: {part} is not a section.")
        target = inner
    target[parts[-1]] = value


def _place(found: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Leave out pydantic's own marks (of the alternatives it tried) between the file's keys."""
    if found[:1] == ("data",):
        found = ("data", *found[2:])  # the second is the source
    # sections hold no sections: what is text below their keys is such a mark
    return found[:2] + tuple(part for part in found[2:] if isinstance(part, int))


def _at(
    source: str, lines: Mapping[tuple[str | int, ...], int], place: tuple[str | int, ...]
) -> str:
    for length in range(len(place), 0, -1):
        if place[:length] in lines:
            return f"{source}, line {lines[place[:length]]}"
    return source


#: Pydantic's kind of error -> what was expected, in words.
_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a section of keys",
    "model_attributes_type": "a section of keys",
    "dict_type": "a section of keys",
    "finite_number": "a finite number",
}


def _explain(
    problems: Sequence[Any], place: tuple[str | int, ...], content: Mapping[str, Any]
) -> str:
    """Put the complaints about one value in one sentence."""
    where = ".".join(map(str, place)) or "experiment"
    problem = problems[0]  # there are several where alternatives were tried
    kind, given = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        known = _known_keys(place[:-1], content)
        near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        return f"{where}: there is no such key; {hint}"
    if kind == "missing":
        return f"{where}: this key is missing."
    if kind == "value_error":
        return f"{where}: {problem['ctx']['error']}."
    if kind == "source":
        given = _source(content.get("data"))
        return f"{where}: {problem['msg']}; found {_say(given)}."
    if kind == "string_pattern_mismatch":
        return f"{where}: letters, digits, '.', '_' and '-' only, at most 80; found {_say(given)}."
    expected = " or ".join(dict.fromkeys(_expected(one) for one in problems))
    kinds = {one["type"] for one in problems}
    plain = _number(given, whole="float_type" not in kinds)
    if kinds & {"float_type", "int_type"} and plain is not None:
        return (
            f"{where}: expected {expected}, found the text {given!r} (in YAML a number in quotes, "
            f"or with an exponent but no point, is text); write {plain!r}."
        )
    choices = re.findall(r"'([^']*)'", expected)
    near = difflib.get_close_matches(given, choices, n=1) if isinstance(given, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{where}: expected {expected}, found {_say(given)}{hint}"


def _expected(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"])
    if kind in ("too_short", "too_long"):
        bound = context.get("min_length", context.get("max_length"))
        return f"a list of at {'least' if kind == 'too_short' else 'most'} {bound}"
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    message = str(problem["msg"]).removeprefix("Input should be ")
    return message if message.startswith(("a ", "an ")) else f"a value {message}"


def _known_keys(place: tuple[str | int, ...], content: Mapping[str, Any]) -> list[str]:
    if not place:
        return list(Experiment.model_fields)
    sections: dict[str, type[BaseModel]] = {
        "deap": DeapData,
        "bids": BidsData,
        "simulated": SimulatedData,
    }
    section = sections.get(_source(content.get("data")) or "")
    if place[0] != "data":
        annotation = Experiment.model_fields[str(place[0])].annotation
        section = annotation if isinstance(annotation, type) else None
    return list(section.model_fields) if section is not None else []


def _number(given: Any, *, whole: bool) -> int | float | None:
    """Return the number that a text spells, if it does."""
    try:
        number = float(given) if isinstance(given, str) else math.nan
    except ValueError:
        return None
    if not math.isfinite(number) or (whole and not number.is_integer()):
        return None
    return int(number) if whole else number


def _say(value: Any) -> str:
    if value is None:
        return "nothing"
    names = {str: "the text", bool: "", int: "", float: "", list: "the list", dict: "a section"}
    noun = names.get(type(value), "")
    if isinstance(value, dict):
        return noun
    shown = repr(value)
    return f"{noun} {shown if len(shown) <= 60 else shown[:57] + '...'}".strip()


def load_experiment(path: str | Path, *, overrides: Sequence[str] = ()) -> Experiment:
    """Read and check an experiment file (see `parse_experiment`)."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such experiment file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text ({error}).") from None
    return parse_experiment(text, source=str(path), overrides=overrides)


def find_experiments(paths: Sequence[str | Path]) -> list[Path]:
    """Expand folders to the experiment files in them, in order of name.

    Raises
    ------
    ConfigError
        If a path does not exist, or a folder holds no ``.yaml`` file.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(
                p for p in path.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file()
            )
            if not inside:
                deeper = sorted({str(p.parent) for p in path.rglob("*.yaml")})
                hint = f" There are some in {', '.join(deeper)}." if deeper else ""
                raise ConfigError(f"{path}: there is no experiment file (.yaml) here.{hint}")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise ConfigError(f"{path}: there is no such experiment file or folder.")
    return list(dict.fromkeys(files))
