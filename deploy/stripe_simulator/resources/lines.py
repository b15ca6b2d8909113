"""Lines of invoices, and what an invoice comes to: discounts, tax, the customer's balance."""

from datetime import UTC, datetime
from typing import Any

from deploy.stripe_simulator.resources.catalogue import amount_of
from deploy.stripe_simulator.resources.discounts import is_live, taken_off
from deploy.stripe_simulator.resources.fields import share
from deploy.stripe_simulator.resources.tax import country_of, taxes
from deploy.stripe_simulator.world import World, new_id

Json = dict[str, Any]


def make_line(amount: int, currency: str, description: str, period: tuple[int, int], **more: Any) -> Json:
    """One line, before discounts and tax."""
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "parent": None,
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "pricing": None,
        "quantity": 1,
        "subtotal": amount,
        "taxes": [],
        **more,
    }


def pricing(price: Json) -> Json:
    """How a line names its price."""
    return {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def product_name(world: World, price: Json) -> str:
    """The name of what a price is for."""
    return str(world.get(price["product"], "product")["name"])


def day(moment: int) -> str:
    """A date as Stripe's descriptions of prorations have it."""
    return f"{datetime.fromtimestamp(moment, UTC):%d %b %Y}"


def recurring_line(world: World, subscription: Json, item: Json, *, trial: bool = False) -> Json:
    """A period of a subscription's item."""
    price = world.get(item["price"], "price")
    name = product_name(world, price)
    each = f"{int(price['unit_amount'] or 0) / 100:.2f} {price['currency'].upper()}"
    text = (
        f"Trial period for {name}"
        if trial
        else f"{item['quantity']} × {name} (at {each} / {price['recurring']['interval']})"
    )
    return make_line(
        0 if trial else amount_of(price, item["quantity"]),
        price["currency"],
        text,
        (item["current_period_start"], item["current_period_end"]),
        parent={
            "type": "subscription_item_details",
            "subscription_item_details": {
                "proration": False,
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
        },
        pricing=pricing(price),
        quantity=item["quantity"],
        subscription=subscription["id"],
        metadata=dict(subscription["metadata"]),
    )


def line_of_item(world: World, item: Json) -> Json:
    """The line that an invoice item becomes."""
    details = {"invoice_item": item["id"], "proration": item["proration"], "subscription": item["_"]["subscription"]}
    if source := item["_"].get("subscription_item"):
        parent = {
            "type": "subscription_item_details",
            "subscription_item_details": details | {"subscription_item": source},
        }
    else:
        parent = {"type": "invoice_item_details", "invoice_item_details": details}
    return make_line(
        item["amount"],
        item["currency"],
        item["description"],
        (item["period"]["start"], item["period"]["end"]),
        parent=parent,
        pricing=item["pricing"],
        quantity=item["quantity"],
        discountable=item["discountable"],
        metadata=dict(item["metadata"]),
        subscription=item["_"]["subscription"],
    )


# ---------------------------------------------------------------- what it comes to


def total_up(world: World, invoice: Json, customer: Json) -> None:
    """Set every amount of a draft from its lines."""
    lines = invoice["_"]["lines"]
    discounts = _discount(world, invoice, lines)
    _tax(world, invoice, lines, customer)
    subtotal = sum(line["amount"] for line in lines)
    off = sum(item["amount"] for item in discounts)
    tax = [item for line in lines for item in line["taxes"]]
    added = sum(item["amount"] for item in tax if item["tax_behavior"] == "exclusive")
    included = sum(item["amount"] for item in tax if item["tax_behavior"] == "inclusive")
    total = subtotal - off + added
    balance = customer["balance"]
    invoice |= {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - included,
        "total": total,
        "total_excluding_tax": total - added - included,
        "total_discount_amounts": discounts,
        "total_taxes": _summed(tax),
        "starting_balance": balance,
        "amount_due": max(0, total + balance),
        "amount_remaining": max(0, total + balance),
        "_": invoice["_"] | {"ending_balance": min(0, total + balance)},
    }


def _discount(world: World, invoice: Json, lines: list[Json]) -> list[Json]:
    for line in lines:
        line["discount_amounts"] = []
    totals = []
    for identifier in invoice["discounts"]:
        discount = world.get(identifier, "discount")
        if not (is_live(world, discount, world.now(invoice)) or discount["_"].get("used_by") == invoice["id"]):
            continue
        coupon = world.peek(discount["source"]["coupon"]) or {}
        products = (coupon.get("applies_to") or {}).get("products")
        chosen = [line for line in lines if line["discountable"] and (not products or _product(line) in products)]
        left = [line["amount"] - sum(item["amount"] for item in line["discount_amounts"]) for line in chosen]
        off = taken_off(coupon, sum(left))
        for line, part in zip(chosen, _allocated(off, left), strict=True):
            line["discount_amounts"].append({"amount": part, "discount": identifier})
        totals.append({"amount": off, "discount": identifier})
        if off and coupon.get("duration") == "once":
            discount["_"] |= {"used": True, "used_by": invoice["id"]}
            world.save(discount)
    return totals


def _product(line: Json) -> str | None:
    return line["pricing"]["price_details"]["product"] if line["pricing"] else None


def _allocated(amount: int, weights: list[int]) -> list[int]:
    """Split an amount in proportion, so that the parts come to exactly it."""
    parts, given, weighed, whole = [], 0, 0, sum(weights)
    for weight in weights:
        weighed += weight
        upto = share(amount, weighed, whole)
        parts.append(upto - given)
        given = upto
    return parts


def _tax(world: World, invoice: Json, lines: list[Json], customer: Json) -> None:
    automatic = invoice["automatic_tax"]
    if not automatic["enabled"]:
        return
    automatic["status"] = "complete" if country_of(customer) else "requires_location_inputs"
    for line in lines:
        net = line["amount"] - sum(item["amount"] for item in line["discount_amounts"])
        price = world.peek(line["pricing"]["price_details"]["price"]) if line["pricing"] else None
        inclusive = price is not None and price["tax_behavior"] == "inclusive"
        line["taxes"] = taxes(world, customer, net, inclusive)


def _summed(tax: list[Json]) -> list[Json]:
    sums: dict[tuple[str, str, str], Json] = {}
    for item in tax:
        key = (item["tax_rate_details"]["tax_rate"], item["tax_behavior"], item["taxability_reason"])
        if key in sums:
            sums[key]["amount"] += item["amount"]
            sums[key]["taxable_amount"] += item["taxable_amount"]
        else:
            sums[key] = dict(item)
    return list(sums.values())
