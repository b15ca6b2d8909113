"""What is to change at Stripe and was not answered yet: found in its order, resolved (`operations`), and copied."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.billing import gateway
from apps.billing.models import StripeOperation
from apps.billing.services.accounts import lock_account
from apps.billing.services.mirrors import live_subscription, refresh, refresh_subscription
from apps.billing.services.noting import note_customer
from apps.billing.services.operations import LINES, LOOK_AFTER_ATTEMPTS, resolve
from apps.core import tenancy
from apps.core.errors import MillraceError
from apps.core.tenancy import Across, across_tenants

log = structlog.get_logger(__name__)
SEND = "billing.send_operations"
LEASE_SECONDS, FIRST_PAUSE, LONGEST_PAUSE = 180, timedelta(seconds=5), timedelta(minutes=30)
# The first that is undone of each organization, so that its changes reach Stripe in their order. What is to be billed
# and cannot be sent holds up none but what is billed with it; `operations` sees to it that it is billed all the same.
_CLAIM = """
UPDATE billing_stripeoperation SET next_at = statement_timestamp() + %s * interval '1 second' WHERE id IN (
    SELECT id FROM billing_stripeoperation one
    WHERE state IN ('waiting', 'sent') AND next_at <= statement_timestamp() AND NOT EXISTS (
        SELECT FROM billing_stripeoperation earlier
        WHERE earlier.organization_id = one.organization_id AND earlier.state IN ('waiting', 'sent')
            AND (earlier.created_at, earlier.id) < (one.created_at, one.id)
            AND NOT (earlier.kind = ANY(%s) AND one.kind <> ALL(%s) AND earlier.attempts >= %s))
    ORDER BY next_at LIMIT 20 FOR UPDATE SKIP LOCKED
) RETURNING organization_id, id
"""


def send_operations() -> int:
    """Sends what is due, until nothing is; returns how many were tried."""
    tried = 0
    while claimed := _claim():
        for organization_id, id in claimed:
            with tenancy.scope(organization_id):
                operation = StripeOperation.objects.get(pk=id)
            _send(operation)
        tried += len(claimed)
    return tried


def catch_up(organization_id: UUID) -> None:
    """Before somebody decides about a subscription: what was decided of it earlier has its answer, and it is copied.

    Else a cancellation whose answer was lost would be asked for again after it was taken back. Raises
    PaymentsUnavailable as long as nobody knows what has become of it. No transaction may be open.
    """
    with tenancy.scope(organization_id):
        rows = StripeOperation.objects.filter(state__in=StripeOperation.UNDONE, parameters__has_key="subscription")
        undone = list(rows.order_by("created_at", "id"))
    for operation in undone:
        resolve(operation)
    with tenancy.scope(organization_id):
        row = live_subscription()
    if undone:
        refresh(organization_id)
    elif row is not None and row.stripe_id:
        # What was done, but died before it was copied, and what was changed at Stripe itself.
        refresh_subscription(organization_id, row.stripe_id)


def due() -> QuerySet[StripeOperation]:
    """Across tenants; some of them wait for another of their organization all the same."""
    rows: QuerySet[StripeOperation] = StripeOperation.objects.filter(
        state__in=StripeOperation.UNDONE, next_at__lte=Now()
    )
    return rows


def _claim() -> list[tuple[UUID, UUID]]:
    with across_tenants(Across.STRIPE), connection.cursor() as cursor:
        lines = list(LINES)
        cursor.execute(_CLAIM, [LEASE_SECONDS, lines, lines, LOOK_AFTER_ATTEMPTS])
        return list(cursor.fetchall())


def _send(operation: StripeOperation) -> None:
    try:
        resolve(operation)
        _follow(operation)
    except MillraceError as error:
        log.warning("operation not done", kind=operation.kind, operation=str(operation.pk), problem=error.message)
        _pause(operation)
    except Exception:
        log.exception("operation not done", kind=operation.kind, operation=str(operation.pk))
        _pause(operation)


def _follow(operation: StripeOperation) -> None:
    """What has to be written here once something was made there, where nobody waits for the answer."""
    if operation.kind == "create_customer" and operation.answer_id:
        with tenancy.scope(operation.organization_id):
            account = lock_account(operation.organization_id)
            if not account.stripe_id:
                note_customer(account, stripe_id=operation.answer_id, livemode=gateway.is_live())
    refresh(operation.organization_id)


def _pause(operation: StripeOperation) -> None:
    pause = min(FIRST_PAUSE * 2 ** min(operation.attempts, 10), LONGEST_PAUSE)
    with tenancy.scope(operation.organization_id):
        StripeOperation.objects.filter(pk=operation.pk).update(next_at=timezone.now() + pause)
