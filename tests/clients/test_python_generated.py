"""The generated part of the Python client is what the present schema gives, and calls what the schema says."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NotRequired, get_origin, get_type_hints
from urllib.parse import parse_qsl, unquote

import httpx
import pytest

from deploy.client import codes as listed_codes
from deploy.client import schema as reading
from deploy.client import writing
from deploy.client.schema import Operation, Returns
from millrace import AsyncMillrace, Millrace, codes
from millrace import types as client_types

UUID = "0190a000-0000-7000-8000-000000000000"
FILE = ("notes.txt", b"Tea is warm.")


@cache
def schema() -> dict[str, Any]:
    return reading.load()


def test_the_client_fits_the_schema() -> None:
    present, expected = writing.present(writing.PACKAGE), writing.generate(schema())
    outdated = sorted(str(path) for path in expected.keys() | present.keys() if present.get(path) != expected.get(path))
    assert not outdated, "run `make client`"


# ---------------------------------------------------------------- every operation


@dataclass(frozen=True)
class Wanted:
    """A call of an operation, and what must be sent for it."""

    path: dict[str, Any]
    query: dict[str, Any]
    body: Any


def wanted(operation: Operation) -> Wanted:
    path = {item.name: sample(item.schema) for item in operation.placed("path")}
    query = {item.name: sample(item.schema) for item in operation.placed("query")}
    return Wanted(path, query, None if operation.body is None else example(operation))


def example(operation: Operation) -> Any:
    """The schema's own example of a body, or one made from its types."""
    body = schema()["paths"][operation.path][operation.method.lower()]["requestBody"]["content"]
    for content in body.values():
        for found in content.get("examples", {}).values():
            return found["value"]
    return sample(operation.body or {})


def sample(node: dict[str, Any]) -> Any:
    """A value of a type; of an object all properties."""
    if "$ref" in node:
        return sample(schema()["components"]["schemas"][node["$ref"].rpartition("/")[2]])
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in node and "properties" not in node:
            return sample(node[choice][0])
    if "enum" in node:
        return node["enum"][0]
    kinds = node.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        return {name: sample(inner) for name, inner in node.get("properties", {"a": {}}).items()}
    if kind == "array":
        return [sample(node.get("items", {}))]
    return {"integer": 3, "number": 0.5, "boolean": True, "null": None}.get(kind) or _text(node)


def _text(node: dict[str, Any]) -> Any:
    return {"uuid": UUID, "binary": FILE}.get(node.get("format", ""), "tea & “cups”")


def arguments(operation: Operation, call: Wanted) -> tuple[list[Any], dict[str, Any]]:
    """The same as arguments of the client's method."""
    positional = [call.path[item.name] for item in operation.placed("path")]
    named = {f"{name}_" if name == "from" else name: value for name, value in call.query.items()}
    if operation.body is None:
        return positional, named
    if isinstance(call.body, dict) and "$ref" in operation.body:
        return positional, named | call.body
    return [*positional, call.body], named


def compare(request: httpx.Request, operation: Operation, call: Wanted) -> None:
    """Method, address and body are as the schema says."""
    assert request.method == operation.method
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(operation.path))
    path, _, query = request.url.raw_path.decode().partition("?")
    found = re.fullmatch(pattern, path)
    assert found, path
    assert {name: unquote(value) for name, value in found.groupdict().items()} == {
        name: str(value) for name, value in call.path.items()
    }
    given = [
        (name, each) for name, value in call.query.items() for each in (value if isinstance(value, list) else [value])
    ]
    assert sorted(parse_qsl(query)) == sorted(
        (name, str(value).lower() if value is True else str(value)) for name, value in given
    )
    assert ("idempotency-key" in request.headers) == operation.keyed
    if operation.body is None:
        assert not request.content
    elif operation.form:
        assert FILE[1] in request.content
        for name in call.body:
            assert f'name="{name}"'.encode() in request.content
    else:
        streaming = {"stream": True} if operation.returns is Returns.EVENTS else {}
        body = json.loads(request.content)
        assert body == (call.body | streaming if streaming else call.body)


