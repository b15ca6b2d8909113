"""Removing what is older than an organization keeps it, so that the rest can still be verified."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from apps.accounts.audit import signing
from apps.accounts.audit.recording import record, system
from apps.accounts.audit.verification import CHECKPOINT, hold_still, verify
from apps.accounts.models import AuditAnchor, AuditEntry, AuditSettings, AuditStream, Organization
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants
from apps.core.tenancy.removal import removing

# One transaction's worth: some seconds of deleting, during which entries may still be added.
MOST_AT_ONCE = 50_000


def prune_everything() -> int:
    """Each organization by its own rule; returns how many entries went."""
    with across_tenants(Across.HOUSEKEEPING):
        rules = list(
            AuditSettings.objects.exclude(retention_days=None).values_list("organization_id", "retention_days")
        )
    now = timezone.now()
    return sum(prune(organization_id, now - timedelta(days=days)) for organization_id, days in rules)


def prune(organization_id: UUID, older_than: datetime) -> int:
    """Removes the entries from before a moment; returns how many.

    What no stream has taken yet stays, and so does everything when the chain is broken: it is evidence. The entry that
    says so holds a signed checkpoint, on which the first remaining entry follows.
    """
    with tenancy.scope(organization_id):
        last = _last_to_go(older_than)
        if last is None or verify(organization_id).findings:
            return 0
        hold_still(organization_id)
        count: int = AuditEntry.objects.filter(sequence__lte=last.sequence).count()
        record(
            system(organization_id),
            "audit.pruned",
            Organization.objects.get(pk=organization_id),
            through=last.sequence,
            hash=last.hash,
            count=count,
            until=older_than.date().isoformat(),
            signature=signing.sign(CHECKPOINT, organization_id, last.sequence, last.hash),
        )
        with removing(organization_id):
            AuditEntry.objects.filter(sequence__lte=last.sequence).delete()
            AuditAnchor.objects.filter(sequence__lte=last.sequence).delete()
    return count


def _last_to_go(older_than: datetime) -> AuditEntry | None:
    rows = AuditEntry.objects.filter(created_at__lt=older_than)
    unsent = AuditStream.objects.filter(enabled=True).order_by("cursor").values_list("cursor", flat=True).first()
    if unsent is not None:
        rows = rows.filter(sequence__lte=unsent)
    first = AuditEntry.objects.order_by("sequence").values_list("sequence", flat=True).first()
    if first is None:
        return None
    found: AuditEntry | None = rows.filter(sequence__lt=first + MOST_AT_ONCE).order_by("-sequence").first()
    return found
