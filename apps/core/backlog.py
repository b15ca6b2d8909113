"""How long until a full queue has a place again, estimated from what the queue has really done lately."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection

from apps.core.tenancy import Across, across_tenants

if TYPE_CHECKING:
    from apps.core.jobs import Job

SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 120.0
LOOK_BACK_SECONDS = 300
# How old the count of everybody's waiting jobs may be: it is asked for by every request.
COUNT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """A queue at one moment; times are in seconds.

    `services` is how long each of the jobs that ended lately ran, `span` the time since the first of those started.
    `running_for` is how long the job that has run longest has run, `stuck_for` how long nothing has started, or
    how long the oldest job has waited if nothing ever did.
    """

    waiting: int
    limit: int
    running: int = 0
    services: tuple[float, ...] = ()
    span: float = 0.0
    running_for: float = 0.0
    stuck_for: float = 0.0


def retry_after(load: Load) -> float:
    """Seconds until one more job can wait, between 1 and 120.

    A place is free when enough waiting jobs have started. The first starts when a running one ends, the others at the
    pace of late; where nothing has ended lately, what runs or waits already has taken at least this long.
    """
    if load.limit < 1:
        return LONGEST_SECONDS
    must_start = max(1, load.waiting - load.limit + 1)
    pace = _pace(load)
    first = pace
    if load.running and load.services:
        left = median(load.services) - load.running_for
        first = left if left > 0 else pace
    return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, first + (must_start - 1) * pace))


def _pace(load: Load) -> float:
    """Seconds between two starts."""
    if load.services:
        return load.span / len(load.services)
    if load.running:
        return load.running_for / load.running
    return load.stuck_for


_ORGANIZATION = """
WITH ended AS (
    SELECT claimed_at, finished_at FROM {table}
    WHERE organization_id = %(organization)s AND claimed_at > clock_timestamp() - make_interval(secs => 6 * %(back)s)
        AND finished_at > clock_timestamp() - make_interval(secs => %(back)s)
    ORDER BY claimed_at DESC LIMIT 50
)
SELECT
    coalesce((SELECT array_agg(extract(epoch FROM finished_at - claimed_at)::float8) FROM ended), '{{}}'),
    (SELECT extract(epoch FROM clock_timestamp() - min(claimed_at))::float8 FROM ended),
    running.jobs, running.longest,
    extract(epoch FROM clock_timestamp() - coalesce(
        (SELECT max(claimed_at) FROM {table} WHERE organization_id = %(organization)s),
        (SELECT min(created_at) FROM {table} WHERE organization_id = %(organization)s AND status = 'queued')
    ))::float8
FROM (
    SELECT count(*) AS jobs, extract(epoch FROM clock_timestamp() - min(claimed_at))::float8 AS longest
    FROM {table} WHERE organization_id = %(organization)s AND status = 'running'
) running
"""
# Jobs that run now have run for half their time on average.
_EVERYWHERE = """
SELECT (SELECT count(*) FROM {table} WHERE status = 'queued'), count(*),
    2 * avg(extract(epoch FROM clock_timestamp() - claimed_at))::float8,
    (SELECT extract(epoch FROM clock_timestamp() - max(claimed_at))::float8 FROM {table} WHERE status = 'running')
FROM {table} WHERE status = 'running'
"""


def of_organization(model: type[Job], organization_id: UUID, waiting: int, limit: int) -> Load:
    """The load of one organization's queue; call it in its scope."""
    with connection.cursor() as cursor:
        cursor.execute(
            _ORGANIZATION.format(table=model._meta.db_table),
            {"organization": organization_id, "back": LOOK_BACK_SECONDS},
        )
        services, span, running, longest, stuck = cursor.fetchone()
    return Load(waiting, limit, running, tuple(services), span or 0.0, longest or 0.0, stuck or 0.0)


_counted: dict[str, tuple[float, Load]] = {}


def everywhere(model: type[Job], limit: int) -> Load:
    """The load of all organizations together, as it was at most a second ago."""
    table = model._meta.db_table
    at, load = _counted.get(table, (0.0, Load(0, limit)))
    if time.monotonic() - at < COUNT_SECONDS and load.limit == limit:
        return load
    with across_tenants(Across.COUNT_WORK), connection.cursor() as cursor:
        cursor.execute(_EVERYWHERE.format(table=table))
        waiting, running, service, newest = cursor.fetchone()
    pace = (service or 0.0) / running if running else LONGEST_SECONDS
    load = Load(waiting, limit, running, running_for=pace * running, stuck_for=newest or LONGEST_SECONDS)
    _counted[table] = (time.monotonic(), load)
    return load


def forget_counts() -> None:
    """Makes the next count a fresh one, for tests that change a queue behind its back."""
    _counted.clear()
