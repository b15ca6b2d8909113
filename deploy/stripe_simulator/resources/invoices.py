"""The life of an invoice: draft, finalized with a number, asked for, and paid."""

import copy
from collections.abc import Callable
from typing import Any

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.resources import intents
from deploy.stripe_simulator.resources.customers import change_balance
from deploy.stripe_simulator.resources.lines import line_of_item, total_up
from deploy.stripe_simulator.resources.payment_methods import default_method
from deploy.stripe_simulator.timers import timer
from deploy.stripe_simulator.world import World, new_id

Json = dict[str, Any]
HOUR = 3600
# Subscriptions register what becomes of them: fn(world, subscription, invoice).
WHEN_PAID: list[Callable[[World, Json, Json], None]] = []
WHEN_REFUSED: list[Callable[[World, Json, Json], None]] = []


def pending_items(world: World, customer: Json, subscription: Json | None, currency: str) -> list[Json]:
    """Invoice items that wait for an invoice: those of this subscription, and those of none."""
    wanted = {None, subscription["id"]} if subscription else {None}
    return [
        item
        for item in world.find("invoiceitem", customer=customer["id"])
        if item["invoice"] is None and item["currency"] == currency and item["_"]["subscription"] in wanted
    ]


# What every draft begins with.
DRAFT: Json = {
    "account_country": "IE",
    "account_name": "Stripe simulator",
    "amount_due": 0,
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_remaining": 0,
    "amount_shipping": 0,
    "attempt_count": 0,
    "attempted": False,
    "auto_advance": True,
    "default_payment_method": None,
    "default_tax_rates": [],
    "due_date": None,
    "issuer": {"type": "self"},
    "lines": None,
    "metadata": {},
    "number": None,
    "payment_settings": {"payment_method_types": None},
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "starting_balance": 0,
    "status": "draft",
    "status_transitions": {},
    "subtotal": 0,
    "total": 0,
}


NO_TAX: Json = {"liability": None, "provider": None, "status": None}


def _about(world: World, customer: Json) -> Json:
    return {
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer.get("email"),
        "customer_name": customer.get("name"),
        "customer_phone": customer.get("phone"),
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [
            {"type": item["type"], "value": item["value"]} for item in world.find("tax_id", parent=customer["id"])
        ],
        "test_clock": customer["test_clock"],
    }


def _parent(subscription: Json) -> Json:
    details = {"subscription": subscription["id"], "metadata": dict(subscription.get("metadata") or {})}
    return {"type": "subscription_details", "subscription_details": details}


def make_invoice(
    world: World,
    customer: Json,
    *,
    reason: str,
    currency: str,
    lines: list[Json],
    subscription: Json | None = None,
    items: list[Json] | None = None,
    quiet: bool = False,
    **more: Any,
) -> Json:
    """A draft of the given lines and of the invoice items that it takes up; a `quiet` one only serves to count."""
    now = world.now(customer)
    source = subscription or {}
    identifier = new_id("in")
    all_lines = [*[line_of_item(world, item) for item in items or []], *lines]
    method = source.get("collection_method", "charge_automatically")
    invoice = world.new(
        "in",
        {
            "object": "invoice",
            "id": identifier,
            **copy.deepcopy(DRAFT),
            **_about(world, customer),
            "automatic_tax": {"enabled": bool((source.get("automatic_tax") or {}).get("enabled"))} | NO_TAX,
            "billing_reason": reason,
            "collection_method": method,
            "currency": currency,
            "description": source.get("description"),
            "discounts": list(source.get("discounts") or []),
            "parent": _parent(source) if subscription else None,
            "period_start": now,
            "period_end": now,
            "_": {
                "lines": all_lines,
                "intent": None,
                "subscription": source.get("id"),
                "retries": 0,
                "days_until_due": source.get("days_until_due"),
            },
            **more,
        },
        parent=source.get("id"),
        like=customer,
    )
    for item in items or []:
        item["invoice"] = identifier
        world.save(item)
    total_up(world, invoice, customer)
    world.save(invoice)
    if not quiet:
        world.emit("invoice.created", invoice)
    if subscription:
        subscription["latest_invoice"] = identifier
        world.save(subscription)
    return invoice


def finalize_later(world: World, invoice: Json) -> None:
    """As Stripe does by itself: an hour for changes, then final."""
    invoice["automatically_finalizes_at"] = world.now(invoice) + HOUR
    world.save(invoice)
    world.timer(world.now(invoice) + HOUR, "finalize_invoice", invoice)


@timer("finalize_invoice")
def finalize_by_itself(world: World, invoice: Json) -> None:
    """The hour is over."""
    if invoice["status"] == "draft" and invoice["auto_advance"]:
        finalize(world, invoice)
        collect(world, invoice, off_session=True)


