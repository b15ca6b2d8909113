"""The OpenAPI document as a page is drawn from it: groups of operations, each with its fields and an example.

Pure: from the document's dictionaries to frozen rows, so that the page needs no script and follows the API by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.utils.text import slugify

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 2
Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body; `depth` says within how many others it lies."""

    name: str
    kind: str
    words: str
    required: bool
    depth: int = 0
    place: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    words: str
    kind: str


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    words: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    example: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    operations: tuple[Operation, ...]

    @property
    def id(self) -> str:
        return f"group-{slugify(self.name)}"


def groups_of(document: Node) -> list[Group]:
    """The operations by their first tag, in the document's order."""
    found: dict[str, list[Operation]] = {}
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if operation := item.get(method):
                tag = next(iter(operation.get("tags") or ["Other"]))
                found.setdefault(tag, []).append(_operation(document, path, method, operation))
    return [Group(name, tuple(operations)) for name, operations in found.items()]


def _operation(document: Node, path: str, method: str, node: Node) -> Operation:
    content = next(iter(_resolved(document, node.get("requestBody", {})).get("content", {}).items()), None)
    schema = content[1].get("schema", {}) if content else {}
    return Operation(
        id=node.get("operationId", f"{method}-{slugify(path)}"),
        method=method.upper(),
        path=path,
        summary=node.get("summary", "") or path,
        words=node.get("description", ""),
        parameters=tuple(_parameter(document, one) for one in node.get("parameters", [])),
        body=tuple(_fields(document, schema)),
        example=_example(document, content[1] if content else {}, schema),
        answers=tuple(_answer(document, status, one) for status, one in node.get("responses", {}).items()),
    )


def _resolved(document: Node, node: Node) -> Node:
    """What a reference names; anything else as it is."""
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def _parameter(document: Node, node: Node) -> Field:
    node = _resolved(document, node)
    kind = kind_of(document, node.get("schema", {}))
    return Field(node["name"], kind, node.get("description", ""), node.get("required", False), place=node["in"])


def kind_of(document: Node, node: Node) -> str:
    """A schema in a few words: `string`, `array of integer`, `“a” or “b”`."""
    node = _resolved(document, node)
    for key in ("oneOf", "anyOf", "allOf"):
        if key in node:
            return " or ".join(dict.fromkeys(kind_of(document, one) for one in node[key]))
    if "enum" in node:
        return " or ".join(json.dumps(value, ensure_ascii=False) for value in node["enum"])
    if "const" in node:
        return json.dumps(node["const"], ensure_ascii=False)
    kinds = node.get("type", "any")
    words = [kinds] if isinstance(kinds, str) else list(kinds)
    if "array" in words:
        words[words.index("array")] = f"array of {kind_of(document, node.get('items', {}))}"
    return " or ".join(words) + (f" ({node['format']})" if "format" in node else "")


def _fields(document: Node, node: Node, depth: int = 0) -> Iterator[Field]:
    node = _resolved(document, node)
    for key in ("oneOf", "anyOf", "allOf"):
        for one in node.get(key, ()):
            yield from _fields(document, one, depth)
    needed = set(node.get("required", ()))
    for name, schema in node.get("properties", {}).items():
        inner = _resolved(document, schema)
        words = schema.get("description") or inner.get("description", "")
        yield Field(name, kind_of(document, schema), words, name in needed, depth)
        if depth < DEEPEST:
            yield from _fields(document, inner.get("items", inner), depth + 1)


def _example(document: Node, content: Node, schema: Node) -> str:
    """The first example that is given, as JSON."""
    for one in content.get("examples", {}).values():
        return json.dumps(_resolved(document, one).get("value"), ensure_ascii=False, indent=2)
    found = content.get("example", _resolved(document, schema).get("example"))
    return json.dumps(found, ensure_ascii=False, indent=2) if found is not None else ""


def _answer(document: Node, status: str, node: Node) -> Answer:
    node = _resolved(document, node)
    words = node.get("description") or (HTTPStatus(int(status)).phrase if status.isdigit() else "")
    content: dict[str, Any] = node.get("content", {})
    nothing: tuple[str, dict[str, Any]] = ("", {})
    name, kind = next(iter(content.items()), nothing)
    reference = kind.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return Answer(status, words, reference or name)
