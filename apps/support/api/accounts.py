"""Chatwoot's account API, as far as agent bots use it: they call with `api_access_token`, and reach their inboxes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.errors import InvalidRequest
from apps.core.fields import Flag, Text, WholeNumber
from apps.core.schema import WRITE, problems
from apps.support import chatwoot
from apps.support.api.base import number_of
from apps.support.services.agent_bots import speaking
from apps.support.services.agent_bots.speaking import Caller
from apps.support.services.storing import LONGEST_CLIENT_ID, LONGEST_CONTENT, Draft

TAGS = ["Support: agent bots"]
ACCOUNT = OpenApiParameter("account", str, OpenApiParameter.PATH, description="`account.id` of what the bot is told.")
NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH, description="The conversation's `id`.")
TOKEN = OpenApiParameter("api_access_token", str, OpenApiParameter.HEADER, required=True, description="The bot's.")
PLACE = [ACCOUNT, NUMBER, TOKEN]
HEADER = b"api_access_token"
READING = (401, 404, 405, 429, 503)
SPEAKING = (*WRITE, 404, 409)
MOST_ATTRIBUTES_CHARS = 20_000


class BotMessageBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    content = serializers.CharField(allow_blank=True)
    account_id = serializers.UUIDField()
    inbox_id = serializers.UUIDField()
    conversation_id = serializers.IntegerField()
    message_type = serializers.IntegerField(help_text="0 from the contact, 1 to the contact.")
    content_type = serializers.CharField()
    content_attributes = serializers.DictField()
    private = serializers.BooleanField()
    created_at = serializers.IntegerField()
    echo_id = serializers.CharField(allow_null=True)
    source_id = serializers.CharField(allow_null=True)
    sender = serializers.DictField(allow_null=True)
    attachments = serializers.ListField(child=serializers.DictField())


class BotMessagesBody(serializers.Serializer[Any]):
    meta = serializers.DictField()
    payload = BotMessageBody(many=True)


class BotConversationBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    uuid = serializers.UUIDField()
    account_id = serializers.UUIDField()
    inbox_id = serializers.UUIDField()
    status = serializers.CharField()
    can_reply = serializers.BooleanField()
    channel = serializers.CharField()
    labels = serializers.ListField(child=serializers.CharField())
    priority = serializers.CharField(allow_null=True)
    custom_attributes = serializers.DictField()
    additional_attributes = serializers.DictField()
    contact_inbox = serializers.DictField()
    messages = BotMessageBody(many=True)
    meta = serializers.DictField()
    unread_count = serializers.IntegerField()
    snoozed_until = serializers.DateTimeField(allow_null=True)
    waiting_since = serializers.IntegerField()
    first_reply_created_at = serializers.IntegerField()
    contact_last_seen_at = serializers.IntegerField()
    last_activity_at = serializers.IntegerField()
    timestamp = serializers.IntegerField()
    created_at = serializers.IntegerField()


class BotStatusBody(serializers.Serializer[Any]):
    meta = serializers.DictField()
    payload = serializers.DictField()


class BotLabelsBody(serializers.Serializer[Any]):
    payload = serializers.ListField(child=serializers.CharField())


class BotAttributesBody(serializers.Serializer[Any]):
    custom_attributes = serializers.DictField()


class _Lenient(serializers.Serializer[Any]):
    """Programs written for Chatwoot send more than is used here; what is not used is passed over, as it is there."""


class WriteBotMessage(_Lenient):
    content = Text(required=False, allow_blank=True, default="", max_length=LONGEST_CONTENT)
    message_type = serializers.ChoiceField(["outgoing"], required=False)
    private = Flag(required=False, default=False, help_text="A note that only people read.")
    content_type = Text(required=False, default="text", max_length=20)
    content_attributes = serializers.DictField(required=False, default=dict)
    echo_id = Text(required=False, max_length=LONGEST_CLIENT_ID, help_text="Sent again, it is the same message.")


class ToggleStatus(_Lenient):
    status = Text(required=False, max_length=10, help_text="`open` hands over to people; `resolved`, `snoozed`.")
    snoozed_until = WholeNumber(required=False, allow_null=True, help_text="Seconds since 1970.")


class ToggleTyping(_Lenient):
    typing_status = serializers.ChoiceField(["on", "off"])
    is_private = Flag(required=False)


class TogglePriority(_Lenient):
    priority = Text(allow_null=True, max_length=10)


class WriteAssignment(_Lenient):
    assignee_id = serializers.UUIDField(required=False, allow_null=True)
    team_id = serializers.UUIDField(required=False, allow_null=True)


class WriteLabels(_Lenient):
    labels = serializers.ListField(child=Text(max_length=40), max_length=20)


class WriteAttributes(_Lenient):
    custom_attributes = serializers.DictField()


def token_of(request: Request) -> str:
    """The header as Chatwoot's clients send it. Under ASGI Django drops names with underscores, which proxies may do
    as well: `Api-Access-Token` is the same.
    """
    http = request._request
    scope: dict[str, Any] = getattr(http, "scope", {})
    given = dict(scope.get("headers", ())).get(HEADER, b"").decode("latin-1")
    return given or str(http.META.get("HTTP_API_ACCESS_TOKEN", ""))


class _BotView(AsyncAPIView):
    authentication_classes = ()
    permission_classes = ()

    def caller(self, request: Request, account: str) -> Caller:
        return speaking.admit(account, token_of(request))

    def taken(self, kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
        body = kind(data=request.data)
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        return values


class BotConversationView(_BotView):
    """A conversation of the bot's inboxes."""

    @extend_schema(
        operation_id="get_bot_conversation",
        summary="Get a conversation",
        tags=TAGS,
        auth=[],
        parameters=PLACE,
        responses={200: BotConversationBody, **problems(*READING)},
    )
    @in_thread
    def get(self, request: Request, account: str, number: str) -> Response:
        caller = self.caller(request, account)
        with tenancy.scope(caller.organization_id):
            return Response(chatwoot.conversation_body(speaking.find(caller, number_of(number))))


