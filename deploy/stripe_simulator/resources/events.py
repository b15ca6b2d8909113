"""Events as they are listed, and test clocks."""

import re
from typing import Any

from stripe import params as sdk
from stripe.params import test_helpers

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.periods import nth
from deploy.stripe_simulator.resources.subscription_items import items_of, recurring_of
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
DAY = 86_400


@route("GET", "/v1/events", sdk.EventListParams)
def list_events(world: World, params: Params) -> Json:
    """Events, the newest first, by type (`invoice.*` for several) and time."""
    kinds = [params["type"]] if params.get("type") else list(params.get("types", []))
    if params.get("delivery_success") is not None:
        raise not_simulated("lists by delivery", "delivery_success")
    patterns = [re.compile(re.escape(kind).replace(r"\*", ".*")) for kind in kinds]
    return page(
        params,
        world.find("event"),
        "/v1/events",
        lambda item: not patterns or any(pattern.fullmatch(item["type"]) for pattern in patterns),
    )


@route("GET", "/v1/events/{identifier}", sdk.EventRetrieveParams)
def retrieve_event(world: World, params: Params, identifier: str) -> Json:
    """One event."""
    return world.get(identifier, "event")


@route("POST", "/v1/test_helpers/test_clocks", test_helpers.TestClockCreateParams)
def create_clock(world: World, params: Params) -> Json:
    """A test clock, for customers that are made with it."""
    clock = world.new(
        "clock",
        {
            "object": "test_helpers.test_clock",
            "deletes_after": world.now() + 30 * DAY,
            "frozen_time": params["frozen_time"],
            "name": params.get("name"),
            "status": "ready",
            "status_details": {},
        },
    )
    world.emit("test_helpers.test_clock.created", clock)
    return clock


@route("POST", "/v1/test_helpers/test_clocks/{identifier}/advance", test_helpers.TestClockAdvanceParams)
def advance_clock(world: World, params: Params, identifier: str) -> Json:
    """Let a test clock go on; what is due meanwhile happens after this answer, and `status` tells when it has."""
    clock = world.get(identifier, "test_helpers.test_clock")
    to = params["frozen_time"]
    if clock["status"] != "ready":
        raise StripeError("Test clock advancement underway - cannot perform modifications.", status=429)
    if to <= clock["frozen_time"]:
        raise StripeError("frozen_time must be later than the clock's current time.", param="frozen_time")
    for subscription in world.find("subscription"):
        if subscription["test_clock"] == identifier and items_of(world, subscription):
            furthest = nth(clock["frozen_time"], recurring_of(world, subscription), 2)
            if subscription["status"] not in {"canceled", "incomplete_expired"} and to > furthest:
                raise StripeError(
                    "Invalid time: a test clock can only be advanced by two intervals of its shortest subscription.",
                    param="frozen_time",
                )
    clock |= {"status": "advancing", "status_details": {"advancing": {"target_frozen_time": to}}}
    world.save(clock)
    world.emit("test_helpers.test_clock.advancing", clock)
    return clock


@route("GET", "/v1/test_helpers/test_clocks/{identifier}", test_helpers.TestClockRetrieveParams)
def retrieve_clock(world: World, params: Params, identifier: str) -> Json:
    """One test clock."""
    return world.get(identifier, "test_helpers.test_clock")


@route("GET", "/v1/test_helpers/test_clocks", test_helpers.TestClockListParams)
def list_clocks(world: World, params: Params) -> Json:
    """Test clocks."""
    return page(params, world.find("test_helpers.test_clock"), "/v1/test_helpers/test_clocks")


@route("DELETE", "/v1/test_helpers/test_clocks/{identifier}", test_helpers.TestClockDeleteParams)
def delete_clock(world: World, params: Params, identifier: str) -> Json:
    """Delete a test clock together with the customers that live by it."""
    from deploy.stripe_simulator.resources.customers import delete_customer

    clock = world.get(identifier, "test_helpers.test_clock")
    for customer in world.find("customer"):
        if customer["test_clock"] == identifier:
            delete_customer(world, Params({}), customer["id"])
    world.emit("test_helpers.test_clock.deleted", clock)
    clock["deleted"] = True
    world.save(clock)
    return {"id": identifier, "object": "test_helpers.test_clock", "deleted": True}
