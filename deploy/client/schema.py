"""The product's OpenAPI schema, read into what the client's modules are written from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
JSON, EVENTS, FORM = "application/json", "text/event-stream", "multipart/form-data"
# Headers that the client sets by itself.
OWN_HEADERS = {"Idempotency-Key", "Last-Event-ID"}
# POSTs that the server counts once without an Idempotency-Key: events are known by their source and id.
KNOWN_BY_CONTENT = {"report_usage"}
CLIENT_ID = "client_id"

Schema = dict[str, Any]


class SchemaError(Exception):
    """The schema says something that the generator does not know how to write."""


class Returns(Enum):
    """What an operation gives back."""

    JSON = "json"
    NOTHING = "nothing"
    FILE = "file"
    EVENTS = "events"


@dataclass(frozen=True)
class Parameter:
    """A parameter of the path or the query string."""

    name: str
    place: str
    required: bool
    schema: Schema
    description: str


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    headers: frozenset[str]
    body: Schema | None
    body_type: str
    body_fields: frozenset[str]
    returns: Returns
    answer: Schema | None

    @property
    def form(self) -> bool:
        return self.body_type == FORM

    @property
    def raw(self) -> bool:
        """Whether the body is sent as it is given."""
        return self.body is not None and self.body_type not in {FORM, JSON}

    @property
    def own_headers(self) -> list[str]:
        """Those that a caller gives."""
        return sorted(self.headers - OWN_HEADERS)

    @property
    def keyed(self) -> bool:
        """Whether the server runs it once for each Idempotency-Key."""
        return "Idempotency-Key" in self.headers

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice is the same as once, so that a lost answer may be asked for again."""
        return self.method in {"GET", "PUT", "DELETE"} or self.id in KNOWN_BY_CONTENT

    @property
    def named(self) -> bool:
        """Whether the server does it once for each `client_id` of the body."""
        return CLIENT_ID in self.body_fields

    def placed(self, place: str) -> list[Parameter]:
        found = [parameter for parameter in self.parameters if parameter.place == place]
        if place == "path":
            order = re.findall(r"\{(\w+)\}", self.path)
            return sorted(found, key=lambda parameter: order.index(parameter.name))
        return found


def load() -> Schema:
    """What `manage.py spectacular` writes; Django must be set up."""
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiJsonRenderer

    schema = SchemaGenerator().get_schema(request=None, public=True)
    found: Schema = json.loads(OpenApiJsonRenderer().render(schema, renderer_context={}))
    return found


def operations(schema: Schema) -> list[Operation]:
    """All operations by tag and id; one that answers in two ways is two."""
    found = []
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                found += list(_operation(path, method, methods[method], schema["components"]["schemas"]))
    ids = [operation.id for operation in found]
    if twice := {id for id in ids if ids.count(id) > 1}:
        raise SchemaError(f"several operations are named {', '.join(sorted(twice))}")
    return sorted(found, key=lambda operation: (operation.tag, operation.id))


def _operation(path: str, method: str, given: Schema, components: Schema) -> Iterator[Operation]:
    content, body_type = _body(given)
    parameters = given.get("parameters", [])
    common: dict[str, Any] = {
        "method": method.upper(),
        "path": path,
        "tag": given["tags"][0],
        "summary": given.get("summary", ""),
        "description": given.get("description", ""),
        "parameters": tuple(_parameter(item) for item in parameters if item["in"] in {"path", "query"}),
        "headers": frozenset(item["name"] for item in parameters if item["in"] == "header"),
        "body": content,
        "body_type": body_type,
        "body_fields": frozenset(_resolved(content or {}, components).get("properties", {})),
    }
    answers = _answers(given)
    for returns, answer in answers:
        id = given["operationId"]
        if returns is Returns.EVENTS and len(answers) > 1:
            id += "_events"
        yield Operation(id=id, returns=returns, answer=answer, **common)


def _resolved(schema: Schema, components: Schema) -> Schema:
    found: Schema = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def _parameter(item: Schema) -> Parameter:
    required = item.get("required", item["in"] == "path")
    return Parameter(item["name"], item["in"], required, item["schema"], item.get("description", ""))


def _body(given: Schema) -> tuple[Schema | None, str]:
    """(schema, media type) of what is sent: a form, JSON, or whatever else is taken."""
    content: dict[str, Schema] = given.get("requestBody", {}).get("content", {})
    for kind in (FORM, JSON, *content):
        if kind in content:
            return content[kind].get("schema", {}), kind
    return None, ""


def _answers(given: Schema) -> list[tuple[Returns, Schema | None]]:
    found: dict[Returns, Schema | None] = {}
    for status, response in given["responses"].items():
        if not status.startswith("2"):
            continue
        content = response.get("content", {})
        others = set(content) - {JSON, EVENTS}
        if others:
            found[Returns.FILE] = None
        elif JSON in content:
            found[Returns.JSON] = content[JSON]["schema"]
        if EVENTS in content:
            found[Returns.EVENTS] = None
        if not content:
            found[Returns.NOTHING] = None
    if len(found) > 1 and Returns.EVENTS not in found:
        raise SchemaError(f"{given['operationId']} answers in ways that have no common type")
    return list(found.items())
