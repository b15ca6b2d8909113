"""The steps of money that has moved: credit note, refund, invoice without a plan, second subscription; then events."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from stripe import WebhookSignature

from apps.billing import gateway
from apps.core.errors import SignatureRefused
from deploy.stripe_parity.run import Run

# Of these the product makes copies; others come or not as an account is set up.
USED = ("charge.", "credit_note.", "customer.subscription.", "invoice.paid", "invoice.payment_failed", "refund.")


def credit_note(run: Run) -> None:
    """Part of a paid invoice is credited, and the money given back."""
    with gateway.stripe() as client:
        params: Any = {"invoice": run["renewal"], "amount": 500, "refund_amount": 500, "reason": "order_change"}
        made = run.look("credit_note", client.v1.credit_notes.create(params))
    [found] = [one for one in gateway.list_credit_notes(run["customer"]) if one.id == made.id]
    run.note(note=(found.status, found.reason, found.total_minor, found.invoice == run["renewal"], bool(found.pdf_url)))
    invoice = gateway.get_invoice(run["renewal"])
    run.note(invoice=(invoice.status, invoice.credited_minor, invoice.paid_minor, invoice.remaining_minor))
    _charges(run)


def refund(run: Run) -> None:
    """Half of the first payment, then the rest of it."""
    [first] = [one for one in gateway.list_charges(run["customer"]) if one.invoice == run["first invoice"]]
    for amount in (first.amount_minor // 2, first.amount_minor - first.amount_minor // 2):
        with gateway.stripe() as client:
            run.look("refund", client.v1.refunds.create({"payment_intent": first.intent, "amount": amount}))
    with gateway.stripe() as client:
        run.look("charge", client.v1.charges.retrieve(first.id))
    found = gateway.get_charge(first.id)
    run.note(given_back=(found.refunded_minor, found.amount_minor, found.disputed_minor, found.status))
    _charges(run)


def invoice_alone(run: Run) -> None:
    """Usage of somebody without a plan: an item, and an invoice that bills it."""
    line: dict[str, Any] = {
        "amount_minor": 700,
        "description": "Images",
        "period_start": run.start,
        "period_end": run.now,
    }
    whose: dict[str, Any] = {"customer": run["customer"], "currency": "usd"}
    gateway.create_invoice_item(**whose, **line, key=run.key("images"))
    made = gateway.create_invoice(**whose, key=run.key("invoice"))
    run.note(is_found=gateway.find_made("create_invoice", dict(whose), run.key("invoice")) == made)
    run.advance(0.1)
    found = gateway.get_invoice(made)
    run.note(invoice=(found.status, found.total_minor, found.paid_minor, [one.amount_minor for one in found.lines]))


def second_subscription(run: Run) -> None:
    """A subscription that must not be is ended, and its money given back, also when it is asked for twice."""
    items: Any = [{"price": run["base"]}]
    with gateway.stripe() as client:
        made = client.v1.subscriptions.create({"customer": run["customer"], "items": items})
    before = sum(one.refunded_minor for one in gateway.list_charges(run["customer"]))
    for _ in range(2):
        gateway.end_second(made.id, key=run.key("second"))
    after = sum(one.refunded_minor for one in gateway.list_charges(run["customer"]))
    run.note(status=gateway.get_subscription(made.id).status, given_back=after - before)


def dispute(run: Run) -> None:
    """A card whose owner takes the payment back: what the charge then says."""
    with gateway.stripe() as client:
        params: Any = {
            "amount": 1_500,
            "currency": "usd",
            "customer": run["customer"],
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "payment_method": client.v1.payment_methods.attach(
                "pm_card_createDispute", {"customer": run["customer"]}
            ).id,
            "confirm": True,
            "off_session": True,
        }
        intent = client.v1.payment_intents.create(params)
        charge = str(intent.latest_charge)
        deadline = time.monotonic() + (5 if run.side.base else 60)
        while not (found := client.v1.disputes.list({"charge": charge}).data) and time.monotonic() < deadline:
            time.sleep(0.2)
        run.note(disputes=[(one.status, one.amount, one.reason) for one in found])
        for one in found:
            run.look("dispute", one)
    seen = gateway.get_charge(charge)
    run.note(charge=(seen.disputed_minor, seen.dispute_status, seen.refunded_minor))


def events(run: Run) -> None:
    """What has been told of, by type; and one event, signed as Stripe signs, through the product's own check."""
    mine = [one for one in gateway.list_events(datetime.fromtimestamp(run.began, UTC)) if one.customer in _mine(run)]
    run.note(types=sorted({one.type for one in mine if one.type.startswith(USED)}))
    hint = next(one for one in mine if one.type == "customer.subscription.deleted")
    with gateway.stripe() as client:
        event = run.look("event", client.v1.events.retrieve(hint.id))
        body = json.dumps(event.to_dict(), default=str).encode()
    secret = settings.STRIPE_WEBHOOK_SECRETS[0]
    run.note(signature_is_taken=gateway.verify(body, _signed(body, secret)) == hint)
    for name, header in {"forged": _signed(body, "whsec_other"), "stale": _signed(body, secret, -301)}.items():
        try:
            gateway.verify(body, header)
            run.note(**{name: "taken"})
        except SignatureRefused:
            run.note(**{name: "refused"})


def _signed(body: bytes, secret: str, seconds: int = 0) -> str:
    moment = int(time.time()) + seconds
    signature = WebhookSignature._compute_signature(f"{moment}.{body.decode()}", secret)
    return f"t={moment},v1={signature}"


def _mine(run: Run) -> set[str]:
    return {run["customer"], run["other"]}


def _charges(run: Run) -> None:
    found = gateway.list_charges(run["customer"])
    run.note(charges=sorted((one.status, one.amount_minor, one.refunded_minor) for one in found))


STEPS = (credit_note, refund, second_subscription)
ENDING = (invoice_alone, dispute, events)


def clean_up(run: Run) -> None:
    """Removes what can be removed: the clock with its customer, the other customer; prices are taken off the shelf."""
    with gateway.stripe() as client:
        client.v1.test_helpers.test_clocks.delete(run["clock"])
        client.v1.customers.delete(run["other"])
        for part in ("base", "greater", "seat"):
            client.v1.prices.update(run[part], {"active": False})
            client.v1.products.update(run[f"product {part}"], {"active": False})
