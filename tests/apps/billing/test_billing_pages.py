"""The pages of billing: what they show, where they lead, and to whom."""

from typing import Any

import httpx
import pytest
from django.test import Client
from django.urls import reverse

from apps.billing import services as billing
from apps.billing.models import CreditNote, PlanCheckout, SpendingCap
from apps.core import tenancy
from tests.helpers.billing import forget_trial, invoices_of, subscribe, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)
CHOICE = {"plan": "pro", "interval": "month", "currency": "USD", "seats": "4", "code": ""}


@pytest.fixture
def owner(client: Client, org_a: Tenant) -> Client:
    client.force_login(org_a.owner)
    return client


def text(response: Any) -> str:
    assert response.status_code == 200, (response.status_code, response.content[-400:])
    return " ".join(response.content.decode().split())


def test_a_plan_is_taken_changed_and_cancelled_in_two_clicks(payments: Simulator, org_a: Tenant, owner: Client) -> None:
    forget_trial(org_a)
    assert "The free plan holds" in text(owner.get(reverse("billing")))
    assert 'value="4"' in text(owner.get(reverse("billing-plan"), {"plan": "pro", "seats": "4"}))
    to_stripe = owner.post(reverse("billing-plan"), CHOICE)
    assert to_stripe["location"].startswith(payments.url)
    with tenancy.scope(org_a.id):
        page = PlanCheckout.objects.get()
    back = reverse("billing-checkout", args=[page.pk])
    assert "not finished yet" in text(owner.get(back))
    payments.pay(page.stripe_id)
    shown = text(owner.get(back, follow=True))
    assert "Your plan is Pro" in shown
    assert "$38.00" in shown
    assert "renews by itself" in shown

    change = reverse("billing-change")
    shown = text(owner.get(change, {"seats": "6"}))
    assert "Next invoice" in shown
    token = shown.split('name="token" value="')[1].split('"')[0]
    older = text(owner.get(change, {"seats": "8"})).split('name="token" value="')[1].split('"')[0]
    assert "The change has been made" in text(owner.post(f"{change}?seats=6", {"token": token}, follow=True))
    assert subscription_of(org_a).seats == 6
    assert owner.post(f"{change}?seats=6", {"token": token}).status_code == 302
    again = owner.post(f"{change}?seats=8", {"token": older})
    assert again.status_code == 409
    assert "look at what it costs now" in again.content.decode()

    assert "Cancel the subscription" in text(owner.get(reverse("billing-cancel")))
    done = text(owner.post(reverse("billing-cancel"), {"at_once": "", "reason": ""}, follow=True))
    assert "The subscription is cancelled" in done
    assert "Keep the plan" in done
    assert "The subscription goes on" in text(owner.post(reverse("billing-keep"), follow=True))
    assert "The subscription is paused" in text(owner.post(reverse("billing-pause"), {"months": "2"}, follow=True))
    assert "The subscription goes on" in text(owner.post(reverse("billing-resume"), follow=True))


def test_invoices_are_listed_and_lead_to_a_fresh_file(payments: Simulator, org_a: Tenant, owner: Client) -> None:
    subscribe(payments, org_a)
    [invoice] = invoices_of(org_a)
    assert invoice.number in text(owner.get(reverse("billing-invoices")))
    assert "$29.00" in text(owner.get(reverse("billing-invoice", args=[invoice.pk])))
    file = owner.get(reverse("billing-invoice-file", args=[invoice.pk]))
    assert file.status_code == 302
    assert file["location"].startswith(payments.url)
    payments.client.v1.credit_notes.create({"invoice": invoice.stripe_id, "amount": 500, "refund_amount": 500})
    billing.refresh(org_a.id)
    shown = text(owner.get(reverse("billing-invoices")))
    assert "Credit notes" in shown
    assert "$5.00" in shown
    with tenancy.scope(org_a.id):
        note = CreditNote.objects.get()
    address = reverse("billing-credit-note-file", args=[note.pk])
    assert address in shown
    file = owner.get(address)
    assert (file.status_code, file["location"].startswith(payments.url)) == (302, True)
    paper = httpx.get(file["location"], trust_env=False, timeout=60)
    assert (paper.status_code, paper.content[:5]) == (200, b"%PDF-")


