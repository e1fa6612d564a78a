"""Options: written once, in a signature and its docstring, and what is made of them."""

import inspect
import json
import pickle
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import wraps
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from annotated_types import MinLen
from pydantic import ValidationError

from eegemo.config import (
    ChoiceSection,
    Experiment,
    experiment_class,
    find_experiments,
    load_experiment,
    parse_experiment,
    settings_for_digest,
)
from eegemo.config import experiment as experiment_module
from eegemo.config import sections as sections_module
from eegemo.config.reference import schema, tables_in, template
from eegemo.config.sections import STAGES, data_section, make_section, model_section, stage_section
from eegemo.errors import ConfigError
from eegemo.registry.options import (
    NOT_IN_FILE,
    REQUIRED,
    Count,
    Fraction,
    Positive,
    Since,
    options_of,
    parameters_in,
    words_for,
)
from eegemo.registry.tables import DATASETS, MODELS
from eegemo.store import digest_json
from golden.early import early_text, later_keys

ROOT = Path(__file__).parents[1]
# made by the sections that were written by hand, before there were any others
GOLDEN = json.loads((Path(__file__).parent / "golden" / "options.json").read_text("utf-8"))
BASE = {"name": "a", "data": {"source": "deap", "root": "x"}, "model": {"name": "cnn_lstm"}}


def read(**changes):
    return parse_experiment(yaml.safe_dump(BASE | changes))


# --- options of a signature ----------------------------------------------------------------------


def cut(
    signal: "nowhere.Signal",  # noqa: F821
    copies=3,
    *,
    length: Positive,
    bands: Annotated[Sequence[tuple[Positive, Positive]], MinLen(1)] = ((1.0, 2.0),),
    kind: "Literal['a', 'b'] | None" = None,
    jitter: Annotated[float, Since("0.2")] = 0.0,
    seed: Annotated[int, NOT_IN_FILE] = 0,
    record: "Annotated[nowhere.Record | None, NOT_IN_FILE]" = None,  # noqa: F821
    free=(1, (2, 3)),
    **others: int,
):
    """Cut.

    Parameters
    ----------
    signal : Signal
        Not an option.
    length : float
        Length
        in ``seconds``.
    bands, kind : sequence
        Both.

    Returns
    -------
    free : int
        Not this one.
    """


def test_options_are_the_keyword_only_parameters_that_the_run_does_not_set():
    found = options_of(cut)
    assert list(found) == ["length", "bands", "kind", "jitter", "free"]
    assert found["length"].default is REQUIRED
    assert found["bands"].default == [[1.0, 2.0]]
    assert found["free"].default == [1, [2, 3]]
    assert found["free"].type is Any
    assert found["kind"].type == Literal["a", "b"] | None
    assert (found["jitter"].since, found["jitter"].type) == ("0.2", float)
    assert found["length"].since is None
    assert list(options_of(cut, without=["kind"])) == ["length", "bands", "jitter", "free"]


def test_words_are_those_of_the_docstring():
    found = options_of(cut)
    assert found["length"].text == "Length in `seconds`."
    assert found["bands"].text == found["kind"].text == "Both."
    assert found["free"].text == ""


def test_sequences_and_tuples_are_lists_in_a_file():
    section = make_section("x", cut)
    least = {"length": 1.0}
    assert section.model_validate(least | {"bands": [[1.0, 2.0], [3.0, 4.0]]}).bands[1] == [3, 4]
    for wrong in ([], [[1.0]], [[1.0, 2.0, 3.0]], [[1.0, -1.0]], ((1.0, 2.0),)):
        with pytest.raises(ValidationError):
            section.model_validate(least | {"bands": wrong})


def test_a_class_inherits_options_and_their_words():
    @dataclass(frozen=True, kw_only=True)
    class First:
        """First.

        Parameters
        ----------
        root : str
            A folder.
        n : int
            A number.
        """

        root: str
        n: Count = 1

    @dataclass(frozen=True, kw_only=True)
    class Second(First):
        """Second.

        Parameters
        ----------
        n : int
            Another number.
        """

        n: Count = 2
        more: Fraction = 0.5

    found = options_of(Second)
    assert list(found) == ["root", "n", "more"]
    assert [option.text for option in found.values()] == ["A folder.", "Another number.", ""]
    assert found["n"].default == 2


