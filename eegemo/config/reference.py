"""Reference of the experiment file, generated from its options: docs, JSON schema, template.

``python -m eegemo.config.reference`` updates the tables of ``docs/experiment-file.md`` and the file
``docs/experiment.schema.json``; a test fails if they are outdated.
"""

import difflib
import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from eegemo.config.experiment import Experiment, experiment_class
from eegemo.config.sections import STAGES, ChoiceSection, data_section, model_section, stage_section
from eegemo.datasets import Dataset
from eegemo.errors import ConfigError
from eegemo.registry.options import choices_of, words_for
from eegemo.registry.tables import DATASETS, MODELS

__all__ = [
    "options_text",
    "schema",
    "schema_text",
    "table",
    "tables_in",
    "template",
    "write_reference",
]

#: Markers of a table of options in a page: ``<!-- options: windows -->``, the table, and
#: ``<!-- end of options -->``. A section that depends on a name is called ``data deap``, or, where
#: several names have the same options, ``model cnn_lstm cnn_gru``.
MARKED = re.compile(r"(<!-- options: ([^>]+?) -->\n).*?(<!-- end of options -->)", re.DOTALL)
# columns of a template: the start of comments, and the maximum length of a line
_COMMENT, _WIDTH = 34, 100


def _sections_of(title: str) -> list[type[BaseModel]]:
    """Return the section of a marker, or several with the same options."""
    name, *which = title.split()
    if name in ("data", "model"):
        make = data_section if name == "data" else model_section
        return [make(other) for other in which]
    if name == "experiment":
        return [Experiment]
    return [ChoiceSection if name == "choice" else stage_section(name)]


def table(title: str) -> str:
    """Return the options of a section as a Markdown table.

    Parameters
    ----------
    title : str
        Title in a marker: ``"windows"``, ``"data deap"``, ``"model cnn_lstm cnn_gru"``.

    Examples
    --------
    >>> table("windows").splitlines()[2].split(" | ")[2:]
    ['number above 0', '`2.0` |']
    """
    section, *others = _sections_of(title)
    names = title.split()[1:]
    for name, other in zip(names[1:], others, strict=True):
        if list(other.model_fields) != list(section.model_fields):
            raise ConfigError(f"{title}: {name} has other options than {names[0]}.")
    lines = ["| Key | Meaning | Allowed | Default |", "|---|---|---|---|"]
    for name, field in section.model_fields.items():
        allowed = _allowed(field)
        if len(names) > 1 and choices_of(field.annotation) == names[:1]:
            allowed = ", ".join(f"`{other}`" for other in names)
        default = "its defaults" if name in STAGES else _default(field)
        cells = [f"`{name}`", field.description or "", allowed, default]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def options_text(name: str | None = None, *, width: int = 96) -> str:
    """Return the options of a section, a model or a data set as text for a terminal.

    Parameters
    ----------
    name : str, optional
        A section of the experiment file, a model or a data set, built in, of a plug-in or by import
        path; the sections themselves if not given.
    width : int
        Of a line.

    Returns
    -------
    text : str
        A paragraph for each option: name, default, allowed values, meaning.

    Raises
    ------
    ConfigError
        If there is nothing of that name; it gives the nearest.

    Examples
    --------
    >>> print(options_text("windows").splitlines()[0])
    duration: 2.0  [number above 0]
    """
    lines: list[str] = []
    for option, field in _section_named(name).model_fields.items():
        default = "its defaults" if option in STAGES else _default(field).strip("`")
        lines.append(f"{option}: {default}  [{_allowed(field).replace('`', '')}]")
        about = (field.description or "").replace("`", "")
        lines += [*textwrap.wrap(about, width - 4, initial_indent="    ", subsequent_indent="    ")]
        lines.append("")
    return "\n".join(lines).rstrip()


def _section_named(name: str | None) -> type[BaseModel]:
    """Return the section of a stage, of a data set or of a model; the whole file without a name."""
    if name is None:
        return Experiment
    if name == "choice" or name in STAGES:
        return _sections_of(name)[0]
    for registry, make in ((MODELS, model_section), (DATASETS, data_section)):
        if name in registry.names():
            return make(name)
    if ":" in name:
        thing = MODELS.resolve(name)
        is_data = isinstance(thing, type) and issubclass(thing, Dataset)
        return data_section(name) if is_data else model_section(name)
    known = [*STAGES, "choice", *MODELS.names(), *DATASETS.names()]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
    raise ConfigError(f"options: there is no section, model or data set {name!r}; {hint}")


def _type_of(field: FieldInfo) -> Any:
    """Return a field's type with its bounds, a section as `dict`."""
    parts = get_args(field.annotation) or (field.annotation,)
    if any(isinstance(part, type) and issubclass(part, BaseModel) for part in parts):
        return Union[(dict, *parts[1:])] if len(parts) > 1 else dict
    marks = tuple(field.metadata)
    return Annotated[(field.annotation, *marks)] if marks else field.annotation


def _allowed(field: FieldInfo) -> str:
    return words_for(_type_of(field))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return f"`{_as_yaml(field.get_default(call_default_factory=True))}`"


