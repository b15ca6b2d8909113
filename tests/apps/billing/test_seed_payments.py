"""The demo's organization pays at the simulator, once; nobody else's ever does."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.billing.models import Invoice, LedgerEntry, Meter
from apps.core import tenancy
from tests.helpers.billing import invoices_of, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


def slug_of(tenant: Tenant) -> str:
    return str(tenant.organization.slug)


def test_it_subscribes_pays_and_uses_something_once(payments: Simulator, org_a: Tenant, settings: Any) -> None:
    settings.LOCAL = True
    for _ in range(2):
        call_command("seed_payments", slug_of(org_a))
    row = subscription_of(org_a)
    assert (row.plan.code, row.status, row.seats) == ("pro", "active", 5)
    [invoice] = invoices_of(org_a)
    assert invoice.paid_minor == invoice.total_minor > 0
    with tenancy.scope(org_a.id):
        assert LedgerEntry.objects.filter(kind="usage").count() == 60
        assert set(LedgerEntry.objects.values_list("meter", flat=True)) == {
            Meter.IMAGES,
            Meter.CAMERA_MINUTES,
            Meter.BOT_RESOLUTIONS,
        }


def test_it_refuses_where_no_simulator_is(org_a: Tenant, settings: Any) -> None:
    settings.LOCAL, settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = True, "sk_test_x", ""
    with pytest.raises(CommandError, match="simulator"):
        call_command("seed_payments", slug_of(org_a))
    settings.LOCAL = False
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "", "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="simulator"):
        call_command("seed_payments", slug_of(org_a))
    with tenancy.scope(org_a.id):
        assert not Invoice.objects.exists()
