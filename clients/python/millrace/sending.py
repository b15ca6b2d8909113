"""A call as an HTTP request, and an HTTP answer as what the call gives back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from millrace import errors
from millrace.shapes import Call, Download, File, Options, filename_of


def prepared(call: Call[Any], options: Options) -> Call[Any]:
    """The call with what must be the same in every attempt: the id it is known by, and the bytes of its files."""
    headers = {name: value for name, value in call.headers.items() if value is not None} | dict(options.headers)
    if call.keyed:
        headers["Idempotency-Key"] = options.idempotency_key or str(uuid.uuid4())
    elif options.idempotency_key:
        raise ValueError(f"{call.operation} takes no idempotency key")
    body = call.body
    if call.named and isinstance(body, Mapping) and body.get("client_id") is None:
        body = {**body, "client_id": str(uuid.uuid4())}
    form = None
    if call.form is not None:
        form = {
            name: [_content(each) for each in _each(value)] for name, value in call.form.items() if value is not None
        }
    return replace(call, headers=headers, body=body, form=form)


def request_of(
    call: Call[Any], http: httpx.Client | httpx.AsyncClient, timeout: float | httpx.Timeout
) -> httpx.Request:
    """What is sent for a prepared call."""
    headers = {"accept": "text/event-stream" if call.returns == "events" else "application/json, */*;q=0.5"}
    headers |= {name: str(value) for name, value in call.headers.items()}
    content, files = None, None
    if call.form is not None:
        # A value without a name of a file is a plain field.
        parts = [(name, each) for name, values in call.form.items() for each in _each(values)]
        files = [(name, each if isinstance(each, tuple) else (None, str(each))) for name, each in parts]
    elif call.body is not None:
        headers["content-type"] = call.media_type
        content = _written(call)
    return http.build_request(
        call.method,
        address_of(call),
        params=_query(call.query),
        headers=headers,
        content=content,
        files=files,
        timeout=timeout,
    )


def _each(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _written(call: Call[Any]) -> bytes:
    """The body as bytes; one that can be answered in pieces asks for them."""
    if isinstance(call.body, bytes):
        return call.body
    body = call.body
    if call.returns == "events" and isinstance(body, Mapping):
        body = {**body, "stream": True}
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def address_of(call: Call[Any]) -> str:
    """The path, filled in; nothing in an id can lead to another address."""
    path = call.address
    for name, value in call.path.items():
        text = str(value)
        if text in {"", ".", ".."}:
            raise ValueError(f"{name} is {text!r}, which is no part of an address")
        path = path.replace("{" + name + "}", quote(text, safe=""))
    return path


def _query(query: Mapping[str, object]) -> httpx.QueryParams:
    found: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in query.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            if item is not None:
                found.append((name, str(item).lower() if isinstance(item, bool) else str(item)))
    return httpx.QueryParams(found)


def _content(value: object) -> object:
    """A file as (name, bytes), read once so that it can be sent again; other fields as they are."""
    if isinstance(value, Path):
        return value.name, value.read_bytes()
    if isinstance(value, bytes):
        return "file", value
    if hasattr(value, "read"):
        return Path(str(getattr(value, "name", "file"))).name, value.read()
    return value


def result_of(call: Call[Any], response: httpx.Response) -> Any:
    """What the call gives back; raises the server's error. The response must have been read."""
    if not response.is_success:
        raise errors.from_answer(response.status_code, response.headers, response.content)
    if call.returns == "nothing":
        return None
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    if call.returns == "file":
        return Download(response.content, kind, filename_of(response.headers.get("content-disposition", "")))
    try:
        return json.loads(response.content)
    except ValueError:
        raise errors.UnexpectedAnswer(
            f"{response.request.url} answered {response.status_code} with {kind or 'something'} that is no JSON: "
            "is a Millrace there?"
        ) from None


__all__ = ["File", "address_of", "prepared", "request_of", "result_of"]