def test_a_wrapped_function_has_the_options_of_what_it_wraps():
    @wraps(cut, assigned=())
    def other(signal, **options):
        """Do the other thing."""

    assert options_of(other) == options_of(cut)


def test_an_annotation_that_cannot_be_evaluated_is_named():
    def build(*, width: "Widthh" = 3):  # noqa: F821
        pass

    with pytest.raises(ConfigError, match=r"test_options.py: the type of the option 'width', Widt"):
        options_of(build)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Positive | None, "number above 0 or `null`"),
        (Fraction, "number from 0 to below 1"),
        (Annotated[list[Count], MinLen(1)], "non-empty list of whole numbers from 1"),
        (Annotated[list[str], MinLen(2)], "list of at least 2 texts"),
        (float | Literal["median"], "number or `median`"),
        (Literal["a", "b", "c"], "`a`, `b` or `c`"),
        (bool, "`true` or `false`"),
        (Any, "any value"),
    ],
)
def test_types_are_put_in_words(kind, words):
    assert words_for(kind) == words


# --- the options of eegemo -----------------------------------------------------------------------

OWNERS = {
    **STAGES,
    **{f"model {name}": MODELS.resolve(name) for name in MODELS.built_in},
    **{f"data {name}": DATASETS.resolve(name) for name in DATASETS.built_in},
}


@pytest.mark.parametrize("name", OWNERS)
def test_every_option_has_words_that_end_with_a_full_stop(name):
    for option in options_of(OWNERS[name]).values():
        assert re.fullmatch(r"[A-Z].*\.", option.text), f"{name}.{option.name}: {option.text!r}"


@pytest.mark.parametrize("name", OWNERS)
def test_a_docstring_describes_no_parameter_that_does_not_exist(name):
    owner = inspect.unwrap(OWNERS[name])
    described = set(parameters_in(owner.__doc__.partition("Returns\n")[0]))
    assert described <= set(inspect.signature(owner).parameters)


def test_what_a_field_of_the_file_means_is_said_of_all_of_them():
    for kind in (Experiment, ChoiceSection):
        for name, field in kind.model_fields.items():
            assert re.fullmatch(r"[A-Z].*\.", field.description or ""), name


def functions():
    """Return options that have a second signature still, and that signature's other parameters."""
    from eegemo.datasets.bids import find_recordings_bids
    from eegemo.datasets.deap import find_recordings_deap
    from eegemo.datasets.files import find_recordings_files
    from eegemo.features import BANDS
    from eegemo.models.band_power import build_band_power_logreg
    from eegemo.models.cnn_rnn import measure_network
    from eegemo.simulation import simulate_deap

    assert options_of(build_band_power_logreg)["bands"].default == [list(band) for band in BANDS]
    deap, bids, simulated, files = (
        DATASETS.resolve(name) for name in ("deap", "bids", "simulated", "files")
    )
    shape = {"n_times", "n_channels", "n_classes", "recurrent"}
    return [
        (deap, {"channels"}, find_recordings_deap, set()),
        (bids, {"channels"}, find_recordings_bids, set()),
        (files, {"channels"}, find_recordings_files, set()),
        (
            simulated,
            {"root", "variant", "subjects", "channels", "exclude"},
            simulate_deap,
            {"root", "formats", "truth", "on_subject"},
        ),
        (MODELS.resolve("cnn_lstm"), set(), measure_network, shape),
    ]


def test_functions_with_the_same_options_have_the_same_defaults():
    for owner, elsewhere, function, others in functions():
        parameters = inspect.signature(function).parameters
        assert others <= set(parameters)
        defaults = {
            name: REQUIRED
            if parameter.default is inspect.Parameter.empty
            else list(parameter.default)
            if isinstance(parameter.default, tuple)
            else parameter.default
            for name, parameter in parameters.items()
            if name not in others
        }
        options = options_of(owner)
        assert elsewhere <= set(options)
        assert defaults == {
            name: option.default for name, option in options.items() if name not in elsewhere
        }, function.__name__


