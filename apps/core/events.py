"""Recording what happened, in the transaction in which it happened."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.postgresql.psycopg_any import Jsonb

from apps.core.ids import uuid7
from apps.core.models import Event
from apps.core.statements import prepared_cursor
from apps.core.tenancy import current_organization

_RECORD = """
WITH counter AS (
    INSERT INTO core_eventcounter (id, organization_id, last) VALUES (%(counter)s, %(organization)s, 1)
    ON CONFLICT (organization_id) DO UPDATE SET last = core_eventcounter.last + 1 RETURNING last
)
INSERT INTO core_event (id, organization_id, position, type, object_id, data)
SELECT %(id)s, %(organization)s, last, %(type)s, %(object)s, %(data)s FROM counter RETURNING position, created_at
"""


def record(type: str, object_id: UUID, data: dict[str, Any]) -> Event:
    """Writes one event of the organization in scope; call it last, its counter row stays locked until commit."""
    ids = {"id": uuid7(), "counter": uuid7(), "organization": current_organization(), "object": object_id}
    with prepared_cursor() as cursor:
        cursor.execute(_RECORD, ids | {"type": type, "data": Jsonb(data)})
        position, created_at = cursor.fetchone()
    event = Event(
        id=ids["id"],
        organization_id=ids["organization"],
        position=position,
        type=type,
        object_id=object_id,
        data=data,
        created_at=created_at,
    )
    event._state.adding, event._state.db = False, DEFAULT_DB_ALIAS
    return event