def finalize(world: World, invoice: Json) -> None:
    """Make a draft final: it gets its number, the customer's balance is applied, and it can be paid."""
    if invoice["status"] != "draft":
        raise StripeError(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            code="invoice_not_editable",
        )
    customer = world.get(invoice["customer"], "customer")
    total_up(world, invoice, customer)
    if invoice["automatic_tax"]["status"] == "requires_location_inputs":
        world.emit("invoice.finalization_failed", invoice)
        raise StripeError("The customer's location isn't recognized.", code="customer_tax_location_invalid", keep=True)
    now = world.now(invoice)
    invoice |= {
        "number": f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}",
        "status": "open",
        "automatically_finalizes_at": None,
        "effective_at": now,
        "ending_balance": invoice["_"]["ending_balance"],
        "status_transitions": invoice["status_transitions"] | {"finalized_at": now},
    }
    customer["next_invoice_sequence"] += 1
    customer["currency"] = customer["currency"] or invoice["currency"]
    used = invoice["ending_balance"] - invoice["starting_balance"]
    change_balance(world, customer, used, "applied_to_invoice", invoice=invoice["id"], currency=invoice["currency"])
    world.save(invoice, customer)
    world.no_timer("finalize_invoice", invoice)
    if invoice["collection_method"] == "send_invoice":
        invoice["due_date"] = invoice["due_date"] or now + 86_400 * (invoice["_"]["days_until_due"] or 30)
    if invoice["amount_due"]:
        _ask(world, invoice)
    world.emit("invoice.finalized", invoice)
    if not invoice["amount_due"]:
        mark_paid(world, invoice)


def _ask(world: World, invoice: Json) -> None:
    """The payment intent of a final invoice, and the invoice payment that links the two."""
    customer = world.get(invoice["customer"], "customer")
    intent = intents.make_intent(
        world,
        invoice["amount_due"],
        invoice["currency"],
        customer["id"],
        customer,
        description=f"Payment for invoice {invoice['number']}",
        _={"clock": customer["test_clock"], "invoice": invoice["id"]},
    )
    invoice["_"]["intent"] = intent["id"]
    world.save(invoice)
    world.new(
        "inpay",
        {
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": invoice["amount_due"],
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
            "status": "open",
            "status_transitions": {},
        },
        parent=invoice["id"],
        like=invoice,
    )


# ---------------------------------------------------------------- payment


def collect(world: World, invoice: Json, *, off_session: bool, method: Json | None = None) -> StripeError | None:
    """Ask for an open invoice's money; returns why it did not come. One that is sent to people waits for them."""
    if world.dry or invoice["status"] != "open":
        return None
    if invoice["collection_method"] == "send_invoice" and method is None:
        return None
    customer = world.get(invoice["customer"], "customer")
    subscription = world.peek(invoice["_"]["subscription"])
    method = method or default_method(world, customer, invoice, subscription)
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
    world.save(invoice)
    if method is None:
        error: StripeError | None = StripeError(
            "There is no default payment method set on this Customer or Invoice. Please set one to pay.",
            code="invoice_payment_method_missing",
            keep=True,
        )
    else:
        intent = world.get(invoice["_"]["intent"], "payment_intent")
        error = intents.confirm(world, intent, method, off_session=off_session)
    if invoice["status"] == "paid":
        return None
    if error is None:
        world.emit("invoice.payment_action_required", invoice)
    _refused(world, invoice, subscription)
    return error


def _refused(world: World, invoice: Json, subscription: Json | None) -> None:
    if subscription:
        for react in WHEN_REFUSED:
            react(world, subscription, invoice)
    world.emit("invoice.payment_failed", invoice)
    world.emit("invoice.updated", invoice)


def mark_paid(world: World, invoice: Json, *, amount: int | None = None) -> None:
    """The money is there (or none was needed): whoever waits for it is told."""
    now = world.now(invoice)
    paid = invoice["amount_remaining"] if amount is None else amount
    invoice |= {
        "status": "paid",
        "amount_paid": invoice["amount_paid"] + paid,
        "amount_remaining": 0,
        "attempted": True,
        "next_payment_attempt": None,
        "status_transitions": invoice["status_transitions"] | {"paid_at": now},
    }
    world.save(invoice)
    world.no_timer("retry_invoice", invoice)
    for payment in world.find("invoice_payment", parent=invoice["id"]):
        payment |= {"status": "paid", "amount_paid": paid, "status_transitions": {"paid_at": now}}
        world.save(payment)
        world.emit("invoice_payment.paid", payment)
    world.emit("invoice.updated", invoice)
    world.emit("invoice.paid", invoice)
    world.emit("invoice.payment_succeeded", invoice)
    if subscription := world.peek(invoice["_"]["subscription"]):
        for react in WHEN_PAID:
            react(world, subscription, invoice)


def _settle(world: World, intent: Json, charge: Json) -> None:
    invoice = world.peek(intent["_"].get("invoice"))
    if invoice and invoice["status"] in {"open", "uncollectible"}:
        mark_paid(world, invoice)
        subscription = world.peek(invoice["_"]["subscription"])
        if subscription and (subscription.get("payment_settings") or {}).get("save_default_payment_method") == (
            "on_subscription"
        ):
            with world.changes(subscription, "customer.subscription.updated"):
                subscription["default_payment_method"] = intent["payment_method"]


intents.WHEN_PAID.append(_settle)
