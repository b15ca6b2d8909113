"""Invoices that are not paid: taken back, or written off."""

from typing import Any

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.resources import intents
from deploy.stripe_simulator.resources.customers import change_balance
from deploy.stripe_simulator.world import World

Json = dict[str, Any]


def void(world: World, invoice: Json) -> None:
    """Take a final invoice back; its number stays used."""
    if invoice["status"] not in {"open", "uncollectible"}:
        raise StripeError("You can only void open or uncollectible invoices.", code="invoice_not_editable")
    _end(world, invoice, "void", "voided_at", "invoice.voided")
    customer = world.get(invoice["customer"], "customer")
    given_back = invoice["starting_balance"] - (invoice["ending_balance"] or 0)
    change_balance(
        world, customer, given_back, "unapplied_from_invoice", invoice=invoice["id"], currency=invoice["currency"]
    )
    if intent := world.peek(invoice["_"]["intent"]):
        intents.cancel(world, intent, "void_invoice")


def mark_uncollectible(world: World, invoice: Json) -> None:
    """Write a final invoice off; it can still be paid."""
    if invoice["status"] != "open":
        raise StripeError("You can only mark open invoices as uncollectible.", code="invoice_not_editable")
    _end(world, invoice, "uncollectible", "marked_uncollectible_at", "invoice.marked_uncollectible")


def _end(world: World, invoice: Json, status: str, moment: str, event: str) -> None:
    invoice |= {
        "status": status,
        "next_payment_attempt": None,
        "auto_advance": False,
        "status_transitions": invoice["status_transitions"] | {moment: world.now(invoice)},
    }
    world.save(invoice)
    world.no_timer("retry_invoice", invoice)
    world.emit("invoice.updated", invoice)
    world.emit(event, invoice)
