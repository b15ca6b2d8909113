"""Pages of money ask the database as little for much as for a little, before a plan, with one and after it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from apps.accounts.models import CustomRole, Membership, Role
from apps.billing import services as billing
from apps.billing.services import credits
from apps.core import tenancy
from tests.helpers.billing import subscribe
from tests.helpers.counting import MOST, questions_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(org_a: Tenant, client_of: Any) -> Client:
    client: Client = client_of(org_a.owner)
    return client


def _ask_each(owner: Client) -> None:
    for name in ("dashboard", "billing", "billing-credits", "billing-seats"):
        assert questions_of(owner, reverse(name)) <= MOST, name


def test_before_a_plan_with_one_and_after_it(payments: Simulator, org_a: Tenant, owner: Client) -> None:
    _ask_each(owner)
    subscribe(payments, org_a, seats=4)
    _ask_each(owner)
    billing.cancel_subscription(org_a.actor, at_once=True, reason="")
    _ask_each(owner)


@pytest.mark.usefixtures("payments")
def test_with_credit_in_many_currencies(org_a: Tenant, owner: Client) -> None:
    for number, currency in enumerate(("USD", "EUR", "CNY", "GBP", "CHF")):
        for lot in range(3):
            credits.grant(org_a.id, currency, 1_000_000, reference=f"{number}:{lot}", note=f"Gift in {currency}")
    _ask_each(owner)
    page = owner.get(reverse("billing-credits"))
    assert set(page.context["left"]) == {"USD", "EUR", "CNY", "GBP", "CHF"} and len(page.context["lots"]) == 15
    with tenancy.scope(org_a.id):
        assert page.context["left"] == {currency: credits.balance(currency) for currency in page.context["left"]}


def test_with_many_members_each_in_a_role_of_its_own(org_a: Tenant, owner: Client) -> None:
    users = get_user_model().objects.bulk_create(
        get_user_model()(email=f"p{n}@many.example", password="!") for n in range(20)
    )
    with tenancy.scope(org_a.id):
        for n, user in enumerate(users):
            role = CustomRole.objects.create(organization_id=org_a.id, name=f"Role {n}", permissions=["usage:read"])
            Membership.objects.create(organization_id=org_a.id, user=user, role=Role.CUSTOM, custom_role=role)
    _ask_each(owner)
    assert "Role 19" in owner.get(reverse("billing-seats")).content.decode()
