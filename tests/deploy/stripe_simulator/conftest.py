"""Fixtures: one simulator process for all tests here, and what a shop needs to begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.helpers.stripe_simulator import Simulator, simulator, simulator_process

__all__ = ["simulator", "simulator_process"]
START = 1_767_225_600  # 1 January 2026, midnight UTC
DAY = 86_400


@dataclass
class Shop:
    """A product with monthly and yearly prices, and a customer with a card on a test clock."""

    simulator: Simulator
    monthly: str
    yearly: str
    clock: str
    customer: str

    @property
    def v1(self) -> Any:
        return self.simulator.client.v1

    def to(self, moment: int) -> None:
        """Let the customer's clock go on to a moment."""
        self.simulator.advance_clock(self.clock, moment)

    def subscribe(self, price: str | None = None, quantity: int = 1, **more: Any) -> Any:
        items = [{"price": price or self.monthly, "quantity": quantity}]
        return self.v1.subscriptions.create({"customer": self.customer, "items": items, **more})

    def invoices(self) -> list[Any]:
        """The customer's invoices, the oldest first."""
        return list(self.v1.invoices.list({"customer": self.customer, "limit": 100}).auto_paging_iter())[::-1]


@pytest.fixture
def shop(simulator: Simulator) -> Shop:
    v1 = simulator.client.v1
    product = v1.products.create({"name": "Seat"})
    prices = [
        v1.prices.create(
            {"product": product.id, "currency": "usd", "unit_amount": amount, "recurring": {"interval": interval}}
        ).id
        for amount, interval in ((1999, "month"), (19_990, "year"))
    ]
    clock = v1.test_helpers.test_clocks.create({"frozen_time": START})
    customer = v1.customers.create({"email": "owner@shop.example", "test_clock": clock.id})
    shop = Shop(simulator, *prices, clock.id, customer.id)
    give_card(shop, "pm_card_visa")
    return shop


def give_card(shop: Shop, token: str) -> str:
    """The customer pays with this test card from now on; returns the payment method."""
    method = shop.v1.payment_methods.attach(token, {"customer": shop.customer})
    shop.v1.customers.update(shop.customer, {"invoice_settings": {"default_payment_method": method.id}})
    return str(method.id)
