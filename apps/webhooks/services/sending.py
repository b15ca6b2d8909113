"""Messages claimed and what came of them noted: the row is the truth, and only who holds its claim may write.

An endpoint is sent at most `at_once` messages at a time, over all workers, and one at a time while it fails; an
organization has its share of places. So neither slow receivers nor many dead ones take the places of those that answer.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.audit import system
from apps.accounts.models import Membership
from apps.accounts.services.notices import tell
from apps.core import mail, tenancy
from apps.core.crypto import unseal_from
from apps.core.errors import SealedValueUnreadable
from apps.core.ids import uuid7
from apps.core.tenancy import Across, across_tenants
from apps.webhooks import schedule
from apps.webhooks.access import MANAGE
from apps.webhooks.formats import reading_of
from apps.webhooks.models import Delivery, Endpoint, EndpointKind, Format, Payload, Stopped
from apps.webhooks.requests import Mailed, Outcome, Ready
from apps.webhooks.services.endpoints import alive, member_of, record_stop
from apps.webhooks.writers import writers, written_body

log = logging.getLogger(__name__)

WAKE = "webhooks.wake"
# Longer than any request takes, with what waits before it in the worker.
LEASE_SECONDS = 45
MOST_CRASHES = 5
# Of one organization's messages so many are under way at a time, over all workers: of endpoints that work, and of those
# that fail. Who has fewer goes first.
HEALTHY_SHARE, FAILING_SHARE = 432, 8
MAIL, MOST_TOLD = "webhook_stopped", 20
# As mail servers say that they have taken a message.
MAILED = 250

_CLAIM = """
WITH busy AS (
    SELECT endpoint_id, count(*) AS running FROM webhooks_delivery
    WHERE state = 'running' AND lease_until > clock_timestamp() GROUP BY endpoint_id
), held AS (
    SELECT e.organization_id, e.failing_since IS NOT NULL AS failing, sum(busy.running) AS running
    FROM busy JOIN webhooks_endpoint e ON e.id = busy.endpoint_id GROUP BY 1, 2
), room AS (
    SELECT e.id, e.organization_id, e.failing_since IS NOT NULL AS failing,
        greatest(0, CASE WHEN e.failing_since IS NULL THEN e.at_once ELSE 1 END - coalesce(busy.running, 0)) AS free
    FROM webhooks_endpoint e LEFT JOIN busy ON busy.endpoint_id = e.id WHERE e.stopped = ''
), due AS (
    SELECT one.id, room.organization_id, room.failing, one.next_at,
        row_number() OVER (PARTITION BY room.id ORDER BY one.next_at, one.position, one.id) AS turn
    FROM room CROSS JOIN LATERAL (
        SELECT id, next_at, position FROM webhooks_delivery d
        WHERE d.endpoint_id = room.id AND d.state = 'waiting' AND d.next_at <= clock_timestamp()
        ORDER BY d.next_at, d.position, d.id LIMIT room.free
    ) one
), ranked AS (
    SELECT due.id, due.failing, due.next_at, coalesce(held.running, 0) + row_number() OVER (
        PARTITION BY due.organization_id, due.failing ORDER BY due.turn, due.next_at, due.id) AS place
    FROM due LEFT JOIN held ON held.organization_id = due.organization_id AND held.failing = due.failing
), picked AS (
    (SELECT id FROM ranked WHERE NOT failing AND place <= %(healthy_share)s
        ORDER BY place, next_at, id LIMIT %(healthy)s)
    UNION ALL (SELECT id FROM ranked WHERE failing AND place <= %(failing_share)s
        ORDER BY place, next_at, id LIMIT %(failing)s)
), free AS (
    SELECT id FROM webhooks_delivery WHERE id IN (SELECT id FROM picked) AND state = 'waiting' FOR UPDATE SKIP LOCKED
)
UPDATE webhooks_delivery SET state = 'running', attempt = attempt + 1, worker = %(worker)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (SELECT id FROM free) RETURNING id
"""
# Somebody may be removing an endpoint with all its messages: nobody waits long for that here. A session that has begun
# with a small table keeps plans for small ones, which read all messages of an organization for each attempt that is
# written down; plans made anew, and without reading tables through, find rows by their ids.
_BEGIN = """
SELECT set_config('lock_timeout', '3s', true), set_config('enable_seqscan', 'off', true),
    set_config('plan_cache_mode', 'force_custom_plan', true)
