"""Messages of what has happened; what there is to do is one question, since somebody asks it all the time."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from apps.core.tenancy import Across, across_tenants
from apps.webhooks.services import callbacks, fanout

ORGANIZATIONS_A_ROUND = 100

_LOOK = """
SELECT
    ARRAY(SELECT DISTINCT e.organization_id FROM webhooks_endpoint e
        JOIN core_eventcounter c ON c.organization_id = e.organization_id AND c.last > e.position
        WHERE e.kind = 'events' AND e.stopped = '' LIMIT %(most)s),
    ARRAY(SELECT DISTINCT k.organization_id FROM webhooks_callback k
        JOIN core_eventcounter c ON c.organization_id = k.organization_id AND c.last > k.position
        ORDER BY 1 LIMIT %(most)s),
    EXISTS (SELECT 1 FROM webhooks_endpoint e WHERE e.stopped = '' AND EXISTS (
        SELECT 1 FROM webhooks_delivery d
        WHERE d.endpoint_id = e.id AND d.state = 'waiting' AND d.next_at <= clock_timestamp())),
    EXISTS (SELECT 1 FROM webhooks_endpoint WHERE kind = 'events' AND stopped = '')
        OR EXISTS (SELECT 1 FROM webhooks_callback)
"""


@dataclass(frozen=True, slots=True)
class Made:
    """How many messages were made, whether any waits to be sent, and whether anybody wants to be told of anything."""

    count: int = 0
    due: bool = False
    wanted: bool = True


def make() -> Made:
    """Makes messages of events and of ended jobs, each once, whoever dies."""
    with across_tenants(Across.CLAIM_WORK), connection.cursor() as cursor:
        cursor.execute(_LOOK, {"most": ORGANIZATIONS_A_ROUND})
        behind, ended, due, wanted = cursor.fetchone()
    count = fanout.fan_out(behind) + callbacks.send_results(ended)
    return Made(count, due or count > 0, wanted)
