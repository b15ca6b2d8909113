"""Billing meters and their events: kept and summed, not billed."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from stripe.params import billing as sdk

from deploy.stripe_simulator.errors import StripeError, missing
from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.fields import plain
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World, new_id, renders

Json = dict[str, Any]
DAY = 86_400
OLDEST, NEWEST, DEDUPED, CANCELABLE = 35 * DAY, 300, DAY, DAY


@renders("billing.meter_event")
def fill_event(world: World, event: Json) -> None:
    """Meter events have no id to show."""
    event.pop("id", None)


@route("POST", "/v1/billing/meters", sdk.MeterCreateParams)
def create_meter(world: World, params: Params) -> Json:
    """A meter for events of one name."""
    name = params["event_name"]
    if any(item["event_name"] == name and item["status"] == "active" for item in world.find("billing.meter")):
        raise StripeError(f"An active meter already exists for event_name {name}.", code="resource_already_exists")
    mapping, values = plain(params.get("customer_mapping")), plain(params.get("value_settings"))
    return world.new(
        "mtr",
        {
            "object": "billing.meter",
            "customer_mapping": mapping or {"type": "by_id", "event_payload_key": "stripe_customer_id"},
            "default_aggregation": plain(params["default_aggregation"]),
            "display_name": params["display_name"],
            "event_name": name,
            "event_time_window": params.get("event_time_window"),
            "status": "active",
            "status_transitions": {},
            "updated": world.now(),
            "value_settings": values or {"event_payload_key": "value"},
        },
    )


@route("GET", "/v1/billing/meters/{identifier}", sdk.MeterRetrieveParams)
def retrieve_meter(world: World, params: Params, identifier: str) -> Json:
    """One meter."""
    return world.get(identifier, "billing.meter")


@route("GET", "/v1/billing/meters", sdk.MeterListParams)
def list_meters(world: World, params: Params) -> Json:
    """Meters."""
    status = params.get("status")
    items = world.find("billing.meter")
    return page(params, items, "/v1/billing/meters", lambda item: status in (None, item["status"]))


@route("POST", "/v1/billing/meters/{identifier}/deactivate", sdk.MeterDeactivateParams)
def deactivate_meter(world: World, params: Params, identifier: str) -> Json:
    """Take no more events."""
    meter = world.get(identifier, "billing.meter")
    meter |= {"status": "inactive", "status_transitions": {"deactivated_at": world.now()}, "updated": world.now()}
    world.save(meter)
    return meter


@route("POST", "/v1/billing/meters/{identifier}/reactivate", sdk.MeterReactivateParams)
def reactivate_meter(world: World, params: Params, identifier: str) -> Json:
    """Take events again."""
    meter = world.get(identifier, "billing.meter")
    meter |= {"status": "active", "status_transitions": {}, "updated": world.now()}
    world.save(meter)
    return meter


@route("POST", "/v1/billing/meter_events", sdk.MeterEventCreateParams)
def create_event(world: World, params: Params) -> Json:
    """Usage of a customer: once for each identifier within a day, at most 35 days late and 5 minutes early."""
    name, payload = params["event_name"], params["payload"].plain()
    meters = [item for item in world.find("billing.meter") if item["event_name"] == name]
    if not any(item["status"] == "active" for item in meters):
        raise StripeError(f"No active meter found for event name {name}.", code="no_meter", param="event_name")
    meter = next(item for item in meters if item["status"] == "active")
    customer = world.get(payload.get(meter["customer_mapping"]["event_payload_key"]), "customer", "payload")
    now = world.now(customer)
    timestamp = params.get("timestamp", now)
    if not now - OLDEST <= timestamp <= now + NEWEST:
        raise StripeError(
            "The timestamp must be within the past 35 calendar days or up to 5 minutes in the future.",
            code="timestamp_too_far_in_past" if timestamp < now else "timestamp_in_future",
            param="timestamp",
        )
    identifier = params.get("identifier") or new_id("", 32).strip("_")
    for other in world.find("billing.meter_event", parent=name):
        if other["identifier"] == identifier and now - other["created"] < DEDUPED:
            raise StripeError(
                f"An event already exists with identifier {identifier}.",
                code="duplicate_meter_event",
                param="identifier",
            )
    _number(payload.get(meter["value_settings"]["event_payload_key"]))
    return world.new(
        "mev",
        {
            "object": "billing.meter_event",
            "event_name": name,
            "identifier": identifier,
            "payload": payload,
            "timestamp": timestamp,
            "_": {"customer": customer["id"], "canceled": False},
        },
        parent=name,
        like=customer,
    )


def _number(value: Any) -> Decimal:
    try:
        if not re.fullmatch(r"-?\d+(\.\d{1,12})?", str(value)):
            raise InvalidOperation
        return Decimal(str(value))
    except InvalidOperation:
        raise StripeError(
            "The event's value must be a number.", code="meter_event_invalid_value", param="payload"
        ) from None


@route("POST", "/v1/billing/meter_event_adjustments", sdk.MeterEventAdjustmentCreateParams)
def adjust_event(world: World, params: Params) -> Json:
    """Cancel an event of the past day."""
    identifier = params["cancel"]["identifier"]
    for event in world.find("billing.meter_event", parent=params["event_name"]):
        if event["identifier"] == identifier and world.now(event) - event["created"] < CANCELABLE:
            event["_"]["canceled"] = True
            world.save(event)
            return {
                "object": "billing.meter_event_adjustment",
                "cancel": {"identifier": identifier},
                "event_name": event["event_name"],
                "livemode": False,
                "status": "complete",
                "type": params["type"],
            }
    raise missing("billing.meter_event", identifier, "cancel[identifier]")


@route("GET", "/v1/billing/meters/{identifier}/event_summaries", sdk.MeterEventSummaryListParams)
def list_summaries(world: World, params: Params, identifier: str) -> Json:
    """What a customer has used from `start_time` to `end_time`, as one sum."""
    meter = world.get(identifier, "billing.meter")
    start, end, customer = params["start_time"], params["end_time"], params["customer"]
    events = [
        item
        for item in world.find("billing.meter_event", parent=meter["event_name"])
        if item["_"]["customer"] == customer and not item["_"]["canceled"] and start <= item["timestamp"] < end
    ]
    values = [_number(item["payload"][meter["value_settings"]["event_payload_key"]]) for item in events]
    match meter["default_aggregation"]["formula"]:
        case "count":
            total = Decimal(len(values))
        case "last":
            total = values[-1] if values else Decimal(0)
        case _:
            total = sum(values, Decimal(0))
    summary = {
        "id": f"mtrusg_{meter['id']}_{start}_{end}",
        "object": "billing.meter_event_summary",
        "aggregated_value": float(total),
        "end_time": end,
        "livemode": False,
        "meter": meter["id"],
        "start_time": start,
    }
    return page(params, [summary], f"/v1/billing/meters/{identifier}/event_summaries")
