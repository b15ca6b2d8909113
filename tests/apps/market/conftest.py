"""A market that is open, with its files in a temporary folder."""

from pathlib import Path
from typing import Any

import pytest

from apps.billing import services as billing
from apps.billing.models import Order
from apps.core import tenancy
from tests.helpers.market import turn_on


@pytest.fixture(autouse=True)
def market_folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def open_market(_no_switch_is_set: None, monkeypatch: pytest.MonkeyPatch) -> None:
    turn_on(monkeypatch, "data_offers")


@pytest.fixture
def payments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders as billing writes them, where no payment provider is configured to pay them at."""

    def start_order(actor: Any, **facts: Any) -> Order:
        actor.require("billing:manage")
        with tenancy.scope(actor.organization_id):
            return Order.objects.create(organization_id=actor.organization_id, asked_by=actor.user_id, **facts)

    monkeypatch.setattr(billing, "start_order", start_order, raising=False)
    address = "https://pay.example/{}".format
    monkeypatch.setattr(billing, "checkout_url", lambda actor, order: address(order.pk), raising=False)
