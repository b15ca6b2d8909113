"""Sending each organization's new entries to where it wants them, in order, none left out.

The cursor of a stream moves only behind what was taken, so what a dead worker was sending is sent again, under the same
ids. One lease a stream: two workers never send for it at the same time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.audit import syslog, webhook
from apps.accounts.audit.recording import record, system
from apps.accounts.models import AuditEntry, AuditHead, AuditStream
from apps.core import tenancy
from apps.core.connections import redis_client
from apps.core.errors import MillraceError
from apps.core.tenancy import Across, across_tenants

# Longer than the slowest delivery of a batch, which is one webhook's timeout or two of a log server.
LEASE_SECONDS = 90
RUN_SECONDS = 20
BATCH = 200
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10, 3600
LONGEST_ERROR = 300
SYSLOG = "syslog+"

log = structlog.get_logger(__name__)


def send_everything() -> int:
    """Sends for every stream that has something and is not in a pause; returns how many entries were taken.

    One run at a time, and short: the default worker's other threads stay free for the rest.
    """
    client, lock = redis_client(), f"{settings.REDIS_PREFIX}:audit-stream"
    if not client.set(lock, "1", nx=True, ex=LEASE_SECONDS):
        return 0
    try:
        return _send_until(time.monotonic() + RUN_SECONDS)
    finally:
        client.delete(lock)


def _send_until(deadline: float) -> int:
    count = 0
    while time.monotonic() < deadline and (claimed := _claim()):
        count += _send(*claimed, deadline)
    return count


def due() -> QuerySet[AuditStream]:
    """Streams that have something to send and are free; across tenants."""
    more = AuditHead.objects.filter(organization_id=OuterRef("organization_id"), sequence__gt=OuterRef("cursor"))
    free = Q(leased_until=None) | Q(leased_until__lt=Now())
    rows: QuerySet[AuditStream] = AuditStream.objects.filter(
        free, Exists(more), enabled=True, next_attempt_at__lte=Now()
    )
    return rows


def _claim() -> tuple[UUID, UUID] | None:
    """Leases the stream that has waited longest; its organization's id and its own."""
    with across_tenants(Across.CLAIM_WORK):
        stream = due().select_for_update(skip_locked=True, of=("self",)).order_by("next_attempt_at").first()
        if stream is None:
            return None
        AuditStream.objects.filter(pk=stream.pk).update(leased_until=Now() + timedelta(seconds=LEASE_SECONDS))
        return stream.organization_id, stream.pk


def _send(organization_id: UUID, stream_id: UUID, deadline: float) -> int:
    with tenancy.scope(organization_id):
        stream: AuditStream | None = AuditStream.objects.filter(pk=stream_id).first()
        if stream is None:
            # Removed since it was claimed; the next one's turn.
            return 0
        entries = list(AuditEntry.objects.filter(sequence__gt=stream.cursor).order_by("sequence")[:BATCH])
    taken = 0
    try:
        if stream.url.startswith(SYSLOG) and entries:
            syslog.send(stream.url, entries)
            taken = len(entries)
        else:
            for entry in entries:
                webhook.send(stream, entry)
                taken += 1
                if time.monotonic() > deadline:
                    break
    except MillraceError as error:
        _note(stream, entries[:taken], error)
        log.warning("audit stream failed", stream=str(stream.pk), reason=error.message)
    else:
        _note(stream, entries[:taken], None)
    return taken


@transaction.atomic
def _note(stream: AuditStream, taken: Sequence[AuditEntry], error: MillraceError | None) -> None:
    """Moves the cursor behind what was taken, unless somebody else has: a lease that lapsed does not move it back."""
    now = timezone.now()
    changes: dict[str, object] = {"leased_until": None, "next_attempt_at": now}
    if taken:
        changes |= {"cursor": taken[-1].sequence, "delivered_at": now}
    if error is None:
        changes |= {"failures": 0, "last_error": ""}
    else:
        pause = error.retry_after or FIRST_PAUSE_SECONDS * 2 ** min(stream.failures, 10)
        pause = min(pause, LONGEST_PAUSE_SECONDS) * random.uniform(1, 1.2)
        changes |= {
            "failures": 1 if taken else F("failures") + 1,
            "last_error": error.message[:LONGEST_ERROR],
            "next_attempt_at": now + timedelta(seconds=pause),
        }
    gone = isinstance(error, webhook.ReceiverGone)
    with tenancy.scope(stream.organization_id):
        AuditStream.objects.filter(pk=stream.pk, cursor=stream.cursor).update(**changes)
        if gone and AuditStream.objects.filter(pk=stream.pk, enabled=True).update(enabled=False):
            record(system(stream.organization_id), "audit.stream_changed", stream, what="receiver gone, switched off")
