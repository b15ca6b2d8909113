"""What a subscription consists of: its items, their periods, and how an answer shows them."""

from typing import Any

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.catalogue import amount_of, price_of
from deploy.stripe_simulator.resources.fields import metadata
from deploy.stripe_simulator.world import World, renders

Json = dict[str, Any]
MOST = 20


@renders("subscription_item")
def fill_item(world: World, item: Json) -> None:
    """The price itself, and the plan as which older code sees it."""
    price = world.get(item["price"], "price")
    item["price"] = world.render(price)
    recurring = price["recurring"]
    item["plan"] = {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "nickname": price.get("nickname"),
        "product": price["product"],
        "usage_type": "licensed",
    }


@renders("subscription")
def fill_subscription(world: World, subscription: Json) -> None:
    """The items of a subscription."""
    items = items_of(world, subscription)
    subscription["items"] = {
        "object": "list",
        "data": [world.render(item) for item in items],
        "has_more": False,
        "url": f"/v1/subscription_items?subscription={subscription['id']}",
    }


def items_of(world: World, subscription: Json) -> list[Json]:
    """The items of a subscription, the oldest first."""
    return world.find("subscription_item", parent=subscription["id"])


def recurring_of(world: World, subscription: Json) -> Json:
    """The interval by which the subscription renews."""
    price = world.get(items_of(world, subscription)[0]["price"], "price")
    recurring: Json = price["recurring"]
    return recurring


def interval(price: Json) -> tuple[str, int]:
    """The interval of a price, for comparison."""
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def add_item(world: World, subscription: Json, params: Params, period: tuple[int, int], param: str) -> Json:
    """One more item; it must renew together with the others."""
    price = price_of(world, params, recurring=True, param=param)
    present = items_of(world, subscription)
    if len(present) >= MOST:
        raise StripeError(f"A subscription has at most {MOST} items.", param="items")
    if any(item["price"] == price["id"] for item in present):
        raise StripeError(
            f"Cannot add multiple subscription items with the same plan: {price['id']}.", param=f"{param}[price]"
        )
    for item in present:
        other = world.get(item["price"], "price")
        if other["currency"] != price["currency"]:
            raise StripeError("All prices of a subscription must have the same currency.", param=f"{param}[price]")
        if interval(other) != interval(price):
            raise not_simulated("prices of different intervals in one subscription", f"{param}[price]")
    return world.new(
        "si",
        {
            "object": "subscription_item",
            "current_period_start": period[0],
            "current_period_end": period[1],
            "discounts": [],
            "metadata": metadata(params),
            "price": price["id"],
            "quantity": whole_quantity(params.get("quantity", 1), f"{param}[quantity]"),
            "subscription": subscription["id"],
            "tax_rates": [],
            # What of the current period has been billed, were it whole, and what was taken off it.
            "_": {"billed": 0},
        },
        parent=subscription["id"],
        like=subscription,
    )


def whole_quantity(quantity: int, param: str) -> int:
    """A quantity that can be billed."""
    if quantity < 0:
        raise StripeError("Invalid non-negative integer", code="parameter_invalid_integer", param=param)
    return quantity


def set_period(world: World, subscription: Json, period: tuple[int, int]) -> None:
    """Begin a period; the renewal at its end is set."""
    for item in items_of(world, subscription):
        item |= {"current_period_start": period[0], "current_period_end": period[1]}
        world.save(item)
    world.timer(period[1], "renew_subscription", subscription)
    from deploy.stripe_simulator.resources.subscription_cycle import announce_renewal

    announce_renewal(world, subscription, period)


def period_of(world: World, subscription: Json) -> tuple[int, int]:
    """The current period."""
    item = items_of(world, subscription)[0]
    return item["current_period_start"], item["current_period_end"]


def bill_whole(world: World, item: Json) -> None:
    """Note that the item's current period has been billed with its present price and quantity."""
    item["_"]["billed"] = amount_of(world.get(item["price"], "price"), item["quantity"])
    world.save(item)
