"""What must be settled before an organization goes: nobody is charged for one that is not there any more."""

from __future__ import annotations

from uuid import UUID

import structlog

from apps.billing import gateway
from apps.billing.models import Subscription
from apps.billing.services.mirrors import live_subscription, refresh
from apps.billing.services.operations import perform, write_operation
from apps.core import tenancy
from apps.core.errors import Conflict, MillraceError

log = structlog.get_logger(__name__)


def require_ending(organization_id: UUID) -> None:
    """Raises Conflict while a subscription is to be renewed. The organization is locked, in its scope."""
    if _goes_on(live_subscription()):
        raise Conflict("Cancel the subscription first: it would go on being charged.")


def end_for_good(organization_id: UUID) -> bool:
    """Ends at once what would still be renewed; False where that could not be done, and has to be tried again.

    What is cancelled for the end of its period ends by itself. Asks Stripe, so that no transaction may be open.
    """
    with tenancy.scope(organization_id):
        if not _goes_on(live_subscription()) or gateway.mode() is gateway.Mode.OFF:
            return True
    try:
        # As Stripe has it now: an earlier attempt may have ended it without an answer.
        row = refresh(organization_id)
        if row is None or not _goes_on(row):
            return True
        asked = {"subscription": row.stripe_id, "reason": "The organization was deleted."}
        with tenancy.scope(organization_id):
            operation = write_operation(organization_id, "cancel_now", f"{row.pk}:{row.version}", asked)
        perform(operation)
        return not _goes_on(refresh(organization_id))
    except MillraceError:
        log.exception("subscription of a deleted organization not ended", organization=str(organization_id))
        return False


def _goes_on(row: Subscription | None) -> bool:
    return row is not None and bool(row.stripe_id) and row.cancel_at is None
