"""Invoices as callers see and handle them."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.listing import page, search
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources import invoice_end, invoices
from deploy.stripe_simulator.resources.discounts import redeem
from deploy.stripe_simulator.resources.fields import metadata, plain, take
from deploy.stripe_simulator.resources.lines import line_of_item, total_up
from deploy.stripe_simulator.resources.payment_methods import find_method
from deploy.stripe_simulator.resources.subscriptions import plain_list
from deploy.stripe_simulator.resources.tax import require_location
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
FIELDS = ("description", "footer", "custom_fields", "statement_descriptor", "default_payment_method", "due_date")


def take_up(world: World, invoice: Json, items: list[Json]) -> None:
    """Put invoice items on a draft."""
    for item in items:
        item["invoice"] = invoice["id"]
        invoice["_"]["lines"].append(line_of_item(world, item))
        world.save(item)
    _recount(world, invoice)


def drop_item(world: World, item: Json) -> None:
    """Take an invoice item off its draft."""
    invoice = world.get(item["invoice"], "invoice")
    _require_draft(invoice)
    invoice["_"]["lines"] = [line for line in invoice["_"]["lines"] if _item_of(line) != item["id"]]
    _recount(world, invoice)


def _item_of(line: Json) -> str | None:
    parent = line["parent"] or {}
    details = parent.get("invoice_item_details") or parent.get("subscription_item_details") or {}
    return details.get("invoice_item")


def _recount(world: World, invoice: Json) -> None:
    with world.changes(invoice, "invoice.updated"):
        total_up(world, invoice, world.get(invoice["customer"], "customer"))


def _require_draft(invoice: Json) -> None:
    if invoice["status"] != "draft":
        raise StripeError("This invoice is no longer editable", code="invoice_not_editable")


@route("POST", "/v1/invoices", sdk.InvoiceCreateParams)
def create_invoice(world: World, params: Params) -> Json:
    """A draft, empty or with what waits for the customer."""
    customer = world.get(params["customer"], "customer", "customer")
    subscription = world.get(params["subscription"], "subscription") if params.get("subscription") else None
    currency = (params.get("currency") or (subscription or customer)["currency"] or "usd").lower()
    more: Json = {"metadata": metadata(params), "auto_advance": params.get("auto_advance", False)}
    items: list[Json] = []
    if params.get("pending_invoice_items_behavior", "exclude") == "include":
        items = invoices.pending_items(world, customer, subscription, currency)
        if subscription:  # Stripe bills nothing else on an invoice that is asked for a subscription
            items = [item for item in items if item["_"]["subscription"]]
    take(more, params, *FIELDS, "collection_method")
    if (automatic := params.get("automatic_tax")) is not None and automatic["enabled"]:
        require_location(customer)
        more["automatic_tax"] = {"enabled": True, "liability": None, "provider": None, "status": None}
    invoice = invoices.make_invoice(
        world, customer, reason="manual", currency=currency, lines=[], subscription=subscription, items=items, **more
    )
    if (days := params.get("days_until_due")) is not None:
        invoice["_"]["days_until_due"] = days
    if (given := params.get("discounts")) is not None:
        invoice["discounts"] = redeem(world, plain_list(given), customer["id"], currency, invoice)
        total_up(world, invoice, customer)
    world.save(invoice)
    if invoice["auto_advance"]:
        invoices.finalize_later(world, invoice)
    return invoice


@route("POST", "/v1/invoices/{identifier}", sdk.InvoiceUpdateParams)
def update_invoice(world: World, params: Params, identifier: str) -> Json:
    """Change an invoice; of one that is final only what changes no money."""
    invoice = world.get(identifier, "invoice")
    if params.keys() - {"metadata", "auto_advance", "default_payment_method", "expand"}:
        _require_draft(invoice)
    with world.changes(invoice, "invoice.updated"):
        take(invoice, params, *FIELDS, "auto_advance", "collection_method")
        invoice["metadata"] = metadata(params, invoice["metadata"])
        if (given := params.get("discounts")) is not None:
            invoice["discounts"] = redeem(world, plain_list(given), invoice["customer"], invoice["currency"], invoice)
            total_up(world, invoice, world.get(invoice["customer"], "customer"))
    if invoice["status"] == "draft" and params.get("auto_advance"):
        invoices.finalize_later(world, invoice)
    return invoice


@route("POST", "/v1/invoices/{identifier}/finalize", sdk.InvoiceFinalizeInvoiceParams)
def finalize_invoice(world: World, params: Params, identifier: str) -> Json:
    """Make a draft final now; with `auto_advance` its money is asked for as well."""
    invoice = world.get(identifier, "invoice")
    if (advance := params.get("auto_advance")) is not None:
        invoice["auto_advance"] = advance
    invoices.finalize(world, invoice)
    if invoice["auto_advance"]:
        invoices.collect(world, invoice, off_session=True)
    return invoice


@route("POST", "/v1/invoices/{identifier}/pay", sdk.InvoicePayParams)
def pay_invoice(world: World, params: Params, identifier: str) -> Json:
    """Pay an invoice now: by card, or as paid elsewhere."""
    invoice = world.get(identifier, "invoice")
    if invoice["status"] == "draft":
        invoices.finalize(world, invoice)
    if invoice["status"] == "paid" and invoice["amount_due"]:
        raise StripeError("Invoice is already paid", code="invoice_already_paid")
    if params.get("paid_out_of_band"):
        invoices.mark_paid(world, invoice, amount=0)
        return invoice
    if invoice["status"] not in {"open", "uncollectible", "paid"}:
        raise StripeError(f"This invoice is {invoice['status']} and cannot be paid.", code="invoice_not_editable")
    method = find_method(world, params["payment_method"]) if params.get("payment_method") else None
    if invoice["status"] != "paid":
        invoice["status"] = "open"
        error = invoices.collect(world, invoice, off_session=params.get("off_session", True), method=method)
        if error is not None:
            raise error
    return invoice


@route("POST", "/v1/invoices/{identifier}/void", sdk.InvoiceVoidInvoiceParams)
def void_invoice(world: World, params: Params, identifier: str) -> Json:
    """Take a final invoice back."""
    invoice = world.get(identifier, "invoice")
    invoice_end.void(world, invoice)
    return invoice


@route("POST", "/v1/invoices/{identifier}/mark_uncollectible", sdk.InvoiceMarkUncollectibleParams)
def write_off_invoice(world: World, params: Params, identifier: str) -> Json:
    """Write a final invoice off."""
    invoice = world.get(identifier, "invoice")
    invoice_end.mark_uncollectible(world, invoice)
    return invoice


@route("POST", "/v1/invoices/{identifier}/send", sdk.InvoiceSendInvoiceParams)
def send_invoice(world: World, params: Params, identifier: str) -> Json:
    """Tell that an invoice was sent; the simulator sends no mail."""
    invoice = world.get(identifier, "invoice")
    if invoice["status"] == "draft":
        invoices.finalize(world, invoice)
    world.emit("invoice.sent", invoice)
    return invoice


@route("DELETE", "/v1/invoices/{identifier}", sdk.InvoiceDeleteParams)
def delete_invoice(world: World, params: Params, identifier: str) -> Json:
    """Delete a draft; what was on it waits again."""
    invoice = world.get(identifier, "invoice")
    _require_draft(invoice)
    if invoice["_"]["subscription"]:
        raise StripeError("You can't delete invoices that belong to a subscription; finalize and void them instead.")
    for item in world.find("invoiceitem", customer=invoice["customer"]):
        if item["invoice"] == identifier:
            item["invoice"] = None
            world.save(item)
    world.emit("invoice.deleted", invoice)
    world.remove(invoice)
    return {"id": identifier, "object": "invoice", "deleted": True}


@route("GET", "/v1/invoices/search", sdk.InvoiceSearchParams)
def search_invoices(world: World, params: Params) -> Json:
    """Invoices by metadata, status or number."""
    return search(params, world.find("invoice"), "/v1/invoices/search")


@route("GET", "/v1/invoices/{identifier}", sdk.InvoiceRetrieveParams)
def retrieve_invoice(world: World, params: Params, identifier: str) -> Json:
    """One invoice."""
    return world.get(identifier, "invoice")


@route("GET", "/v1/invoices/{identifier}/lines", sdk.InvoiceLineItemListParams)
def list_lines(world: World, params: Params, identifier: str) -> Json:
    """An invoice's lines, in their order."""
    lines = world.get(identifier, "invoice")["_"]["lines"]
    shown = [line | {"invoice": identifier} for line in reversed(lines)]
    return page(params, shown, f"/v1/invoices/{identifier}/lines")


