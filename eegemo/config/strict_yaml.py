"""The subset of YAML for experiment files, without surprising or harmful features."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeAlias

import yaml

__all__ = ["LONGEST", "Location", "StrictLoader", "lines_of", "read_text"]

#: Characters of an experiment file. Real ones have a few thousand, and YAML is slow to read.
LONGEST = 200_000
_DEEPEST = 20  # levels: those of an experiment are three

#: Location of a value: keys and list positions from the top.
Location: TypeAlias = tuple[str | int, ...]


class StrictLoader(yaml.SafeLoader):
    """Loader for experiment files: no duplicate keys, aliases or tags; limited size and depth."""

    def __init__(self, stream: str) -> None:
        if len(stream) > LONGEST:
            problem = f"it has {len(stream)} characters; an experiment has {LONGEST} at most"
            raise yaml.MarkedYAMLError(problem=problem)
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse aliases, which can blow up, and tags, which can build objects."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=mark)
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            problem = f"tags ({event.tag}) are not allowed"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem="too deeply nested", problem_mark=event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse duplicate keys, of which YAML would keep the last."""
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                problem = f"keys must be words; found {key!r}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            if key in seen:
                problem = f"the key {key!r} occurs twice, first in line {seen[key]}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen[key] = key_node.start_mark.line + 1
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Read a number, and refuse surprising notations: in YAML, 010 is 8 and 1:30 is 90."""
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
    StrictLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", StrictLoader.construct_number)


def read_text(path: Path) -> str:
    """Read a UTF-8 file, at most one character more than `StrictLoader` accepts."""
    with path.open(encoding="utf-8") as stream:
        return stream.read(LONGEST + 1)


def lines_of(node: yaml.Node | None, location: Location = ()) -> dict[Location, int]:
    """Map the location of every value to its line."""
    if node is None:
        return {}
    lines = {location: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*location, key.value)
            lines |= lines_of(value, inner)
            lines[inner] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for k, value in enumerate(node.value):
            lines |= lines_of(value, (*location, k))
    return lines
