"""Previews: the very code that bills, run in a transaction that is taken back. So a preview is what is then billed."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources import invoices
from deploy.stripe_simulator.resources.discounts import redeem
from deploy.stripe_simulator.resources.fields import address, plain
from deploy.stripe_simulator.resources.subscription_change import change_billing, change_end, change_fields
from deploy.stripe_simulator.resources.subscription_cycle import end_trial, next_period
from deploy.stripe_simulator.resources.subscription_end import bill_rest, end_now
from deploy.stripe_simulator.resources.subscription_items import period_of
from deploy.stripe_simulator.resources.subscriptions import plain_list, start
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World, new_id

Json = dict[str, Any]


def _answer(world: World, invoice: Json) -> Json:
    """A preview has an id of its own, no pages, and all its lines at once."""
    identifier = new_id("upcoming_in")
    answer: Json = world.render(invoice)
    answer |= {"id": identifier, "status": "draft", "number": None, "hosted_invoice_url": None, "invoice_pdf": None}
    data = [line | {"invoice": identifier} for line in invoice["_"]["lines"]]
    answer["lines"] = {
        "object": "list",
        "data": world.render(data),
        "has_more": False,
        "url": f"/v1/invoices/{identifier}/lines",
    }
    return answer


def upcoming(world: World, subscription: Json) -> Json | None:
    """What the next renewal will bill, or None when there is none."""
    world.flush()
    with world.store.undone():
        dry = _dry(world)
        return _renewed(dry, dry.get(subscription["id"], "subscription"))


def _dry(world: World) -> World:
    return World(world.store, base_url=world.base_url, moment=world.moment, dry=True)


def _renewed(world: World, subscription: Json) -> Json | None:
    if subscription["cancel_at_period_end"] or subscription["status"] in {"canceled", "incomplete_expired", "paused"}:
        return None
    end = period_of(world, subscription)[1]
    world.advance(subscription, end)
    if subscription["status"] == "trialing":
        invoice = end_trial(world, subscription)
    else:
        invoice = next_period(world, subscription)
    return _answer(world, invoice) if invoice else None


@route("POST", "/v1/invoices/create_preview", sdk.InvoiceCreatePreviewParams)
def create_preview(world: World, params: Params) -> Json:
    """What a customer would be billed: at the next renewal, after a change, or for a new subscription."""
    if params.get("preview_mode", "next") != "next":
        raise not_simulated("recurring previews", "preview_mode")
    world.flush()
    with world.store.undone():
        dry = _dry(world)
        answer = _changed(dry, params) if params.get("subscription") else _begun(dry, params)
    if answer is None:
        raise StripeError("No upcoming invoices for customer", status=404, code="invoice_upcoming_none")
    return answer


def _changed(world: World, params: Params) -> Json | None:
    subscription = world.get(params["subscription"], "subscription", "subscription")
    if (customer := params.get("customer")) and customer != subscription["customer"]:
        raise StripeError("The subscription belongs to another customer.", param="customer")
    details = params.get("subscription_details") or Params({})
    _own_fields(world, params, subscription)
    if details.get("cancel_now"):
        end_now(world, subscription, None)
        invoice = bill_rest(world, subscription)
        return _answer(world, invoice) if invoice else None
    change_fields(world, Params({}), subscription)
    change_end(world, details, subscription)
    if resumed := details.get("resume_at"):
        raise not_simulated("previews of resuming", f"subscription_details[resume_at]={resumed}")
    details.get("billing_mode")
    invoice = change_billing(world, details, subscription)
    return _answer(world, invoice) if invoice else _renewed(world, subscription)


def _own_fields(world: World, params: Params, subscription: Json) -> None:
    if (given := params.get("discounts")) is not None:
        subscription["discounts"] = redeem(
            world, plain_list(given), subscription["customer"], subscription["currency"], subscription
        )
    if (automatic := plain(params.get("automatic_tax"))) is not None:
        subscription["automatic_tax"] = {"enabled": automatic["enabled"], "liability": None}
    _add_items(world, params, world.get(subscription["customer"], "customer"), subscription)
    world.save(subscription)


def _add_items(world: World, params: Params, customer: Json, subscription: Json | None) -> None:
    from deploy.stripe_simulator.resources.invoice_items import create_invoice_item

    for given in params.get("invoice_items", []):
        more = {"subscription": subscription["id"]} if subscription else {}
        create_invoice_item(world, Params({"customer": customer["id"], **more, **plain(given)}))


def _begun(world: World, params: Params) -> Json | None:
    customer = _customer(world, params)
    if (details := params.get("subscription_details")) is None:
        return _pending(world, params, customer)
    given: Json = {"items": plain(details.get("items")), "payment_behavior": "default_incomplete"}
    for name in ("trial_end", "metadata"):
        if details.get(name) is not None:
            given[name] = plain(details[name])
    for name in ("proration_behavior", "billing_mode"):
        details.get(name)
    for name in ("discounts", "automatic_tax"):
        if params.get(name) is not None:
            given[name] = plain(params[name])
    _add_items(world, params, customer, None)
    made = start(world, Params(given), customer)
    return _answer(world, world.get(made["latest_invoice"], "invoice"))


def _pending(world: World, params: Params, customer: Json) -> Json | None:
    """Without a subscription: the invoice of what waits for one, else the next renewal of what the customer has."""
    _add_items(world, params, customer, None)
    currency = params.get("currency") or customer["currency"] or "usd"
    items = invoices.pending_items(world, customer, None, currency)
    if items:
        made = invoices.make_invoice(world, customer, reason="upcoming", currency=currency, lines=[], items=items)
        return _answer(world, made)
    live = [item for item in world.find("subscription", customer=customer["id"]) if item["status"] == "active"]
    return _renewed(world, min(live, key=lambda item: period_of(world, item)[1])) if live else None


def _customer(world: World, params: Params) -> Json:
    details = params.get("customer_details")
    if params.get("customer"):
        customer = world.get(params["customer"], "customer", "customer")
    else:
        from deploy.stripe_simulator.resources.customers import create_customer

        customer = create_customer(world, Params({}))
    if details is not None:
        if (given := details.get("address")) is not None:
            customer["address"] = address(given)
        customer["tax_exempt"] = details.get("tax_exempt") or customer["tax_exempt"]
    return customer