def _as_yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def tables_in(text: str) -> str:
    """Return a page with all tables between markers updated.

    Raises
    ------
    ConfigError
        If a section, or a built-in data set or model, has no table in the page.
    """
    titles = [match[2] for match in MARKED.finditer(text)]
    present = {(title.split()[0], name) for title in titles for name in title.split()[1:] or [""]}
    named = {"data": DATASETS.built_in, "model": MODELS.built_in}
    wanted = {(section, name) for section in named for name in named[section]}
    wanted |= {(section, "") for section in ("experiment", *STAGES, "choice")}
    if wanted - present:
        section, name = sorted(wanted - present)[0]
        title = f"{section} {name}".strip()
        raise ConfigError(f"docs: there is no table of options of {title!r}; add its markers.")
    return MARKED.sub(lambda match: f"{match[1]}\n{table(match[2])}\n\n{match[3]}", text)


def schema(*, plugins: bool = False) -> dict[str, Any]:
    """Return a JSON schema of the experiment file, for editors.

    Parameters
    ----------
    plugins : bool
        Whether data sets and models of other installed packages get a branch of their own. Those
        given by import path are never checked.

    Returns
    -------
    schema : dict
        The sections `data` and `model` have a branch for each name.

    Examples
    --------
    >>> schema()["$defs"]["windows"]["properties"]["duration"]["exclusiveMinimum"]
    0
    """
    kind = experiment_class(next(iter(DATASETS.built_in)), next(iter(MODELS.built_in)))
    made: dict[str, Any] = kind.model_json_schema()
    parts = made["$defs"]
    for section, registry, make in (
        ("data", DATASETS, data_section),
        ("model", MODELS, model_section),
    ):
        key = registry.key.partition(".")[2]
        del parts[section]
        names = registry.names() if plugins else registry.built_in
        branches = []
        for name in names:
            parts[f"{section} {name}"] = make(name).model_json_schema() | {"title": name}
            branches.append({"$ref": f"#/$defs/{section} {name}"})
        parts[f"{section} by import path"] = {
            "type": "object",
            "description": "Code of your own, by import path.",
            "properties": {key: {"type": "string", "pattern": ":"}},
            "required": [key],
        }
        branches.append({"$ref": f"#/$defs/{section} by import path"})
        about = made["properties"][section]["description"]
        made["properties"][section] = {"description": about, "anyOf": branches}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return head | made | {"title": "Experiment file of eegemo", "description": _ABOUT}


_ABOUT = "One experiment: everything that changes its result."


def schema_text(*, plugins: bool = False) -> str:
    """Return the JSON schema as the text of a file."""
    return json.dumps(schema(plugins=plugins), indent=2, ensure_ascii=False) + "\n"


def template(data: str = "deap", model: str = "cnn_lstm", *, name: str = "my-experiment") -> str:
    """Return an experiment file with every option, its default and its meaning.

    Parameters
    ----------
    data, model : str
        Names of a data set and of a model.
    name : str
        Name of the experiment.

    Returns
    -------
    text : str
        YAML of a valid experiment. Required options have a placeholder value.

    Raises
    ------
    ConfigError
        If there is no such data set or model.

    Examples
    --------
    >>> print(next(line for line in template().splitlines() if "units" in line))
      units: 64                       # Units of the recurrent layer [whole number from 1]
    """
    kind = experiment_class(data, model)
    lines: list[str] = []
    for key, field in kind.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += ["", f"# {(field.description or '').replace('`', '')}", f"{key}:"]
            for inner, part in section.model_fields.items():
                fixed = choices_of(part.annotation) if inner in ("source", "name") else []
                value = fixed[0] if len(fixed) == 1 else _value(inner, part, data)
                shown = f"  {inner}: {_as_yaml(value)}"
                lines += [shown] if fixed else _explained(shown, part)
            lines += [""] if key == "training" else []
        else:
            value = name if key == "name" else _value(key, field, data)
            lines += _explained(f"{key}: {_as_yaml(value)}", field)
    return "\n".join(lines) + "\n"


def _explained(start: str, field: FieldInfo) -> list[str]:
    """Put the description of an option after its value, or above it if it is long."""
    sentence = re.split(r"(?<=[.)])\s+(?=[A-Z`])", field.description or "")[0].rstrip(".")
    need = "required: " if field.is_required() else ""
    words = f"{need}{sentence} [{_allowed(field)}]".replace("`", "")
    line = f"{start:<{_COMMENT - 1}} # {words}"
    if len(line) <= _WIDTH:
        return [line]
    hash_ = " " * (len(start) - len(start.lstrip())) + "# "
    above = textwrap.wrap(words, _WIDTH, initial_indent=hash_, subsequent_indent=hash_)
    return [*above, start]


def _value(name: str, field: FieldInfo, data: str) -> Any:
    """Return the default of an option, or a valid placeholder."""
    if not field.is_required():
        return field.get_default(call_default_factory=True)
    if name == "root":
        return f"data/{data}" if data in DATASETS.names() else "data"
    kind = field.annotation
    choices: Sequence[Any] = choices_of(kind)
    if choices:
        return choices[0]
    if get_origin(kind) is list:
        return []
    return next((value for value in (1, 1.0, False) if type(value) is kind), "FIXME")


def write_reference(docs: Path) -> list[Path]:
    """Update the tables and the schema in a folder of docs; return the changed files."""
    page = docs / "experiment-file.md"
    made = {
        page: tables_in(page.read_text(encoding="utf-8")),
        docs / "experiment.schema.json": schema_text(),
    }
    changed = []
    for file, text in made.items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            changed.append(file)
    return changed


if __name__ == "__main__":
    for written in write_reference(Path(__file__).parents[2] / "docs"):
        print(f"{written}: written.")
