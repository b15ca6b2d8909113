"""YAML with the line of every value, for errors that say where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

# What a person writes is far smaller; aliases could make much of little, and are not read at all.
LONGEST, DEEPEST = 500_000, 40


class Unreadable(ValueError):
    """Not YAML, or not of the kind that is read; `line` counts from one."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Lined:
    """A value and the line that it begins in; mappings and lists hold `Lined` again."""

    value: Any
    line: int

    def items(self) -> Iterator[tuple[str, Lined]]:
        return iter(self.value.items()) if isinstance(self.value, dict) else iter(())

    def get(self, name: str) -> Lined | None:
        return self.value.get(name) if isinstance(self.value, dict) else None


def read_lines(text: str) -> Lined:
    """Raises Unreadable."""
    if len(text) > LONGEST:
        raise Unreadable(1, f"a file has at most {LONGEST} characters")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, f"no valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Unreadable(1, "no valid YAML") from error
    return Lined(None, 1) if node is None else _lined(node, set(), 0)


def _lined(node: yaml.Node, seen: set[int], depth: int) -> Lined:
    line = node.start_mark.line + 1
    if id(node) in seen:
        raise Unreadable(line, "anchors and aliases are not read")
    seen.add(id(node))
    if depth > DEEPEST:
        raise Unreadable(line, "is nested too deeply")
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Lined] = {}
        for key, value in node.value:
            name = str(getattr(key, "value", ""))
            if not isinstance(key, yaml.ScalarNode) or name in found:
                raise Unreadable(
                    key.start_mark.line + 1, f"“{name}” stands here twice" if name in found else "is no name"
                )
            # What stands in lines of its own below a name is told with the name's line.
            found[name] = Lined(_lined(value, seen, depth + 1).value, key.start_mark.line + 1)
        return Lined(found, line)
    if isinstance(node, yaml.SequenceNode):
        return Lined([_lined(each, seen, depth + 1) for each in node.value], line)
    return Lined(_scalar(node), line)


def _scalar(node: yaml.Node) -> Any:
    """Texts stay texts where they are quoted; dates stay as they were written."""
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    if tag == "bool":
        return node.value.lower() in {"yes", "true", "on", "y"}
    if tag == "int" and node.value.lstrip("+-").isdecimal():
        return int(node.value)
    if tag == "null":
        return None
    return node.value
