"""Methods for the schema's operations: a class for each tag, once for each of the two clients."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.client.schema import Operation, Returns, SchemaError
from deploy.client.types import Types, docstring, python_name

OPTIONS = "options: Options | None = None"


@dataclass(frozen=True)
class Flavour:
    """How the methods of one client differ from the other's."""

    folder: str
    base: str
    define: str
    wait: str
    stream: str
    whole: str


SYNC = Flavour("api", "SyncCalls", "def", "", "EventStream", "SyncApi")
ASYNC = Flavour("api/aio", "AsyncCalls", "async def", "await ", "AsyncEventStream", "AsyncApi")


def method(operation: Operation, types: Types, flavour: Flavour) -> str:
    """The source of one method."""
    arguments, sent = _arguments(operation, types)
    returned = _returned(operation, types)
    events = operation.returns is Returns.EVENTS
    lines = [
        f"    {'def' if events else flavour.define} {operation.id}({', '.join(['self', *arguments])})"
        f" -> {flavour.stream if events else returned}:"
    ]
    lines += docstring([_sentence(operation.summary), operation.description, _notes(operation)], " " * 8)
    call = f"Call[{returned}]({', '.join(sent)})"
    lines.append(f"        return {'self._events' if events else f'{flavour.wait}self._send'}({call}, options)")
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."


def _notes(operation: Operation) -> str:
    """What the parameters of the query mean, where the schema says so."""
    told = [item for item in operation.placed("query") if item.description]
    return " ".join(f"`{python_name(item.name)}`: {_sentence(item.description)}" for item in told)


def _returned(operation: Operation, types: Types) -> str:
    if operation.returns is Returns.JSON and operation.answer is not None:
        return types.expression(operation.answer, "t.")
    return "Download" if operation.returns is Returns.FILE else "None"


def _arguments(operation: Operation, types: Types) -> tuple[list[str], list[str]]:
    """(parameters of the method, arguments of the call it makes)."""
    path, query = operation.placed("path"), operation.placed("query")
    before = [f"{python_name(item.name)}: {types.expression(item.schema)}" for item in path]
    named = []
    for item in sorted(query, key=lambda item: not item.required):
        kind = types.expression(item.schema)
        named.append(f"{python_name(item.name)}: {kind if item.required else f'{kind} | None = None'}")
    sent = [repr(operation.method).replace("'", '"'), f'"{operation.path}"', f'"{operation.id}"']
    if path:
        sent.append("path={" + ", ".join(f'"{item.name}": {python_name(item.name)}' for item in path) + "}")
    if query:
        sent.append("query={" + ", ".join(f'"{item.name}": {python_name(item.name)}' for item in query) + "}")
    taken = {python_name(item.name) for item in query} | {header_name(name) for name in operation.own_headers}
    body, behind = _body(operation, types, taken)
    before += body
    if operation.body is not None:
        sent.append("form=body" if operation.form else "body=body")
    if operation.raw:
        sent.append(f'media_type="{operation.body_type}"')
    sent += [f"{name}=True" for name in ("keyed", "named", "repeatable") if getattr(operation, name)]
    if operation.returns in {Returns.FILE, Returns.EVENTS, Returns.NOTHING}:
        sent.append(f'returns="{operation.returns.value}"')
    if operation.own_headers:
        named += [f"{header_name(name)}: str | None = None" for name in operation.own_headers]
        sent.append("headers={" + ", ".join(f'"{name}": {header_name(name)}' for name in operation.own_headers) + "}")
    return [*before, *(["/"] if before else []), "*", *named, OPTIONS, *behind], sent


def _body(operation: Operation, types: Types, taken: set[str]) -> tuple[list[str], list[str]]:
    """What is sent, as (positional parameter, keyword parameters): an object's fields are keywords."""
    if operation.body is None:
        return [], []
    if operation.raw:
        return ["body: bytes"], []
    kind = types.expression(operation.body, "t.")
    fields = types.properties(operation.body)
    if fields is None:
        return [f"body: {kind}"], []
    if clash := set(fields) & (taken | {"options", "self"}):
        raise SchemaError(f"{operation.id} has {', '.join(sorted(clash))} twice")
    return [], [f"**body: Unpack[{kind}]"]


def module(name: str, operations: list[Operation], types: Types, flavour: Flavour) -> str:
    """The source of one module: `name` becomes its class's."""
    text = "\n\n".join(method(operation, types, flavour) for operation in operations)
    typing = [item for item in ("Any", "Literal", "Unpack") if re.search(rf"\b{item}\b", text)]
    shapes = [item for item in ("Call", "Download", "File", "Options", "Page") if re.search(rf"\b{item}\b", text)]
    lines = ["from __future__ import annotations", ""]
    if typing:
        lines += [f"from typing import {', '.join(typing)}", ""]
    if re.search(r"\bt\.", text):
        lines.append("from millrace import types as t")
    lines.append(f"from millrace.calls import {flavour.base}")
    lines.append(f"from millrace.shapes import {', '.join(shapes)}")
    if flavour.stream in re.findall(r"\w+", text):
        lines.append(f"from millrace.streams import {flavour.stream}")
    head = f"class {class_of(name)}({flavour.base}):"
    told = f'    """{operations[0].tag}."""\n\n'
    return "\n".join(lines) + f"\n\n\n{head}\n{told}{text}\n"


def header_name(name: str) -> str:
    """`if_match` for `If-Match`."""
    return python_name(name.lower())


def class_of(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
