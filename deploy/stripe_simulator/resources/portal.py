"""The billing portal: what customers may do on it, and sessions that let one of them in."""

import copy
from typing import Any

from stripe.params import billing_portal as sdk

from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.fields import metadata, plain
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World, new_id

Json = dict[str, Any]
SESSION_SECONDS = 3600
FEATURES: Json = {
    "customer_update": {"allowed_updates": [], "enabled": False},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {"enabled": False, "options": []},
        "enabled": True,
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_pause": {
        "enabled": False,
        "duration": {"type": "indefinite", "interval_options": {"interval": "month", "interval_count": 1}},
    },
    "subscription_update": {
        "default_allowed_updates": [],
        "enabled": False,
        "products": [],
        "proration_behavior": "create_prorations",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "continue_trial",
    },
}


def default_configuration(world: World) -> Json:
    """The configuration of sessions that name none."""
    for item in world.find("billing_portal.configuration"):
        if item["is_default"]:
            return item
    return _configuration(world, copy.deepcopy(FEATURES), is_default=True)


def _configuration(world: World, features: Json, **more: Any) -> Json:
    return world.new(
        "bpc",
        {
            "object": "billing_portal.configuration",
            "active": True,
            "business_profile": {},
            "features": features,
            "is_default": False,
            "login_page": {"enabled": False},
            "metadata": {},
            "updated": world.now(),
            **more,
        },
    )


def _merged(base: Json, given: Json) -> Json:
    result = copy.deepcopy(base)
    for name, value in given.items():
        result[name] = _merged(result[name], value) if isinstance(value, dict) and name in result else value
    return result


@route("POST", "/v1/billing_portal/configurations", sdk.ConfigurationCreateParams)
def create_configuration(world: World, params: Params) -> Json:
    """What customers may do, where it differs from the default."""
    more: Json = {"metadata": metadata(params)}
    for name in ("business_profile", "default_return_url", "name"):
        if params.get(name) is not None:
            more[name] = plain(params[name])
    return _configuration(world, _merged(FEATURES, plain(params["features"])), **more)


@route("POST", "/v1/billing_portal/configurations/{identifier}", sdk.ConfigurationUpdateParams)
def update_configuration(world: World, params: Params, identifier: str) -> Json:
    """Change what customers may do."""
    found = world.get(identifier, "billing_portal.configuration")
    found["features"] = _merged(found["features"], plain(params.get("features")) or {})
    for name in ("active", "business_profile", "default_return_url", "name"):
        if params.get(name) is not None:
            found[name] = plain(params[name])
    found |= {"metadata": metadata(params, found["metadata"]), "updated": world.now()}
    world.save(found)
    return found


@route("GET", "/v1/billing_portal/configurations/{identifier}", sdk.ConfigurationRetrieveParams)
def retrieve_configuration(world: World, params: Params, identifier: str) -> Json:
    """One configuration."""
    return world.get(identifier, "billing_portal.configuration")


@route("GET", "/v1/billing_portal/configurations", sdk.ConfigurationListParams)
def list_configurations(world: World, params: Params) -> Json:
    """Configurations."""
    wanted = {name: params.get(name) for name in ("active", "is_default")}
    return page(
        params,
        world.find("billing_portal.configuration"),
        "/v1/billing_portal/configurations",
        lambda item: all(value is None or item[name] == value for name, value in wanted.items()),
    )


@route("POST", "/v1/billing_portal/sessions", sdk.SessionCreateParams)
def create_session(world: World, params: Params) -> Json:
    """A page for one customer, for an hour."""
    customer = world.get(params["customer"], "customer", "customer")
    if params.get("configuration"):
        configuration = world.get(params["configuration"], "billing_portal.configuration", "configuration")
    else:
        configuration = default_configuration(world)
    identifier = new_id("bps")
    flow = plain(params.get("flow_data"))
    if flow is not None:
        flow["after_completion"] = flow.get("after_completion") or {"type": "portal_homepage"}
    return world.new(
        "bps",
        {
            "object": "billing_portal.session",
            "id": identifier,
            "configuration": configuration["id"],
            "customer": customer["id"],
            "flow": flow,
            "locale": params.get("locale"),
            "return_url": params.get("return_url") or configuration.get("default_return_url"),
            "url": f"{world.base_url}/simulator/portal/{identifier}",
        },
    )
