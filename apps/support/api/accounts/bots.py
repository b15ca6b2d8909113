"""Agent bots in Chatwoot's account API: programs that answer, set up by programs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import require_fresh
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest
from apps.core.fields import Text
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import MANAGE, READ
from apps.support.api.accounts.base import AT_ROW, IN_ACCOUNT, TAGS, AccountView, Lenient
from apps.support.api.accounts.bodies import OBJECT
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import Numbered
from apps.support.services.agent_bots import setting
from apps.support.services.agent_bots.setting import NO_BOT, Shown
from apps.support.services.numbers import Numbers, row_of


class AccountBotBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    thumbnail = serializers.CharField(allow_blank=True)
    outgoing_url = serializers.CharField()
    bot_type = serializers.CharField()
    bot_config = serializers.DictField()
    account_id = serializers.IntegerField()
    system_bot = serializers.BooleanField()


class ShownAccountBotBody(AccountBotBody):
    access_token = serializers.CharField(required=False, help_text="Shown this once: what the bot sends.")
    secret = serializers.CharField(required=False, help_text="Shown this once: signs what the bot is sent.")


class WriteAccountBot(Lenient):
    name = Text(required=False, max_length=80)
    outgoing_url = Text(required=False, max_length=1_000)
    bot_type = Text(required=False, allow_null=True, max_length=20, help_text="`webhook`; there is no other.")


class NewAccountBot(WriteAccountBot):
    name = Text(max_length=80)
    outgoing_url = Text(max_length=1_000)


def _shown(shown: Shown, actor: Actor) -> Response:
    with tenancy.scope(actor.organization_id):
        told = chatwoot.bot_body(shown.bot, Numbers(actor.organization_id))
    told |= {"access_token": shown.token} if shown.token else {}
    return Response(told | ({"secret": shown.secret} if shown.secret else {}))


def _values(given: dict[str, Any]) -> dict[str, Any]:
    if given.get("bot_type") not in (None, "", "webhook"):
        raise InvalidRequest("A bot is told over a webhook.", param="bot_type")
    names = {"name": "name", "outgoing_url": "url"}
    return {ours: given[theirs] for theirs, ours in names.items() if theirs in given}


class AccountBotsView(AccountView):
    """Programs that answer."""

    their_names = {"url": "outgoing_url"}
    pagination_class = None

    @extend_schema(
        operation_id="list_account_agent_bots",
        summary="List agent bots",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountBotBody(many=True), **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            numbers, rows = Numbers(actor.organization_id), setting.listing(actor)
            numbers.want(Numbered.BOT, [row.pk for row in rows])
            return Response([chatwoot.bot_body(row, numbers) for row in rows])

    @extend_schema(
        operation_id="create_account_agent_bot",
        summary="Add an agent bot",
        description="It answers nowhere until it is set for an inbox.",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=NewAccountBot,
        responses={200: ShownAccountBotBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = _values(self.taken(NewAccountBot, request))
        require_fresh(request)
        return _shown(setting.create(actor, values), actor)


class AccountBotView(AccountView):
    """One of them."""

    their_names = {"url": "outgoing_url"}

    @extend_schema(
        operation_id="get_account_agent_bot",
        summary="Get an agent bot",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountBotBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            row = setting.get(actor, row_of(Numbered.BOT, id, NO_BOT))
            return Response(chatwoot.bot_body(row, Numbers(actor.organization_id)))

    @extend_schema(
        operation_id="change_account_agent_bot",
        summary="Change an agent bot",
        description="Another address gets another secret, which is in the answer.",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountBot,
        responses={200: ShownAccountBotBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = _values(self.taken(WriteAccountBot, request))
        require_fresh(request)
        return _shown(setting.change(actor, _bot_of(actor, id), values), actor)

    @extend_schema(
        operation_id="delete_account_agent_bot",
        summary="Delete an agent bot; people get what it has",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: OBJECT, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        require_fresh(request)
        setting.delete(actor, _bot_of(actor, id))
        return Response({})


class AccountBotTokenView(AccountView):
    """Another token."""

    @extend_schema(
        operation_id="reset_account_agent_bot_token",
        summary="Give an agent bot another token",
        description="It is in the answer; the one before opens nothing from now on.",
        tags=TAGS,
        parameters=AT_ROW,
        request=None,
        responses={200: ShownAccountBotBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        require_fresh(request)
        return _shown(setting.renew_token(actor, _bot_of(actor, id)), actor)


def _bot_of(actor: Actor, id: str) -> UUID:
    with tenancy.scope(actor.organization_id):
        return row_of(Numbered.BOT, id, NO_BOT)
