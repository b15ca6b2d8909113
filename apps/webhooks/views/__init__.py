"""The pages of events, endpoints and calls in."""

from apps.webhooks.views.calls import take_call
from apps.webhooks.views.endpoints import (
    callbacks_page,
    delivery_page,
    delivery_replay,
    endpoint_act,
    endpoint_page,
    webhooks_page,
)
from apps.webhooks.views.events import event_catalogue, events_page
from apps.webhooks.views.inbound import hook_act, hook_page, hooks_page
from apps.webhooks.views.integrations import integrations_page

__all__ = [
    "callbacks_page",
    "delivery_page",
    "delivery_replay",
    "endpoint_act",
    "endpoint_page",
    "event_catalogue",
    "events_page",
    "hook_act",
    "hook_page",
    "hooks_page",
    "integrations_page",
    "take_call",
    "webhooks_page",
]