"""
# What a worker has reported, where the claim is still its own. The index of running messages, most of whose entries are
# of ended ones, is not for this: hence no condition that it could be used for.
_NOTE = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb)
    AS r(id uuid, attempt int, state text, tries int, pause float, status int, error text)
)
UPDATE webhooks_delivery d SET state = given.state, tries = given.tries, crashes = 0, worker = '', lease_until = NULL,
    next_at = clock_timestamp() + make_interval(secs => coalesce(given.pause, 0)),
    finished_at = CASE WHEN given.state = 'waiting' THEN NULL ELSE clock_timestamp() END,
    last_status = given.status, last_error = given.error
FROM given WHERE d.id = given.id AND d.attempt = given.attempt
    AND (d.state, d.worker) IS NOT DISTINCT FROM ('running', %(worker)s)
RETURNING d.id
"""
_ATTEMPTS = """
INSERT INTO webhooks_deliveryattempt (id, organization_id, delivery_id, number, started_at, milliseconds, status, error,
    request_headers, response_headers, response_body)
SELECT r.id, d.organization_id, d.id, r.number, r.started_at, r.milliseconds, r.status, r.error,
    r.request_headers, r.response_headers, r.response_body
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(id uuid, delivery uuid, number int, started_at timestamptz,
    milliseconds int, status int, error text, request_headers jsonb, response_headers jsonb, response_body text)
JOIN webhooks_delivery d ON d.id = r.delivery
ON CONFLICT (organization_id, delivery_id, number) DO NOTHING
"""
# One that is being changed, or sent a range again, is left as it is: nobody waits for that here.
_STANDING = """
WITH free AS (
    SELECT e.id FROM webhooks_endpoint e JOIN jsonb_to_recordset(%(rows)s::jsonb) AS given(id uuid) ON e.id = given.id
    FOR NO KEY UPDATE OF e SKIP LOCKED
)
UPDATE webhooks_endpoint e SET
    failing_since = CASE WHEN given.delivered THEN NULL ELSE coalesce(e.failing_since, clock_timestamp()) END,
    delivered_at = CASE WHEN given.delivered THEN clock_timestamp() ELSE e.delivered_at END
FROM jsonb_to_recordset(%(rows)s::jsonb) AS given(id uuid, delivered boolean)
WHERE e.id = given.id AND e.id IN (SELECT id FROM free)
"""


def claim(worker: str, healthy: int, failing: int) -> list[Ready]:
    """Takes messages that are due: of endpoints that work, up to `healthy`, and of those that fail, up to `failing`.

    An advisory lock makes claims queue up: two workers would otherwise both see the same room at an endpoint.
    """
    if healthy <= 0 and failing <= 0:
        return []
    values: dict[str, Any] = {"healthy": max(0, healthy), "failing": max(0, failing)}
    values |= {"worker": worker, "lease": LEASE_SECONDS}
    values |= {"healthy_share": HEALTHY_SHARE, "failing_share": FAILING_SHARE}
    with across_tenants(Across.CLAIM_WORK), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('webhooks_delivery'))")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(_CLAIM, values)
        ids = [row[0] for row in cursor.fetchall()]
        claimed = Delivery.objects.select_related("endpoint", "organization").filter(pk__in=ids)
        rows = list(claimed.order_by("next_at", "position", "id"))
        secrets = _secrets_of(rows) if rows else {}
    mailed = {row.pk: _mail(row) for row in rows if row.endpoint.format == Format.EMAIL}
    return [
        _ready(row, secrets, mailed.get(row.pk), body) for row, body in zip(rows, map(_body, rows), strict=True) if body
    ]


def _body(row: Delivery) -> bytes:
    """What is sent; nothing where it cannot be written now, and then it is tried again once its lease has lapsed."""
    if row.endpoint.format not in writers():
        return row.body.encode()
    try:
        with tenancy.scope(row.organization_id):
            return written_body(row.endpoint.format, row.body, row.position, row.endpoint.payload == Payload.THIN)
    except Exception:
        log.exception("message %s not written", row.pk)
        return b""


def _mail(row: Delivery) -> Mailed:
    """Leaves a message with the mails that go in turn. Where a person has had enough for now the message waits.

    Whatever is wrong with one mail, what was claimed with it is sent.
    """
    address = row.endpoint.url
    try:
        with tenancy.scope(row.organization_id):
            if not member_of(address):
                return Mailed(error="recipient_left")
            if wait := mail.seconds_until_room("webhooks", address):
                return Mailed(schedule.TOO_MANY, wait=wait)
            reading = reading_of(row.body.encode(), row.organization.name, row.organization.language)
            mail.send_in_turn(EmailMessage(reading.heading, reading.text, settings.DEFAULT_FROM_EMAIL, [address]))
    except Exception:
        log.exception("mail of message %s not written", row.pk)
        return Mailed(error="mail_not_written")
    return Mailed(MAILED)


def _secrets_of(rows: Sequence[Delivery]) -> dict[tuple[UUID, UUID | None], list[str]]:
    found: dict[tuple[UUID, UUID | None], list[str]] = {}
    theirs = Q(endpoint__in={row.endpoint_id for row in rows}) | Q(endpoint=None)
    signing = alive().filter(theirs, organization_id__in={row.organization_id for row in rows})
    for row in signing.order_by("-created_at", "-id"):
        try:
            found.setdefault((row.organization_id, row.endpoint_id), []).append(unseal_from(row, "secret"))
        except SealedValueUnreadable:
            # Those that can be read still sign; a message that none signs is refused by its receiver.
            continue
    return found


