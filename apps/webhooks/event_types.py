"""What happens to endpoints and to the addresses that others call, as events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import TEXT, types_of

EVENT_TYPES = (
    *types_of(_("the endpoint"), "webhook_endpoint.created webhook_endpoint.changed", {"url": TEXT}),
    *types_of(_("the endpoint"), "webhook_endpoint.deleted webhook_endpoint.resumed", {"url": TEXT}),
    *types_of(_("the endpoint"), "webhook_endpoint.stopped", {"url": TEXT, "reason": TEXT}),
    *types_of(_("the endpoint"), "webhook_endpoint.secret_added webhook_endpoint.secret_removed", {"url": TEXT}),
    *types_of(
        _("the address for calls in"),
        "inbound_hook.created inbound_hook.changed inbound_hook.deleted",
        {"name": TEXT, "action": TEXT},
    ),
)
