"""A payment that a bank refuses: what people read, what programs get, and what is kept from thieves."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from stripe import CardError

from apps.billing import services as billing
from apps.billing.gateway.declines import refusal
from apps.core.errors import PaymentRefused
from tests.apps.billing.test_billing_api import api
from tests.helpers.billing import subscribe, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


def refused(payments: Simulator, tenant: Tenant, reason: str) -> str:
    """A yearly plan whose card now declines, and the preview of a change that is paid at once."""
    row = subscribe(payments, tenant, interval="year")
    card = str(payments.client.v1.subscriptions.retrieve(row.stripe_id).default_payment_method)
    payments.do("decline", payment_method=card, reason=reason)
    return billing.preview_change(tenant.actor, seats=5).token


def test_the_error_carries_the_banks_reason(payments: Simulator, org_a: Tenant) -> None:
    token = refused(payments, org_a, "card_declined/insufficient_funds")
    with pytest.raises(PaymentRefused) as error:
        billing.confirm_change(org_a.actor, token)
    assert error.value.decline_code == "insufficient_funds"
    assert "not enough money" in error.value.message
    assert subscription_of(org_a).seats == 3


def test_programs_get_it_as_a_code(payments: Simulator, org_a: Tenant) -> None:
    token = refused(payments, org_a, "card_declined/insufficient_funds")
    status, found = api(org_a, "billing:read", "billing:manage")("patch", "/subscription", {"token": token})
    assert (status, found["error"]["code"], found["error"]["decline_code"]) == (
        402,
        "payment_refused",
        "insufficient_funds",
    )


def test_people_read_what_helps(payments: Simulator, org_a: Tenant, client: Client) -> None:
    token = refused(payments, org_a, "expired_card/expired_card")
    client.force_login(org_a.owner)
    page = client.post(reverse("billing-change"), {"token": token}, follow=True).content.decode()
    assert "the card has expired" in page


@pytest.mark.parametrize("reason", ["lost_card", "stolen_card"])
def test_whoever_holds_a_stolen_card_is_not_told(payments: Simulator, org_a: Tenant, reason: str) -> None:
    token = refused(payments, org_a, f"card_declined/{reason}")
    with pytest.raises(PaymentRefused) as error:
        billing.confirm_change(org_a.actor, token)
    assert error.value.decline_code == "generic_decline"
    assert reason not in str(error.value.body())
    assert "does not say why" in error.value.message


def card_error(code: str, decline: str | None, message: str = "Your card does not like Mondays.") -> Any:
    body = {"error": {"code": code, "decline_code": decline, "message": message, "type": "card_error"}}
    return CardError(message, None, code, json_body=body)


@pytest.mark.parametrize(
    ("code", "decline", "wanted"),
    [
        ("card_declined", "fraudulent", "generic_decline"),
        ("card_declined", None, "generic_decline"),
        ("incorrect_cvc", None, "incorrect_cvc"),
        ("card_declined", "something_new", "something_new"),
    ],
)
def test_every_reason_has_a_code(code: str, decline: str | None, wanted: str) -> None:
    assert refusal(card_error(code, decline)).decline_code == wanted


def test_a_reason_that_is_new_is_said_in_stripes_words() -> None:
    assert "does not like Mondays" in refusal(card_error("card_declined", "something_new")).message
