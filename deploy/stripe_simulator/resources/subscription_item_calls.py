"""Items of subscriptions by calls of their own; each is a change of the subscription."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.fields import plain
from deploy.stripe_simulator.resources.subscription_change import update_subscription
from deploy.stripe_simulator.resources.subscription_items import items_of
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
OF_SUBSCRIPTION = ("proration_behavior", "proration_date", "payment_behavior", "off_session")


def _changed(world: World, params: Params, subscription: str, **item: Any) -> None:
    """Change the subscription by one item, with what the call says about prorations and payment."""
    more = {name: plain(params.get(name)) for name in OF_SUBSCRIPTION if params.get(name) is not None}
    for name in ("price", "quantity", "metadata"):
        if params.get(name) is not None:
            item[name] = plain(params[name])
    change = Params({"items": [item], **more})
    update_subscription(world, change, subscription)


@route("POST", "/v1/subscription_items", sdk.SubscriptionItemCreateParams)
def create_item(world: World, params: Params) -> Json:
    """Add an item."""
    subscription = world.get(params["subscription"], "subscription", "subscription")
    _changed(world, params, subscription["id"])
    return items_of(world, subscription)[-1]


@route("POST", "/v1/subscription_items/{identifier}", sdk.SubscriptionItemUpdateParams)
def update_item(world: World, params: Params, identifier: str) -> Json:
    """Change an item."""
    item = world.get(identifier, "subscription_item")
    _changed(world, params, item["subscription"], id=identifier)
    return item


@route("DELETE", "/v1/subscription_items/{identifier}", sdk.SubscriptionItemDeleteParams)
def delete_item(world: World, params: Params, identifier: str) -> Json:
    """Remove an item."""
    item = world.get(identifier, "subscription_item")
    _changed(world, params, item["subscription"], id=identifier, deleted=True)
    return {"id": identifier, "object": "subscription_item", "deleted": True}


@route("GET", "/v1/subscription_items/{identifier}", sdk.SubscriptionItemRetrieveParams)
def retrieve_item(world: World, params: Params, identifier: str) -> Json:
    """One item."""
    return world.get(identifier, "subscription_item")


@route("GET", "/v1/subscription_items", sdk.SubscriptionItemListParams)
def list_items(world: World, params: Params) -> Json:
    """The items of a subscription."""
    subscription = world.get(params["subscription"], "subscription", "subscription")
    return page(params, items_of(world, subscription), "/v1/subscription_items")
