"""The page of seats: how many, who has them, what is about to change, and the way to more."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Membership, Role
from apps.billing import services as billing
from apps.core import tenancy
from tests.apps.billing.test_usage import Browser
from tests.helpers.billing import subscribe
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


def test_seats_are_counted_named_and_sold(payments: Simulator, org_a: Tenant, client_of: Browser) -> None:
    subscribe(payments, org_a, seats=6)
    page = client_of(org_a.owner).get("/settings/billing/seats/")
    seats, text = page.context["seats"], page.content.decode()
    assert (seats.total, page.context["form"].initial) == (6, {"seats": 6})
    assert org_a.member.email in text and "See what it costs" in text
    preview = client_of(org_a.owner).get("/settings/billing/change/?seats=7&when=now")
    assert preview.context["preview"].seats == 7


def test_a_smaller_number_that_waits_is_told(payments: Simulator, org_a: Tenant, client_of: Browser) -> None:
    subscribe(payments, org_a, seats=8)
    asked = billing.preview_change(org_a.actor, seats=6, when="period_end")
    billing.confirm_change(org_a.actor, asked.token)
    page = client_of(org_a.owner).get("/settings/billing/seats/")
    assert page.context["row"].next_seats == 6 and "there are 6 seats" in page.content.decode()
    assert page.context["form"] is None


def test_without_a_plan_the_page_says_what_there_is(
    org_a: Tenant, client_of: Browser, outsider: Any, payments: Simulator
) -> None:
    text = client_of(org_a.owner).get("/settings/billing/seats/").content.decode()
    assert "Choose a plan" in text and "Not sold" in text


def test_queries_do_not_grow_with_members(org_a: Tenant, client_of: Browser) -> None:
    users = get_user_model().objects.bulk_create(
        get_user_model()(email=f"p{n}@many.example", password="!") for n in range(200)
    )
    with tenancy.scope(org_a.id):
        Membership.objects.bulk_create(
            Membership(organization_id=org_a.id, user=user, role=Role.MEMBER) for user in users
        )
    browser = client_of(org_a.owner)
    browser.get("/settings/billing/seats/")
    with CaptureQueriesContext(connection) as asked:
        page = browser.get("/settings/billing/seats/")
    reads = [query["sql"] for query in asked if query["sql"].startswith("SELECT") and "set_config" not in query["sql"]]
    assert len(reads) <= 12, reads
    assert len(page.context["page"].rows) == 25 and page.context["page"].next
