"""Events as others read them: over the API, in a stream, and in the messages that endpoints are sent."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from apps.core.eventtypes import MOST_BYTES
from apps.core.models import Event

# The form of messages: a new one gets a new name, and endpoints keep theirs until somebody changes it.
VERSION = "2026-11"
VERSIONS = (VERSION,)


def event_body(event: Event) -> dict[str, Any]:
    """An event as the API answers it."""
    return {
        "id": message_id(event.pk),
        "object": "event",
        "sequence": event.position,
        "type": event.type,
        "object_id": str(event.object_id),
        "created_at": event.created_at.isoformat(),
        "data": event.data,
    }


def message_id(id: UUID) -> str:
    """The `webhook-id` of an event, the same at every endpoint and in every try."""
    return f"msg_{id.hex}"


def message_body(event: Event, thin: bool) -> str:
    """What is signed and sent for an event; without its facts where they would make it too large."""
    data: dict[str, Any] = {
        "organization_id": str(event.organization_id),
        "sequence": event.position,
        "object_id": str(event.object_id),
    }
    whole = data if thin else data | {"facts": event.data}
    text = written(event.type, event.created_at.isoformat(), whole)
    return text if len(text.encode()) < MOST_BYTES else written(event.type, event.created_at.isoformat(), data)


def written(type: str, moment: str, data: dict[str, Any]) -> str:
    """A message as Standard Webhooks forms it."""
    return json.dumps({"type": type, "timestamp": moment, "data": data}, ensure_ascii=False, separators=(",", ":"))