@route("GET", "/v1/invoices", sdk.InvoiceListParams)
def list_invoices(world: World, params: Params) -> Json:
    """Invoices, of a customer or a subscription."""
    wanted = {name: params.get(name) for name in ("status", "collection_method")}
    subscription = params.get("subscription")
    if params.get("due_date") is not None:
        raise not_simulated("lists by due date", "due_date")

    def fits(item: Json) -> bool:
        return all(value is None or item[name] == value for name, value in wanted.items()) and (
            subscription is None or item["_"]["subscription"] == subscription
        )

    return page(params, world.find("invoice", customer=params.get("customer")), "/v1/invoices", fits)


@route("GET", "/v1/invoice_payments", sdk.InvoicePaymentListParams)
def list_payments(world: World, params: Params) -> Json:
    """What was paid for invoices, also by payment intent."""
    invoice, status, payment = params.get("invoice"), params.get("status"), plain(params.get("payment"))

    def fits(item: Json) -> bool:
        if payment and item["payment"].get(payment["type"]) != payment.get(payment["type"]):
            return False
        return (invoice is None or item["invoice"] == invoice) and (status is None or item["status"] == status)

    return page(params, world.find("invoice_payment"), "/v1/invoice_payments", fits)


@route("GET", "/v1/invoice_payments/{identifier}", sdk.InvoicePaymentRetrieveParams)
def retrieve_payment(world: World, params: Params, identifier: str) -> Json:
    """One payment of an invoice."""
    return world.get(identifier, "invoice_payment")
