"""Invoice items: what waits to be billed with a customer's next invoice, prorations among them."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.catalogue import amount_of, price_of
from deploy.stripe_simulator.resources.fields import metadata, plain
from deploy.stripe_simulator.resources.lines import pricing, product_name
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World

Json = dict[str, Any]


def make_item(
    world: World,
    customer: Json,
    amount: int,
    currency: str,
    description: str | None,
    period: tuple[int, int],
    *,
    subscription: str | None = None,
    subscription_item: str | None = None,
    **more: Any,
) -> Json:
    """An invoice item that waits."""
    parent = {"type": "subscription_details", "subscription_details": {"subscription": subscription}}
    item = world.new(
        "ii",
        {
            "object": "invoiceitem",
            "amount": amount,
            "currency": currency,
            "customer": customer["id"],
            "date": world.now(customer),
            "description": description,
            "discountable": True,
            "discounts": [],
            "invoice": None,
            "metadata": {},
            "parent": parent if subscription else None,
            "period": {"start": period[0], "end": period[1]},
            "pricing": None,
            "proration": False,
            "quantity": 1,
            "quantity_decimal": "1",
            "tax_rates": [],
            "test_clock": customer["test_clock"],
            "_": {
                "clock": customer["test_clock"],
                "subscription": subscription,
                "subscription_item": subscription_item,
            },
            **more,
        },
        like=customer,
    )
    world.emit("invoiceitem.created", item)
    return item


def add_invoice_item(world: World, params: Params, customer: Json, subscription: Json | None) -> Json:
    """An invoice item of a one-time price."""
    price = price_of(world, params, recurring=False, param="add_invoice_items")
    quantity = params.get("quantity", 1)
    now = world.now(customer)
    return make_item(
        world,
        customer,
        amount_of(price, quantity),
        price["currency"],
        product_name(world, price),
        (now, now),
        subscription=subscription["id"] if subscription else None,
        pricing=pricing(price),
        quantity=quantity,
        quantity_decimal=str(quantity),
        metadata=metadata(params),
    )


@route("POST", "/v1/invoiceitems", sdk.InvoiceItemCreateParams)
def create_invoice_item(world: World, params: Params) -> Json:
    """An item for the customer's next invoice, for a subscription's next, or for a draft."""
    customer = world.get(params["customer"], "customer", "customer")
    invoice = world.get(params["invoice"], "invoice", "invoice") if params.get("invoice") else None
    subscription = world.get(params["subscription"], "subscription") if params.get("subscription") else None
    if subscription and subscription["status"] in {"canceled", "incomplete_expired"}:
        raise StripeError("You cannot add invoice items to a subscription that has ended.", param="subscription")
    if invoice and invoice["status"] != "draft":
        raise StripeError("This invoice is no longer editable", code="invoice_not_editable", param="invoice")
    now, period = world.now(customer), plain(params.get("period"))
    more: Json = {"metadata": metadata(params), "discountable": params.get("discountable", True)}
    amount, currency, description = _amount(world, params, more)
    item = make_item(
        world,
        customer,
        amount,
        currency,
        params.get("description") or description,
        (period["start"], period["end"]) if period else (now, now),
        subscription=subscription["id"] if subscription else None,
        **more,
    )
    if invoice:
        from deploy.stripe_simulator.resources.invoice_calls import take_up

        take_up(world, invoice, [item])
    return item


def _amount(world: World, params: Params, more: Json) -> tuple[int, str, str | None]:
    quantity = params.get("quantity", 1)
    more |= {"quantity": quantity, "quantity_decimal": str(quantity)}
    named = params.get("pricing")
    if named is not None or params.get("price_data") is not None:
        source = Params({"price": named["price"]}) if named is not None else params
        price = price_of(world, source, recurring=False, param="pricing")
        more["pricing"] = pricing(price)
        return amount_of(price, quantity), price["currency"], product_name(world, price)
    amount, each = params.get("amount"), params.get("unit_amount_decimal")
    if (amount is None) == (each is None):
        raise StripeError("You must specify exactly one of amount, pricing, price_data.", param="amount")
    currency = params.get("currency") or "usd"
    if each is not None:
        from deploy.stripe_simulator.resources.fields import rounded

        return rounded(each * quantity), currency.lower(), None
    if "quantity" in params:
        raise StripeError("You may only specify quantity with a price or a unit amount.", param="quantity")
    return amount, currency.lower(), None


@route("GET", "/v1/invoiceitems/{identifier}", sdk.InvoiceItemRetrieveParams)
def retrieve_invoice_item(world: World, params: Params, identifier: str) -> Json:
    """One invoice item."""
    return world.get(identifier, "invoiceitem")


@route("DELETE", "/v1/invoiceitems/{identifier}", sdk.InvoiceItemDeleteParams)
def delete_invoice_item(world: World, params: Params, identifier: str) -> Json:
    """Take back an item that no final invoice has."""
    item = world.get(identifier, "invoiceitem")
    if item["invoice"]:
        from deploy.stripe_simulator.resources.invoice_calls import drop_item

        drop_item(world, item)
    world.emit("invoiceitem.deleted", item)
    world.remove(item)
    return {"id": identifier, "object": "invoiceitem", "deleted": True}


@route("GET", "/v1/invoiceitems", sdk.InvoiceItemListParams)
def list_invoice_items(world: World, params: Params) -> Json:
    """Invoice items, of a customer or an invoice, waiting or not."""
    pending, invoice = params.get("pending"), params.get("invoice")

    def fits(item: Json) -> bool:
        if pending is not None and (item["invoice"] is None) != pending:
            return False
        return invoice is None or item["invoice"] == invoice

    return page(params, world.find("invoiceitem", customer=params.get("customer")), "/v1/invoiceitems", fits)
