"""Formats that another app writes: it knows its own tables, and this one does not.

They are declared in an app's `webhook_formats.py`, and found here as the types of events are. What such a message says
is read when it is sent, so that what was masked or erased meanwhile is not in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps

from apps.core.models import Event


@dataclass(frozen=True, slots=True)
class Writer:
    """Whether the format knows an event, and what it says of it, in the organization's scope.

    With `thin` ids alone. Of an event that is kept no more, or of a test, the standard message is given instead.
    """

    takes: Callable[[Event], bool]
    write: Callable[[Event, bool], Mapping[str, Any]]
    other: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


@cache
def writers() -> dict[str, Writer]:
    names = [f"{config.name}.webhook_formats" for config in apps.get_app_configs() if config.name.startswith("apps.")]
    found: dict[str, Writer] = {}
    for name in names:
        if find_spec(name):
            found |= import_module(name).WRITERS
    return found


def takes(format: str, event: Event) -> bool:
    """Whether a receiver of the format is told of the event at all."""
    writer = writers().get(format)
    return writer is None or writer.takes(event)


def written_body(format: str, body: str, position: int | None, thin: bool) -> bytes:
    """What is signed and sent, in the organization's scope."""
    writer = writers().get(format)
    if writer is None:
        return body.encode()
    event: Event | None = Event.objects.filter(position=position).first() if position is not None else None
    if event is None:
        message = json.loads(body)
        told = writer.other(message["type"], message["data"])
    else:
        told = writer.write(event, thin)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
