"""Generations as REST resources, and their streams as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.authentication import api_actor
from apps.core import sse, streams, tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.errors import InvalidRequest, NotFound
from apps.core.jobs import Status
from apps.core.rest import CreatedCursorPagination
from apps.core.schema import IDEMPOTENCY_KEY, READ, WRITE, event_stream, problems
from apps.core.shutdown import Leaving
from apps.studio import services as studio
from apps.studio.api.admission import AdmittingView
from apps.studio.api.serializers import CreateGeneration, GenerationBody
from apps.studio.body import generation_body
from apps.studio.models import Generation
from apps.studio.streaming import follow

TAGS = ["Generations"]
ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
POSITION = {"type": "string", "pattern": "^([0-9]{1,9}-[0-9]{1,12})?$"}
EXAMPLE = OpenApiExample(
    "A prompt",
    request_only=True,
    value={"model": "default", "prompt": "Write an ad headline for Oak & Ember candles.", "max_tokens": 120},
)
STREAM_EXAMPLE = (
    'event: status\ndata: {"status": "running", "queue_position": null, "attempt": 1}\n\n'
    'id: 1-1\nevent: delta\ndata: {"text": "Warm light"}\n\n'
    'id: 1-9\nevent: done\ndata: {"id": "0197…", "object": "generation", "status": "succeeded", …}\n\n'
)


def parse_id(value: str) -> UUID:
    """The id in a path; what cannot be an id is answered like one that does not exist."""
    try:
        return UUID(value)
    except ValueError:
        raise NotFound("There is no generation with this id.") from None


class GenerationsView(AdmittingView):
    """Asking for a generation, and listing those there are."""

    @extend_schema(
        operation_id="create_generation",
        summary="Ask for a generation",
        description="Accepted at once and run in its turn: follow its stream, or get it until `status` is `succeeded`, "
        "`failed` or `cancelled`. Give exactly one of `prompt`, `messages`, `brief` and `template`.",
        tags=TAGS,
        parameters=[IDEMPOTENCY_KEY],
        request=CreateGeneration,
        responses={202: GenerationBody, **problems(*WRITE, 404, 409, 422)},
        examples=[EXAMPLE],
    )
    @in_thread
    def post(self, request: Request) -> Response:
        body = CreateGeneration(data=request.data)
        body.is_valid(raise_exception=True)
        accepted = self.accept(request, lambda: body.spec_for(api_actor(request)), body.validated_data)
        location = f"/api/v1/generations/{accepted.id}"
        return Response(accepted.body, status=202, headers={"location": location})

    @extend_schema(
        operation_id="list_generations",
        summary="List generations, newest first",
        description="`next` is the address of the page that follows.",
        tags=TAGS,
        parameters=[
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
            OpenApiParameter("cursor", str, description="From `next` of the page before."),
            OpenApiParameter("status", enum=Status.values),
        ],
        responses={200: GenerationBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        return self._page(request)

    # drf-spectacular reads it to give the list its paginated shape.
    pagination_class = CreatedCursorPagination

    def _page(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require("generations:read")
        status = request.query_params.get("status")
        if status is not None and status not in Status.values:
            raise InvalidRequest(f"status must be one of {', '.join(Status.values)}.", param="status")
        pages = CreatedCursorPagination()
        with tenancy.scope(actor.organization_id):
            rows = Generation.objects.for_pages().with_status(status or "")
            found: list[Generation] = pages.paginate_queryset(rows, request, self) or []
            return pages.get_paginated_response([generation_body(generation) for generation in found])


class GenerationView(AsyncAPIView):
    """One generation as it stands: its state, its text once it has ended, and what it is charged for."""

    @extend_schema(
        operation_id="get_generation",
        summary="Get a generation",
        tags=TAGS,
        parameters=[ID],
        responses={200: GenerationBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(_body(api_actor(request), parse_id(id)))


class CancelView(AsyncAPIView):
    """Stopping a generation."""

    @extend_schema(
        operation_id="cancel_generation",
        summary="Stop a generation",
        description="One that waits ends at once and costs nothing; one that runs is stopped by its worker and costs "
        "what it has produced. Cancelling what has ended changes nothing.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: GenerationBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return Response(_cancelled(api_actor(request), parse_id(id)))


class StreamView(AsyncAPIView):
    """A generation's text while it is written."""

    # Without HEAD, which would follow the stream to its end and send nothing.
    http_method_names = ("get", "options")

    @extend_schema(
        operation_id="stream_generation",
        summary="Follow a generation",
        description="Server-sent events: `status`, `delta`, `reset` (forget the text so far), `done` with the body of "
        "GET, or `error`. Come back with the last `id` in `Last-Event-ID`, or in `after`, and nothing is lost or "
        "repeated. Leaving does not stop the generation. Comment lines keep the connection alive.",
        tags=TAGS,
        parameters=[
            ID,
            OpenApiParameter("after", POSITION),
            OpenApiParameter("Last-Event-ID", POSITION, OpenApiParameter.HEADER),
        ],
        responses={
            (200, "text/event-stream"): event_stream("The stream, until `done`.", STREAM_EXAMPLE),
            **problems(*READ, 400, 404),
        },
    )
    async def get(self, request: Request, id: str) -> HttpResponseBase:
        actor = api_actor(request)
        generation_id = parse_id(id)
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        streams.parse_position(after)
        await sync_to_async(studio.get_generation)(actor, generation_id)
        return sse.EventStream(events(actor, generation_id, after))


async def events(actor: Actor, generation_id: UUID, after: str) -> AsyncGenerator[bytes]:
    """A generation's frames as server-sent events."""
    try:
        async with aclosing(follow(actor, generation_id, after)) as frames:
            async for frame in frames:
                yield _event(frame)
    except Leaving:
        # An answer that ends before `done` makes clients come back by themselves; an error would be shown to people.
        return
    except Exception as error:
        yield sse.event(sse.failure(error).body(), name="error")


def _event(frame: dict[str, Any]) -> bytes:
    fields = dict(frame)
    name, id = fields.pop("type"), fields.pop("id", "")
    if name == "heartbeat":
        return sse.HEARTBEAT
    return sse.event(fields["generation"] if name == "done" else fields, name=name, id=id)


def _body(actor: Actor, generation_id: UUID) -> dict[str, Any]:
    generation = studio.get_generation(actor, generation_id)
    with tenancy.scope(actor.organization_id):
        return generation_body(generation)


def _cancelled(actor: Actor, generation_id: UUID) -> dict[str, Any]:
    generation = studio.cancel_generation(actor, generation_id)
    with tenancy.scope(actor.organization_id):
        return generation_body(generation)
