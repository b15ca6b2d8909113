"""The types of events that there are: declared by each app in its `event_types.py`, and found here.

From these declarations come the catalogue that programs read, its page, and what an endpoint may ask for; tests hold
every event that is recorded against them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.utils.functional import Promise

Schema = dict[str, Any]

# What a message may weigh: Standard Webhooks asks for less than 20 kB.
MOST_BYTES = 20_000

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
YES_OR_NO: Schema = {"type": "boolean"}
ID: Schema = {"type": "string", "format": "uuid"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MOMENT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
MONTH: Schema = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}


@dataclass(frozen=True, slots=True)
class EventType:
    """One type: what its `object_id` is the id of, the facts that are always there, and those that may be."""

    name: str
    about: str | Promise
    always: Mapping[str, Schema] = field(default_factory=dict)
    sometimes: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Schema]:
        return {**self.always, **self.sometimes}

    def schema(self, strict: bool = False) -> Schema:
        """The JSON Schema (2020-12) of an event's facts; `strict` knows no others, which later versions may add."""
        found: Schema = {"type": "object", "properties": self.facts, "required": sorted(self.always)}
        return found | ({"additionalProperties": False} if strict else {})


def types_of(
    about: str | Promise,
    names: str,
    always: Mapping[str, Schema] | None = None,
    sometimes: Mapping[str, Schema] | None = None,
) -> Iterable[EventType]:
    """Several types with the same facts, by their names with blanks between."""
    return [EventType(name, about, always or {}, sometimes or {}) for name in names.split()]


class EventTypeError(RuntimeError):
    """Two apps declare the same type."""


@cache
def catalogue() -> dict[str, EventType]:
    """Every declared type by its name, in the order of the alphabet."""
    found = [each for module in _modules() for each in module.EVENT_TYPES]
    names = [each.name for each in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise EventTypeError(f"declared twice: {', '.join(twice)}")
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


def matches(type: str, patterns: Iterable[str]) -> bool:
    """Whether a type is asked for: by its name, by `group.*`, or by an empty list, which means all."""
    wanted = set(patterns)
    return not wanted or type in wanted or f"{type.partition('.')[0]}.*" in wanted


def unknown_among(patterns: Iterable[str]) -> list[str]:
    """Those that name no type and no group of types."""
    known = set(catalogue()) | {f"{name.partition('.')[0]}.*" for name in catalogue()}
    return sorted(set(patterns) - known)


@cache
def _modules() -> tuple[Any, ...]:
    names = [f"{config.name}.event_types" for config in apps.get_app_configs() if config.name.startswith("apps.")]
    return tuple(import_module(name) for name in names if find_spec(name))
