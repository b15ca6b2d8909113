"""Deleting an organization: announced a week ahead, called off at any time until then, then gone for good."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, Organization, Role
from apps.accounts.services import notices
from apps.accounts.services.organizations import locked
from apps.accounts.services.transfers import require_typed
from apps.core import events, media, tenancy
from apps.core.errors import Conflict, NotFound
from apps.core.tenancy import Across, across_tenants
from apps.core.tenancy.removal import remove_rows

WAITING_PERIOD = timedelta(days=7)
# Owners who are told by mail; an organization has few.
MOST_TOLD, AT_ONCE = 50, 10

log = logging.getLogger(__name__)


def schedule_deletion(actor: Actor, typed_name: str) -> Organization:
    """Announces the deletion and tells the owners; from now on the organization takes on no new work."""
    actor.require("organization:delete")
    with tenancy.scope(actor.organization_id):
        organization = locked(actor.organization_id)
        require_typed(organization.name, typed_name)
        if organization.deletes_at is not None:
            raise Conflict("The deletion is scheduled already.")
        check: Callable[[UUID], None] = import_string(settings.DELETION_CHECK)
        check(actor.organization_id)
        organization.deletes_at = timezone.now() + WAITING_PERIOD
        organization.save(update_fields=["deletes_at"])
        moment = organization.deletes_at.isoformat()
        audit.record(
            actor,
            "organization.deletion_scheduled",
            organization,
            before={"deletes_at": None},
            after={"deletes_at": moment},
        )
        owners = Membership.objects.filter(role=Role.OWNER).select_related("user").order_by("id")[:MOST_TOLD]
        for owner in owners:
            notices.tell(notices.DELETION, owner.user.email, organization.pk)
        events.record("organization.deletion_scheduled", organization.pk, {"deletes_at": moment})
    return organization


def cancel_deletion(actor: Actor) -> Organization:
    """Calls the deletion off; Conflict once the removal has begun, since then something is gone already."""
    actor.require("organization:delete")
    with tenancy.scope(actor.organization_id):
        organization = locked(actor.organization_id)
        if organization.deletes_at is None:
            raise NotFound("No deletion is scheduled.")
        if organization.removal_started_at is not None:
            raise Conflict("The removal has begun and cannot be stopped.")
        before = {"deletes_at": organization.deletes_at.isoformat()}
        organization.deletes_at = None
        organization.save(update_fields=["deletes_at"])
        audit.record(actor, "organization.deletion_cancelled", organization, before=before, after={"deletes_at": None})
        events.record("organization.deletion_cancelled", organization.pk, {})
    return organization


def remove_due(note: Callable[[UUID, datetime], None]) -> int:
    """Removes the organizations whose time has come, and says how many; one that was broken off is taken up again.

    `note` is called before the first row goes, with the id and when the removal began: no backup undoes it then.
    """
    with across_tenants(Across.HOUSEKEEPING):
        due = list(Organization.objects.filter(deletes_at__lte=Now()).order_by("deletes_at")[:AT_ONCE])
    return sum(_remove(organization.pk, note) for organization in due)


def remove_again(organization_id: UUID) -> bool:
    """Begins the removal of an organization that a backup has brought back; False where it has begun already."""
    with tenancy.scope(organization_id):
        organization = locked(organization_id)
        if organization.removal_started_at is not None:
            return False
        organization.deletes_at = timezone.now()
        _begin(organization, restored=True)
    return True


def _begin(organization: Organization, restored: bool = False) -> None:
    """From here on it cannot be called off; the caller holds the organization's lock."""
    organization.removal_started_at = timezone.now()
    organization.save(update_fields=["deletes_at", "removal_started_at"])
    audit.record(audit.system(organization.pk), "organization.removal_started", organization, restored=restored)


def _remove(organization_id: UUID, note: Callable[[UUID, datetime], None]) -> bool:
    with tenancy.scope(organization_id):
        try:
            organization = locked(organization_id)
        except NotFound:
            return False
        # Called off while this one waited for the lock.
        if organization.deletes_at is None or organization.deletes_at > timezone.now():
            return False
        if organization.removal_started_at is None:
            _begin(organization)
        begun = organization.removal_started_at
    settle: Callable[[UUID], bool] = import_string(settings.DELETION_STEP)
    if not settle(organization_id):
        return False
    note(organization_id, begun or timezone.now())
    # Files first: once the row is gone nobody comes back for what was broken off.
    media.remove_folder(organization_id)
    counts = remove_rows(organization_id)
    log.info("organization removed", extra={"organization": str(organization_id), "rows": sum(counts.values())})
    return True