def answered(operation: Operation) -> httpx.Response:
    """Something that the client takes for a success of this kind."""
    if operation.returns is Returns.EVENTS:
        return httpx.Response(200, content=b"id: 1-1\nevent: done\ndata: [DONE]\n\n")
    return httpx.Response(204 if operation.returns is Returns.NOTHING else 200, content=b'{"object": "x"}')


def every_operation() -> Iterator[tuple[Operation, Wanted]]:
    for operation in reading.operations(schema()):
        yield operation, wanted(operation)


def test_every_operation_is_called_as_the_schema_says() -> None:
    seen: list[httpx.Request] = []
    current: list[Operation] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answered(current[-1])

    with Millrace("http://server", "mr_x", http=httpx.Client(transport=httpx.MockTransport(serve))) as client:
        for operation, call in every_operation():
            current.append(operation)
            positional, named = arguments(operation, call)
            result = getattr(client, operation.id)(*positional, **named)
            if operation.returns is Returns.EVENTS:
                list(result)
            compare(seen.pop(), operation, call)
            assert not seen
    assert len(current) > 250


async def test_so_is_the_client_for_event_loops() -> None:
    seen: list[httpx.Request] = []
    current: list[Operation] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answered(current[-1])

    http = httpx.AsyncClient(transport=httpx.MockTransport(serve))
    async with AsyncMillrace("http://server", "mr_x", http=http) as client:
        for operation, call in every_operation():
            current.append(operation)
            positional, named = arguments(operation, call)
            result = getattr(client, operation.id)(*positional, **named)
            if operation.returns is Returns.EVENTS:
                assert [event async for event in result] == []
            else:
                await result
            compare(seen.pop(), operation, call)


def test_every_type_has_the_fields_of_the_schema() -> None:
    missing = []
    for name, component in schema()["components"]["schemas"].items():
        found = getattr(client_types, name, None)
        if found is None:
            missing.append(name)
            continue
        hints = get_type_hints(found, include_extras=True)
        assert set(hints) == set(component["properties"]), name
        required = {field for field, hint in hints.items() if get_origin(hint) is not NotRequired}
        assert required == set(component.get("required", [])), name
    # Pages are one generic type, and errors are exceptions. Where a form is taken as well, the client sends that.
    others = r"(Paginated|Error)\w*|\w+List|WritePublicMessageRequest"
    assert [name for name in missing if not re.fullmatch(others, name)] == []


def test_every_documented_code_is_an_exception() -> None:
    documented = {code.name: code.status for code in listed_codes.listed()}
    assert set(codes.CODES) == set(documented)
    assert all(inspect.getdoc(cls) for cls in codes.CODES.values())


def changed(path: str, method: str, **fields: Any) -> dict[str, Any]:
    """The schema with another operation."""
    found: dict[str, Any] = json.loads(json.dumps(schema()))
    found["paths"][path][method] |= fields
    return found


def test_what_no_operation_has_yet_is_written_as_well() -> None:
    call_in = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    headers = [{"in": "header", "name": "webhook-id", "schema": {"type": "string"}}]
    sources = writing.generate(changed("/api/v1/models", "get", requestBody=call_in, parameters=headers))
    text = next(source for path, source in sources.items() if path.as_posix() == "api/models_and_usage.py")
    assert "self, body: bytes, /, *, webhook_id: str | None = None, options" in text
    assert 'media_type="text/plain"' in text and 'headers={"webhook-id": webhook_id}' in text


def test_a_schema_that_the_generator_cannot_write_is_refused() -> None:
    clashing = changed("/api/v1/models", "get")
    clashing["components"]["schemas"]["CreateGenerationRequest"]["properties"]["options"] = {"type": "string"}
    with pytest.raises(reading.SchemaError, match="options twice"):
        writing.generate(clashing)
    with pytest.raises(reading.SchemaError, match="get_usage"):
        writing.generate(changed("/api/v1/models", "get", operationId="get_usage"))
