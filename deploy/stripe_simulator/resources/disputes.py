"""Disputes: a card's owner takes a payment back through their bank, and the bank decides."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources import charges, intents
from deploy.stripe_simulator.resources.cards import Card
from deploy.stripe_simulator.resources.charges import book
from deploy.stripe_simulator.resources.fields import metadata, plain
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.timers import timer
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
DAY = 86_400
EVIDENCE_DAYS, REVIEW_DAYS = 7, 5
OPEN = ("needs_response", "under_review")
# A bank that only asks takes no money, and the charge may still be refunded.
INQUIRY = ("warning_needs_response", "warning_under_review")


def open_dispute(world: World, charge: Json, reason: str, amount: int | None = None, *, inquiry: bool = False) -> Json:
    """The bank takes the money back, until it has decided; with an inquiry it asks first."""
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    if not charge["paid"] or charge["disputed"] or not 0 < amount <= left:
        raise StripeError("This charge cannot be disputed.")
    due = world.now(charge) + EVIDENCE_DAYS * DAY
    dispute = world.new(
        "du",
        {
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge["id"],
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {"enhanced_evidence": {}},
            "evidence_details": {
                "due_by": due,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
                "submission_method": "not_submitted",
            },
            "is_charge_refundable": inquiry,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "status": INQUIRY[0] if inquiry else OPEN[0],
        },
        parent=charge["id"],
        like=charge,
    )
    with world.changes(charge, "charge.updated"):
        charge["disputed"] = True
    world.emit("charge.dispute.created", dispute)
    if not inquiry:
        _withdraw(world, dispute)
    world.timer(due, "dispute_evidence_due", dispute)
    return dispute


def _withdraw(world: World, dispute: Json) -> None:
    _book(world, dispute, -dispute["amount"])
    world.emit("charge.dispute.funds_withdrawn", dispute)


def escalate(world: World, dispute: Json) -> None:
    """An inquiry becomes a dispute: now the bank takes the money."""
    if dispute["status"] not in INQUIRY:
        raise StripeError("This is no open inquiry.", code="dispute_closed")
    with world.changes(dispute, "charge.dispute.updated"):
        dispute |= {"status": OPEN[0], "is_charge_refundable": False}
    _withdraw(world, dispute)


def close_inquiry(world: World, dispute: Json) -> None:
    """The bank asks no more, as when the charge was refunded."""
    if dispute["status"] not in INQUIRY:
        raise StripeError("This is no open inquiry.", code="dispute_closed")
    world.no_timer("dispute_evidence_due", dispute)
    dispute["status"] = "warning_closed"
    world.save(dispute)
    world.emit("charge.dispute.closed", dispute)


def inquiry_of(world: World, charge: Json) -> Json | None:
    """The open inquiry about a charge."""
    found = world.find("dispute", parent=charge["id"])
    return next((item for item in found if item["status"] in INQUIRY), None)


def _when_refunded(world: World, charge: Json) -> None:
    if charge["refunded"] and (inquiry := inquiry_of(world, charge)):
        close_inquiry(world, inquiry)


charges.WHEN_REFUNDED.append(_when_refunded)


def _book(world: World, dispute: Json, amount: int) -> None:
    dispute["balance_transactions"].append(world.render(book(world, dispute, amount, "adjustment")))
    world.save(dispute)


def close_dispute(world: World, dispute: Json, status: str) -> None:
    """The bank has decided: `won` gives the money back to the seller, `lost` does not."""
    if dispute["status"] not in OPEN:
        raise StripeError("This dispute is already closed.", code="dispute_closed")
    dispute["status"] = status
    for name in ("dispute_evidence_due", "dispute_review"):
        world.no_timer(name, dispute)
    if status == "won":
        _book(world, dispute, dispute["amount"])
        charge = world.get(dispute["charge"], "charge")
        with world.changes(charge, "charge.updated"):
            charge["disputed"] = False
    world.save(dispute)
    if status == "won":
        world.emit("charge.dispute.funds_reinstated", dispute)
    world.emit("charge.dispute.closed", dispute)


@timer("dispute_evidence_due")
def evidence_due(world: World, dispute: Json) -> None:
    """Nothing was sent in time: the bank decides for its customer."""
    if dispute["status"] in INQUIRY:
        close_inquiry(world, dispute)
    elif dispute["status"] == "needs_response":
        dispute["evidence_details"] |= {"past_due": True}
        close_dispute(world, dispute, "lost")


@timer("dispute_review")
def review(world: World, dispute: Json) -> None:
    """The bank has read the evidence; as with Stripe's test values, its text says what comes of it."""
    if dispute["status"] == "under_review":
        text = str(dispute["evidence"].get("uncategorized_text") or "")
        close_dispute(world, dispute, "won" if "winning_evidence" in text else "lost")


def _dispute_of_card(world: World, charge: Json, card: Card) -> None:
    if card.dispute:
        open_dispute(world, charge, card.dispute)


intents.WHEN_CHARGED.append(_dispute_of_card)


@route("POST", "/v1/disputes/{identifier}", sdk.DisputeUpdateParams)
def update_dispute(world: World, params: Params, identifier: str) -> Json:
    """Send evidence, for good with `submit`."""
    dispute = world.get(identifier, "dispute")
    if dispute["status"] not in OPEN:
        raise StripeError("This dispute is already closed.", code="dispute_closed")
    with world.changes(dispute, "charge.dispute.updated"):
        if (given := params.get("evidence")) is not None:
            dispute["evidence"] |= plain(given)
            dispute["evidence_details"] |= {"has_evidence": True}
        if params.get("submit", True) and dispute["evidence_details"]["has_evidence"]:
            details = dispute["evidence_details"]
            details |= {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}
            dispute["status"] = "under_review"
            world.no_timer("dispute_evidence_due", dispute)
            world.timer(world.now(dispute) + REVIEW_DAYS * DAY, "dispute_review", dispute)
        dispute["metadata"] = metadata(params, dispute["metadata"])
    return dispute


@route("POST", "/v1/disputes/{identifier}/close", sdk.DisputeCloseParams)
def accept_dispute(world: World, params: Params, identifier: str) -> Json:
    """Accept that the money is lost."""
    dispute = world.get(identifier, "dispute")
    close_dispute(world, dispute, "lost")
    return dispute


@route("GET", "/v1/disputes/{identifier}", sdk.DisputeRetrieveParams)
def retrieve_dispute(world: World, params: Params, identifier: str) -> Json:
    """One dispute."""
    return world.get(identifier, "dispute")


@route("GET", "/v1/disputes", sdk.DisputeListParams)
def list_disputes(world: World, params: Params) -> Json:
    """Disputes, of a charge or of a payment intent."""
    wanted = {name: params.get(name) for name in ("charge", "payment_intent")}
    return page(
        params,
        world.find("dispute"),
        "/v1/disputes",
        lambda item: all(value is None or item[name] == value for name, value in wanted.items()),
    )
