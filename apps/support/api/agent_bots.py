"""Programs that answer in inboxes, set up over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import ID, checked, require_fresh
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.fields import Id, StrictSerializer, Text, WholeNumber
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.core.schema import problems
from apps.support.access import MANAGE, READ
from apps.support.api.base import TAGS
from apps.support.models import AgentBot
from apps.support.models.agent_bots import LONGEST_BOT_URL
from apps.support.services.agent_bots import setting
from apps.support.services.agent_bots.setting import NO_BOT, Shown


class ChangeAgentBot(StrictSerializer):
    name = Text(required=False, max_length=80)
    url = Text(required=False, max_length=LONGEST_BOT_URL)
    patience_seconds = WholeNumber(required=False, help_text="So long it may fail before people have a conversation.")
    inboxes = serializers.ListField(child=Id(), required=False, max_length=50, help_text="Where it answers.")


class WriteAgentBot(ChangeAgentBot):
    name = Text(max_length=80)
    url = Text(max_length=LONGEST_BOT_URL)


class AgentBotBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_agent_bot"])
    id = serializers.UUIDField()
    name = serializers.CharField()
    url = serializers.CharField()
    patience_seconds = serializers.IntegerField()
    inboxes = serializers.ListField(child=serializers.UUIDField())
    token_hint = serializers.CharField()
    failing_since = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    token = serializers.CharField(required=False, help_text="Shown this once: the program's `api_access_token`.")
    secret = serializers.CharField(required=False, help_text="Shown this once: signs what the program is told.")


class AgentBotsBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = AgentBotBody(many=True)  # type: ignore[assignment]


def bot_body(shown: Shown) -> dict[str, Any]:
    row = shown.bot
    once = {name: text for name, text in (("token", shown.token), ("secret", shown.secret)) if text}
    return {
        "object": "support_agent_bot",
        "id": str(row.pk),
        "name": row.name,
        "url": row.url,
        "patience_seconds": row.patience_seconds,
        "inboxes": sorted(str(each.pk) for each in row.inboxes.all()),
        "token_hint": row.token_hint,
        "failing_since": row.failing_since.isoformat() if row.failing_since else None,
        "answered_at": row.answered_at.isoformat() if row.answered_at else None,
        "created_at": row.created_at.isoformat(),
    } | once


def _answer(request: Request, shown: Shown, status: int = 200) -> Response:
    with tenancy.scope(api_actor(request).organization_id):
        return Response(bot_body(shown), status=status)


def _place(request: Request, id: str, permission: str) -> UUID:
    api_actor(request).require(permission)
    return parse_id(id, NO_BOT)


def _listed(rows: list[AgentBot]) -> dict[str, Any]:
    return {"object": "list", "data": [bot_body(Shown(row)) for row in rows]}


class SupportAgentBotsView(AsyncAPIView):
    """All of them."""

    @extend_schema(
        operation_id="list_support_agent_bots",
        summary="List bots of yours",
        tags=TAGS,
        responses={200: AgentBotsBody, **problems(*READ_PROBLEMS)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        with tenancy.scope(actor.organization_id):
            return Response(_listed(setting.listing(actor)))

    @extend_schema(
        operation_id="create_support_agent_bot",
        summary="Let a program answer in inboxes",
        description="It is told at `url` what visitors write, with Chatwoot's bodies, and answers with the token.",
        tags=TAGS,
        request=WriteAgentBot,
        responses={201: AgentBotBody, **problems(*WRITE_PROBLEMS, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(WriteAgentBot, request, MANAGE)
        require_fresh(request)
        return _answer(request, setting.create(api_actor(request), values), 201)


class SupportAgentBotView(AsyncAPIView):
    """One of them."""

    @extend_schema(
        operation_id="get_support_agent_bot",
        summary="Get a bot of yours",
        tags=TAGS,
        parameters=[ID],
        responses={200: AgentBotBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return _answer(request, Shown(setting.get(api_actor(request), _place(request, id, READ))))

    @extend_schema(
        operation_id="change_support_agent_bot",
        summary="Change a bot of yours",
        description="Another `url` gets another secret, which is in the answer.",
        tags=TAGS,
        parameters=[ID],
        request=ChangeAgentBot,
        responses={200: AgentBotBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        place = _place(request, id, MANAGE)
        values = checked(ChangeAgentBot, request, MANAGE)
        require_fresh(request)
        return _answer(request, setting.change(api_actor(request), place, values))

    @extend_schema(
        operation_id="delete_support_agent_bot",
        summary="Delete a bot of yours",
        description="What it has is given to people.",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        place = _place(request, id, MANAGE)
        require_fresh(request)
        setting.delete(api_actor(request), place)
        return Response(status=204)


class SupportAgentBotTokenView(AsyncAPIView):
    """What the program calls with."""

    @extend_schema(
        operation_id="renew_support_agent_bot_token",
        summary="Give a bot of yours another token",
        description="The one before opens nothing any more.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: AgentBotBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = _place(request, id, MANAGE)
        require_fresh(request)
        return _answer(request, setting.renew_token(api_actor(request), place))