class BotMessagesView(_BotView):
    """What is said there."""

    @extend_schema(
        operation_id="list_bot_messages",
        summary="Read messages",
        description="The last 200, in their order; `before` is the `id` of a message.",
        tags=TAGS,
        auth=[],
        parameters=[*PLACE, OpenApiParameter("before", int)],
        responses={200: BotMessagesBody, **problems(*READING, 400)},
    )
    @in_thread
    def get(self, request: Request, account: str, number: str) -> Response:
        caller, before = self.caller(request, account), request.query_params.get("before")
        if before is not None and (not before.isdigit() or len(before) > 18):
            raise InvalidRequest("`before` is the id of a message.", param="before")
        with tenancy.scope(caller.organization_id):
            behind = int(before) % chatwoot.APART if before else None
            row, said = speaking.history(caller, number_of(number), behind)
            meta = {"labels": row.labels, "additional_attributes": {}, "contact": chatwoot.contact_body(row.contact)}
            return Response({"meta": meta, "payload": [chatwoot.said_body(each, row) for each in said]})

    @extend_schema(
        operation_id="create_bot_message",
        summary="Answer",
        description="409 `bot_silent` once a person has acted. With `private` it is a note for people.",
        tags=TAGS,
        auth=[],
        parameters=PLACE,
        request=WriteBotMessage,
        responses={200: BotMessageBody, **problems(*SPEAKING)},
    )
    @in_thread
    def post(self, request: Request, account: str, number: str) -> Response:
        caller = self.caller(request, account)
        values = self.taken(WriteBotMessage, request)
        attributes = values["content_attributes"]
        if len(str(attributes)) > MOST_ATTRIBUTES_CHARS:
            raise InvalidRequest("Attributes of a message have at most 20000 characters.", param="content_attributes")
        draft = Draft(values["content"], values.get("echo_id"), values["content_type"], attributes)
        with tenancy.scope(caller.organization_id):
            row, made = speaking.say(caller, number_of(number), draft, private=values["private"])
            return Response(chatwoot.said_body(made, row))


