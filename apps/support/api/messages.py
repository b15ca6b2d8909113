"""Messages over REST, and as a stream that begins behind any of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import ID, checked
from apps.accounts.authentication import api_actor
from apps.accounts.watching import watching
from apps.core import sse, tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.core.schema import event_stream, problems
from apps.support.access import READ, UNMASK, WRITE
from apps.support.api import bodies
from apps.support.api.base import SEQUENCE, TAGS, conversation_id, number_of, whole
from apps.support.bodies import message_body, stretch_body
from apps.support.following import follow, hints_of
from apps.support.services import messages, reading, unmasking
from apps.support.services.reading import MOST_MESSAGES
from apps.support.services.storing import Draft

LARGEST = 999_999_999
AFTER = OpenApiParameter("after", {"type": "integer", "minimum": 0, "default": 0}, description="Behind which number.")
LAST_SEEN = OpenApiParameter("Last-Event-ID", {"type": "integer"}, OpenApiParameter.HEADER)
EXAMPLE = 'id: 7\nevent: message\ndata: {"object":"support_message","sequence":7, …}\n\n'


class SupportMessagesView(AsyncAPIView):
    """A conversation's messages."""

    @extend_schema(
        operation_id="list_support_messages",
        summary="Read messages from a number on",
        description="In their order, without gaps. `last` says how far the conversation has got; follow the stream "
        "from there.",
        tags=TAGS,
        parameters=[ID, AFTER, OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 200})],
        responses={200: bodies.SupportStretchBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, READ)
        limit = max(1, whole(request, "limit", MOST_MESSAGES, MOST_MESSAGES))
        found = reading.messages_after(api_actor(request), place, whole(request, "after", 0, LARGEST), limit)
        return Response(stretch_body(found))

    @extend_schema(
        operation_id="create_support_message",
        summary="Answer a contact, or pass on what they wrote",
        description="With `seen_seq`, 409 `conversation_moved` says that others have answered since; `force` keeps "
        "both answers. From an answer on the bot is silent.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.WriteSupportMessage,
        responses={201: bodies.SupportMessageBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        values = checked(bodies.WriteSupportMessage, request, WRITE)
        actor, draft = api_actor(request), Draft(values["content"], values.get("client_id"))
        if values.get("kind") == "incoming":
            made = messages.receive_for(actor, place, draft)
        else:
            seen, force = values.get("seen_seq"), values.get("force", False)
            made = messages.reply(actor, place, draft, seen_seq=seen, force=force)
        # By itself: an answer is put together without holding up who else writes.
        with tenancy.scope(actor.organization_id):
            return Response(message_body(made), status=201)


class SupportNotesView(AsyncAPIView):
    """What only the desk reads."""

    @extend_schema(
        operation_id="create_support_note",
        summary="Write a note that only the desk reads",
        tags=TAGS,
        parameters=[ID],
        request=bodies.WriteSupportNote,
        responses={201: bodies.SupportMessageBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        values = checked(bodies.WriteSupportNote, request, WRITE)
        draft = Draft(values["content"], values.get("client_id"))
        actor = api_actor(request)
        with tenancy.scope(actor.organization_id):
            made = messages.note(actor, place, draft, values.get("mentions", ()))
            return Response(message_body(made), status=201)


class SupportMessageView(AsyncAPIView):
    """One message."""

    @extend_schema(
        operation_id="delete_support_message",
        summary="Take back an answer or a note",
        description="Its words, files and originals go; its place stays.",
        tags=TAGS,
        parameters=[ID, SEQUENCE],
        responses={200: bodies.SupportMessageBody, **problems(*READ_PROBLEMS, 400, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request, id: str, sequence: str) -> Response:
        place = conversation_id(request, id, WRITE)
        actor = api_actor(request)
        with tenancy.scope(actor.organization_id):
            return Response(message_body(messages.delete_message(actor, place, number_of(sequence))))


class SupportUnmaskView(AsyncAPIView):
    """What was masked."""

    @extend_schema(
        operation_id="unmask_support_message",
        summary="See a message as it was written",
        description="Needs `support:unmask`, which no key has, and a reason; both stand in the audit log.",
        tags=TAGS,
        parameters=[ID, SEQUENCE],
        request=bodies.Unmask,
        responses={200: bodies.UnmaskedBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str, sequence: str) -> Response:
        place = conversation_id(request, id, UNMASK)
        values = checked(bodies.Unmask, request, UNMASK)
        text = unmasking.unmask(api_actor(request), place, number_of(sequence), values["reason"])
        return Response({"object": "support_original", "content": text})


class SupportStreamView(AsyncAPIView):
    """Messages as they are stored."""

    # Without HEAD, which would follow the stream and send nothing.
    http_method_names = ("get", "options")

    @extend_schema(
        operation_id="stream_support_messages",
        summary="Follow a conversation",
        description="Server-sent events without an end: first what is stored behind `after`, or behind the "
        "`Last-Event-ID` that a browser brings back, then what comes, each `message` once and in order. `cursors` says "
        "who has seen how much. Comment lines keep the connection alive.",
        tags=TAGS,
        parameters=[ID, AFTER, LAST_SEEN],
        responses={
            (200, "text/event-stream"): event_stream("The stream.", EXAMPLE),
            **problems(*READ_PROBLEMS, 400, 404),
        },
    )
    async def get(self, request: Request, id: str) -> HttpResponseBase:
        actor = api_actor(request)
        place = conversation_id(request, id, READ)
        await sync_to_async(reading.view)(actor, place)
        seen = request.headers.get("last-event-id", "")
        after = int(seen) if seen.isdigit() and len(seen) < 10 else whole(request, "after", 0, LARGEST)
        return sse.EventStream(stream(actor, place, after))


async def stream(actor: Actor, id: UUID, after: int) -> AsyncGenerator[bytes]:
    """Frames as bytes; the first are a comment, so that a reader sees at once that it is connected."""
    yield sse.HEARTBEAT
    try:
        with watching(actor, READ) as watch, hints_of(actor.organization_id, id) as hints:
            async with aclosing(follow(actor.organization_id, id, after, hints)) as frames:
                async for frame in frames:
                    if watch is not None:
                        watch.check()
                    if frame["type"] == "messages":
                        for each in frame["data"]:
                            yield sse.event(each, name="message", id=str(each["sequence"]))
                    elif frame["type"] == "cursors":
                        yield sse.event(frame["cursors"], name="cursors")
                    elif frame["type"] == "beat":
                        yield sse.HEARTBEAT
    except Exception as error:
        yield sse.event(sse.failure(error).body(), name="error")
