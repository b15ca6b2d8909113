"""With STRIPE_TAX Stripe computes taxes: Checkout asks for address and tax number, and our copies have the tax."""

from typing import Any

import pytest

from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.services import orders
from tests.helpers.billing import choose, forget_trial, invoices_of, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.purchases import credits_of, order_of, payment_of, work
from tests.helpers.stripe_simulator import SECRET, Simulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def taxes(settings: Any) -> None:
    settings.STRIPE_TAX, settings.STRIPE_WEBHOOK_SECRETS = True, [SECRET]


def subscribed(payments: Simulator, tenant: Tenant, **payer: str) -> Any:
    """Takes a plan, with an address and perhaps a tax number typed in on the page; the page as it was made."""
    forget_trial(tenant)
    row = choose(tenant)
    page = payments.client.v1.checkout.sessions.retrieve(row.stripe_id)
    payments.pay(row.stripe_id, **payer)
    billing.settle_checkout(tenant.id, row.pk)
    return page


def test_the_page_asks_for_what_taxes_need(payments: Simulator, org_a: Tenant) -> None:
    page = subscribed(payments, org_a, country="DE", line1="Allee 1", postal_code="10115", city="Berlin")
    assert (page.automatic_tax.enabled, page.tax_id_collection.enabled) == (True, True)
    assert page.billing_address_collection == "required"
    [invoice] = invoices_of(org_a)
    assert (invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor) == (2_900, 551, 3_451)
    assert (invoice.paid_minor, payments.client.v1.charges.list({}).data[0].amount) == (3_451, 3_451)
    assert billing.account_of(org_a.id).country == "DE", "the address that was typed in is kept"
    shown = billing.preview_change(org_a.actor, seats=5)
    assert shown.tax_minor == round(sum(line.amount_minor for line in shown.lines) * 0.19)
    row = payments.client.v1.subscriptions.retrieve(subscription_of(org_a).stripe_id)
    assert row.automatic_tax.enabled, "renewals are taxed as well"


def test_a_tax_number_that_is_typed_in_is_copied_and_reverses_the_charge(payments: Simulator, org_a: Tenant) -> None:
    subscribed(payments, org_a, country="DE", tax_id_type="eu_vat", tax_id="DE123456789")
    billing.refresh(org_a.id)
    account = billing.account_of(org_a.id)
    assert (account.tax_id_kind, account.tax_id) == ("eu_vat", "DE123456789")
    # Checked by the tax office meanwhile: the next month's invoice has none.
    payments.advance(days=32)
    billing.refresh(org_a.id)
    assert billing.account_of(org_a.id).tax_id_state == "verified"
    newest = invoices_of(org_a)[-1]
    assert (newest.tax_minor, newest.total_minor) == (0, 2_900)


def test_tax_is_given_back_with_its_part_of_a_purchase(payments: Simulator, org_a: Tenant) -> None:
    order = orders.buy_credits(org_a.actor, "credit-usd-1")
    orders.checkout_url(org_a.actor, order)
    payments.pay(order_of(org_a, order).stripe_id, country="DE")
    work(payments)
    [(_, bought)] = credits_of(org_a)
    assert payment_of(org_a).amount_minor == 1_190
    payments.client.v1.refunds.create({"charge": payment_of(org_a).stripe_id, "amount": 595})
    work(payments)
    assert order_of(org_a, order).reversed_minor == 500
    assert credits_of(org_a)[1:] == [("clawback", -bought // 2)]


def test_what_is_billed_beside_a_plan_is_taxed_too(payments: Simulator, org_a: Tenant) -> None:
    subscribed(payments, org_a, country="DE")
    customer = billing.account_of(org_a.id).stripe_id
    line = {"amount_minor": 1_000, "description": "Tokens", "period_start": 1_790_000_000, "period_end": 1_790_000_100}
    gateway.create_invoice_item(customer=customer, currency="usd", **line, key="item")
    made = gateway.create_invoice(customer=customer, currency="usd", key="invoice")
    payments.advance(seconds=7_200)
    found = gateway.get_invoice(made)
    assert (found.subtotal_minor, found.tax_minor, found.total_minor) == (1_000, 190, 1_190)


def test_without_the_switch_nothing_is_asked(payments: Simulator, org_a: Tenant, settings: Any) -> None:
    settings.STRIPE_TAX = False
    page = subscribed(payments, org_a, country="DE")
    assert not page.automatic_tax.enabled
    assert invoices_of(org_a)[0].tax_minor == 0