class BotActView(_BotView):
    """What else a bot does in a conversation."""

    @extend_schema(
        operation_id="act_on_bot_conversation",
        summary="Hand over, resolve, or say that one types",
        description="`act` is `toggle_status`, where `open` hands over to people; `toggle_typing_status`, "
        "`toggle_priority`, `assignments` or `custom_attributes`, each with Chatwoot's body.",
        tags=TAGS,
        auth=[],
        parameters=[
            *PLACE,
            OpenApiParameter(
                "act",
                {
                    "type": "string",
                    "enum": [
                        "toggle_status",
                        "toggle_typing_status",
                        "toggle_priority",
                        "assignments",
                        "custom_attributes",
                    ],
                },
                OpenApiParameter.PATH,
            ),
        ],
        request=ToggleStatus,
        responses={200: BotStatusBody, **problems(*SPEAKING)},
    )
    @in_thread
    def post(self, request: Request, account: str, number: str, act: str) -> Response:
        caller = self.caller(request, account)
        acts = {
            "toggle_status": self._status,
            "toggle_typing_status": self._typing,
            "toggle_priority": self._priority,
            "assignments": self._assign,
            "custom_attributes": self._attributes,
        }
        if act not in acts:
            raise InvalidRequest("There is no such act.", param="act")
        with tenancy.scope(caller.organization_id):
            return Response(acts[act](caller, number_of(number), request))

    def _status(self, caller: Caller, number: int, request: Request) -> dict[str, Any]:
        values = self.taken(ToggleStatus, request)
        row = speaking.set_status(caller, number, values.get("status"), _moment(values.get("snoozed_until")))
        payload = {"success": True, "conversation_id": row.number, "current_status": str(row.status)}
        return {"meta": {}, "payload": payload}

    def _typing(self, caller: Caller, number: int, request: Request) -> dict[str, Any]:
        values = self.taken(ToggleTyping, request)
        speaking.typing(caller, number, typing=values["typing_status"] == "on")
        return {"meta": {}, "payload": {"success": True}}

    def _priority(self, caller: Caller, number: int, request: Request) -> dict[str, Any]:
        wanted = speaking.priority_of(self.taken(TogglePriority, request)["priority"])
        speaking.mark(caller, number, {"priority": wanted})
        return {"meta": {}, "payload": {"success": True}}

    def _assign(self, caller: Caller, number: int, request: Request) -> dict[str, Any]:
        values = self.taken(WriteAssignment, request)
        names: dict[str, str] = {"assignee_id": "agent", "team_id": "team"}
        changes: dict[str, UUID | None] = {names[name]: value for name, value in values.items()}
        if not changes:
            raise InvalidRequest("Name an assignee or a team.", param="assignee_id")
        row = speaking.assign(caller, number, changes)
        payload = {"assignee_id": _text(row.assignee_id), "team_id": _text(row.team_id)}
        return {"meta": {}, "payload": payload}

    def _attributes(self, caller: Caller, number: int, request: Request) -> dict[str, Any]:
        given = self.taken(WriteAttributes, request)["custom_attributes"]
        row = speaking.mark(caller, number, {"attributes": given})
        return {"meta": {}, "payload": {}, "custom_attributes": row.attributes}


class BotLabelsView(_BotView):
    """What a conversation is marked with."""

    @extend_schema(
        operation_id="list_bot_labels",
        summary="Read labels",
        tags=TAGS,
        auth=[],
        parameters=PLACE,
        responses={200: BotLabelsBody, **problems(*READING)},
    )
    @in_thread
    def get(self, request: Request, account: str, number: str) -> Response:
        caller = self.caller(request, account)
        with tenancy.scope(caller.organization_id):
            return Response({"payload": list(speaking.titles(caller, number_of(number)))})

    @extend_schema(
        operation_id="set_bot_labels",
        summary="Set labels",
        description="All that there shall be, of those that the desk has.",
        tags=TAGS,
        auth=[],
        parameters=PLACE,
        request=WriteLabels,
        responses={200: BotLabelsBody, **problems(*SPEAKING)},
    )
    @in_thread
    def post(self, request: Request, account: str, number: str) -> Response:
        caller = self.caller(request, account)
        titles = self.taken(WriteLabels, request)["labels"]
        with tenancy.scope(caller.organization_id):
            return Response({"payload": speaking.mark(caller, number_of(number), {"labels": titles}).labels})


def _moment(seconds: int | None) -> datetime | None:
    if seconds is None:
        return None
    if not 0 < seconds < 253_402_300_800:
        raise InvalidRequest("Say until when, in seconds since 1970.", param="snoozed_until")
    return datetime.fromtimestamp(seconds, UTC)


def _text(id: UUID | None) -> str | None:
    return str(id) if id else None
