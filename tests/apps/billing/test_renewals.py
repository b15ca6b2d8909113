"""What the next invoice comes to is heard beside the pages, which never wait for Stripe."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.billing import gateway
from apps.billing.services import renewals
from apps.core.errors import PaymentsUnavailable
from tests.apps.billing.test_usage import Browser
from tests.helpers.billing import subscribe
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


def shown(client: Client) -> str:
    return " ".join(client.get("/settings/billing/").content.decode().split())


def refuse(*_: Any, **__: Any) -> Any:
    raise PaymentsUnavailable("gone")


def test_the_page_shows_what_was_heard_and_says_when_nothing_was(
    payments: Simulator, org_a: Tenant, client_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, browser = subscribe(payments, org_a, seats=4), client_of(org_a.owner)
    monkeypatch.setattr(gateway, "preview_renewal", refuse)
    assert renewals.preview_renewals() == 0
    assert "its amount is not known yet" in shown(browser)
    monkeypatch.undo()
    assert renewals.preview_renewals() == 1
    found = renewals.renewal_of(row)
    assert found and row.price
    assert (found.due_minor, found.currency, found.due_at) == (
        row.price.base_minor + row.price.seat_minor * (4 - row.plan.included_seats),
        "USD",
        row.period_end,
    )
    assert renewals.preview_renewals() == 0, "fresh: not asked again"
    monkeypatch.setattr(gateway, "stripe", refuse)
    page = shown(browser)
    assert "as things stand" in page and "Next invoice" in page


def test_what_was_heard_of_another_version_is_not_shown(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a)
    renewals.preview_renewals()
    assert renewals.renewal_of(row)
    row.version += 1
    assert renewals.renewal_of(row) is None
    row.version -= 1
    row.cancel_at = row.period_end
    assert renewals.renewal_of(row) is None
