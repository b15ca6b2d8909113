"""What of a call becomes which input: JSONPath (RFC 9535), without what could take long."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from jsonpath import JSONPathEnvironment, JSONPathError

LONGEST_PATH, LONGEST_TEXT, MOST_INPUTS = 200, 2_000, 30


class MappingError(ValueError):
    """A path that cannot be read, or is not taken; the message is for people."""


def _environment() -> JSONPathEnvironment:
    environment = JSONPathEnvironment(strict=True)
    # Among them are regular expressions, which a call could make run for minutes.
    environment.function_extensions.clear()
    return environment


_ENVIRONMENT = _environment()


@lru_cache(maxsize=1_000)
def _compiled(path: str) -> Any:
    # Each descent, filter and look back at the root goes through all that is there: of several, each for all that the
    # others have found.
    if len(path) > LONGEST_PATH or path.count("..") + path.count("?") > 1 or "$" in path[1:]:
        raise MappingError(path)
    try:
        return _ENVIRONMENT.compile(path)
    except (JSONPathError, RecursionError, ValueError) as error:
        raise MappingError(path) from error


def check(path: str) -> None:
    """Raises MappingError for a path that is none; what does not begin with `$` is a text and always right."""
    if path.startswith("$"):
        _compiled(path)


def inputs_of(mapping: Mapping[str, str], payload: Any) -> dict[str, Any]:
    """The inputs that are found: of each path the first value, of a text the text itself."""
    found = {}
    for name, path in mapping.items():
        value = _first(path, payload) if path.startswith("$") else path
        if value is not None:
            found[name] = value
    return found


def _first(path: str, payload: Any) -> Any:
    try:
        return next((match.obj for match in _compiled(path).finditer(payload)), None)
    except (JSONPathError, RecursionError) as error:
        raise MappingError(path) from error


def payload_of(body: bytes) -> Any:
    """A call's body as JSON, or as the fields of a form, of which `payload` may hold JSON; raises ValueError."""
    text = body.decode("utf-8")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError:
        fields: dict[str, Any] = dict(parse_qsl(text, strict_parsing=True, max_num_fields=100))
        if "payload" in fields:
            fields["payload"] = json.loads(fields["payload"])
        return fields
