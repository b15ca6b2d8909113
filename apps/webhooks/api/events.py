"""Events over REST and as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.authentication import api_actor
from apps.core import sse
from apps.core.api import AsyncAPIView, in_thread
from apps.core.eventtypes import catalogue
from apps.core.rest import CreatedCursorPagination
from apps.core.schema import READ, event_stream, problems
from apps.core.threads import in_database
from apps.webhooks import feed
from apps.webhooks.access import EVENTS
from apps.webhooks.following import follow
from apps.webhooks.messages import event_body

TAGS = ["Events"]
POSITION = {"type": "string", "pattern": "^[0-9]{1,18}$"}
TYPE = OpenApiParameter(
    "type", {"type": "string"}, description="Names of types or groups, with commas between: `team.*,licence.issued`."
)
AFTER = OpenApiParameter("cursor", POSITION, description="Behind which event to go on; from `next` of the page before.")
LIMIT = OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20})
EXAMPLE = 'id: 7\nevent: team.created\ndata: {"id":"msg_…","object":"event","sequence":7,"type":"team.created", …}\n\n'
GRACE_SECONDS = 0.0


class EventBody(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="The `webhook-id` of its messages.")
    object = serializers.ChoiceField(["event"])
    sequence = serializers.IntegerField(help_text="Its number in the organization, without gaps.")
    type = serializers.CharField()
    object_id = serializers.UUIDField(help_text="Of what it is about.")
    created_at = serializers.DateTimeField()
    data = serializers.DictField(help_text="The facts; see `GET /api/v1/event-types`.")  # type: ignore[assignment]


class EventList(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = EventBody(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    next = serializers.CharField(help_text="The cursor to go on with, now or later.")
    removed_through = serializers.IntegerField(
        allow_null=True, help_text="The last number that is not kept any more, where some were missed."
    )


class EventTypeBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["event_type"])
    type = serializers.CharField()
    about = serializers.CharField()
    schema = serializers.DictField(help_text="JSON Schema of `data`.")


class EventTypeList(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = EventTypeBody(many=True)  # type: ignore[assignment]


class EventsView(AsyncAPIView):
    """All events that are kept."""

    @extend_schema(
        operation_id="list_events",
        summary="Read events in their order",
        description="Oldest first. `next` is given with the last page too: ask again with it for what has come since.",
        tags=TAGS,
        parameters=[LIMIT, AFTER, TYPE],
        responses={200: EventList, **problems(*READ, 400)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(EVENTS)
        limit = CreatedCursorPagination().get_page_size(request) or 20
        after = feed.position_of(request.query_params.get("cursor", ""), "cursor")
        found = feed.read(actor, after, _types(request), limit)
        return Response(
            {
                "object": "list",
                "data": [event_body(each) for each in found.events],
                "has_more": found.has_more,
                "next": str(found.position),
                "removed_through": found.removed_through or None,
            }
        )


class EventTypesView(AsyncAPIView):
    """The catalogue."""

    @extend_schema(
        operation_id="list_event_types",
        summary="List the types of events with the schemas of their facts",
        tags=TAGS,
        responses={200: EventTypeList, **problems(*READ)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        data = [
            {"object": "event_type", "type": each.name, "about": str(each.about), "schema": each.schema()}
            for each in catalogue().values()
        ]
        return Response({"object": "list", "data": data})


class EventStreamView(AsyncAPIView):
    """Events as they are committed."""

    # Without HEAD, which would follow the stream and send nothing.
    http_method_names = ("get", "options")

    @extend_schema(
        operation_id="stream_events",
        summary="Follow events",
        description="Server-sent events without an end: each event's number is its `id`. Come back with the last one "
        "in `Last-Event-ID`, or in `after`, and none is missed or repeated; without either it begins with the oldest "
        "that is kept, and with `after=latest` with the next one. `removed` says that events were removed before you "
        "came. Comment lines keep the connection alive.",
        tags=TAGS,
        parameters=[
            TYPE,
            OpenApiParameter("after", {"type": "string", "pattern": "^([0-9]{1,18}|latest)$"}),
            OpenApiParameter("Last-Event-ID", POSITION, OpenApiParameter.HEADER),
        ],
        responses={(200, "text/event-stream"): event_stream("The stream.", EXAMPLE), **problems(*READ, 400)},
    )
    async def get(self, request: Request) -> HttpResponseBase:
        actor = api_actor(request)
        actor.require(EVENTS)
        types = _types(request)
        seen, after = request.headers.get("last-event-id", ""), request.query_params.get("after", "")
        if not seen and after == "latest":
            position = await _last(actor)
        else:
            position = feed.position_of(seen or after, "Last-Event-ID" if seen else "after")
        return sse.EventStream(stream(actor, position, types))


async def stream(actor: Actor, after: int, types: Sequence[str]) -> AsyncGenerator[bytes]:
    """Events as bytes; the first are a comment, so that a reader sees at once that it is connected."""
    yield sse.HEARTBEAT
    # Where it begins, without an event: whoever asked for the latest and is cut off before the first knows it too.
    yield sse.position(str(after))
    try:
        async with aclosing(follow(actor, after, types, GRACE_SECONDS)) as feeds:
            async for found in feeds:
                if found is None:
                    yield sse.HEARTBEAT
                    continue
                if found.removed_through:
                    yield sse.event({"removed_through": found.removed_through}, name="removed")
                for each in found.events:
                    yield sse.event(event_body(each), name=each.type, id=str(each.position))
    except Exception as error:
        yield sse.event(sse.failure(error).body(), name="error")


async def _last(actor: Actor) -> int:
    return (await in_database(feed.counted, [actor.organization_id])).get(actor.organization_id, 0)


def _types(request: Request) -> list[str]:
    return feed.checked_types(request.query_params.get("type", "").split(","))
