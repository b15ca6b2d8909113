"""Chatwoot's public client API: what visitors' browsers and programs call, without an account here.

`contact` in an address is the `source_id` that the contact's creation answered with, which opens that contact's
conversations. Addresses are written into logs: browsers say `me` there instead, and send it as `X-Visitor-Secret`.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import callers, tenancy
from apps.core.api import in_thread
from apps.core.errors import NotFound
from apps.core.schema import WRITE
from apps.support import compat
from apps.support.api.public_bodies import (
    PublicConversationBody,
    PublicInboxBody,
    TellEvent,
    VisitorBody,
    WritePublicConversation,
    WriteVisitor,
)
from apps.support.api.told_errors import ToldErrors, problems
from apps.support.compat import place_of
from apps.support.services import inboxes, opening, visiting, visitors
from apps.support.services.numbers import Numbers
from apps.support.services.storing import NO_CONVERSATION
from apps.support.services.visitors import Proof, Visitor

TAGS = ["Support: visitors"]
TOKEN = OpenApiParameter("token", str, OpenApiParameter.PATH, description="The inbox's name in public.")
CONTACT = OpenApiParameter("contact", str, OpenApiParameter.PATH, description="A `source_id`, or `me`.")
SECRET = OpenApiParameter("X-Visitor-Secret", str, OpenApiParameter.HEADER, description="With `me`: the `source_id`.")
NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH, description="The conversation's `id`.")
FAILURES = (400, 401, 403, 404, 405, 429, 503)
ME = "me"


class PublicView(ToldErrors):
    authentication_classes = ()
    permission_classes = ()

    def visitor(self, request: Request, token: str, contact: str) -> tuple[Visitor, str]:
        """Whoever holds the secret of the address or of the header; raises VisitorUnknown."""
        secret = request.headers.get("x-visitor-secret", "") if contact == ME else contact
        return visitors.admit(token, secret), secret

    def taken(self, kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
        body = kind(data=request.data)
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        return values


def _whoever(visitor: Visitor, secret: str) -> Response:
    with tenancy.scope(visitor.organization_id):
        return Response(compat.contact_body(visitor, secret, Numbers(visitor.organization_id)))


def _profile(values: dict[str, Any]) -> dict[str, Any]:
    names = {"name": "name", "email": "email", "phone_number": "phone", "language": "language"}
    found = {ours: values[theirs] for theirs, ours in names.items() if theirs in values}
    return found | ({"attributes": values["custom_attributes"]} if "custom_attributes" in values else {})


def _proof(values: dict[str, Any]) -> Proof:
    return Proof(values.get("identifier", ""), values.get("identifier_hash", ""), values.get("token", ""))


def number_of(text: str) -> int:
    if not text.isdigit() or len(text) > 12:
        raise NotFound(NO_CONVERSATION)
    return int(text)


class PublicInboxView(PublicView):
    """An inbox as its widget shows it."""

    @extend_schema(
        operation_id="get_public_inbox",
        summary="Get an inbox as visitors see it",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN],
        responses={200: PublicInboxBody, **problems(404, 405, 503)},
    )
    @in_thread
    def get(self, request: Request, token: str) -> Response:
        inbox = inboxes.by_token(token)
        is_open, opening = visiting.opening_of(inbox)
        return Response(compat.inbox_body(inbox, is_open=is_open, next_opening=opening))


class PublicContactsView(PublicView):
    """A new browser or program of a contact."""

    @extend_schema(
        operation_id="create_public_contact",
        summary="Come in as a contact",
        description="With a signature of the identifier, or a token, one is that contact and has their history.",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN],
        request=WriteVisitor,
        responses={200: VisitorBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, token: str) -> Response:
        values = self.taken(WriteVisitor, request)
        address = callers.address_of(request._request.META)
        visitor, secret = visitors.arrive(token, address, _profile(values), _proof(values))
        return _whoever(visitor, secret)


class PublicContactView(PublicView):
    """The contact at the door."""

    @extend_schema(
        operation_id="get_public_contact",
        summary="Get the contact",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET],
        responses={200: VisitorBody, **problems(*FAILURES)},
    )
    @in_thread
    def get(self, request: Request, token: str, contact: str) -> Response:
        return _whoever(*self.visitor(request, token, contact))

    @extend_schema(
        operation_id="change_public_contact",
        summary="Say who one is",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET],
        request=WriteVisitor,
        responses={200: VisitorBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def patch(self, request: Request, token: str, contact: str) -> Response:
        visitor, secret = self.visitor(request, token, contact)
        values = self.taken(WriteVisitor, request)
        return _whoever(visitors.identify(visitor, _proof(values), _profile(values)), secret)

    @extend_schema(
        operation_id="sign_out_public_contact",
        summary="Sign out: the secret opens nothing any more",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET],
        responses={204: None, **problems(*FAILURES)},
    )
    @in_thread
    def delete(self, request: Request, token: str, contact: str) -> Response:
        visitors.sign_out(self.visitor(request, token, contact)[0])
        return Response(status=204)


class PublicEventsView(PublicView):
    """What happens in the contact's window."""

    @extend_schema(
        operation_id="tell_public_event",
        summary="Say that the window was opened",
        description="`webwidget.triggered` is told to the bot of the inbox and to webhooks, at most twice a minute.",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET],
        request=TellEvent,
        responses={204: None, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, token: str, contact: str) -> Response:
        visitor, _secret = self.visitor(request, token, contact)
        info = self.taken(TellEvent, request).get("event_info", {})
        languages = info.get("widget_language", ""), info.get("browser_language", "")
        opening.note(visitor, opening.Opened(info.get("referer", ""), *languages))
        return Response(status=204)


class PublicConversationsView(PublicView):
    """The contact's conversations."""

    pagination_class = None

    @extend_schema(
        operation_id="list_public_conversations",
        summary="List the contact's conversations, each with its last message",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET],
        responses={200: PublicConversationBody(many=True), **problems(*FAILURES)},
    )
    @in_thread
    def get(self, request: Request, token: str, contact: str) -> Response:
        visitor, _secret = self.visitor(request, token, contact)
        with tenancy.scope(visitor.organization_id):
            rows, place = visiting.listed(visitor), place_of(token, contact)
            numbers = Numbers(visitor.organization_id)
            return Response(
                [compat.conversation_body(row, said, visitor.contact, place, numbers) for row, said in rows]
            )

    @extend_schema(
        operation_id="create_public_conversation",
        summary="Begin a conversation",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET],
        request=WritePublicConversation,
        responses={200: PublicConversationBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, token: str, contact: str) -> Response:
        visitor, _secret = self.visitor(request, token, contact)
        values = self.taken(WritePublicConversation, request)
        made = visiting.begin(visitor, values.get("custom_attributes", {}))
        with tenancy.scope(visitor.organization_id):
            numbers = Numbers(visitor.organization_id)
            return Response(compat.conversation_body(made, [], visitor.contact, place_of(token, contact), numbers))


class PublicConversationView(PublicView):
    """One of them."""

    @extend_schema(
        operation_id="get_public_conversation",
        summary="Get a conversation with its last message",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET, NUMBER],
        responses={200: PublicConversationBody, **problems(*FAILURES)},
    )
    @in_thread
    def get(self, request: Request, token: str, contact: str, number: str) -> Response:
        visitor, _secret = self.visitor(request, token, contact)
        with tenancy.scope(visitor.organization_id):
            row, said = visiting.shown(visitor, number_of(number))
            numbers, place = Numbers(visitor.organization_id), place_of(token, contact)
            return Response(compat.conversation_body(row, said, visitor.contact, place, numbers))
