"""Attributes that customers give their contacts and conversations, checked against what the desk says of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_noop

from apps.core.errors import InvalidRequest
from apps.support.models import AttributeDefinition, AttributeKind, AttributeOf

MOST_ATTRIBUTES, LONGEST_ATTRIBUTE, LONGEST_NAME = 50, 1_000, 60
BAD_ATTRIBUTES = gettext_noop("Attributes are up to 50 names, each with a short text, a number or a truth value.")
WRONG: dict[str, str] = {
    AttributeKind.NUMBER: gettext_noop("%(name)s must be a number."),
    AttributeKind.CURRENCY: gettext_noop("%(name)s must be a number."),
    AttributeKind.PERCENT: gettext_noop("%(name)s must be a number."),
    AttributeKind.LINK: gettext_noop("%(name)s must be a link that begins with https:// or http://."),
    AttributeKind.DATE: gettext_noop("%(name)s must be a date like 2026-01-31."),
    AttributeKind.LIST: gettext_noop("%(name)s must be one of its list."),
    AttributeKind.CHECKBOX: gettext_noop("%(name)s must be true or false."),
}
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?")


def checked(given: Mapping[str, Any], of: AttributeOf, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The attributes, each as its definition has it, in scope; raises InvalidRequest.

    What was so `before` is not looked at: a definition says nothing about what is older than it. Names without a
    definition have any value.
    """
    values = _shaped(given)
    known = _definitions(of, [name for name in values if before is None or before.get(name) != values[name]])
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
    """The value as a definition wants it, where it can be read so; None takes a value away."""
    if value is None:
        return None
    read = _READ.get(AttributeKind(definition.kind))
    found = read(definition, value) if read else value
    if found is None:
        values = {"name": definition.name}
        raise InvalidRequest(WRONG[AttributeKind(definition.kind)], values=values, param="custom_attributes")
    return found


def _shaped(given: Mapping[str, Any]) -> dict[str, Any]:
    right = len(given) <= MOST_ATTRIBUTES and all(
        isinstance(name, str)
        and 0 < len(name) <= LONGEST_NAME
        and (value is None or isinstance(value, bool | int | float | str))
        and len(str(value)) <= LONGEST_ATTRIBUTE
        for name, value in given.items()
    )
    if not right:
        raise InvalidRequest(BAD_ATTRIBUTES, param="custom_attributes")
    return dict(given)


def _definitions(of: AttributeOf, names: list[str]) -> dict[str, AttributeDefinition]:
    if not names:
        return {}
    return {row.key: row for row in AttributeDefinition.objects.filter(of=of, key__in=names)}


# ---------------------------------------------------------------- how values are read; None where they cannot be


def _number(_definition: AttributeDefinition, value: Any) -> Any:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if isfinite(value) else None
    text = value.strip()
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) if "." in text else int(text)


def _link(_definition: AttributeDefinition, value: Any) -> Any:
    if not isinstance(value, str):
        return None
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return None
    return value.strip() if parts.scheme in ("http", "https") and parts.hostname else None


def _date(_definition: AttributeDefinition, value: Any) -> Any:
    """A day, or a moment as Chatwoot's own pages send it."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        return text if parse_date(text) or parse_datetime(text) else None
    except ValueError:
        return None


def _choice(definition: AttributeDefinition, value: Any) -> Any:
    return value if value in definition.choices else None


def _truth(_definition: AttributeDefinition, value: Any) -> Any:
    return {"true": True, "false": False}.get(str(value).strip().lower())


_READ: dict[AttributeKind, Callable[[AttributeDefinition, Any], Any]] = {
    AttributeKind.NUMBER: _number,
    AttributeKind.CURRENCY: _number,
    AttributeKind.PERCENT: _number,
    AttributeKind.LINK: _link,
    AttributeKind.DATE: _date,
    AttributeKind.LIST: _choice,
    AttributeKind.CHECKBOX: _truth,
}