def _ready(
    row: Delivery, secrets: dict[tuple[UUID, UUID | None], list[str]], mailed: Mailed | None, body: bytes
) -> Ready:
    signs_as = row.endpoint_id if row.endpoint.kind == EndpointKind.EVENTS else None
    return Ready(
        row.organization_id,
        row.pk,
        row.endpoint_id,
        row.attempt,
        row.tries,
        row.url or row.endpoint.url,
        row.message,
        body,
        secrets.get((row.organization_id, signs_as), ()),
        row.endpoint.failing_since is not None,
        row.endpoint.format,
        row.organization.name,
        row.organization.language,
        mailed,
    )


def note(worker: str, outcomes: Sequence[Outcome]) -> int:
    """Writes down what came of requests, all at once; returns how many claims were still the worker's own.

    Endpoints that want nothing more, or have failed for five days, are stopped, and somebody is told.
    """
    if not outcomes:
        return 0
    with across_tenants(Across.CLAIM_WORK), connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        cursor.execute(_NOTE, {"rows": json.dumps([_noted(each) for each in outcomes]), "worker": worker})
        mine = {row[0] for row in cursor.fetchall()}
        cursor.execute(_ATTEMPTS, {"rows": json.dumps([_attempt(each) for each in outcomes])})
        counted = [each for each in outcomes if each.ready.delivery_id in mine]
        by_endpoint = {each.ready.endpoint_id: False for each in counted}
        by_endpoint |= {each.ready.endpoint_id: True for each in counted if each.is_delivered}
        # In one order, so that two workers never wait for each other.
        standing = [{"id": str(id), "delivered": by_endpoint[id]} for id in sorted(by_endpoint)]
        cursor.execute(_STANDING, {"rows": json.dumps(standing)})
        failed = [id for id, delivered in by_endpoint.items() if not delivered]
        over = set(_failing_too_long(failed)) if failed else set()
    gone = {each.ready.endpoint_id for each in counted if each.status == schedule.GONE}
    for organization_id, id in {(each.ready.organization_id, each.ready.endpoint_id) for each in counted}:
        if id in gone or id in over:
            stop(organization_id, id, Stopped.GONE if id in gone else Stopped.FAILING)
    return len(mine)


def _noted(each: Outcome) -> dict[str, Any]:
    tries = each.ready.tries + 1
    pause = None if each.status == schedule.GONE else schedule.pause_after(tries, each.wait)
    state = "delivered" if each.is_delivered else "failed" if pause is None else "waiting"
    return {
        "id": str(each.ready.delivery_id),
        "attempt": each.ready.attempt,
        "state": state,
        "tries": tries,
        "pause": None if each.is_delivered else pause,
        "status": each.status,
        "error": each.error,
    }


def _attempt(each: Outcome) -> dict[str, Any]:
    return {
        "id": str(uuid7()),
        "delivery": str(each.ready.delivery_id),
        "number": each.ready.attempt,
        "started_at": each.started_at.isoformat(),
        "milliseconds": each.milliseconds,
        "status": each.status,
        "error": each.error,
        "request_headers": dict(each.request_headers),
        "response_headers": dict(each.response_headers),
        "response_body": each.response_body,
    }


def _failing_too_long(ids: Sequence[UUID]) -> list[UUID]:
    before = timezone.now() - schedule.DISABLED_AFTER
    rows = Endpoint.objects.filter(pk__in=ids, kind=EndpointKind.EVENTS, stopped=Stopped.NO)
    return list(rows.filter(failing_since__lt=before).values_list("pk", flat=True))


def stop(organization_id: UUID, id: UUID, why: Stopped) -> bool:
    """Sends an endpoint nothing more, and tells those who can change that; what waits for it stays."""
    with tenancy.scope(organization_id):
        rows = Endpoint.objects.select_for_update().filter(pk=id, kind=EndpointKind.EVENTS, stopped=Stopped.NO)
        endpoint: Endpoint | None = rows.first()
        if endpoint is None:
            return False
        endpoint.stopped = why
        endpoint.save(update_fields=["stopped"])
        members = Membership.objects.select_related("user", "custom_role").filter(user__is_active=True).order_by("id")
        told = [member.user.email for member in members if MANAGE in member.permissions]
        for address in told[:MOST_TOLD]:
            tell(MAIL, address, endpoint.pk)
        record_stop(system(organization_id), endpoint)
    return True


def reap() -> int:
    """Messages whose worker is gone wait again, under the same id; whether they had been sent nobody knows."""
    with across_tenants(Across.REAP):
        lapsed = Delivery.objects.filter(state="running", lease_until__lt=Now())
        rows = list(lapsed.select_for_update(skip_locked=True).order_by("id")[:500])
        for row in rows:
            hopeless = row.crashes + 1 >= MOST_CRASHES
            Delivery.objects.filter(pk=row.pk).update(
                state="failed" if hopeless else "waiting",
                crashes=row.crashes + 1,
                worker="",
                lease_until=None,
                last_error="worker_lost",
                next_at=Now() + timedelta(seconds=schedule.PAUSES[min(row.crashes, 3)]),
                finished_at=Now() if hopeless else None,
            )
    return len(rows)
