"""Every write to endpoints, deliveries and calls in."""

from apps.webhooks.services.endpoints import (
    add_secret,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    get_endpoint,
    pause_endpoint,
    remove_secret,
    resume_endpoint,
    secrets_of,
)
from apps.webhooks.services.replays import get_delivery, may_see, replay_delivery, replay_range, send_test

__all__ = [
    "add_secret",
    "change_endpoint",
    "create_endpoint",
    "delete_endpoint",
    "get_delivery",
    "get_endpoint",
    "may_see",
    "pause_endpoint",
    "remove_secret",
    "replay_delivery",
    "replay_range",
    "resume_endpoint",
    "secrets_of",
    "send_test",
]
