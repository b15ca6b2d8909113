"""Conversations over REST, their messages, answers and branches; an answer's stream is its generation's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, one_of
from apps.accounts.authentication import api_actor
from apps.billing.entitlements import Limits
from apps.core import ratelimit
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import InvalidRequest, NotFound
from apps.core.keyset import below
from apps.core.rest import CreatedCursorPagination
from apps.core.schema import READ, WRITE, problems
from apps.studio import throttle
from apps.studio.api import conversation_bodies as bodies
from apps.studio.services import conversations
from apps.studio.services.conversations import Question
from apps.studio.services.conversations.asking import NO_TURN
from apps.studio.services.conversations.reading import NO_CONVERSATION

TAGS = ["Conversations"]
READING, WRITING = "generations:read", "generations:write"
FLAG = ["true", "false"]
TURN = OpenApiParameter("turn", OpenApiTypes.UUID, OpenApiParameter.PATH)


class ConversationsView(AsyncAPIView):
    """Beginning a conversation, and finding those there are."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_conversations",
        summary="List conversations, those written in last first",
        tags=TAGS,
        parameters=[
            LIMIT,
            CURSOR,
            OpenApiParameter("search", str, description="Words of titles and messages, in English and Chinese."),
            OpenApiParameter("archived", enum=FLAG, description="`true`: those that were archived."),
        ],
        responses={200: bodies.ConversationBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READING)
        limit = CreatedCursorPagination().get_page_size(request) or 20
        cursor = request.query_params.get("cursor")
        if cursor is not None and below(cursor) is None:
            raise NotFound("There is no such page: take the cursor from `next` of an earlier one.", param="cursor")
        search = request.query_params.get("search", "")[:200]
        found = conversations.list_conversations(
            actor, search=search, archived=one_of(request, "archived", FLAG) == "true", before=cursor, limit=limit
        )
        address = request.build_absolute_uri()
        following = replace_query_param(address, "cursor", str(found.next)) if found.next else None
        data = [bodies.conversation_body(row) for row in found.rows]
        return Response({"object": "list", "data": data, "has_more": found.next is not None, "next": following})

    @extend_schema(
        operation_id="create_conversation",
        summary="Begin a conversation",
        tags=TAGS,
        request=bodies.CreateConversation,
        responses={201: bodies.ConversationBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(WRITING)
        body = bodies.CreateConversation(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        created = conversations.create_conversation(actor, body.settings(), values.get("title", ""))
        location = f"/api/v1/conversations/{created.pk}"
        return Response(bodies.conversation_body(created), status=201, headers={"location": location})


class ConversationView(AsyncAPIView):
    """One conversation: its settings, and whether it is pinned or archived."""

    @extend_schema(
        operation_id="get_conversation",
        summary="Get a conversation",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.ConversationBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        found = conversations.get_conversation(api_actor(request), parse_id(id, NO_CONVERSATION))
        return Response(bodies.conversation_body(found))

    @extend_schema(
        operation_id="update_conversation",
        summary="Rename, set up, pin, archive or restore a conversation",
        description="What is left out stays as it is. `deleted: false` has back what was deleted within the last week.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.UpdateConversation,
        responses={200: bodies.ConversationBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        actor, conversation_id = api_actor(request), parse_id(id, NO_CONVERSATION)
        body = bodies.UpdateConversation(data=request.data)
        actor.require(WRITING, READING)
        if request.data != {"deleted": False}:
            conversations.get_conversation(actor, conversation_id)
        body.is_valid(raise_exception=True)
        return Response(bodies.conversation_body(body.apply(actor, conversation_id)))

    @extend_schema(
        operation_id="delete_conversation",
        summary="Delete a conversation",
        description="It can be had back for a week.",
        tags=TAGS,
        parameters=[ID],
        responses={204: OpenApiResponse(description="Deleted."), **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        conversations.delete_conversation(api_actor(request), parse_id(id, NO_CONVERSATION))
        return Response(status=204)


class MessagesView(AsyncAPIView):
    """The branch in use, and further messages on it or beside it."""

    @extend_schema(
        operation_id="list_messages",
        summary="Get the messages of the branch in use, oldest first",
        description="The last 100; `before` is the id of a message, and gives those before it.",
        tags=TAGS,
        parameters=[ID, OpenApiParameter("before", OpenApiTypes.UUID)],
        responses={200: bodies.MessagesBody, **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor, conversation_id = api_actor(request), parse_id(id, NO_CONVERSATION)
        actor.require(READING)
        before = request.query_params.get("before")
        if before is not None and below(before) is None:
            raise InvalidRequest("before must be the id of a message.", param="before")
        branch = conversations.get_branch(actor, conversation_id, before, limit=100)
        return Response(bodies.messages_body(branch))

    @extend_schema(
        operation_id="send_message",
        summary="Send a message and ask for the answer",
        description="The answer is a generation: follow `generation`'s stream. Without `after` the message goes to the "
        "end of the branch in use; with `instead_of` it becomes a branch beside an earlier message. The same "
        "`client_id` again gives the first answer, and nothing is sent twice.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.SendMessage,
        responses={202: bodies.ConversationMessageBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor, conversation_id = api_actor(request), parse_id(id, NO_CONVERSATION)
        actor.require(WRITING, READING)
        conversations.get_conversation(actor, conversation_id)
        body = bodies.SendMessage(data=request.data)
        body.is_valid(raise_exception=True)
        draft = body.draft()
        return answered(
            self,
            request,
            conversation_id,
            lambda limits: conversations.prepare_message(actor, conversation_id, draft, limits),
        )


class AnswersView(AsyncAPIView):
    """Another answer to a message."""

    @extend_schema(
        operation_id="create_answer",
        summary="Ask for another answer beside one that is there",
        description="With a seed of its own, also after a failure. `turn` is the answer or the message it is about.",
        tags=TAGS,
        parameters=[ID, TURN],
        request=None,
        responses={202: bodies.ConversationMessageBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str, turn: str) -> Response:
        actor, conversation_id, turn_id = api_actor(request), parse_id(id, NO_CONVERSATION), parse_id(turn, NO_TURN)
        actor.require(WRITING, READING)
        conversations.get_turn(actor, conversation_id, turn_id)
        return answered(
            self,
            request,
            conversation_id,
            lambda limits: conversations.prepare_answer(actor, conversation_id, turn_id, limits),
        )


class ContinueView(AsyncAPIView):
    """Going on where an answer was stopped."""

    @extend_schema(
        operation_id="continue_answer",
        summary="Have an answer that was stopped go on",
        tags=TAGS,
        parameters=[ID, TURN],
        request=None,
        responses={202: bodies.ConversationMessageBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str, turn: str) -> Response:
        actor, conversation_id, turn_id = api_actor(request), parse_id(id, NO_CONVERSATION), parse_id(turn, NO_TURN)
        actor.require(WRITING, READING)
        conversations.get_turn(actor, conversation_id, turn_id)
        return answered(
            self,
            request,
            conversation_id,
            lambda limits: conversations.prepare_continuation(actor, conversation_id, turn_id, limits),
        )


class ChooseView(AsyncAPIView):
    """Taking another branch into use."""

    @extend_schema(
        operation_id="choose_branch",
        summary="Take the branch on which a message lies into use",
        tags=TAGS,
        parameters=[ID, TURN],
        request=None,
        responses={200: bodies.MessagesBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str, turn: str) -> Response:
        actor, conversation_id = api_actor(request), parse_id(id, NO_CONVERSATION)
        actor.require(WRITING, READING)
        conversations.choose_branch(actor, conversation_id, parse_id(turn, NO_TURN))
        return Response(bodies.messages_body(conversations.get_branch(actor, conversation_id, limit=100)))


class ExportView(AsyncAPIView):
    """A conversation as a file."""

    @extend_schema(
        operation_id="export_conversation",
        summary="Export all branches as JSON, or the branch in use as Markdown",
        tags=TAGS,
        parameters=[ID, OpenApiParameter("format", str, enum=["json", "md"])],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "text/markdown"): str,
            **problems(*READ, 400, 404),
        },
    )
    @in_thread
    def get(self, request: Request, id: str) -> Any:
        actor, conversation_id = api_actor(request), parse_id(id, NO_CONVERSATION)
        actor.require(READING)
        if one_of(request, "format", ["json", "md"]) == "md":
            text = conversations.as_markdown(actor, conversation_id)[1]
            return HttpResponse(text, content_type="text/markdown; charset=utf-8")
        return HttpResponse(conversations.as_json(actor, conversation_id)[1], content_type="application/json")


def answered(
    view: AsyncAPIView, request: Request, conversation_id: UUID, prepare: Callable[[Limits], Question]
) -> Response:
    """The answer that was asked for, and what the minute's limits leave."""
    turn, levels = throttle.converse(api_actor(request), prepare)
    view.answer_headers |= ratelimit.headers(levels)
    body = bodies.message_body(conversations.get_turn(api_actor(request), conversation_id, turn.pk))
    return Response(body, status=202, headers={"location": f"/api/v1/generations/{turn.generation_id}"})