# --- sections are what they were when they were written by hand ----------------------------------


def section_for(kind):
    part, _, name = kind.partition(" ")
    if part == "choice":
        return ChoiceSection, {}
    if part == "data":
        return data_section(name), {"source": name} | ({} if name == "simulated" else {"root": "x"})
    return (model_section(name), {"name": name}) if part == "model" else (stage_section(part), {})


@pytest.mark.parametrize("key", GOLDEN["verdicts"])
def test_single_values_are_read_or_refused_as_ever(key):
    """The same verdict, value and place of complaint."""
    kind, _, field = key.partition(": ")
    section, least = section_for(kind)
    for expected, numbers in GOLDEN["verdicts"][key].items():
        for number in numbers:
            value = GOLDEN["values"][number]
            try:
                content = section.model_validate({**least, field: value}).model_dump(mode="json")
                found = "read " + json.dumps(content[field])
            except ValidationError as error:
                places = {
                    (problem["type"], ".".join(map(str, problem["loc"])))
                    for problem in error.errors()
                }
                found = "refused " + json.dumps(sorted(places))
            assert found == expected, value


def test_sections_have_no_key_that_they_had_not():
    had = {key for key in GOLDEN["verdicts"] if not key.endswith(": zzz")}
    kinds = {key.partition(": ")[0] for key in GOLDEN["verdicts"]}
    sections = {kind: section_for(kind)[0] for kind in kinds}
    assert had == {
        f"{kind}: {name}"
        for kind, section in sections.items()
        for name in section.model_fields
        if name not in later_keys(section)
    }


@pytest.mark.parametrize("name", GOLDEN["files"])
def test_experiments_have_the_text_and_the_digest_they_ever_had(name):
    experiment = load_experiment(ROOT / name)
    golden = GOLDEN["files"][name]
    assert digest_json(settings_for_digest(experiment)) == golden["settings"]
    assert sha256(early_text(experiment).encode()).hexdigest() == golden["yaml"]
    assert parse_experiment(experiment.to_yaml()) == experiment


def test_every_experiment_of_the_repository_is_held():
    folders = {file.parent for file in (ROOT / "experiments").rglob("*.yaml")}
    files = [file for folder in folders for file in find_experiments([folder])]
    assert {str(file.relative_to(ROOT)) for file in files} == set(GOLDEN["files"])


# --- the class of an experiment ------------------------------------------------------------------


def test_an_experiment_has_the_sections_of_its_data_set_and_model():
    assert type(read()) is experiment_class("deap", "cnn_lstm")
    assert experiment_class("deap", "cnn_lstm") is experiment_class("deap", "cnn_lstm")
    assert isinstance(read(), Experiment)
    assert "bands" in type(read(model={"name": "band_power_logreg"}).model).model_fields


def test_an_experiment_can_be_sent_to_another_process():
    experiment = read(training={"epochs": 3}, choice={"grid": {"model.units": [1, 2]}})
    assert pickle.loads(pickle.dumps(experiment)) == experiment
    assert type(pickle.loads(pickle.dumps(experiment))) is type(experiment)


TWO = """\
def small(*, width: int = 4, dropout: float = 0.1) -> "keras.Model": pass
def deep(*, depth: int = 2, dropout: float = 0.2) -> "keras.Model": pass
"""


@pytest.mark.slow
def test_a_candidate_with_another_model_has_the_options_of_that_model(write):
    write("two.py", TWO)
    settings = [{"model.name": "two:small"}, {"model.name": "two:deep", "model.depth": 7}]
    experiment = read(model={"name": "two:small"}, choice={"settings": settings})
    (_, small), (_, deep) = experiment.candidates()
    assert small.model.model_dump() == {"name": "two:small", "width": 4, "dropout": 0.1}
    assert deep.model.model_dump() == {"name": "two:deep", "depth": 7, "dropout": 0.2}
    # the file of a result has all defaults in it, and reads back to the same
    again = parse_experiment(experiment.to_yaml())
    assert again == experiment
    assert again.candidates()[1][1] == deep


