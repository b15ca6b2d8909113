"""Serializer fields that take JSON at its word: no text where a number belongs, no unknown names."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.errors import UnknownParameter

# Beyond this no number of an API means anything, and arithmetic on it may overflow.
LARGEST = 2**63 - 1


def _number(field: serializers.Field[Any, Any, Any, Any], data: Any) -> int | float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        field.fail("invalid")
    if not (isinstance(data, int) or math.isfinite(data)) or abs(data) > LARGEST:
        field.fail("too_large")
    number: int | float = data
    return number


class WholeNumber(serializers.IntegerField):
    """A JSON integer; 3.0 is one too, "3" and true are not."""

    default_error_messages = {"invalid": "Must be a whole number.", "too_large": "This number is too large."}

    def to_internal_value(self, data: Any) -> int:
        number = _number(self, data)
        if isinstance(number, float) and not number.is_integer():
            self.fail("invalid")
        return int(number)


class Number(serializers.FloatField):
    """A finite JSON number."""

    default_error_messages = {"invalid": "Must be a number.", "too_large": "This number is too large."}

    def to_internal_value(self, data: Any) -> float:
        return float(_number(self, data))


class Flag(serializers.BooleanField):
    """JSON true or false, and nothing that resembles them."""

    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return bool(data)


class Id(serializers.UUIDField):
    """An id as a JSON string; a number, which a UUID could be made of as well, is none."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        found: UUID = super().to_internal_value(data)
        return found


class OneOf(serializers.ChoiceField):
    """One of a few JSON values, and not a text that reads like it."""

    def to_internal_value(self, data: Any) -> Any:
        for choice in self.choices:
            if _kind(data) is _kind(choice) and data == choice:
                return choice
        return self.fail("invalid_choice", input=data)


def _kind(value: Any) -> type:
    """True == 1 in Python, and not in JSON, where 1.0 is 1."""
    return float if type(value) is int else type(value)


class Text(serializers.CharField):
    """A JSON string, kept as it is; without NUL and lone surrogates, which no database stores."""

    default_error_messages = {"invalid": "Must be a string."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "minLength": 1, "maxLength": 100},
            {"type": "array", "maxItems": 4, "items": {"type": "string", "minLength": 1, "maxLength": 100}},
            {"type": "null"},
        ]
    }
)
class TextOrTexts(serializers.Field[Any, Any, Any, Any]):
    """One string or a list of strings; the value is always a tuple."""

    default_error_messages = {"invalid": "Must be a string or a list of strings."}

    def to_internal_value(self, data: Any) -> tuple[str, ...]:
        values = [data] if isinstance(data, str) else data
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self.fail("invalid")
        return tuple(values)

    def to_representation(self, value: Any) -> Any:
        return list(value)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses names it does not know, naming the first, instead of dropping them silently; null means absent."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields) - self.also_known())
            if unknown:
                name = unknown[0][:100]
                raise UnknownParameter(f"Unrecognized request argument supplied: {name}", param=name)
            data = {name: value for name, value in data.items() if value is not None}
        values: dict[str, Any] = super().to_internal_value(data)
        return values

    def also_known(self) -> frozenset[str]:
        """Names that are accepted without being fields."""
        return frozenset()
