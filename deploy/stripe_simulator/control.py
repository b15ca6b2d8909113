"""The control API under /simulator/api/: what Stripe has no call for. It takes and gives JSON.

It asks for no key, like the pages: the simulator listens on this machine only, and moves nothing.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from deploy.stripe_simulator import clockwork, webhooks
from deploy.stripe_simulator.api import Answer, Request
from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.world import World

if TYPE_CHECKING:
    from deploy.stripe_simulator.simulator import Simulator

Json = dict[str, Any]
ACTS: dict[str, Callable[[Simulator, Json], Any]] = {}


def act(name: str) -> Callable[[Callable[[Simulator, Json], Any]], Callable[[Simulator, Json], Any]]:
    """Register `POST /simulator/api/NAME`."""

    def register(do: Callable[[Simulator, Json], Any]) -> Callable[[Simulator, Json], Any]:
        ACTS[name] = do
        return do

    return register


def answer(simulator: Simulator, request: Request) -> Answer:
    """Do what is asked; a refusal has Stripe's shape."""
    name = request.path.removeprefix("/simulator/api/")
    try:
        # A page elsewhere could post a form here, but it cannot name this content type without asking first.
        if request.method != "POST" or "application/json" not in request.headers.get("content-type", ""):
            raise StripeError("The control API takes POST with application/json.", status=405)
        if name not in ACTS:
            raise StripeError(f"The simulator has no act {name!r}; it has {', '.join(sorted(ACTS))}.", status=404)
        return Answer(200, json.dumps(ACTS[name](simulator, json.loads(request.body or "{}"))))
    except StripeError as error:
        return Answer(error.status, json.dumps({"error": error.body}))
    except (KeyError, TypeError, ValueError) as error:
        return Answer(400, json.dumps({"error": {"type": "invalid_request_error", "message": repr(error)}}))
    except Exception as error:
        traceback.print_exc()
        return Answer(500, json.dumps({"error": {"type": "api_error", "message": repr(error)}}))


def perform(simulator: Simulator, do: Callable[[World], Any]) -> Any:
    """Do something as one transaction; a declined card keeps its traces."""
    refused: StripeError | None = None
    with simulator.store.transaction():
        world = World(simulator.store, base_url=simulator.base_url)
        try:
            result = do(world)
        except StripeError as error:
            if not error.keep:
                raise
            refused, result = error, None
        world.flush()
        result = world.render(result) if refused is None else None
    if refused:
        raise refused
    return result


@act("reset")
def reset(simulator: Simulator, given: Json) -> Json:
    """Forget everything, for the next test."""
    simulator.store.clear()
    return {}


@act("state")
def state(simulator: Simulator, given: Json) -> Json:
    """The time, the knobs, and how many webhooks wait."""
    waiting = simulator.store.rows("SELECT count(*) FROM deliveries WHERE state IN ('waiting', 'sending')")[0][0]
    return {
        "now": clockwork.real_now(simulator.store),
        "knobs": simulator.store.setting("knobs", {}),
        "fail": simulator.store.setting("fail", {"times": 0}),
        "billing": simulator.store.setting("billing", {}),
        "waiting": waiting,
        "faults": simulator.store.setting("faults", []),
    }


@act("advance")
def advance(simulator: Simulator, given: Json) -> Json:
    """Let the whole simulator's time go on by `seconds` or `to` a moment; test clocks have their own."""
    now = clockwork.real_now(simulator.store)
    to = int(given["to"]) if "to" in given else now + int(given["seconds"])
    if to < now:
        raise StripeError("Time goes on, never back.")
    clockwork.advance(simulator.store, to, simulator.base_url)
    return {"now": clockwork.real_now(simulator.store)}


@act("webhooks/take")
def take_webhooks(simulator: Simulator, given: Json) -> list[Json]:
    """All webhooks that wait, signed, in the order in which they would arrive."""
    return webhooks.take(simulator.store, simulator.webhook_secret)


@act("webhooks/resend")
def resend(simulator: Simulator, given: Json) -> Json:
    """Send an event once more."""
    perform(simulator, lambda world: world.get(given["event"], "event"))
    simulator.store.run("INSERT INTO deliveries (event, due, place) VALUES (?, ?, 0)", given["event"], time.time())
    return {}


KNOBS = {"duplicate": int, "reorder": float, "delay": float}


