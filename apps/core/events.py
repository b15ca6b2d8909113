"""Recording what happened, in the transaction in which it happened."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.ids import uuid7
from apps.core.models import Event, EventCounter
from apps.core.tenancy import current_organization


def record(type: str, object_id: UUID, data: dict[str, Any]) -> Event:
    """Writes one event of the organization in scope; call it last, its counter row stays locked until commit."""
    organization_id = current_organization()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {EventCounter._meta.db_table} (id, organization_id, last) VALUES (%s, %s, 1)"
            " ON CONFLICT (organization_id) DO UPDATE SET last = core_eventcounter.last + 1 RETURNING last",
            [uuid7(), organization_id],
        )
        position = cursor.fetchone()[0]
    event: Event = Event.objects.create(
        organization_id=organization_id, position=position, type=type, object_id=object_id, data=data
    )
    return event
