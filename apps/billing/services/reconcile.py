"""Every night: events that no webhook brought, then every customer's objects against our copies of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

import structlog
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.billing import gateway
from apps.billing.models import (
    BillingAccount,
    CreditNote,
    FindingKind,
    Invoice,
    Payment,
    StripeCursor,
    StripeEvent,
    Subscription,
)
from apps.billing.services.accounts import lock_account
from apps.billing.services.findings import CUSTOMER, note_finding, settle_unread
from apps.billing.services.inbox import handle_events, store
from apps.billing.services.mirrors import refresh
from apps.billing.services.payments import write_charge
from apps.core import metrics, tenancy
from apps.core.errors import MillraceError
from apps.core.tenancy import Across, across_tenants

log = structlog.get_logger(__name__)
# As long as Stripe keeps events; and how far back a look goes again, for those that were listed late.
KEPT, OVERLAP = timedelta(days=30), timedelta(hours=6)
BATCH, NAMED = 100, 5
MIRRORS: Final = (Subscription, Invoice, CreditNote, Payment)
# What is ours and not a copy.
_OWN: Final = {"id", "organization", "version", "created_at", "next_price", "next_seats", "next_at"}


@dataclass(frozen=True, slots=True)
class Drift:
    """Copies of one organization that were not what Stripe has, by kind: their ids there, and the fields."""

    organization_id: UUID
    kind: str
    places: tuple[str, ...]


def reconcile() -> list[Drift]:
    """Reads Stripe's events and objects, mends what differs, and tells of it."""
    if gateway.mode() is gateway.Mode.OFF:
        return []
    read_events()
    handle_events()
    found = []
    for organization_id in _customers():
        try:
            found += check_customer(organization_id)
        except MillraceError as error:
            log.warning("customer not reconciled", organization=str(organization_id), problem=error.message)
            with tenancy.scope(organization_id):
                note_finding(organization_id, FindingKind.UNREAD, CUSTOMER, f"{type(error).__name__}: {error.message}")
    return found


def read_events() -> int:
    """Stores the events since the last look that no webhook has brought; returns how many those were."""
    began, livemode = timezone.now(), gateway.is_live()
    cursor = StripeCursor.objects.filter(livemode=livemode).first()
    since = max(cursor.read_until - OVERLAP, began - KEPT) if cursor else began - KEPT
    hints, missed = gateway.list_events(since), 0
    while some := list(islice(hints, BATCH)):
        missed += store(some)
    StripeCursor.objects.update_or_create(livemode=livemode, defaults={"read_until": began})
    if missed:
        log.warning("events that no webhook has brought", count=missed)
        metrics.STRIPE_MISSED.inc(missed)
    return missed


def check_customer(organization_id: UUID) -> list[Drift]:
    """Copies a customer's objects anew, and says which copies that has changed."""
    with tenancy.scope(organization_id):
        account = lock_account(organization_id)
        before = dict(_copies())
        refresh(organization_id, newest=100)
        for charge in gateway.list_charges(account.stripe_id):
            write_charge(account, charge)
        after = dict(_copies())
        settle_unread()
        # An event that still waits has told of the change already: that is no drift.
        if StripeEvent.objects.filter(customer=account.stripe_id, handled_at=None).exists():
            return []
        return list(_told(organization_id, before, after))


def _customers() -> list[UUID]:
    with across_tenants(Across.STRIPE):
        rows = BillingAccount.objects.filter(livemode=gateway.is_live()).exclude(stripe_id="")
        return list(rows.order_by("organization_id").values_list("organization_id", flat=True))


def _copies() -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for model in MIRRORS:
        names = [field.name for field in model._meta.concrete_fields if field.name not in _OWN]
        for row in model.objects.exclude(stripe_id="").values("stripe_id", *names):
            yield (model._meta.model_name or "", row["stripe_id"]), row


def _told(organization_id: UUID, before: dict[Any, Any], after: dict[Any, Any]) -> Iterator[Drift]:
    places: dict[str, list[str]] = {}
    for (kind, id), row in after.items():
        was = before.get((kind, id))
        if was == row:
            continue
        fields = "missing" if was is None else " ".join(name for name in row if row[name] != was[name])
        places.setdefault(kind, []).append(f"{id} ({fields})")
    account = BillingAccount.objects.get()
    for kind, found in places.items():
        facts: dict[str, Any] = {"kind": kind, "count": len(found), "places": ", ".join(found[:NAMED])}
        log.error("copies differed from Stripe", organization=str(organization_id), **facts)
        metrics.STRIPE_DRIFTS.labels(kind).inc(len(found))
        audit.record(system(organization_id), "billing.drift_mended", account, **facts)
        note_finding(organization_id, FindingKind.DRIFT, kind, facts["places"])
        yield Drift(organization_id, kind, tuple(found))
