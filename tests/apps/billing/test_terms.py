"""Each line of the ledger says by which terms it was counted, and what of it was beyond the allowance."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.billing.models import LedgerEntry, Meter
from apps.billing.services.terms import limits_of
from apps.billing.usage import applied_of
from apps.core import tenancy
from tests.apps.billing.test_explorer import reported
from tests.apps.billing.test_usage import Browser, use
from tests.helpers.billing import subscribe
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator


def lines(tenant: Tenant) -> list[LedgerEntry]:
    with tenancy.scope(tenant.id):
        return list(LedgerEntry.objects.filter(kind__in=["settle", "usage"]).order_by("id"))


@pytest.mark.django_db(transaction=True)
def test_the_parts_within_and_beyond_add_up_and_cost_what_is_charged(
    payments: Simulator, org_a: Tenant, client_of: Browser
) -> None:
    subscribe(payments, org_a)
    term = limits_of(org_a.id).terms.of(Meter.IMAGES)
    assert term.rate and term.included > 10
    for id, quantity in enumerate((term.included - 10, 15, 4)):
        reported(org_a, str(id), quantity, "images", org_a.member.email)
    found = [(applied_of(line)[0], line.charge_micros) for line in lines(org_a)]
    assert [(one.within, one.beyond) for one, _ in found] == [(term.included - 10, 0), (10, 5), (0, 4)]
    assert [charge for _, charge in found] == [0, int(5 * term.rate), int(4 * term.rate)]
    text = client_of(org_a.owner).get("/settings/usage/ledger/").content.decode()
    assert "Partly beyond the allowance" in text and "Used before this line" in text


def test_a_text_names_the_terms_of_both_meters(org_a: Tenant) -> None:
    use(org_a, org_a.member, 30, 12)
    use(org_a, org_a.member, 5, 7)
    first, second = (applied_of(line) for line in lines(org_a))
    assert [(one.meter, one.quantity, one.before) for one in [*first, *second]] == [
        (Meter.TOKENS_IN, 30, 0),
        (Meter.TOKENS_OUT, 12, 0),
        (Meter.TOKENS_IN, 5, 30),
        (Meter.TOKENS_OUT, 7, 12),
    ]
    assert all(one.included and isinstance(one.rate, Decimal) for one in first)
