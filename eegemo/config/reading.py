"""From the text of an experiment file to a checked `Experiment`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from eegemo.config.experiment import Experiment, class_for, plain_location
from eegemo.config.messages import describe, explain
from eegemo.config.strict_yaml import Location, StrictLoader, lines_of, read_text
from eegemo.errors import ConfigError

__all__ = ["find_experiments", "load_experiment", "parse_experiment"]


def parse_experiment(
    text: str,
    *,
    source: str = "experiment",
    overrides: Sequence[str] = (),
    trust: bool = True,
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
    trust : bool
        Whether models and data sets that are named by an import path may be imported, which runs
        their code. Use False for a file from an untrusted source.

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
        # a character that YAML forbids is reported like any other mistake
        node = yaml.compose(text, StrictLoader)
        content = yaml.load(text, StrictLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{source}{line}: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(f"{source}: not readable as YAML: {problem}") from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{source}: expected an experiment (name, data, model, ...), found {describe(content)}."
        )
    origin = {location: f"{source}, line {line}" for location, line in lines_of(node).items()}
    for override in overrides:
        changed = _override(content, override)
        origin = {known: at for known, at in origin.items() if known[: len(changed)] != changed}
        origin[changed] = f"--set {override}"
    kind = class_for(content, trust=trust)
    try:
        return kind.model_validate(content, context={"trust": trust})
    except ValidationError as error:
        problems: dict[Location, list[Any]] = {}
        for found in error.errors(include_url=False):
            unresolved = found["type"] == "unresolved"
            location = found["ctx"]["location"] if unresolved else plain_location(found["loc"])
            problems.setdefault(location, []).append(found)
        # the alternative that got furthest into a value has the useful message
        outer = {location[:n] for location in problems for n in range(1, len(location))}
        messages = [
            f"{_at(source, origin, location)}: {explain(complaints, location, kind)}"
            for location, complaints in problems.items()
            if location not in outer
        ]
        raise ConfigError("\n".join(messages)) from None


def _override(content: dict[str, Any], override: str) -> tuple[str, ...]:
    """Set a value; return its location."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(
            f"--set {override}: expected section.key=value, such as training.epochs=2."
        )
    try:
        value = yaml.load(text, StrictLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"--set {override}: {text!r} is not readable as YAML.") from None
    target = content
    for part in parts[:-1]:
        inner = target.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override}: {part} is not a section.")
        target = inner
    target[parts[-1]] = value
    return tuple(parts)


def _at(source: str, origin: Mapping[Location, str], location: Location) -> str:
    """Return where a value, or the section it belongs in, was written."""
    for length in range(len(location), 0, -1):
        if location[:length] in origin:
            return origin[location[:length]]
    return source


def load_experiment(
    path: str | Path, *, overrides: Sequence[str] = (), trust: bool = True
) -> Experiment:
    """Read and check an experiment file (see `parse_experiment`)."""
    path = Path(path)
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such experiment file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text ({error}).") from None
    return parse_experiment(text, source=str(path), overrides=overrides, trust=trust)


def find_experiments(paths: Sequence[str | Path]) -> list[Path]:
    """Expand folders to their experiment files, sorted by name.

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
