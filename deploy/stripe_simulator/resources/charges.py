"""Charges, what is refunded of them, and the balance transactions behind both."""

from collections.abc import Callable
from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.listing import includes, page, search
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.cards import MESSAGES
from deploy.stripe_simulator.resources.fields import metadata, one_of, take
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
# What else a refund does.
WHEN_REFUNDED: list[Callable[[World, Json], None]] = []


def make_charge(world: World, intent: Json, method: Json, refused: str | None) -> Json:
    """One attempt to charge a card; `refused` says why its bank did not pay, such as `card_declined/lost_card`."""
    code, _, decline = (refused or "").partition("/")
    card = method["card"]
    charge = world.new(
        "ch",
        {
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0 if refused else intent["amount"],
            "amount_refunded": 0,
            "billing_details": method["billing_details"],
            "captured": not refused,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_code": code or None,
            "failure_message": MESSAGES[decline or code] if refused else None,
            "fraud_details": {},
            "metadata": dict(intent["metadata"]),
            "outcome": {
                "network_status": "declined_by_network" if refused else "approved_by_network",
                "reason": decline or None,
                "risk_level": "normal",
                "seller_message": "The bank did not return any further details." if refused else "Payment complete.",
                "type": "issuer_declined" if refused else "authorized",
            },
            "paid": not refused,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {
                "type": "card",
                "card": {
                    **{name: card[name] for name in ("brand", "country", "exp_month", "exp_year", "funding", "last4")},
                    "checks": {"cvc_check": "pass"},
                    "fingerprint": card["fingerprint"],
                    "network": card["brand"],
                },
            },
            "receipt_url": None,
            "refunded": False,
            "status": "failed" if refused else "succeeded",
        },
        like=intent,
    )
    if not refused:
        charge["balance_transaction"] = book(world, charge, charge["amount"], "charge")["id"]
    world.save(charge)
    return charge


def book(world: World, source: Json, amount: int, kind: str) -> Json:
    """A balance transaction; the simulator takes no fees."""
    return world.new(
        "txn",
        {
            "object": "balance_transaction",
            "amount": amount,
            "available_on": world.now(source),
            "balance_type": "payments",
            "currency": source["currency"],
            "fee": 0,
            "fee_details": [],
            "net": amount,
            "reporting_category": kind,
            "source": source["id"],
            "status": "available",
            "type": kind,
        },
        like=source,
    )


def _without_livemode(answer: Json) -> None:
    answer.pop("livemode", None)


@route("GET", "/v1/balance_transactions/{identifier}", sdk.BalanceTransactionRetrieveParams)
def retrieve_balance_transaction(world: World, params: Params, identifier: str) -> Json:
    """One balance transaction."""
    return world.get(identifier, "balance_transaction")


@route("GET", "/v1/charges/search", sdk.ChargeSearchParams)
def search_charges(world: World, params: Params) -> Json:
    """Charges by metadata."""
    return search(params, world.find("charge"), "/v1/charges/search")


@route("GET", "/v1/charges/{identifier}", sdk.ChargeRetrieveParams)
def retrieve_charge(world: World, params: Params, identifier: str) -> Json:
    """One charge."""
    return world.get(identifier, "charge")


@route("POST", "/v1/charges/{identifier}", sdk.ChargeUpdateParams)
def update_charge(world: World, params: Params, identifier: str) -> Json:
    """Change a charge's metadata or description."""
    charge = world.get(identifier, "charge")
    with world.changes(charge, "charge.updated"):
        take(charge, params, "description", "receipt_email")
        charge["metadata"] = metadata(params, charge["metadata"])
    return charge


@route("GET", "/v1/charges", sdk.ChargeListParams)
def list_charges(world: World, params: Params) -> Json:
    """Charges, of a customer or of a payment intent."""
    customer, intent = params.get("customer"), params.get("payment_intent")
    items = world.find("charge", customer=customer)
    return page(params, items, "/v1/charges", lambda item: intent is None or item["payment_intent"] == intent)


@includes("charge", "refunds")
def refunds_of(world: World, charge: Json) -> Json:
    """A charge's refunds, for `expand`."""
    return page(Params({"limit": 100}), world.find("refund", parent=charge["id"]), "")


# ---------------------------------------------------------------- refunds


def refund_charge(world: World, charge: Json, amount: int | None, **more: Any) -> Json:
    """Give back some or all of a charge; never more than was paid."""
    left = charge["amount"] - charge["amount_refunded"]
    if not charge["paid"]:
        raise StripeError("This charge has not been paid and cannot be refunded.", code="charge_not_refundable")
    disputes = world.find("dispute", parent=charge["id"])
    if charge["disputed"] and not all(item["is_charge_refundable"] for item in disputes):
        raise StripeError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if left == 0:
        raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = left if amount is None else amount
    if not 0 < amount <= left:
        raise StripeError(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount"
        )
    refund = world.new(
        "re",
        {
            "object": "refund",
            "amount": amount,
            "charge": charge["id"],
            "currency": charge["currency"],
            "destination_details": {"type": "card", "card": {"type": "refund"}},
            "payment_intent": charge["payment_intent"],
            "status": "succeeded",
            "metadata": {},
            **more,
            "_": {"clock": charge["_"]["clock"], "customer": charge["customer"]},
        },
        parent=charge["id"],
        like=charge,
    )
    refund["balance_transaction"] = book(world, refund, -amount, "refund")["id"]
    world.save(refund)
    world.emit("refund.created", refund)
    with world.changes(charge, "charge.refunded"):
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    world.emit("refund.updated", refund)
    for act in WHEN_REFUNDED:
        act(world, charge)
    return refund


@route("POST", "/v1/refunds", sdk.RefundCreateParams)
def create_refund(world: World, params: Params) -> Json:
    """Refund a charge, named itself or by its payment intent."""
    named = one_of(params, "charge", "payment_intent")
    if named == "charge":
        charge = world.get(params["charge"], "charge", "charge")
    else:
        intent = world.get(params["payment_intent"], "payment_intent", "payment_intent")
        if intent["status"] != "succeeded":
            raise StripeError(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")
        charge = world.get(intent["latest_charge"], "charge")
    return refund_charge(world, charge, params.get("amount"), reason=params.get("reason"), metadata=metadata(params))


@route("POST", "/v1/refunds/{identifier}", sdk.RefundUpdateParams)
def update_refund(world: World, params: Params, identifier: str) -> Json:
    """Change a refund's metadata."""
    refund = world.get(identifier, "refund")
    with world.changes(refund, "refund.updated"):
        refund["metadata"] = metadata(params, refund["metadata"])
    return refund


@route("GET", "/v1/refunds/{identifier}", sdk.RefundRetrieveParams)
def retrieve_refund(world: World, params: Params, identifier: str) -> Json:
    """One refund."""
    return world.get(identifier, "refund")


@route("GET", "/v1/refunds", sdk.RefundListParams)
def list_refunds(world: World, params: Params) -> Json:
    """Refunds, of a charge or of a payment intent."""
    wanted = {name: params.get(name) for name in ("charge", "payment_intent")}
    return page(
        params,
        world.find("refund"),
        "/v1/refunds",
        lambda item: all(value is None or item[name] == value for name, value in wanted.items()),
    )