@act("knobs")
def turn_knobs(simulator: Simulator, given: Json) -> Json:
    """How webhooks go astray from now on: `duplicate` copies, `reorder` and `delay` seconds, `drop` for seconds."""
    knobs = simulator.store.setting("knobs", {})
    for name, value in given.items():
        if name == "drop":
            knobs["drop_until"] = time.time() + float(value)
        elif name in KNOBS:
            knobs[name] = max(KNOBS[name](0), KNOBS[name](value))
        else:
            raise StripeError(f"There is no knob {name!r}.")
    simulator.store.set("knobs", knobs)
    return dict(knobs)


@act("fail")
def fail(simulator: Simulator, given: Json) -> Json:
    """Answer 500 to the next `times` calls that match, after they were committed, or `before` anything is done.

    `matching` is looked for in `METHOD /path`. `replays` says what the same idempotency key gets next: the `answer`
    that was committed, or the `error` itself, as Stripe replays a 500 that it has kept.
    """
    wanted = {
        "times": int(given.get("times", 1)),
        "matching": str(given.get("matching", "POST ")),
        "replays": str(given.get("replays", "answer")),
        "before": bool(given.get("before", False)),
    }
    simulator.store.set("fail", wanted)
    return wanted


@act("billing")
def set_billing(simulator: Simulator, given: Json) -> Json:
    """What a Stripe account's dashboard sets: `retry_days`, `after_retries` and `upcoming_days`."""
    from deploy.stripe_simulator.resources.subscription_cycle import BILLING

    if strange := given.keys() - BILLING.keys():
        raise StripeError(f"There is no setting {sorted(strange)[0]!r}.")
    if given.get("after_retries", "canceled") not in {"canceled", "unpaid", "past_due"}:
        raise StripeError("after_retries is canceled, unpaid or past_due.")
    simulator.store.set("billing", {**simulator.store.setting("billing", {}), **given})
    return dict(simulator.store.setting("billing"))


@act("decline")
def decline(simulator: Simulator, given: Json) -> Any:
    """Have a payment method decline from now on, such as `card_declined/insufficient_funds`; empty heals it."""
    from deploy.stripe_simulator.resources.cards import refusal

    reason = given.get("reason", "card_declined/generic_decline")
    if reason:
        refusal(reason)

    def change(world: World) -> Json:
        method = world.get(given["payment_method"], "payment_method")
        method["_"]["decline"] = reason
        world.save(method)
        return method

    return perform(simulator, change)


@act("checkout/complete")
def complete_checkout(simulator: Simulator, given: Json) -> Any:
    """Pay on a Checkout page as a person would: `session`, and what they type in (`number`, `email`, `country` …)."""
    from deploy.stripe_simulator.resources.checkout_payment import Payer, complete

    payer = Payer(**{name: value for name, value in given.items() if name != "session"})
    return perform(simulator, lambda world: complete(world, world.get(given["session"], "checkout.session"), payer))


@act("disputes/open")
def open_dispute(simulator: Simulator, given: Json) -> Any:
    """Have a card's owner take a `charge` back, all of it or an `amount`, for a `reason`; or ask with `inquiry`."""
    from deploy.stripe_simulator.resources import disputes

    return perform(
        simulator,
        lambda world: disputes.open_dispute(
            world,
            world.get(given["charge"], "charge"),
            given.get("reason", "fraudulent"),
            given.get("amount"),
            inquiry=bool(given.get("inquiry")),
        ),
    )


@act("disputes/escalate")
def escalate_dispute(simulator: Simulator, given: Json) -> Any:
    """Make an inquiry a `dispute`, with which the money goes."""
    from deploy.stripe_simulator.resources import disputes

    def escalate(world: World) -> Json:
        dispute = world.get(given["dispute"], "dispute")
        disputes.escalate(world, dispute)
        return dispute

    return perform(simulator, escalate)


@act("disputes/close")
def close_dispute(simulator: Simulator, given: Json) -> Any:
    """Decide a `dispute`: its `status` becomes won or lost; an inquiry ends as warning_closed."""
    from deploy.stripe_simulator.resources import disputes

    if given["status"] not in {"won", "lost", "warning_closed"}:
        raise StripeError("A dispute is won, lost or warning_closed.")

    def close(world: World) -> Json:
        dispute = world.get(given["dispute"], "dispute")
        if given["status"] == "warning_closed":
            disputes.close_inquiry(world, dispute)
        else:
            disputes.close_dispute(world, dispute, given["status"])
        return dispute

    return perform(simulator, close)
