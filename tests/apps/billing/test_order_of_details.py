"""What stands on invoices, changed again while Stripe did not answer: what was wanted last is what stands there."""

from __future__ import annotations

import pytest

from apps.billing import services as billing
from apps.billing.models import OperationState, StripeOperation
from apps.billing.services.accounts import TaxDetails, ensure_customer
from apps.core import tenancy
from apps.core.errors import PaymentsUnavailable
from tests.apps.billing.test_order_of_changes import Silence, send_what_waits
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = TaxDetails("Old name", "old@example.com", "DE", "eu_vat", "DE123456789")
LAST = TaxDetails("New name", "new@example.com", "FR", "eu_vat", "FRAB123456789")
KINDS = pytest.mark.parametrize("kind", ["change_customer", "set_tax_id"])
DONE = pytest.mark.parametrize("is_done", [True, False], ids=["it was done all the same", "it was not done"])


def at_stripe(payments: Simulator, tenant: Tenant) -> tuple[str, str, list[str]]:
    customer = billing.account_of(tenant.id).stripe_id
    found = payments.client.v1.customers.retrieve(customer)
    numbers = [one.value for one in payments.client.v1.customers.tax_ids.list(customer).data]
    return str(found.name), str(found.email), numbers


def states(tenant: Tenant) -> set[str]:
    with tenancy.scope(tenant.id):
        return set(StripeOperation.objects.values_list("state", flat=True))


@KINDS
@DONE
def test_what_was_replaced_never_comes_later(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, kind: str, is_done: bool
) -> None:
    ensure_customer(org_a.id)
    silence = Silence(monkeypatch, kind, is_done=is_done)
    with pytest.raises(PaymentsUnavailable):
        billing.change_tax_details(org_a.actor, FIRST)
    silence.lasts = False
    billing.change_tax_details(org_a.actor, LAST)
    for _ in range(3):
        send_what_waits(org_a)
    assert at_stripe(payments, org_a) == (LAST.name, LAST.email, [LAST.tax_id])
    assert states(org_a) == {OperationState.DONE}


@KINDS
@DONE
def test_what_was_wanted_last_comes_by_itself_where_nothing_is_answered(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, kind: str, is_done: bool
) -> None:
    ensure_customer(org_a.id)
    silence = Silence(monkeypatch, kind, is_done=is_done)
    for details in (FIRST, LAST):
        with pytest.raises(PaymentsUnavailable):
            billing.change_tax_details(org_a.actor, details)
    silence.lasts = False
    for _ in range(5):
        send_what_waits(org_a)
    assert at_stripe(payments, org_a) == (LAST.name, LAST.email, [LAST.tax_id])
    assert states(org_a) == {OperationState.DONE}


@KINDS
def test_details_that_stripe_fails_at_do_not_hold_up_the_corrected_ones(
    payments: Simulator, org_a: Tenant, kind: str
) -> None:
    ensure_customer(org_a.id)
    customer = billing.account_of(org_a.id).stripe_id
    place = {
        "change_customer": f"POST /v1/customers/{customer}",
        "set_tax_id": f"POST /v1/customers/{customer}/tax_ids",
    }
    payments.do("fail", times=2, matching=place[kind], replays="error", before=True)
    with pytest.raises(PaymentsUnavailable):
        billing.change_tax_details(org_a.actor, FIRST)
    billing.change_tax_details(org_a.actor, LAST)
    for _ in range(3):
        send_what_waits(org_a)
    assert at_stripe(payments, org_a) == (LAST.name, LAST.email, [LAST.tax_id])
    assert OperationState.WAITING not in states(org_a) and OperationState.SENT not in states(org_a)
