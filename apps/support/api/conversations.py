"""Conversations over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.rest import CreatedCursorPagination
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.core.schema import problems
from apps.support.access import READ, WRITE
from apps.support.api import bodies
from apps.support.api.base import TAGS, conversation_id, with_nulls
from apps.support.bodies import conversation_body, cursor_body
from apps.support.models import Inbox
from apps.support.services import (
    acting,
    assignment,
    bulk,
    contacts,
    conversations,
    cursors,
    merging,
    messages,
    reading,
    unmasking,
)
from apps.support.services.inboxes import NO_INBOX
from apps.support.services.storing import Draft, by_actor, found

FILTERS = [
    OpenApiParameter(name, str, description=about)
    for name, about in (
        ("status", "`open`, `pending`, `snoozed` or `resolved`."),
        ("assignee", "A member's id, `me` or `none`."),
        ("inbox", "An inbox's id."),
        ("team", "A team's id, or `none`."),
        ("label", "The title of a label."),
        ("priority", "0 to 4."),
        ("contact", "A contact's id."),
        ("search", "Words of the masked messages, of the contact or of the subject."),
        ("queue", "With any value: only what waits for a person and is nobody's."),
    )
]


class SupportConversationsView(AsyncAPIView):
    """All conversations."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_support_conversations",
        summary="List conversations, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, *FILTERS],
        responses={200: bodies.SupportConversationBody(many=True), **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            filters = {name: request.query_params.get(name, "") for name in reading.FILTERS}
            rows = reading.listed(actor, filters, assignment.membership_of(actor))
            if filters["queue"]:
                return _in_order(request, rows)
            some, answer = page(request, rows)
            return listed(answer, [conversation_body(row) for row in some])

    @extend_schema(
        operation_id="create_support_conversation",
        summary="Begin a conversation with a contact",
        description="With `content` it begins with a message of the contact.",
        tags=TAGS,
        request=bodies.WriteSupportConversation,
        responses={201: bodies.SupportConversationBody, **problems(*WRITE_PROBLEMS, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.WriteSupportConversation, request, WRITE)
        actor = api_actor(request)
        actor.require_open()
        with tenancy.scope(actor.organization_id):
            inbox = found(Inbox, values["inbox"], NO_INBOX, "inbox")
            contact = contacts.find(values["contact"])
            made = conversations.begin(
                inbox,
                contact,
                by_actor(actor),
                subject=values.get("subject", ""),
                attributes=values.get("attributes", {}),
                with_bot=values.get("with_bot", True),
            )
            if values.get("content"):
                messages.receive(made.pk, contact, Draft(values["content"], values.get("client_id")))
            return Response(conversation_body(reading.find(made.pk)), status=201)


def _in_order(request: Request, rows: Any) -> Response:
    """The head of the queue, in order of arrival: it is worked off from there, and not paged through."""
    limit = CreatedCursorPagination().get_page_size(request) or 20
    some = list(rows[: limit + 1])
    answer = {"object": "list", "data": [], "has_more": len(some) > limit, "next": None}
    return listed(answer, [conversation_body(row) for row in some[:limit]])


class SupportConversationView(AsyncAPIView):
    """One conversation."""

    @extend_schema(
        operation_id="get_support_conversation",
        summary="Get a conversation",
        description="That it was opened stands in the audit log.",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.SupportConversationBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        row = reading.view(api_actor(request), conversation_id(request, id, READ))
        return Response(conversation_body(row))

    @extend_schema(
        operation_id="change_support_conversation",
        summary="Change a conversation's priority, subject, labels, skills or attributes",
        tags=TAGS,
        parameters=[ID],
        request=bodies.ChangeSupportConversation,
        responses={200: bodies.SupportConversationBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        values = checked(bodies.ChangeSupportConversation, request, WRITE)
        return Response(conversation_body(conversations.change_conversation(api_actor(request), place, values)))


class SupportStatusView(AsyncAPIView):
    """Open, with the bot, snoozed or resolved."""

    @extend_schema(
        operation_id="set_support_status",
        summary="Open, resolve or snooze a conversation, or give it to the bot",
        tags=TAGS,
        parameters=[ID],
        request=bodies.SetSupportStatus,
        responses={200: bodies.SupportConversationBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        values = checked(bodies.SetSupportStatus, request, WRITE)
        row = conversations.set_status(api_actor(request), place, values["status"], values.get("snoozed_until"))
        return Response(conversation_body(row))


class SupportAssignmentView(AsyncAPIView):
    """Whose it is."""

    @extend_schema(
        operation_id="assign_support_conversation",
        summary="Give a conversation to an agent or a team",
        description="What is not named stays; null takes it away.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.AssignSupport,
        responses={200: bodies.SupportConversationBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        values = with_nulls(bodies.AssignSupport, request, WRITE)
        return Response(conversation_body(assignment.assign(api_actor(request), place, values)))


class SupportClaimView(AsyncAPIView):
    """Taking what is nobody's."""

    @extend_schema(
        operation_id="claim_support_conversation",
        summary="Claim a conversation that is nobody's",
        description="Of several who want it one gets it; the others are answered `already_claimed`, with who has it.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: bodies.SupportConversationBody, **problems(*READ_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        return Response(conversation_body(assignment.claim(api_actor(request), place)))


class SupportSeenView(AsyncAPIView):
    """How far the caller has got."""

    @extend_schema(
        operation_id="acknowledge_support_messages",
        summary="Acknowledge messages up to a number",
        description="Everything up to it is acknowledged as well; neither number goes back. Of a program, which sees "
        "nothing, nothing is kept.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.SeenSupport,
        responses={200: bodies.SupportCursorBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, READ)
        values = checked(bodies.SeenSupport, request, READ)
        row = cursors.acknowledge(api_actor(request), place, **values)
        nothing = {"member": None, "contact": None, "acknowledged": 0, "seen": 0}
        return Response(cursor_body(row) if row else nothing)


class SupportMergeView(AsyncAPIView):
    """Two that are one."""

    @extend_schema(
        operation_id="merge_support_conversation",
        summary="Merge a conversation into another one",
        tags=TAGS,
        parameters=[ID],
        request=bodies.MergeSupport,
        responses={200: bodies.SupportConversationBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        values = checked(bodies.MergeSupport, request, WRITE)
        return Response(conversation_body(merging.merge(api_actor(request), place, values["into"])))


class SupportMacroView(AsyncAPIView):
    """Several acts at once."""

    @extend_schema(
        operation_id="run_support_macro",
        summary="Run a macro in a conversation",
        tags=TAGS,
        parameters=[ID],
        request=bodies.RunSupportMacro,
        responses={200: bodies.SupportConversationBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        values = checked(bodies.RunSupportMacro, request, WRITE)
        return Response(conversation_body(acting.run_macro(api_actor(request), place, values["macro"])))


class SupportTranscriptView(AsyncAPIView):
    """What was said, as a text."""

    @extend_schema(
        operation_id="export_support_transcript",
        summary="Export what was said, masked",
        tags=TAGS,
        parameters=[ID, OpenApiParameter("notes", {"type": "string", "enum": ["true", "false"]})],
        responses={200: bodies.TranscriptBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, READ)
        notes = request.query_params.get("notes") == "true"
        text = unmasking.transcript(api_actor(request), place, with_notes=notes)
        return Response({"object": "support_transcript", "text": text})

    @extend_schema(
        operation_id="mail_support_transcript",
        summary="Send what was said, masked, by mail",
        description="To the contact, or to the address of a member of the organization; without notes.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.MailSupportTranscript,
        responses={202: bodies.MailedTranscriptBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        values = checked(bodies.MailSupportTranscript, request, WRITE)
        address = unmasking.mail_transcript(api_actor(request), place, values.get("to", ""))
        return Response({"object": "support_transcript_mail", "to": address}, status=202)


class SupportBulkView(AsyncAPIView):
    """Many at once."""

    @extend_schema(
        operation_id="act_on_support_conversations",
        summary="Act on up to 100 conversations",
        description="Each by itself: what failed in one is told there, and the others are done.",
        tags=TAGS,
        request=bodies.SupportBulk,
        responses={200: bodies.SupportOutcomesBody, **problems(*WRITE_PROBLEMS)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.SupportBulk, request, WRITE)
        outcomes = bulk.act(api_actor(request), values["ids"], values["actions"])
        data = [{"id": str(each.id), "error": each.error, "message": each.message} for each in outcomes]
        return Response({"object": "list", "data": data})
