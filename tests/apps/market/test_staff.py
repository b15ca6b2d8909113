"""Approving offers and writing down payouts in the staff console; the organization reads both in its audit log."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.audit.sentences import sentence
from apps.core import tenancy
from apps.market import services as market
from apps.market.models import Earning, Listing, OfferState
from apps.staff.abilities import SUPPORT
from tests.helpers.market import FACTS, bought, offer_of, publish, upload
from tests.helpers.people import Tenant, audit_of
from tests.helpers.staff import browser_of, make_staff

pytestmark = pytest.mark.usefixtures("open_market", "payments")


@pytest.fixture
def browser(db: None) -> Client:
    return browser_of(make_staff())


def test_an_offer_is_given_back_and_then_published(browser: Client, org_a: Tenant) -> None:
    offer = market.create_offer(org_a.actor, FACTS)
    market.add_file(org_a.actor, offer.pk, upload())
    publish_page = reverse("staff:market_offer_publish", args=[offer.pk])
    assert browser.post(publish_page).status_code == 422, "it was not submitted"
    market.submit_offer(org_a.actor, offer.pk)
    page = browser.get(reverse("staff:market_offer_change", args=[offer.pk])).content.decode()
    assert "signs.csv" in page
    assert "<script>alert(1)" not in page
    given_back = browser.post(reverse("staff:market_offer_decline", args=[offer.pk]), {"note": "Where was it?"})
    assert given_back.status_code == 302
    assert "(Where was it?)" in sentence(audit_of(org_a, "offer.declined")[0])
    market.submit_offer(org_a.actor, offer.pk)
    assert browser.post(publish_page).status_code == 302
    assert offer_of(org_a, offer.pk).state == OfferState.PUBLISHED
    [entry] = audit_of(org_a, "offer.published")
    assert entry.actor_kind == "staff"


def test_support_may_look_and_publishes_nothing(org_a: Tenant) -> None:
    offer = market.create_offer(org_a.actor, FACTS)
    browser = browser_of(make_staff("support", SUPPORT))
    assert browser.get(reverse("staff:market_offer_changelist")).status_code == 200
    assert browser.post(reverse("staff:market_offer_publish", args=[offer.pk])).status_code == 403
    with tenancy.scope(org_a.id):
        assert not Listing.objects.exists()


def test_a_payout_is_written_down_up_to_what_is_owed(browser: Client, org_a: Tenant, org_b: Tenant) -> None:
    bought(org_b, publish(org_a))
    with tenancy.scope(org_a.id):
        line = Earning.objects.order_by("id")[0]
    page = browser.get(reverse("staff:market_earning_change", args=[line.pk])).content.decode()
    assert "$44.10" in page
    address = reverse("staff:market_earning_pay_out", args=[line.pk])
    assert browser.post(address, {"amount_minor": 4_411, "reference": "bank 1"}).status_code == 422
    assert browser.post(address, {"amount_minor": 4_410, "reference": "bank 1"}).status_code == 302
    with tenancy.scope(org_a.id):
        assert market.balances() == {"USD": 0}
    assert "paid out $44.10 (bank 1)" in sentence(audit_of(org_a, "payout.recorded")[0])
    assert browser.get(reverse("staff:market_sale_changelist")).status_code == 200
