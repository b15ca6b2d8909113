"""Sponsored notices: off by default, marked, counted without anybody's name, and gone with a plan that spares them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import InstallationEntry
from apps.billing import services as billing
from apps.core.errors import InvalidRequest
from apps.market.models import Sponsor, SponsorDay
from apps.market.services.sponsors import Slot, save_sponsor
from apps.staff.abilities import SUPPORT
from tests.helpers.market import turn_on
from tests.helpers.people import Tenant
from tests.helpers.staff import browser_of, make_staff

ClientOf = Callable[[Any], Client]


def slot(**changes: Any) -> Slot:
    now = timezone.now()
    plain: dict[str, Any] = {
        "title": "Grain & Co",
        "text": "Millstones, dressed.",
        "link": "https://grain.example/mill",
    }
    return Slot(**(plain | {"starts_at": now - timedelta(days=1), "ends_at": now + timedelta(days=1)} | changes))


@pytest.fixture
def sponsors(_no_switch_is_set: None, monkeypatch: pytest.MonkeyPatch) -> None:
    turn_on(monkeypatch, "sponsored_slots")


def dashboard(client: Client, language: str = "en") -> str:
    return str(client.get(reverse("dashboard"), headers={"accept-language": language}).content.decode())


def counted(sponsor: Sponsor) -> tuple[int, int]:
    row = SponsorDay.objects.filter(sponsor=sponsor).first()
    return (row.views, row.clicks) if row else (0, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("sponsors")
def test_a_notice_is_marked_shown_followed_and_counted(org_a: Tenant, client_of: ClientOf) -> None:
    sponsor, client = save_sponsor(slot()), client_of(org_a.owner)
    page = dashboard(client)
    assert "Sponsored" in page
    assert "Grain &amp; Co" in page
    assert 'rel="sponsored noopener nofollow"' in page
    assert "grain.example" not in page, "nothing of another site is on the page, not even its address"
    led = client.get(reverse("sponsored", args=[sponsor.pk]) + "?next=https://evil.example")
    assert led.url == "https://grain.example/mill"
    assert led["referrer-policy"] == "no-referrer"
    dashboard(client)
    assert counted(sponsor) == (2, 1)
    assert {field.name for field in SponsorDay._meta.get_fields()} == {"id", "sponsor", "day", "views", "clicks"}


@pytest.mark.usefixtures("sponsors")
def test_a_paid_plan_removes_it_at_once(org_a: Tenant, client_of: ClientOf) -> None:
    sponsor, client = save_sponsor(slot()), client_of(org_a.owner)
    assert "Grain" in dashboard(client)
    billing.change_plan(org_a.actor, "pro")
    assert "Grain" not in dashboard(client)
    assert client.get(reverse("sponsored", args=[sponsor.pk])).status_code == 404


def test_without_the_switch_there_is_none(org_a: Tenant, client_of: ClientOf) -> None:
    sponsor, client = save_sponsor(slot()), client_of(org_a.owner)
    assert "Grain" not in dashboard(client)
    assert client.get(reverse("sponsored", args=[sponsor.pk])).status_code == 404


@pytest.mark.usefixtures("sponsors")
def test_only_what_runs_now_in_the_readers_language_is_shown(org_a: Tenant, client_of: ClientOf) -> None:
    now, client = timezone.now(), client_of(org_a.owner)
    save_sponsor(slot(title="Over", starts_at=now - timedelta(days=2), ends_at=now - timedelta(days=1)))
    save_sponsor(slot(title="Later", starts_at=now + timedelta(days=1), ends_at=now + timedelta(days=2)))
    save_sponsor(slot(title="Chinese", languages=["zh-hans"]))
    assert "Advertisement" not in dashboard(client)
    assert "Chinese" in dashboard(client, "zh-hans")


@pytest.mark.usefixtures("sponsors")
def test_a_link_that_nobody_wrote_leads_nowhere(org_a: Tenant, outsider: Any, client_of: ClientOf) -> None:
    sponsor = save_sponsor(slot())
    assert client_of(org_a.owner).get(reverse("sponsored", args=[uuid4()])).status_code == 404
    assert client_of(outsider).get(reverse("sponsored", args=[sponsor.pk])).status_code == 404
    assert Client().get(reverse("sponsored", args=[sponsor.pk])).status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("link", ["http://grain.example", "javascript:alert(1)", "https://", "https://a@b.example"])
def test_a_notice_leads_to_https_only(link: str) -> None:
    with pytest.raises(InvalidRequest):
        save_sponsor(slot(link=link))
    if not link.startswith("https"):
        with pytest.raises(IntegrityError), transaction.atomic():
            Sponsor.objects.create(title="x", text="x", link=link, starts_at=slot().starts_at, ends_at=slot().ends_at)


# ---------------------------------------------------------------- the staff console


@pytest.mark.django_db
def test_staff_writes_changes_and_ends_a_notice() -> None:
    browser, now = browser_of(make_staff()), timezone.now()
    words = {"place": "dashboard", "title": "Grain & Co", "text": "Millstones.", "link": "https://grain.example/"}
    times = {"starts_at": f"{now - timedelta(hours=1):%Y-%m-%d %H:%M}", "ends_at": f"{now:%Y}-12-31 23:59"}
    assert browser.post(reverse("staff:market_sponsor_write"), words | times | {"languages": ["en"]}).status_code == 302
    sponsor = Sponsor.objects.get()
    assert sponsor.languages == ["en"]
    changed = browser.post(reverse("staff:market_sponsor_edit", args=[sponsor.pk]), words | times | {"title": "Grain"})
    assert changed.status_code == 302
    wrong = browser.post(reverse("staff:market_sponsor_write"), words | times | {"link": "http://grain.example/"})
    assert wrong.status_code == 422
    assert "Grain" in browser.get(reverse("staff:market_sponsor_changelist")).content.decode()
    assert browser.post(reverse("staff:market_sponsor_end", args=[sponsor.pk])).status_code == 302
    sponsor.refresh_from_db()
    assert sponsor.ends_at <= timezone.now()
    actions = list(InstallationEntry.objects.order_by("id").values_list("action", flat=True))
    assert {"sponsor.created", "sponsor.changed", "sponsor.ended"} <= set(actions)


@pytest.mark.django_db
def test_support_reads_and_writes_no_notice() -> None:
    browser = browser_of(make_staff("support", SUPPORT))
    assert browser.get(reverse("staff:market_sponsor_changelist")).status_code == 200
    assert browser.get(reverse("staff:market_sponsor_write")).status_code == 403
