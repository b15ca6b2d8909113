"""How long each kind of data is kept: the defaults, what an organization chose, and carrying it out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Organization
from apps.core import tenancy
from apps.core.datakinds import DataKind, kind, kinds
from apps.core.errors import InvalidRequest, NotFound
from apps.core.tenancy import Across, across_tenants
from apps.core.tenancy.removal import removing
from apps.privacy.models import RetentionRule
from apps.privacy.services.exports import MANAGE

# Rows of one transaction: their locks are held for some tens of milliseconds.
BATCH = 500
LONGEST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Term:
    """How long the organization keeps a kind; `days` None is for as long as it is there."""

    kind: DataKind
    days: int | None
    chosen: bool


def terms(organization_id: UUID) -> list[Term]:
    """Every kind that has a term in days, or may be given one, with what holds for the organization."""
    with tenancy.scope(organization_id):
        rules = dict(RetentionRule.objects.values_list("kind", "days"))
    return [
        Term(each, rules.get(each.name, each.retention.days), each.name in rules)
        for each in kinds()
        if each.retention.adjustable
    ]


def set_term(actor: Actor, name: str, days: int | None) -> Term:
    """Chooses how long a kind is kept; raises NotFound for one without a choice, InvalidRequest outside its bounds."""
    actor.require(MANAGE)
    found = _adjustable(name)
    if days is not None and not found.retention.least <= days <= found.retention.most:
        raise InvalidRequest(
            "Keep %(name)s between %(least)s and %(most)s days, or without a limit.",
            values={"name": found.name, "least": found.retention.least, "most": found.retention.most},
            param="days",
        )
    with tenancy.scope(actor.organization_id):
        before = RetentionRule.objects.filter(kind=name).values_list("days", flat=True).first()
        rule, _ = RetentionRule.objects.update_or_create(
            kind=name,
            defaults={"days": days, "changed_at": timezone.now()},
            create_defaults={"organization_id": actor.organization_id, "kind": name, "days": days},
        )
        audit.record(actor, "privacy.retention_changed", rule, before={"days": before}, after={"days": days}, kind=name)
    return Term(found, days, True)


def _adjustable(name: str) -> DataKind:
    found = kind(name)
    if found is None or not found.retention.adjustable:
        known = ", ".join(each.name for each in kinds() if each.retention.adjustable)
        raise NotFound(
            "There is no term to choose for %(name)s; there is one for: %(known)s.",
            values={"name": repr(name[:40]), "known": known},
            param="kind",
        )
    return found


def preview(actor: Actor, name: str, days: int | None) -> int:
    """How many rows a term would remove tonight; changes nothing."""
    actor.require("privacy:read")
    found = _adjustable(name)
    if days is None:
        return 0
    if not 0 <= days <= LONGEST_DAYS:
        raise InvalidRequest("Days are a number from 0 to %(most)s.", values={"most": LONGEST_DAYS}, param="days")
    with tenancy.scope(actor.organization_id):
        return due(found, days).count()


def due(found: DataKind, days: int) -> QuerySet[Any]:
    """The rows in scope whose time has passed."""
    before = timezone.now() - timedelta(days=days)
    rows: QuerySet[Any] = found.rows().filter(**{f"{found.retention.since}__lt": before}, **found.retention.only)
    return rows


def apply(seconds: float) -> bool:
    """Removes what is due in all organizations, batch by batch; True if `seconds` were over before all was done."""
    until = time.monotonic() + seconds
    with across_tenants(Across.HOUSEKEEPING):
        organizations = list(Organization.objects.order_by("pk").values_list("pk", flat=True))
    for organization_id in organizations:
        for term in terms(organization_id):
            if term.days is None:
                continue
            if _remove(organization_id, term.kind, term.days, until):
                return True
    return False


def _remove(organization_id: UUID, found: DataKind, days: int, until: float) -> bool:
    removed, more = 0, True
    while more and time.monotonic() < until:
        with removing(organization_id) if found.retention.append_only else tenancy.scope(organization_id):
            ids = list(due(found, days).order_by("pk").values_list("pk", flat=True)[:BATCH])
            if found.retention.leaving is not None:
                found.retention.leaving(ids)
            found.rows().filter(pk__in=ids).delete()
        removed += len(ids)
        more = len(ids) == BATCH
    if removed:
        with tenancy.scope(organization_id):
            actor = audit.system(organization_id)
            organization = Organization.objects.get(pk=organization_id)
            audit.record(actor, "privacy.retention_applied", organization, kind=found.name, days=days, rows=removed)
    return more
