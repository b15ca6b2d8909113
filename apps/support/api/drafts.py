"""Suggested replies and summaries over REST: asked for, followed, stopped and read."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.authentication import api_actor
from apps.core import sse, streams, tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.fields import StrictSerializer
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.core.schema import event_stream, problems
from apps.core.shutdown import Leaving
from apps.support.access import WRITE
from apps.support.api.base import TAGS, conversation_id
from apps.support.bodies import draft_body
from apps.support.models import DeskDraft, DraftKind, DraftState
from apps.support.services import drafts

DRAFT = OpenApiParameter("draft", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The draft.")
POSITION = {"type": "string", "pattern": r"^[0-9]+-[0-9]+$"}
EXAMPLE = 'id: 1-3\nevent: delta\ndata: {"text":"Thank you "}\n\n'


class WriteSupportDraft(StrictSerializer):
    kind = serializers.ChoiceField(DraftKind.values, help_text="A reply to insert, or a summary.")


class DraftSourceBody(serializers.Serializer[Any]):
    article = serializers.CharField()
    version = serializers.IntegerField()
    locale = serializers.CharField()
    title = serializers.CharField()


class SupportDraftBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["support_draft"])
    conversation = serializers.UUIDField()
    kind = serializers.ChoiceField(DraftKind.values)
    state = serializers.ChoiceField(DraftState.values)
    since = serializers.IntegerField(help_text="The number of the first message that it rests on.")
    through = serializers.IntegerField(help_text="The number of the last one.")
    text = serializers.CharField(allow_blank=True, help_text="Once it is done; sent to nobody.")
    sources = DraftSourceBody(many=True, help_text="Articles that the model was given, with their exact versions.")
    model = serializers.CharField(help_text="The version that wrote it.")
    error_code = serializers.CharField(allow_null=True)
    created_by = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class SupportDraftsView(AsyncAPIView):
    """What models have written for agents in a conversation."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_support_drafts",
        summary="List suggested replies and summaries, newest first",
        tags=TAGS,
        parameters=[ID, LIMIT, CURSOR],
        responses={200: SupportDraftBody(many=True), **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        place, actor = conversation_id(request, id, WRITE), api_actor(request)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, drafts.listed(actor, place))
            return listed(answer, [draft_body(drafts.take_over(row)) for row in found])

    @extend_schema(
        operation_id="create_support_draft",
        summary="Have a reply suggested, or the conversation summed up",
        description="A model writes it from masked messages, and for replies from published articles. Nothing is sent. "
        "409 without a model in the bot's settings; it counts as the caller's usage.",
        tags=TAGS,
        parameters=[ID],
        request=WriteSupportDraft,
        responses={202: SupportDraftBody, **problems(*WRITE_PROBLEMS, 402, 404, 409, 429)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        values = checked(WriteSupportDraft, request, WRITE)
        return Response(draft_body(drafts.ask(api_actor(request), place, values["kind"])), status=202)


class SupportDraftView(AsyncAPIView):
    @extend_schema(
        operation_id="get_support_draft",
        summary="Get a suggested reply or a summary",
        tags=TAGS,
        parameters=[ID, DRAFT],
        responses={200: SupportDraftBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str, draft: str) -> Response:
        return Response(draft_body(_found(request, id, draft)))


class SupportDraftStopView(AsyncAPIView):
    @extend_schema(
        operation_id="stop_support_draft",
        summary="Stop a text that is being written",
        description="What was written by then is counted, and not kept.",
        tags=TAGS,
        parameters=[ID, DRAFT],
        request=None,
        responses={200: SupportDraftBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str, draft: str) -> Response:
        row = _found(request, id, draft)
        return Response(draft_body(drafts.stop(api_actor(request), row.conversation_id, row.pk)))


class SupportDraftStreamView(AsyncAPIView):
    """The text as it comes."""

    # Without HEAD, which would follow the stream and send nothing.
    http_method_names = ("get", "options")

    @extend_schema(
        operation_id="stream_support_draft",
        summary="Follow a text that is being written",
        description="Server-sent events as of any generation: `status`, `delta`, `reset` (forget the text so far), "
        "`done` with the draft, or `error`. Come back with the last `id` in `Last-Event-ID`, or in `after`.",
        tags=TAGS,
        parameters=[
            ID, DRAFT, OpenApiParameter("after", POSITION),
            OpenApiParameter("Last-Event-ID", POSITION, OpenApiParameter.HEADER),
        ],
        responses={
            (200, "text/event-stream"): event_stream("The stream, until `done`.", EXAMPLE),
            **problems(*READ_PROBLEMS, 400, 404),
        },
    )  # fmt: skip
    async def get(self, request: Request, id: str, draft: str) -> HttpResponseBase:
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        streams.parse_position(after)
        row = await sync_to_async(_found)(request, id, draft)
        return sse.EventStream(events(api_actor(request), row, after))


async def events(actor: Actor, row: DeskDraft, after: str) -> AsyncGenerator[bytes]:
    """Frames as server-sent events; of a text that was taken over already, its end alone."""
    try:
        if row.state == DraftState.WRITING:
            async with aclosing(drafts.follow(actor, row, after)) as frames:
                async for frame in frames:
                    name, fields = frame["type"], dict(frame)
                    if name == "heartbeat":
                        yield sse.HEARTBEAT
                    elif name != "done":
                        yield sse.event(_plain(fields), name=name, id=fields.get("id", ""))
            row = await sync_to_async(drafts.take_over)(row)
        yield sse.event(draft_body(row), name="done")
    except Leaving:
        # Clients come back by themselves.
        return
    except Exception as error:
        yield sse.event(sse.failure(error).body(), name="error")


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in ("type", "id")}


def _found(request: Request, id: str, draft: str) -> DeskDraft:
    place: UUID = conversation_id(request, id, WRITE)
    return drafts.get(api_actor(request), place, parse_id(draft, drafts.NO_DRAFT))
