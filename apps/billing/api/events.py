"""Usage events as CloudEvents 1.0 over HTTP: one, or a batch."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.cloudevents import (
    LONGEST_MODEL,
    LONGEST_NAME,
    LONGEST_SUBJECT,
    MOST_EVENTS,
    MOST_QUANTITY,
    TYPE_PREFIX,
    read_events,
)
from apps.billing.models import Meter
from apps.billing.services.ingest import WRITE_USAGE, Written
from apps.core import ratelimit
from apps.core.api import AsyncAPIView, in_thread
from apps.core.rest import StrictJSONParser
from apps.core.schema import WRITE, problems

ONE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
TYPES = [*Meter.values, *(TYPE_PREFIX + meter for meter in Meter.values)]
PLAIN = r"^[^\x00-\x1f\x7f-\x9f]*$"
EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "job-8161",
    "source": "/render-farm",
    "type": "millrace.usage.images",
    "time": "2026-01-31T09:30:00Z",
    "subject": "kim@oakember.example",
    "data": {"quantity": 4, "model": "sketch-2"},
}


class OneEvent(StrictJSONParser):
    media_type = ONE


class Batch(StrictJSONParser):
    media_type = BATCH
    takes = (list,)
    called = "a JSON list of events"


class OneOrBatch(StrictJSONParser):
    takes = (dict, list)
    called = "an event, or a JSON list of events"


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": PLAIN}


EVENT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["specversion", "id", "source", "type", "time", "data"],
    "properties": {
        "specversion": {"type": "string", "enum": ["1.0"]},
        "id": _text(LONGEST_NAME) | {"description": "With the source, what tells it from every other."},
        "source": _text(LONGEST_NAME) | {"description": "Which program of yours counted it."},
        "type": {"type": "string", "enum": TYPES, "description": "The meter."},
        "time": {"type": "string", "format": "date-time", "description": "At most 35 days ago."},
        "subject": {
            **_text(LONGEST_SUBJECT),
            "description": "Whose usage it is: a member's address or id, or a service account's id. Without it, "
            "whoever the key belongs to.",
        },
        "datacontenttype": {"type": "string", "enum": ["application/json"]},
        "data": {
            "type": "object",
            "additionalProperties": False,
            "required": ["quantity"],
            "properties": {
                "quantity": {"type": "integer", "minimum": 1, "maximum": MOST_QUANTITY},
                "model": _text(LONGEST_MODEL),
            },
        },
    },
    "example": EXAMPLE,
}
EVENTS: dict[str, Any] = {"type": "array", "minItems": 1, "maxItems": MOST_EVENTS, "items": EVENT}


class ReceiptBody(serializers.Serializer[Any]):
    # CloudEvents' own name; REST framework's base class has another use for it.
    source = serializers.CharField()  # type: ignore[assignment]
    id = serializers.CharField()
    duplicate = serializers.BooleanField(help_text="It was known already and changes nothing.")
    late_from = serializers.DateField(
        allow_null=True, help_text="Its own month, where that is closed and it counts in this one."
    )


class WrittenBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["usage_receipt"])
    accepted = serializers.IntegerField(help_text="Events that were written now.")
    duplicates = serializers.IntegerField()
    events = ReceiptBody(many=True, help_text="In the order in which they were sent.")


def written_body(written: Written) -> dict[str, Any]:
    return {
        "object": "usage_receipt",
        "accepted": written.accepted,
        "duplicates": written.duplicates,
        "events": [
            {
                "source": receipt.event.source,
                "id": receipt.event.id,
                "duplicate": receipt.duplicate,
                "late_from": receipt.late_from.isoformat() if receipt.late_from else None,
            }
            for receipt in written.receipts
        ],
    }


class EventsView(AsyncAPIView):
    """Takes in what the organization's programs have counted."""

    parser_classes = [OneEvent, Batch, OneOrBatch]

    @extend_schema(
        operation_id="report_usage",
        summary="Report usage of meters",
        description="CloudEvents 1.0 in structured mode, up to 1,000 in a batch, which is written whole or not at all. "
        "An event that was sent before is accepted again and counts once; the same `source` and `id` with another "
        "content is refused with `usage_event_conflict`.",
        tags=["Usage and budgets"],
        request={ONE: EVENT, BATCH: EVENTS, "application/json": {"oneOf": [EVENT, EVENTS]}},
        examples=[OpenApiExample("An event", value=EXAMPLE, request_only=True, media_type=ONE)],
        responses={200: WrittenBody, **problems(*WRITE, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(WRITE_USAGE)
        written = billing.report_usage(actor, read_events(request.data))
        self.answer_headers |= ratelimit.headers(written.levels)
        return Response(written_body(written))
