"""The simulator's own first page: what is in it, and its knobs."""

import json
from datetime import UTC, datetime
from typing import Any

from deploy.stripe_simulator import clockwork, control
from deploy.stripe_simulator.api import Answer
from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.pages import Visit, page, redirect, view
from deploy.stripe_simulator.pages.html import Html, button, choice, field, h, money, table
from deploy.stripe_simulator.pages.invoice import day
from deploy.stripe_simulator.resources.cards import MESSAGES
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
SHOWN = 30


@view("GET", "/")
def root(visit: Visit) -> Answer:
    """The address by itself."""
    return redirect("/simulator/")


@view("GET", "/simulator/")
def overview(visit: Visit, problem: str = "") -> Answer:
    """Customers, subscriptions, invoices, events and knobs."""
    simulator = visit.simulator
    with simulator.store.lock:
        world = World(simulator.store, base_url=simulator.base_url)
        now = datetime.fromtimestamp(clockwork.real_now(simulator.store), UTC)
        parts: list[Html] = [h("p", problem, role="alert")] if problem else []
        parts.append(
            h("p", f"It is {now:%Y-%m-%d %H:%M} UTC here. ", "Webhooks go to ", simulator.webhook_url or "nobody")
        )
        state = control.state(simulator, {})
        parts += [h("p", f"A fault of the simulator: {fault}", role="alert") for fault in state["faults"]]
        parts += [h("h2", "Knobs"), *_knobs(state)]
        parts += [*_customers(world), *_subscriptions(world), *_invoices(world), *_charges(world), *_disputes(world)]
        parts += _events(world)
    return page("Overview", parts)


def _act(act: str, *content: Html) -> Html:
    return h("form", h("input", type="hidden", name="act", value=act), *content, method="post", class_="inline")


def _knobs(state: Json) -> list[Html]:
    knobs, fail, billing = state["knobs"], state["fail"], state["billing"]
    ends = [(value, value) for value in ("canceled", "unpaid", "past_due")]
    return [
        _act("advance", field("Days", "days", "1", type="number", min="0", step="any"), button("Let time go on")),
        _act(
            "knobs",
            field("Send each webhook so often more", "duplicate", str(knobs.get("duplicate", 0)), type="number"),
            field("Out of order within seconds", "reorder", str(knobs.get("reorder", 0))),
            field("Late by seconds", "delay", str(knobs.get("delay", 0))),
            field("Lose all for seconds", "drop", "0"),
            button("Set"),
        ),
        _act(
            "fail",
            field("Fail after the commit, so often", "times", str(fail["times"]), type="number"),
            field("Calls that match", "matching", fail.get("matching", "POST ")),
            choice("A repetition gets", "replays", [("answer", "the answer"), ("error", "the error")]),
            button("Set"),
        ),
        _act(
            "billing",
            choice("After the last retry", "after_retries", ends, billing.get("after_retries", "canceled")),
            button("Set"),
        ),
    ]


@view("POST", "/simulator/")
def turn(visit: Visit) -> Answer:
    """Do what a form of the page asks for."""
    form = dict(visit.form)
    act = form.pop("act", "")
    if act == "advance":
        form = {"seconds": str(int(float(form.get("days") or 0) * 86_400))}
    try:
        if act not in control.ACTS:
            raise StripeError("There is no such knob.")
        control.ACTS[act](visit.simulator, form)
    except (StripeError, KeyError, TypeError, ValueError) as error:
        return overview(visit, problem=str(error))
    return redirect("/simulator/")


def _section(title: str, heads: list[str], rows: list[list[Any]]) -> list[Html]:
    return [h("h2", title), table(heads, rows) if rows else h("p", "There is none yet.")]


def _latest(world: World, kind: str) -> list[Json]:
    return world.find(kind)[: -SHOWN - 1 : -1]


def _customers(world: World) -> list[Html]:
    rows = [
        [item["id"], item.get("name"), item.get("email"), money(item["balance"], item["currency"] or "usd")]
        for item in _latest(world, "customer")
    ]
    cards = []
    for item in _latest(world, "payment_method"):
        if item["customer"]:
            reasons = [("", "pays")] + [
                (
                    f"card_declined/{name}"
                    if name not in {"expired_card", "incorrect_cvc", "processing_error"}
                    else f"{name}/{name}",
                    name,
                )
                for name in MESSAGES
            ]
            form = _act(
                "decline",
                h("input", type="hidden", name="payment_method", value=item["id"]),
                choice("From now on", "reason", reasons, item["_"].get("decline") or ""),
                button("Set"),
            )
            cards.append([item["customer"], f"{item['card']['brand']} {item['card']['last4']}", form])
    return _section("Customers", ["Id", "Name", "E-mail", "Balance"], rows) + _section(
        "Cards", ["Customer", "Card", "What it does"], cards
    )


def _subscriptions(world: World) -> list[Html]:
    rows = [
        [item["id"], item["customer"], item["status"], json.dumps(item["metadata"])]
        for item in _latest(world, "subscription")
    ]
    return _section("Subscriptions", ["Id", "Customer", "Status", "Metadata"], rows)


def _invoices(world: World) -> list[Html]:
    rows = [
        [
            h("a", item["number"] or item["id"], href=f"/simulator/invoice/{item['id']}"),
            item["customer"],
            day(item["created"]),
            item["status"],
            money(item["total"], item["currency"]),
        ]
        for item in _latest(world, "invoice")
    ]
    return _section("Invoices", ["Number", "Customer", "Date", "Status", "Total"], rows)


def _charges(world: World) -> list[Html]:
    rows = []
    for item in _latest(world, "charge"):
        form = _act("disputes/open", h("input", type="hidden", name="charge", value=item["id"]), button("Dispute it"))
        can = item["paid"] and not item["disputed"] and item["amount_refunded"] < item["amount"]
        rows.append([item["id"], item["status"], money(item["amount"], item["currency"]), form if can else ""])
    return _section("Charges", ["Id", "Status", "Amount", ""], rows)


def _disputes(world: World) -> list[Html]:
    rows = []
    for item in _latest(world, "dispute"):
        form = _act(
            "disputes/close",
            h("input", type="hidden", name="dispute", value=item["id"]),
            choice("As", "status", [("won", "won"), ("lost", "lost")]),
            button("Close it"),
        )
        is_open = item["status"] in {"needs_response", "under_review"}
        rows.append([item["id"], item["charge"], item["status"], form if is_open else ""])
    return _section("Disputes", ["Id", "Charge", "Status", ""], rows)


def _events(world: World) -> list[Html]:
    states: dict[str, str] = {}
    for event, state, answer in world.store.rows(
        "SELECT event, state, answer FROM deliveries ORDER BY seq DESC LIMIT 200"
    ):
        states.setdefault(event, f"{state} {answer}")
    rows = []
    for item in _latest(world, "event"):
        form = _act("webhooks/resend", h("input", type="hidden", name="event", value=item["id"]), button("Send again"))
        subject = item["data"]["object"].get("id")
        rows.append([item["type"], subject, day(item["created"]), states.get(item["id"], ""), form])
    return _section("Events", ["Type", "Object", "Date", "Webhook", ""], rows)
