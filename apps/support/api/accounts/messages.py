"""Messages in Chatwoot's account API, with their files."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest, NotFound
from apps.core.rest import StrictJSONParser
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import READ, WRITE
from apps.support.api.accounts import bodies
from apps.support.api.accounts.base import AT_CONVERSATION, PAGE, TAGS, AccountView, conversation_of
from apps.support.api.told_errors import unprocessable as problems
from apps.support.api.uploads import form_of, uploads_of
from apps.support.models import Conversation, Message
from apps.support.services import files, messages, reading, visitors
from apps.support.services.agent_bots import speaking
from apps.support.services.agent_bots.speaking import Caller
from apps.support.services.chatwoot import lists
from apps.support.services.files import Upload
from apps.support.services.numbers import Numbers, number_in
from apps.support.services.storing import Draft, is_repeated

MOST_ATTRIBUTES_CHARS = 20_000
MESSAGE = OpenApiParameter("message", int, OpenApiParameter.PATH, description="The message's `id`.")


def draft_of(values: dict[str, Any], uploads: tuple[Upload, ...] = ()) -> Draft:
    """What a body wants said; raises InvalidRequest. In a form attributes are a text of JSON."""
    attributes = values.get("content_attributes") or {}
    if isinstance(attributes, str):
        try:
            attributes = json.loads(attributes)
        except ValueError:
            attributes = None
    if not isinstance(attributes, dict):
        raise InvalidRequest("Attributes of a message are a JSON object.", param="content_attributes")
    if len(str(attributes)) > MOST_ATTRIBUTES_CHARS:
        raise InvalidRequest("Attributes of a message have at most 20000 characters.", param="content_attributes")
    kind = values.get("content_type") or "text"
    draft = Draft(values.get("content") or "", values.get("echo_id") or None, kind, attributes, files=uploads)
    speaking.require_known_type(draft)
    return draft


class AccountMessagesView(AccountView):
    """What is said in a conversation; a bot reaches those of its inboxes."""

    parser_classes = (StrictJSONParser, MultiPartParser)

    @extend_schema(
        operation_id="list_account_messages",
        summary="Read messages",
        description="The last 20, in their order, or those before or behind the `id` of a message. A bot is given 200.",
        tags=TAGS,
        parameters=[*AT_CONVERSATION, OpenApiParameter("before", int), OpenApiParameter("after", int)],
        responses={200: bodies.AccountMessagesBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, number: str) -> Response:
        caller = self.caller(request, account, READ)
        before, after = _place(request, "before"), _place(request, "after")
        with tenancy.scope(caller.organization_id):
            row, numbers = _opened(caller, conversation_of(number), before, after), Numbers(caller.organization_id)
            before, after = before and _within(before, row), after and _within(after, row)
            said = lists.said(row, before, after, all=isinstance(caller, Caller))
            whole = chatwoot.conversation_body(row, numbers)
            meta = {
                "labels": row.labels,
                "additional_attributes": whole["additional_attributes"],
                "contact": whole["meta"]["sender"],
                "assignee": whole["meta"]["assignee"],
                "agent_last_seen_at": whole["agent_last_seen_at"],
            }
            return Response({"meta": meta, "payload": [chatwoot.said_body(each, row, numbers) for each in said]})

    @extend_schema(
        operation_id="create_account_message",
        summary="Answer",
        description="To a bot 409 `bot_silent` once a person has acted. With `private` it is a note for people. Files "
        "come in a form, as `attachments[]`.",
        tags=TAGS,
        parameters=AT_CONVERSATION,
        request={"application/json": bodies.WriteAccountMessage, "multipart/form-data": bodies.WriteAccountFiles},
        responses={200: bodies.AccountMessageBody, **problems(*WRITE_PROBLEMS, 404, 409, 413, 422)},
    )
    @in_thread
    def post(self, request: Request, account: str, number: str) -> Response:
        caller = self.caller(request, account, WRITE)
        uploads = uploads_of(request)
        body = bodies.WriteAccountMessage(data=form_of(request))
        body.is_valid(raise_exception=True)
        values = body.validated_data
        draft = draft_of(values, uploads)
        with tenancy.scope(caller.organization_id):
            id = conversation_of(number)
            if isinstance(caller, Caller):
                if values.get("message_type") == "incoming":
                    raise InvalidRequest("A bot says nothing in the contact's name.", param="message_type")
                row, made = speaking.say(caller, id, draft, private=values["private"])
            else:
                row, made = _said_by(caller, id, draft, values)
            prefetch_related_objects([made], "files", "contact", "user")
            return Response(chatwoot.said_body(made, row, Numbers(caller.organization_id)))


class AccountMessageView(AccountView):
    """One message."""

    @extend_schema(
        operation_id="delete_account_message",
        summary="Take back an answer or a note",
        tags=TAGS,
        parameters=[*AT_CONVERSATION, MESSAGE],
        responses={200: bodies.AccountMessageBody, **problems(*READ_PROBLEMS, 400, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request, account: str, number: str, message: str) -> Response:
        actor, id = self.actor(request, account, WRITE), number_in(message)
        with tenancy.scope(actor.organization_id):
            row = reading.find(conversation_of(number))
            if id is None or chatwoot.place_of(id)[0] != row.number:
                raise NotFound("There is no message with this id.")
            made = messages.delete_message(actor, row.pk, chatwoot.place_of(id)[1])
            return Response(chatwoot.said_body(made, row, Numbers(actor.organization_id)))


class AccountAttachmentsView(AccountView):
    """All files of a conversation."""

    @extend_schema(
        operation_id="list_account_attachments",
        summary="List the files of a conversation, the latest first, 100 a page",
        description="That a program or person looks stands in the audit log.",
        tags=TAGS,
        parameters=[*AT_CONVERSATION, PAGE],
        responses={200: bodies.AccountAttachmentsBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, number: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            page = lists.page_in(request.query_params)
            row = reading.view(actor, conversation_of(number))
            rows = lists.files_of(row)
            numbers = Numbers(actor.organization_id)
            told = [chatwoot.file_body(each, row, numbers) for each in lists.page_of(rows, page, lists.FILES_A_PAGE)]
            return Response({"meta": {"total_count": rows.count()}, "payload": told})


def _said_by(actor: Actor, id: UUID, draft: Draft, values: dict[str, Any]) -> tuple[Conversation, Message]:
    """A message of a program or person of the desk; what programs store in files counts with what visitors do, and what
    is there already is not counted again.
    """
    row = reading.find(id)
    files.inspected(draft.files)
    is_new = bool(draft.files) and not is_repeated(messages.held_onward(id), draft.client_id)
    if values["private"]:
        made = messages.note(actor, id, draft)
    elif values.get("message_type") == "incoming":
        made = messages.receive_for(actor, id, draft)
    else:
        made = messages.reply(actor, id, draft)
    if is_new:
        # Behind all that may refuse it; who has no room left gets it undone.
        visitors.charge_stored(actor.organization_id, sum(len(each.data) for each in draft.files))
    return row, made


def _opened(caller: Actor | Caller, id: UUID, before: int | None, after: int | None) -> Conversation:
    """The conversation; that somebody begins to read it, and not goes on from a message of it, is audited."""
    if isinstance(caller, Caller):
        return speaking.find(caller, id)
    row = reading.get(caller, id)
    places = [chatwoot.place_of(each) for each in (before, after) if each]
    goes_on = any(number == row.number and 0 < place <= row.last_sequence for number, place in places)
    return row if goes_on else reading.view(caller, id)


def _place(request: Request, name: str) -> int | None:
    given = request.query_params.get(name)
    if not given:
        return None
    found = number_in(given)
    if found is None:
        raise InvalidRequest("`%(name)s` is the id of a message.", values={"name": name}, param=name)
    return found


def _within(id: int, row: Conversation) -> int:
    """The place in the conversation before, or behind, which a message stands that may be another's."""
    number, place = chatwoot.place_of(id)
    if number == row.number:
        return place
    return 0 if number < row.number else row.last_sequence + 1
