"""A call from outside that reports usage of a meter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.billing.cloudevents import read_events
from apps.billing.services.ingest import WRITE_USAGE, report_usage
from apps.core import tenancy
from apps.core.inbound import Action, Call, Input


def _report(call: Call) -> None:
    """The same call again is the same event, and counts once."""
    quantity: Any = call.inputs["quantity"]
    if isinstance(quantity, str) and quantity.isascii() and quantity.isdecimal() and len(quantity) < 16:
        quantity = int(quantity)
    event = {
        "specversion": "1.0",
        "source": f"/hooks/{call.hook_id}",
        "id": call.key,
        "type": call.inputs["meter"],
        "time": call.inputs.get("time") or datetime.now(UTC).isoformat(),
        "subject": call.inputs.get("subject"),
        "data": {"quantity": quantity, "model": call.inputs.get("model")},
    }
    with tenancy.scope(call.actor.organization_id):
        report_usage(call.actor, read_events(event))
        call.finish(None)


ACTIONS = (
    Action(
        "usage_event",
        _("Report usage of a meter"),
        WRITE_USAGE,
        (
            Input("meter", _("Meter"), required=True),
            Input("quantity", _("Quantity"), required=True),
            Input("subject", _("By whom: a member's address")),
            Input("time", _("When")),
            Input("model", _("Model")),
        ),
        _report,
    ),
)