def test_a_failed_payment_is_said_with_what_helps(payments: Simulator, org_a: Tenant, client: Client) -> None:
    row = subscribe(payments, org_a)
    card = str(payments.client.v1.subscriptions.retrieve(row.stripe_id).default_payment_method)
    payments.do("decline", payment_method=card, reason="card_declined/insufficient_funds")
    # Sessions would end if time went by here as well.
    payments.advance(days=31.5)
    billing.refresh(org_a.id)
    client.force_login(org_a.owner)
    assert text(client.get(reverse("billing"))).count("The last payment failed") == 1
    assert client.get(reverse("billing-pay"))["location"].startswith(payments.url)
    for name in ("dashboard", "billing-seats", "billing-credits"):
        assert text(client.get(reverse(name))).count("The last payment failed") == 1, name
    client.force_login(org_a.member)
    assert "The last payment failed" not in text(client.get(reverse("dashboard")))


def test_credits_are_bought_from_the_page(payments: Simulator, org_a: Tenant, owner: Client) -> None:
    assert "Nothing bought yet" in text(owner.get(reverse("billing-credits")))
    to_stripe = owner.post(reverse("billing-credits"), {"pack": "credit-usd-1"})
    assert to_stripe["location"].startswith(payments.url)
    assert "waiting for payment" in text(owner.get(reverse("billing-credits")))


def test_tax_details_reach_stripe_and_are_checked(payments: Simulator, org_a: Tenant, owner: Client) -> None:
    billing.ensure_customer(org_a.id)
    wanted = {
        "name": "Kettle Works",
        "email": "bills@kettle.example",
        "country": "de",
        "tax_id_kind": "eu_vat",
        "tax_id": "DE123456789",
    }
    assert "has been changed" in text(owner.post(reverse("billing-details"), wanted, follow=True))
    account = billing.account_of(org_a.id)
    customer = payments.client.v1.customers.retrieve(account.stripe_id)
    assert customer.name == "Kettle Works"
    assert customer.address is not None
    assert customer.address.country == "DE"
    [tax_id] = payments.client.v1.customers.tax_ids.list(account.stripe_id).data
    assert tax_id.value == "DE123456789"
    assert account.tax_id_state == (tax_id.verification.status if tax_id.verification else "")
    refused = owner.post(reverse("billing-details"), wanted | {"tax_id_kind": ""})
    assert refused.status_code == 422


def test_a_cap_is_set_and_removed_on_its_page(org_a: Tenant, owner: Client) -> None:
    assert "$25.50" in text(owner.post(reverse("billing-cap"), {"amount": "25.50"}, follow=True))
    assert 'value="25.50"' in text(owner.get(reverse("billing-cap")))
    assert owner.post(reverse("billing-cap"), {"amount": "-1"}).status_code == 422
    assert "no spending cap any more" in text(owner.post(reverse("billing-cap"), {"amount": ""}, follow=True))


def test_a_cap_in_another_currency_says_that_nothing_passes_and_how_to_mend_it(org_a: Tenant, owner: Client) -> None:
    billing.set_cap(org_a.actor, 25_500_000)
    with tenancy.scope(org_a.id):
        SpendingCap.objects.update(currency="EUR")
    shown = text(owner.get(reverse("billing-cap")))
    assert "Your cap of €25.50 is in EUR, and your plan is charged in USD now" in shown
    assert "nothing is let through beyond the plan" in shown
    assert 'value="25.50"' not in shown, "euros are not offered as dollars"
    assert "lets nothing through until it is set anew" in text(owner.get(reverse("billing")))
    owner.cookies["millrace_language"] = "zh-hans"
    assert "以 EUR 计" in text(owner.get(reverse("billing-cap")))
    owner.cookies["millrace_language"] = "en"
    owner.post(reverse("billing-cap"), {"amount": "30"})
    assert "is in EUR" not in text(owner.get(reverse("billing-cap")))


def test_without_payments_the_page_says_who_can_help(org_a: Tenant, owner: Client) -> None:
    assert "takes no payments" in text(owner.get(reverse("billing")))
    assert "takes no payments" in text(owner.get(reverse("billing-plan")))
    assert "Payments are switched off" in owner.post(reverse("billing-plan"), CHOICE).content.decode()


def test_members_see_no_money(org_a: Tenant, client: Client) -> None:
    client.force_login(org_a.member)
    for name in ("billing", "billing-plan", "billing-invoices", "billing-credits", "billing-details"):
        assert client.get(reverse(name)).status_code == 403