def test_an_option_that_was_set_and_that_the_other_model_lacks_is_not_dropped(write):
    write("two.py", TWO)
    settings = [{"model.name": "two:small"}, {"model.name": "two:deep"}]
    with pytest.raises(ConfigError, match=r"'two:deep'}: model.width: Extra inputs"):
        read(model={"name": "two:small", "width": 9}, choice={"settings": settings})


def test_a_network_and_the_baseline_are_no_candidates_of_each_other():
    with pytest.raises(ConfigError, match="a network and a model without epochs"):
        read(choice={"grid": {"model.name": ["cnn_lstm", "band_power_logreg"]}})


# --- options that come later ---------------------------------------------------------------------


def later(*, duration: Positive = 2.0, stride: Positive = 1.0, jitter=0.0):
    """Cut."""


later.__annotations__["jitter"] = Annotated[float, Since("0.2")]


@pytest.fixture
def later_windows(monkeypatch):
    """Let the section of windows have an option more."""
    monkeypatch.setitem(sections_module.STAGES, "windows", later)
    for cached in (sections_module.stage_section, experiment_module.experiment_class):
        cached.cache_clear()
    yield
    for cached in (sections_module.stage_section, experiment_module.experiment_class):
        cached.cache_clear()


def test_an_option_that_comes_later_changes_no_digest_until_it_is_used(later_windows):
    name = "experiments/quickstart/cnn_lstm.yaml"
    held = GOLDEN["files"][name]["settings"]
    experiment = load_experiment(ROOT / name)
    assert experiment.windows.jitter == 0.0
    assert digest_json(settings_for_digest(experiment)) == held
    used = load_experiment(ROOT / name, overrides=["windows.jitter=0.5"])
    assert digest_json(settings_for_digest(used)) != held
    assert settings_for_digest(used)["windows"]["jitter"] == 0.5


# --- code by import path -------------------------------------------------------------------------

