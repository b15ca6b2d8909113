"""Attributes that customers give their contacts and conversations, checked against what the desk says of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_noop

from apps.core.errors import InvalidRequest
from apps.support.models import AttributeDefinition, AttributeKind, AttributeOf

MOST_ATTRIBUTES, LONGEST_ATTRIBUTE, LONGEST_NAME = 50, 1_000, 60
BAD_ATTRIBUTES = gettext_noop("Attributes are up to 50 names, each with a short text, a number or a truth value.")
PARAM = "custom_attributes"
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?")


def checked(given: Mapping[str, Any], of: AttributeOf, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The attributes, each as its definition has it, in scope; raises InvalidRequest.

    What was so `before` is not looked at: a definition says nothing about what is older than it. Names without a
    definition have any value.
    """
    values = _shaped(given)
    known = _definitions(
        of, [name for name in values if before is None or not _is_same(before.get(name), values[name])]
    )
    for name, definition in known.items():
        values[name] = fitted(definition, values[name])
    return values


def fitting(given: Mapping[str, Any], of: AttributeOf) -> dict[str, Any]:
    """Those that are as their definitions say, in scope: a site that says what was right once keeps its window."""
    values = _shaped(given)
    for name, definition in _definitions(of, list(values)).items():
        try:
            fitted(definition, values[name])
        except InvalidRequest:
            del values[name]
    return values


def fitted(definition: AttributeDefinition, value: Any) -> Any:
    """The value as a definition wants it, where it can be read so; None takes a value away. Raises InvalidRequest."""
    read = _READ.get(AttributeKind(definition.kind))
    return value if read is None or value is None else read(definition.name, definition.choices, value)


def _shaped(given: Mapping[str, Any]) -> dict[str, Any]:
    right = len(given) <= MOST_ATTRIBUTES and all(
        isinstance(name, str)
        and 0 < len(name) <= LONGEST_NAME
        and (value is None or isinstance(value, bool | int | float | str))
        and len(str(value)) <= LONGEST_ATTRIBUTE
        for name, value in given.items()
    )
    if not right:
        raise InvalidRequest(BAD_ATTRIBUTES, param=PARAM)
    return dict(given)


def _is_same(one: Any, other: Any) -> bool:
    """Also of one type: to Python `True` is 1."""
    return type(one) is type(other) and one == other


def _definitions(of: AttributeOf, names: list[str]) -> dict[str, AttributeDefinition]:
    if not names:
        return {}
    return {row.key: row for row in AttributeDefinition.objects.filter(of=of, key__in=names)}


# ---------------------------------------------------------------- how values are read


def _number(name: str, _choices: Sequence[str], value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text):
        raise InvalidRequest("%(name)s must be a number.", values={"name": name}, param=PARAM)
    return float(text) if "." in text else int(text)


def _link(name: str, _choices: Sequence[str], value: Any) -> Any:
    text = value.strip() if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        is_link = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_link = False
    if not is_link:
        raise InvalidRequest(
            "%(name)s must be a link that begins with https:// or http://.", values={"name": name}, param=PARAM
        )
    return text


def _date(name: str, _choices: Sequence[str], value: Any) -> Any:
    """A day, or a moment as Chatwoot's own pages send it."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        is_date = bool(parse_date(text) or parse_datetime(text))
    except ValueError:
        is_date = False
    if not is_date:
        raise InvalidRequest("%(name)s must be a date like 2026-01-31.", values={"name": name}, param=PARAM)
    return text


def _choice(name: str, choices: Sequence[str], value: Any) -> Any:
    if value not in choices:
        raise InvalidRequest("%(name)s must be one of its list.", values={"name": name}, param=PARAM)
    return value


def _truth(name: str, _choices: Sequence[str], value: Any) -> Any:
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise InvalidRequest("%(name)s must be true or false.", values={"name": name}, param=PARAM)
    return text == "true"


_READ: dict[AttributeKind, Callable[[str, Sequence[str], Any], Any]] = {
    AttributeKind.NUMBER: _number,
    AttributeKind.CURRENCY: _number,
    AttributeKind.PERCENT: _number,
    AttributeKind.LINK: _link,
    AttributeKind.DATE: _date,
    AttributeKind.LIST: _choice,
    AttributeKind.CHECKBOX: _truth,
}
