"""Prorations: to the second, half a minor unit away from zero, against what was really billed."""

from typing import Any

from deploy.stripe_simulator.resources.catalogue import amount_of
from deploy.stripe_simulator.resources.fields import share
from deploy.stripe_simulator.resources.invoice_items import make_item
from deploy.stripe_simulator.resources.lines import day, pricing, product_name
from deploy.stripe_simulator.world import World

Json = dict[str, Any]


def _after_discount(subscription: Json, amount: int) -> int:
    net, gross = subscription["_"]["ratio"]
    return share(amount, net, gross)


def credit_rest(world: World, subscription: Json, item: Json, at: int) -> None:
    """Give back what was billed for the rest of an item's period."""
    _prorate(world, subscription, item, -item["_"]["billed"], at, "Unused time on")


def charge_rest(world: World, subscription: Json, item: Json, at: int) -> None:
    """Bill an item, as it is now, for the rest of its period."""
    whole = amount_of(world.get(item["price"], "price"), item["quantity"])
    _prorate(world, subscription, item, whole, at, "Remaining time on")
    item["_"]["billed"] = whole
    world.save(item)


def _prorate(world: World, subscription: Json, item: Json, whole: int, at: int, words: str) -> None:
    start, end = item["current_period_start"], item["current_period_end"]
    amount = share(_after_discount(subscription, whole), end - at, end - start)
    if not whole:
        return
    price = world.get(item["price"], "price")
    name = product_name(world, price)
    make_item(
        world,
        world.get(subscription["customer"], "customer"),
        amount,
        price["currency"],
        f"{words} {item['quantity']} × {name} after {day(at)}",
        (at, end),
        subscription=subscription["id"],
        subscription_item=item["id"],
        pricing=pricing(price),
        quantity=item["quantity"],
        quantity_decimal=str(item["quantity"]),
        proration=True,
        # Discounts are in the amount already, as with Stripe's `proration_discounts: included`.
        discountable=False,
    )