NET = '''\
def build(n_times, n_channels, n_classes, *, sfreq, ch_names=None, width: int = 8) -> "keras.Model":
    """Build.

    Parameters
    ----------
    width : int
        Filters.
    """
'''
DATA = """\
from dataclasses import dataclass
from typing import Literal

from eegemo.datasets import Dataset

@dataclass(frozen=True, kw_only=True)
class Mine(Dataset):
    title = "mine"
    root: str
    part: Literal["first", "second"] = "first"

    def find(self): return []
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write modules that can be imported; forget them, and what was made of them, afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]
    for cached in (data_section, model_section, experiment_class):
        cached.cache_clear()


def test_an_import_path_has_the_options_of_what_it_names(write):
    write("nets.py", NET)
    write("sets.py", DATA)
    experiment = read(
        model={"name": "nets:build", "width": 3}, data={"source": "sets:Mine", "root": "y"}
    )
    # what the run tells a builder is no key, marked or not
    assert experiment.model.model_dump() == {"name": "nets:build", "width": 3}
    assert experiment.data.model_dump() == {
        **{"source": "sets:Mine", "root": "y", "part": "first"},
        "copies": "refuse",  # of every data set
    }
    assert parse_experiment(experiment.to_yaml()) == experiment
    assert pickle.loads(pickle.dumps(experiment)) == experiment
    for changes, message in (
        (
            {"model": {"name": "nets:build", "widthh": 3}},
            "model.widthh: there is no such key; did y",
        ),
        ({"model": {"name": "nets:build", "width": 3.5}}, "model.width: expected a whole number"),
        ({"data": {"source": "sets:Mine"}}, "data.root: this key is missing"),
        ({"data": {"source": "sets:Mine", "root": "x", "part": 3}}, "expected 'first' or 'second'"),
        ({"model": {"name": "nets:builds"}}, "nets.py has no 'builds'; did you mean 'build'?"),
    ):
        with pytest.raises(ConfigError) as caught:
            read(**changes)
        assert message in str(caught.value)


def test_the_source_of_foreign_code_is_part_of_the_digest_and_nothing_else_is(write):
    file = write("nets.py", NET)
    plain = read()
    assert {"data.code", "model.code"}.isdisjoint(settings_for_digest(plain))
    experiment = read(model={"name": "nets:build"})
    settings = settings_for_digest(experiment)
    assert settings["model.code"] == sha256(file.read_bytes()).hexdigest()
    assert "data.code" not in settings
    file.write_text(NET + "# another version\n", encoding="utf-8")
    assert digest_json(settings_for_digest(experiment)) != digest_json(settings)


def test_the_source_of_candidates_is_part_of_the_digest(write):
    write("nets.py", NET)
    file = write("more.py", NET)
    experiment = read(choice={"grid": {"model.name": ["cnn_lstm", "more:build"]}})
    digest = sha256(file.read_bytes()).hexdigest()
    assert settings_for_digest(experiment)["model.code of more:build"] == digest


PLACES = [
    {"model": {"name": "evil:build"}},
    {"data": {"source": "evil:build"}},
    {"choice": {"grid": {"model.name": ["evil:build", "cnn_lstm"]}}},
    {"choice": {"settings": [{"model.name": "evil:build"}, {"model.units": 3}]}},
]


@pytest.mark.parametrize("changes", PLACES, ids=str)
def test_without_trust_no_place_of_a_file_imports_code(write, tmp_path, changes):
    victim = tmp_path / "victim"
    write("evil.py", f"import pathlib\npathlib.Path({str(victim)!r}).touch()\ndef build(): pass\n")
    text = yaml.safe_dump(BASE | changes)
    with pytest.raises(ConfigError, match="add --trust to import it"):
        parse_experiment(text, trust=False)
    assert not victim.exists()
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("*, name: str = 'x'", "the option 'name' of nets:build needs another name"),
        ("*, copy: bool = True", "the option 'copy' of nets:build needs another name"),
        ("*, _width: int = 3", "nets:build has options that a file cannot hold"),
        ("*, width: open = 3", "nets:build has options that a file cannot hold"),
        ("*, width: 'Widthh' = 3", "nets.py: the type of the option 'width', Widthh, cannot be"),
    ],
)
def test_options_that_a_file_cannot_hold_are_refused(write, signature, message):
    write("nets.py", f"def build({signature}): pass\n")
    with pytest.raises(ConfigError) as caught:
        read(model={"name": "nets:build"})
    assert message in str(caught.value)


# --- what is made of options: docs, schema, template ---------------------------------------------


def test_the_tables_and_the_schema_of_the_docs_are_fresh():
    stale = "run `python -m eegemo.config.reference`"
    page = (ROOT / "docs" / "experiment-file.md").read_text(encoding="utf-8")
    assert tables_in(page) == page, stale
    text = (ROOT / "docs" / "experiment.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == schema(), stale


def test_a_page_without_a_table_of_a_model_is_refused():
    page = (ROOT / "docs" / "experiment-file.md").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="no table of options of 'model cnn_gru'"):
        tables_in(page.replace("model cnn_lstm cnn_gru", "model cnn_lstm"))


PAIRS = [(data, model) for data in DATASETS.built_in for model in MODELS.built_in]


@pytest.mark.parametrize(("data", "model"), PAIRS)
def test_a_template_reads_as_an_experiment_with_all_defaults(data, model):
    text = template(data, model)
    experiment = parse_experiment(text)
    assert (experiment.data.source, experiment.model.name) == (data, model)
    least = {"name": "my-experiment", "data": {"source": data}, "model": {"name": model}}
    if "root" in type(experiment.data).model_fields:
        least["data"] |= {"root": experiment.data.root}
    assert experiment == parse_experiment(yaml.safe_dump(least))
    assert yaml.safe_load(text) == yaml.safe_load(experiment.to_yaml())
    assert max(map(len, text.splitlines())) <= 100


def test_a_template_of_foreign_code_has_its_options(write):
    write("nets.py", NET + "    pass\n\ndef other(*, size: int, kind: str): pass\n")
    assert "width: 8" in template("deap", "nets:build")
    experiment = parse_experiment(template("deap", "nets:other"))
    assert experiment.model.model_dump() == {"name": "nets:other", "size": 1, "kind": "FIXME"}


TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def fits(value, rule, whole):
    """Tell whether a value fits a JSON schema; the part of the standard that ours uses."""
    known = {"title", "description", "default", "$schema", "$defs", "$ref", "type", "anyOf"}
    known |= {"properties", "additionalProperties", "required", "items", "const", "enum", "pattern"}
    known |= {"minItems", "maxItems", "minProperties", "minimum", "maximum", "exclusiveMinimum"}
    assert set(rule) <= known | {"exclusiveMaximum"}
    if "$ref" in rule:
        return fits(value, whole["$defs"][rule["$ref"].removeprefix("#/$defs/")], whole)
    if "anyOf" in rule and not any(fits(value, branch, whole) for branch in rule["anyOf"]):
        return False
    if "type" in rule and not isinstance(value, TYPES[rule["type"]]):
        return False
    if isinstance(value, bool) and rule.get("type") in ("integer", "number"):
        return False
    if "const" in rule and value != rule["const"]:
        return False
    if "enum" in rule and value not in rule["enum"]:
        return False
    if isinstance(value, str):
        return re.search(rule.get("pattern", ""), value) is not None
    if isinstance(value, int | float):
        return (
            value >= rule.get("minimum", value)
            and value <= rule.get("maximum", value)
            and value > rule.get("exclusiveMinimum", value - 1)
            and value < rule.get("exclusiveMaximum", value + 1)
        )
    if isinstance(value, list):
        length = rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", len(value))
        return length and all(fits(item, rule.get("items", {}), whole) for item in value)
    if isinstance(value, dict):
        more = rule.get("additionalProperties", True)
        inner = {key: rule.get("properties", {}).get(key, more) for key in value}
        return (
            set(rule.get("required", ())) <= set(value)
            and len(value) >= rule.get("minProperties", 0)
            and all(
                part if isinstance(part, bool) else fits(value[key], part, whole)
                for key, part in inner.items()
            )
        )
    return True


@pytest.mark.parametrize("name", GOLDEN["files"])
def test_the_schema_accepts_the_experiments_of_the_repository(name):
    content = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    assert fits(content, schema(), schema())


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"model": {"name": "mine.nets:build", "anything": 3}}, True),
        ({"labels": {"threshold": "median"}}, True),
        ({"sed": 3}, False),
        ({"windows": {"duration": 0}}, False),
        ({"windows": {"durations": 1.0}}, False),
        ({"training": {"schedule": "cosin"}}, False),
        ({"split": {"ratios": [0.5, 0.5]}}, False),
        ({"model": {"name": "cnn_lsmt"}}, False),
        ({"model": {"name": "cnn_lstm", "bands": [[1.0, 2.0]]}}, False),
        ({"data": {"source": "deap"}}, False),
        ({"data": {"source": "deap", "root": "x", "n_subjects": 3}}, False),
    ],
    ids=str,
)
def test_the_schema_tells_right_from_wrong_as_the_sections_do(changes, accepted):
    assert fits(BASE | changes, schema(), schema()) is accepted
    if accepted and ":" not in str((BASE | changes)["model"]["name"]):
        read(**changes)
    elif not accepted:
        with pytest.raises(ConfigError):
            read(**changes)


def test_the_schema_has_a_branch_for_each_data_set_and_model():
    names = schema()["$defs"]
    for name in MODELS.built_in:
        assert names[f"model {name}"]["properties"]["name"]["const"] == name
    for name in DATASETS.built_in:
        assert names[f"data {name}"]["properties"]["source"]["const"] == name
