"""Chatwoot's public client API: what visitors' browsers and programs call, without an account here.

`contact` in an address is the `source_id` that the contact's creation answered with, which opens that contact's
conversations. Addresses are written into logs: browsers say `me` there instead, and send it as `X-Visitor-Secret`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import callers, tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.errors import InvalidRequest, NotFound
from apps.core.media import Media, served
from apps.core.rest import StrictJSONParser
from apps.core.schema import WRITE, problems
from apps.support import compat
from apps.support.api.base import whole
from apps.support.api.public_bodies import (
    ACTS,
    ActInConversation,
    PublicConversationBody,
    PublicInboxBody,
    PublicMessageBody,
    TellEvent,
    VisitorBody,
    WritePublicConversation,
    WritePublicFiles,
    WritePublicMessage,
    WriteVisitor,
)
from apps.support.api.uploads import form_of, uploads_of
from apps.support.services import inboxes, opening, visiting, visitors
from apps.support.services.numbers import Numbers
from apps.support.services.storing import NO_CONVERSATION, Draft
from apps.support.services.visitors import Proof, Visitor

TAGS = ["Support: visitors"]
TOKEN = OpenApiParameter("token", str, OpenApiParameter.PATH, description="The inbox's name in public.")
CONTACT = OpenApiParameter("contact", str, OpenApiParameter.PATH, description="A `source_id`, or `me`.")
SECRET = OpenApiParameter("X-Visitor-Secret", str, OpenApiParameter.HEADER, description="With `me`: the `source_id`.")
NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH, description="The conversation's `id`.")
FAILURES = (400, 401, 403, 404, 405, 429, 503)
ME = "me"


class _PublicView(AsyncAPIView):
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


def _place(token: str, contact: str) -> str:
    return f"{settings.BASE_URL}/public/api/v1/inboxes/{token}/contacts/{contact}/conversations"


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > 12:
        raise NotFound(NO_CONVERSATION)
    return int(text)


class PublicInboxView(_PublicView):
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


class PublicContactsView(_PublicView):
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


class PublicContactView(_PublicView):
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


class PublicEventsView(_PublicView):
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


class PublicConversationsView(_PublicView):
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
            rows, place = visiting.listed(visitor), _place(token, contact)
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
            return Response(compat.conversation_body(made, [], visitor.contact, _place(token, contact), numbers))


class PublicMessagesView(_PublicView):
    """What is said."""

    pagination_class = None
    parser_classes = (StrictJSONParser, MultiPartParser)

    @extend_schema(
        operation_id="list_public_messages",
        summary="Read messages",
        description="The last 200, or those behind `after`, in their order.",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET, NUMBER, OpenApiParameter("after", {"type": "integer", "minimum": 0})],
        responses={200: PublicMessageBody(many=True), **problems(*FAILURES)},
    )
    @in_thread
    def get(self, request: Request, token: str, contact: str, number: str) -> Response:
        visitor, _secret = self.visitor(request, token, contact)
        after = whole(request, "after", 0, 999_999_999)
        with tenancy.scope(visitor.organization_id):
            row, said = visiting.history(visitor, _number(number), after)
            place = f"{_place(token, contact)}/{_number(number)}"
            return Response([compat.message_body(each, row, place) for each in said])

    @extend_schema(
        operation_id="create_public_message",
        summary="Write",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET, NUMBER],
        request={"application/json": WritePublicMessage, "multipart/form-data": WritePublicFiles},
        responses={200: PublicMessageBody, **problems(*WRITE, 404, 413, 422)},
    )
    @in_thread
    def post(self, request: Request, token: str, contact: str, number: str) -> Response:
        visitor, _secret = self.visitor(request, token, contact)
        draft = self._draft(request)
        row, made = visiting.say(visitor, _number(number), draft)
        return Response(compat.message_body(made, row, f"{_place(token, contact)}/{_number(number)}"))

    def _draft(self, request: Request) -> Draft:
        uploads = uploads_of(request)
        body = WritePublicMessage(data=form_of(request))
        body.is_valid(raise_exception=True)
        return Draft(body.validated_data["content"], body.validated_data.get("echo_id"), files=uploads)


class PublicAttachmentView(_PublicView):
    """A file that came with a message, for whoever may read there and nobody else."""

    @extend_schema(
        operation_id="get_public_attachment",
        summary="Download a file",
        description="Always as a download. An address of it alone opens nothing: the contact's secret does.",
        tags=TAGS,
        auth=[],
        parameters=[
            TOKEN,
            CONTACT,
            SECRET,
            NUMBER,
            OpenApiParameter("sequence", int, OpenApiParameter.PATH, description="The message's `id`."),
            OpenApiParameter("position", int, OpenApiParameter.PATH, description="The attachment's `id`."),
        ],
        responses={(200, "application/octet-stream"): bytes, **problems(*FAILURES)},
    )
    async def get(
        self, request: Request, token: str, contact: str, number: str, sequence: str, position: str
    ) -> HttpResponseBase:
        return await served(await sync_to_async(self._found)(request, token, contact, number, sequence, position))

    def _found(self, request: Request, token: str, contact: str, number: str, sequence: str, position: str) -> Media:
        visitor, _secret = self.visitor(request, token, contact)
        return visiting.attachment(visitor, _number(number), _number(sequence), _number(position))


class PublicActView(_PublicView):
    """What else a contact does in a conversation."""

    @extend_schema(
        operation_id="act_on_public_conversation",
        summary="Say that everything was seen, that one is done, or what one thinks of it",
        description="`act` is `update_last_seen` or `toggle_status` without a body, or one of `rating`, "
        "`toggle_typing`, `set_label`, `remove_label`, `set_custom_attributes` and `destroy_custom_attributes` with "
        "what belongs to it.",
        tags=TAGS,
        auth=[],
        parameters=[
            TOKEN,
            CONTACT,
            SECRET,
            NUMBER,
            OpenApiParameter(
                "act",
                {"type": "string", "enum": list(ACTS)},
                OpenApiParameter.PATH,
            ),
        ],
        request=ActInConversation,
        responses={204: None, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, token: str, contact: str, number: str, act: str) -> Response:
        visitor, _secret = self.visitor(request, token, contact)
        if act not in ACTS:
            raise InvalidRequest("There is no such act.", param="act")
        place, body = _number(number), ACTS[act]
        values = self.taken(body, request) if body is not None else {}
        _DONE[act](visitor, place, values)
        return Response(status=204)


_DONE: dict[str, Callable[[Visitor, int, dict[str, Any]], object]] = {
    "update_last_seen": lambda visitor, number, _: visiting.seen(visitor, number),
    "toggle_status": lambda visitor, number, _: visiting.toggle(visitor, number),
    "rating": lambda visitor, number, said: visiting.rate(
        visitor, number, said["rating"], said.get("feedback_message", "")
    ),
    "toggle_typing": lambda visitor, number, said: visiting.typing(
        visitor, number, typing=said["typing_status"] == "on"
    ),
    "set_label": lambda visitor, number, said: visiting.label(visitor, number, said["label"], wanted=True),
    "remove_label": lambda visitor, number, said: visiting.label(visitor, number, said["label"], wanted=False),
    "set_custom_attributes": lambda visitor, number, said: visiting.set_attributes(
        visitor, number, said["custom_attributes"]
    ),
    "destroy_custom_attributes": lambda visitor, number, said: visiting.set_attributes(
        visitor, number, {}, said["custom_attributes"]
    ),
}
