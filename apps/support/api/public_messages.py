"""What is said in a contact's conversations over Chatwoot's public client API, and what else is done there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest
from apps.core.media import Media, served
from apps.core.rest import StrictJSONParser
from apps.core.schema import WRITE
from apps.support import compat
from apps.support.api.base import whole
from apps.support.api.public import (
    CONTACT,
    FAILURES,
    NUMBER,
    SECRET,
    TAGS,
    TOKEN,
    PublicView,
    number_of,
)
from apps.support.api.public_bodies import (
    ACTS,
    ActInConversation,
    PublicMessageBody,
    SubmitPublicMessage,
    WritePublicFiles,
    WritePublicMessage,
)
from apps.support.api.told_errors import problems
from apps.support.api.uploads import form_of, uploads_of
from apps.support.compat import place_of
from apps.support.services import visiting
from apps.support.services.storing import Draft
from apps.support.services.visitors import Visitor

MESSAGE = OpenApiParameter("sequence", int, OpenApiParameter.PATH, description="The message's `id`.")


class PublicMessagesView(PublicView):
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
            row, said = visiting.history(visitor, number_of(number), after)
            place = f"{place_of(token, contact)}/{number_of(number)}"
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
        row, made = visiting.say(visitor, number_of(number), draft)
        return Response(compat.message_body(made, row, f"{place_of(token, contact)}/{number_of(number)}"))

    def _draft(self, request: Request) -> Draft:
        uploads = uploads_of(request)
        body = WritePublicMessage(data=form_of(request))
        body.is_valid(raise_exception=True)
        return Draft(body.validated_data["content"], body.validated_data.get("echo_id"), files=uploads)


class PublicMessageView(PublicView):
    """One message."""

    @extend_schema(
        operation_id="submit_public_message",
        summary="Answer a form, a choice or the question how it was",
        description="`submitted_values` are kept in the message's `content_attributes`.",
        tags=TAGS,
        auth=[],
        parameters=[TOKEN, CONTACT, SECRET, NUMBER, MESSAGE],
        request=SubmitPublicMessage,
        responses={200: PublicMessageBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def patch(self, request: Request, token: str, contact: str, number: str, sequence: str) -> Response:
        visitor, _secret = self.visitor(request, token, contact)
        said = self.taken(SubmitPublicMessage, request)["submitted_values"]
        row, made = visiting.submit(visitor, number_of(number), number_of(sequence), said)
        return Response(compat.message_body(made, row, f"{place_of(token, contact)}/{number_of(number)}"))


class PublicAttachmentView(PublicView):
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
            MESSAGE,
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
        return visiting.attachment(visitor, number_of(number), number_of(sequence), number_of(position))


class PublicActView(PublicView):
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
        place, body = number_of(number), ACTS[act]
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
