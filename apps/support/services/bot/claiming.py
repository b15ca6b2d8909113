"""Which turns may be answered now: those whose burst is over, of each organization in turn, one of a conversation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from apps.core import tenancy
from apps.core.jobs import LEASE_SECONDS, MAX_CRASHES, Status
from apps.core.statements import prepared_cursor
from apps.core.tenancy import Across, across_tenants
from apps.support.models import BotTurn
from ml.dialogue.turns import LONGEST, QUIET

# When a turn's burst is over. A sentence that goes on, and somebody who has only paused, get twice the time
# (ml/dialogue/turns.py).
_WAITING = r"""
    SELECT t.id, t.organization_id, t.created_at,
        CASE WHEN last.created_at IS NULL THEN t.created_at ELSE least(
            t.created_at + make_interval(secs => %(longest)s),
            last.created_at + make_interval(secs => coalesce(b.quiet_seconds, %(quiet)s)
                * CASE WHEN last.content ~ '([,，、:：…-]|\.\.\.)\s*$' THEN 2 ELSE 1 END)
        ) END AS over_at
    FROM support_botturn t
    LEFT JOIN support_botsettings b ON b.organization_id = t.organization_id
    LEFT JOIN LATERAL (
        SELECT m.created_at, m.content FROM support_message m
        WHERE m.organization_id = t.organization_id AND m.conversation_id = t.conversation_id AND m.kind = 'incoming'
        ORDER BY m.sequence DESC LIMIT 1
    ) last ON true
    WHERE t.status = 'queued' AND NOT EXISTS (
        SELECT 1 FROM support_botturn r WHERE r.organization_id = t.organization_id
            AND r.conversation_id = t.conversation_id AND r.status = 'running'
    )
"""
_COLUMNS = tuple(field.attname for field in BotTurn._meta.concrete_fields)
_CLAIM = f"""
WITH waiting AS ({_WAITING}), due AS (
    SELECT id, created_at, row_number() OVER (PARTITION BY organization_id ORDER BY created_at, id) AS place
    FROM waiting WHERE over_at <= clock_timestamp()
), picked AS (
    SELECT id FROM due ORDER BY place, created_at, id LIMIT %(limit)s
), free AS (
    SELECT id FROM support_botturn WHERE id IN (SELECT id FROM picked) AND status = 'queued' FOR UPDATE SKIP LOCKED
)
UPDATE support_botturn SET status = 'running', attempt = attempt + 1, worker = %(worker)s,
    claimed_at = clock_timestamp(), lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (SELECT id FROM free) RETURNING {", ".join(_COLUMNS)}
"""
_NEXT = f"SELECT extract(epoch FROM min(over_at) - clock_timestamp()) FROM ({_WAITING}) waiting"
# What a lost worker held waits again, unless the next turn waits already, which reads the same messages.
_RETURN = """
UPDATE support_botturn t SET lease_until = NULL, worker = '', crashes = crashes + 1,
    status = CASE WHEN EXISTS (
        SELECT 1 FROM support_botturn q WHERE q.organization_id = t.organization_id
            AND q.conversation_id = t.conversation_id AND q.status = 'queued'
    ) THEN 'cancelled' ELSE 'queued' END
WHERE t.id = ANY(%(ids)s) AND t.status = 'running'
"""

# Longer than any burst is waited for: then the bot is gone, or has too much to do.
OVERDUE_SECONDS = 20
_OVERDUE = """
UPDATE support_botturn SET status = 'running', attempt = attempt + 1, worker = '',
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (
    SELECT t.id FROM support_botturn t
    WHERE t.status = 'queued' AND t.created_at < clock_timestamp() - make_interval(secs => %(overdue)s)
        AND NOT EXISTS (
            SELECT 1 FROM support_botturn r WHERE r.organization_id = t.organization_id
                AND r.conversation_id = t.conversation_id AND r.status = 'running'
        )
    ORDER BY t.created_at LIMIT 200 FOR UPDATE OF t SKIP LOCKED
) RETURNING id
"""


def claim_turns(worker: str, limit: int) -> list[BotTurn]:
    """Takes turns that are due; an advisory lock makes claims of several workers queue up."""
    if limit <= 0:
        return []
    values: dict[str, Any] = {
        "worker": worker,
        "limit": limit,
        "quiet": QUIET,
        "longest": LONGEST,
        "lease": LEASE_SECONDS,
    }
    with across_tenants(Across.CLAIM_WORK), prepared_cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('support_botturn'))")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(_CLAIM, values)
        claimed = [BotTurn.from_db(connection.alias, _COLUMNS, row) for row in cursor.fetchall()]
    return sorted(claimed, key=lambda each: (each.created_at, each.pk))


def seconds_until_due() -> float | None:
    """How soon the next burst is over, below zero where one is by now; None where none is waited for."""
    with across_tenants(Across.CLAIM_WORK), prepared_cursor() as cursor:
        cursor.execute(_NEXT, {"quiet": QUIET, "longest": LONGEST})
        [seconds] = cursor.fetchone()
    return None if seconds is None else float(seconds)


def late_turns() -> QuerySet[BotTurn]:
    """Turns whose worker is gone, and those that no bot has taken in time; across tenants."""
    clock = RawSQL("clock_timestamp()", [])
    lost = Q(status=Status.RUNNING, lease_until__lt=clock)
    overdue = Q(status=Status.QUEUED, created_at__lt=clock - timedelta(seconds=OVERDUE_SECONDS))
    rows: QuerySet[BotTurn] = BotTurn.objects.filter(lost | overdue)
    return rows


def reap_turns() -> list[BotTurn]:
    """Turns whose worker is gone wait again; those that have lost two are returned, for a person to be called."""
    with across_tenants(Across.REAP), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM support_botturn WHERE status = 'running' AND lease_until < clock_timestamp()"
            " ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED"
        )
        lapsed = list(BotTurn.objects.filter(pk__in=[row[0] for row in cursor.fetchall()]))
        hopeless = [row for row in lapsed if row.crashes + 1 >= MAX_CRASHES]
        again = [row.pk for row in lapsed if row.crashes + 1 < MAX_CRASHES]
        cursor.execute(_RETURN, {"ids": again})
    for row in hopeless:
        with tenancy.scope(row.organization_id):
            # Another attempt number fences the lost worker off.
            row.attempt += 1
            BotTurn.objects.filter(pk=row.pk, status=Status.RUNNING).update(attempt=row.attempt, worker="")
    return hopeless


def overdue_turns() -> list[BotTurn]:
    """Turns that no bot has taken in time, taken here so that no bot does any more: for a person to be called."""
    with across_tenants(Across.REAP), connection.cursor() as cursor:
        cursor.execute(_OVERDUE, {"overdue": OVERDUE_SECONDS, "lease": LEASE_SECONDS})
        ids = [row[0] for row in cursor.fetchall()]
        return list(BotTurn.objects.filter(pk__in=ids).order_by("created_at", "id"))
