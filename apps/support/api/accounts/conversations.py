"""Conversations in Chatwoot's account API: listed, filtered, begun and looked at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import READ, WRITE
from apps.support.api.accounts import bodies
from apps.support.api.accounts.base import (
    AT_CONVERSATION,
    IN_ACCOUNT,
    PAGE,
    TAGS,
    AccountView,
    FilterBody,
    contact_of,
    conversation_of,
    inbox_of,
    member_of,
    named,
    several,
    team_of,
)
from apps.support.api.accounts.messages import draft_of
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import ConversationStatus, Message
from apps.support.services import assignment, conversations, messages, reading
from apps.support.services.agent_bots import speaking
from apps.support.services.agent_bots.speaking import Caller
from apps.support.services.chatwoot import filters, lists, sessions
from apps.support.services.numbers import Numbers

CHOSEN = [
    OpenApiParameter("status", str, description="One of the statuses, or `all`; `open` where nothing is said."),
    OpenApiParameter("assignee_type", str, description="`me`, `unassigned`, `assigned` or `all`."),
    OpenApiParameter("inbox_id", str),
    OpenApiParameter("team_id", str),
    OpenApiParameter("labels", str, many=True, description="Also as `labels[]`."),
    OpenApiParameter("q", str, description="Words of the masked messages; then the status is no matter."),
]


def moment_of(given: str | None, param: str = "snoozed_until") -> datetime | None:
    """A moment as seconds since 1970 or as ISO 8601; raises InvalidRequest."""
    if not given:
        return None
    found = None
    if given.isascii() and given.isdecimal() and 0 < int(given) < 253_402_300_800:
        found = datetime.fromtimestamp(int(given), UTC)
    elif not given.isdecimal():
        try:
            found = parse_datetime(given)
        except ValueError:
            found = None
    if found is None:
        raise InvalidRequest("A moment is given in seconds since 1970.", param=param)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def wanted_of(request: Request) -> lists.Wanted:
    """What the query asks for, in scope."""
    query: dict[str, Any] = {name: request.query_params.get(name) for name in ("inbox_id", "team_id")}
    words = request.query_params.get("q", "")[:200]
    status = request.query_params.get("status", "" if words else ConversationStatus.OPEN)
    return lists.Wanted(
        status="" if words else status,
        whose=request.query_params.get("assignee_type", "all"),
        inbox=named("inbox_id", query, inbox_of),
        team=named("team_id", query, team_of),
        labels=several(request, "labels"),
        words=words,
    )


class AccountConversationsView(AccountView):
    """All conversations."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_conversations",
        summary="List conversations as Chatwoot does, 25 a page",
        tags=TAGS,
        parameters=[*IN_ACCOUNT, PAGE, *CHOSEN],
        responses={200: bodies.AccountConversationsBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            page = lists.page_in(request.query_params)
            rows, meta = lists.conversations(actor, wanted_of(request))
            some = lists.page_of(rows, page, lists.CONVERSATIONS_A_PAGE)
            payload = chatwoot.conversation_bodies(some, Numbers(actor.organization_id))
            return Response({"data": {"meta": meta, "payload": payload}})

    @extend_schema(
        operation_id="create_account_conversation",
        summary="Begin a conversation with a contact",
        description="In the inbox `inbox_id` with the contact `contact_id`, or where `source_id` says. `message` is "
        "said by the desk, or with `message_type: incoming` by the contact.",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=bodies.BeginAccountConversation,
        responses={200: bodies.AccountConversationBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, WRITE)
        values = self.taken(bodies.BeginAccountConversation, request)
        status = values.get("status") or ""
        if status not in ("", *chatwoot.STATUSES):
            raise InvalidRequest("There is no such status.", param="status")
        with tenancy.scope(actor.organization_id):
            changes = {"agent": named("assignee_id", values, member_of), "team": named("team_id", values, team_of)}
            made = sessions.begin(
                actor,
                contact_id=named("contact_id", values, contact_of),
                inbox_id=named("inbox_id", values, inbox_of),
                source_id=values.get("source_id") or "",
                status=status,
                subject=str(values.get("additional_attributes", {}).get("mail_subject") or ""),
                attributes=values.get("custom_attributes", {}),
            )
            if values.get("message"):
                self._say(actor, made.pk, values["message"])
            if any(changes.values()):
                assignment.assign(actor, made.pk, {name: id for name, id in changes.items() if id})
            if status in (ConversationStatus.RESOLVED, ConversationStatus.SNOOZED):
                conversations.set_status(actor, made.pk, status, moment_of(values.get("snoozed_until")))
            return Response(chatwoot.conversation_body(made, Numbers(actor.organization_id)))

    def _say(self, actor: Any, id: Any, values: dict[str, Any]) -> Message:
        draft = draft_of(values)
        if values.get("message_type") == "incoming":
            return messages.receive_for(actor, id, draft)
        return messages.reply(actor, id, draft)


class AccountConversationSearchView(AccountView):
    """By their words."""

    @extend_schema(
        operation_id="search_account_conversations",
        summary="Find conversations by words of their masked messages",
        tags=TAGS,
        parameters=[*IN_ACCOUNT, OpenApiParameter("q", str, required=True), PAGE],
        responses={200: bodies.AccountConversationListBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        words = request.query_params.get("q", "").strip()[:200]
        if not words:
            raise InvalidRequest("Say with `q` what is looked for.", param="q")
        with tenancy.scope(actor.organization_id):
            page = lists.page_in(request.query_params)
            rows, meta = lists.conversations(actor, lists.Wanted(words=words))
            some = lists.page_of(rows, page, lists.CONVERSATIONS_A_PAGE)
            payload = chatwoot.conversation_bodies(some, Numbers(actor.organization_id))
            return Response({"meta": meta, "payload": payload})


class AccountCountsView(AccountView):
    """How many there are."""

    @extend_schema(
        operation_id="count_account_conversations",
        summary="Count conversations",
        tags=TAGS,
        parameters=[*IN_ACCOUNT, *CHOSEN],
        responses={200: bodies.AccountMetaBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return Response({"meta": lists.conversations(actor, wanted_of(request))[1]})


class AccountConversationFilterView(AccountView):
    """Those of several conditions."""

    @extend_schema(
        operation_id="filter_account_conversations",
        summary="Filter conversations with Chatwoot's conditions",
        tags=TAGS,
        parameters=[*IN_ACCOUNT, PAGE],
        request=FilterBody,
        responses={200: bodies.AccountConversationListBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        values = self.taken(FilterBody, request)
        with tenancy.scope(actor.organization_id):
            page = lists.page_in(request.query_params)
            asked = filters.asked_for(filters.CONVERSATIONS, values["payload"])
            rows, meta = lists.filtered_conversations(actor, asked)
            some = lists.page_of(rows, page, lists.CONVERSATIONS_A_PAGE)
            payload = chatwoot.conversation_bodies(some, Numbers(actor.organization_id))
            return Response({"meta": meta, "payload": payload})


class AccountConversationView(AccountView):
    """One conversation; a bot reaches those of its inboxes."""

    @extend_schema(
        operation_id="get_account_conversation",
        summary="Get a conversation",
        description="That a program or person has opened it stands in the audit log.",
        tags=TAGS,
        parameters=AT_CONVERSATION,
        responses={200: bodies.AccountConversationBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, number: str) -> Response:
        caller = self.caller(request, account, READ)
        with tenancy.scope(caller.organization_id):
            id = conversation_of(number)
            row = speaking.find(caller, id) if isinstance(caller, Caller) else reading.view(caller, id)
            return Response(chatwoot.conversation_body(row, Numbers(caller.organization_id)))

    @extend_schema(
        operation_id="change_account_conversation",
        summary="Set a conversation's priority",
        tags=TAGS,
        parameters=AT_CONVERSATION,
        request=bodies.ChangeAccountConversation,
        responses={200: bodies.AccountConversationBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, number: str) -> Response:
        # The answer has the last message in it.
        actor = self.actor(request, account, WRITE, READ)
        values = self.taken(bodies.ChangeAccountConversation, request)
        with tenancy.scope(actor.organization_id):
            row = reading.find(conversation_of(number))
            if "priority" in values:
                priority = speaking.priority_of(values["priority"])
                row = conversations.change_conversation(actor, row.pk, {"priority": priority})
            return Response(chatwoot.conversation_body(row, Numbers(actor.organization_id)))
