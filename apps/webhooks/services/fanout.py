"""From events to messages: each endpoint's own place in the events moves in the transaction that makes its messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F

from apps.core import tenancy
from apps.core.eventtypes import matches
from apps.core.models import Event, EventCounter
from apps.webhooks.messages import message_body, message_id
from apps.webhooks.models import Delivery, Endpoint, EndpointKind, Payload, Stopped
from apps.webhooks.writers import takes

# One transaction's worth of events.
BATCH = 500

# Each text once, for however many endpoints it is.
_INSERT = """
INSERT INTO webhooks_delivery (id, organization_id, endpoint_id, message, type, position, url, body, state, tries,
    attempt, crashes, worker, last_error)
SELECT uuidv7(), %(organization)s, due.endpoint, text.message, text.type, text.position, '', text.body, 'waiting', 0,
    0, 0, '', ''
FROM unnest(%(endpoints)s::uuid[], %(texts)s::int[]) AS due(endpoint, number)
JOIN unnest(%(messages)s::text[], %(types)s::text[], %(positions)s::bigint[], %(bodies)s::text[])
    WITH ORDINALITY AS text(message, type, position, body, number) ON text.number = due.number + 1
ORDER BY text.position, due.endpoint
ON CONFLICT DO NOTHING
"""


def fan_out(organizations: Iterable[UUID]) -> int:
    """Makes messages of what has happened there since; returns how many. Each event once, whoever dies."""
    return sum(_of_organization(id) for id in organizations)


def _of_organization(id: UUID) -> int:
    """All its endpoints together, since most of them stand at the same event."""
    with tenancy.scope(id):
        last = EventCounter.objects.values_list("last", flat=True).first() or 0
        rows = Endpoint.objects.filter(kind=EndpointKind.EVENTS, stopped=Stopped.NO, position__lt=last)
        endpoints = list(rows.select_for_update(skip_locked=True).order_by("position", "id"))
        if not endpoints:
            return 0
        behind = Event.objects.filter(position__gt=endpoints[0].position, position__lte=last)
        events = list(behind.order_by("position")[:BATCH])
        made = _write(id, [(endpoint, event) for endpoint in endpoints for event in _wanted(endpoint, events)])
        reached = events[-1].position if events else last
        held = Endpoint.objects.filter(pk__in=[endpoint.pk for endpoint in endpoints], position__lt=reached)
        held.update(position=reached)
    return made


def _write(organization_id: UUID, due: Sequence[tuple[Endpoint, Event]]) -> int:
    """Writes the messages, in the organization's scope; how many."""
    numbers: dict[tuple[Event, bool], int] = {}
    texts = [numbers.setdefault((event, endpoint.payload == Payload.THIN), len(numbers)) for endpoint, event in due]
    values: dict[str, Any] = {
        "organization": organization_id,
        "endpoints": [endpoint.pk for endpoint, _ in due],
        "texts": texts,
        "messages": [message_id(event.pk) for event, _ in numbers],
        "types": [event.type for event, _ in numbers],
        "positions": [event.position for event, _ in numbers],
        "bodies": [message_body(event, thin) for event, thin in numbers],
    }
    if due:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, values)
    return len(due)


def _wanted(endpoint: Endpoint, events: Sequence[Event]) -> list[Event]:
    return [
        event
        for event in events
        if event.position > endpoint.position and matches(event.type, endpoint.types) and takes(endpoint.format, event)
    ]


def messages_for(endpoint: Endpoint, events: Iterable[Event]) -> list[Delivery]:
    """The events as messages of the endpoint, in their order, to be saved."""
    return [
        Delivery(
            organization_id=endpoint.organization_id,
            endpoint=endpoint,
            message=message_id(event.pk),
            type=event.type,
            position=event.position,
            body=message_body(event, thin=endpoint.payload == Payload.THIN),
        )
        for event in events
    ]


def behind_by(endpoint: Endpoint) -> int:
    """How many events have not been made into messages yet, in the organization's scope."""
    rows = EventCounter.objects.annotate(behind=F("last") - endpoint.position)
    return max(0, int(rows.values_list("behind", flat=True).first() or 0))
