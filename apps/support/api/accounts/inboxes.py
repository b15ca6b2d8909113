"""Inboxes in Chatwoot's account API, and the bots that answer there."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import require_fresh
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest
from apps.core.fields import Text
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import MANAGE, READ
from apps.support.api.accounts.base import AT_ROW, IN_ACCOUNT, TAGS, AccountView, Lenient, Ref, inbox_of
from apps.support.api.accounts.bots import AccountBotBody
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import AgentBot, InboxKind, Numbered
from apps.support.services import inboxes
from apps.support.services.agent_bots import setting
from apps.support.services.agent_bots.setting import NO_BOT
from apps.support.services.numbers import Numbers, row_of

KINDS = {"web_widget": InboxKind.WIDGET, "api": InboxKind.API}


class AccountInboxBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    channel_id = serializers.IntegerField()
    channel_type = serializers.CharField()
    avatar_url = serializers.CharField(allow_blank=True)
    greeting_enabled = serializers.BooleanField()
    greeting_message = serializers.CharField(allow_blank=True)
    out_of_office_message = serializers.CharField(allow_blank=True)
    working_hours_enabled = serializers.BooleanField()
    timezone = serializers.CharField()
    enable_auto_assignment = serializers.BooleanField()
    csat_survey_enabled = serializers.BooleanField()
    hmac_mandatory = serializers.BooleanField()
    website_token = serializers.CharField(required=False)
    web_widget_script = serializers.CharField(required=False)
    inbox_identifier = serializers.CharField(required=False)


class AccountInboxesBody(serializers.Serializer[Any]):
    payload = AccountInboxBody(many=True)


class InboxBotBody(serializers.Serializer[Any]):
    agent_bot = AccountBotBody(allow_null=True)


class Channel(Lenient):
    type = Text(max_length=20, help_text="`web_widget` or `api`.")


class WriteAccountInbox(Lenient):
    name = Text(required=False, allow_null=True, max_length=80)
    greeting_message = Text(required=False, allow_null=True, allow_blank=True, max_length=500)
    out_of_office_message = Text(required=False, allow_null=True, allow_blank=True, max_length=500)
    enable_auto_assignment = serializers.BooleanField(required=False)
    csat_survey_enabled = serializers.BooleanField(required=False)
    hmac_mandatory = serializers.BooleanField(required=False)


class NewAccountInbox(WriteAccountInbox):
    name = Text(max_length=80)
    channel = Channel()


class SetAgentBot(Lenient):
    agent_bot = Ref(required=False, allow_null=True)


def _values(values: dict[str, Any]) -> dict[str, Any]:
    names = {
        "name": "name",
        "greeting_message": "greeting",
        "out_of_office_message": "away_message",
        "enable_auto_assignment": "auto_assignment",
        "csat_survey_enabled": "csat_enabled",
        "hmac_mandatory": "hmac_required",
    }
    return {ours: values[theirs] or "" if isinstance(values[theirs], str | None) else values[theirs]
            for theirs, ours in names.items() if theirs in values}  # fmt: skip


class AccountInboxesView(AccountView):
    """Ways in."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_inboxes",
        summary="List inboxes",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountInboxesBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            numbers, rows = Numbers(actor.organization_id), list(inboxes.listing(actor))
            numbers.want(Numbered.INBOX, [row.pk for row in rows])
            return Response({"payload": [chatwoot.inbox_body(row, numbers) for row in rows]})

    @extend_schema(
        operation_id="create_account_inbox",
        summary="Open an inbox for a widget or for programs",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=NewAccountInbox,
        responses={200: AccountInboxBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = self.taken(NewAccountInbox, request)
        kind = KINDS.get(values["channel"]["type"])
        if kind is None:
            raise InvalidRequest("An inbox is a widget, e-mail or API.", param="channel")
        with tenancy.scope(actor.organization_id):
            row = inboxes.create(actor, kind=kind, **_values(values))
            return Response(chatwoot.inbox_body(row, Numbers(actor.organization_id)))


class AccountInboxView(AccountView):
    """One way in."""

    @extend_schema(
        operation_id="get_account_inbox",
        summary="Get an inbox",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountInboxBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return Response(chatwoot.inbox_body(inboxes.get(actor, inbox_of(id)), Numbers(actor.organization_id)))

    @extend_schema(
        operation_id="change_account_inbox",
        summary="Change an inbox",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountInbox,
        responses={200: AccountInboxBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = self.taken(WriteAccountInbox, request)
        with tenancy.scope(actor.organization_id):
            row = inboxes.change(actor, inbox_of(id), _values(values))
            return Response(chatwoot.inbox_body(row, Numbers(actor.organization_id)))


class AccountInboxBotView(AccountView):
    """Which program answers in an inbox."""

    @extend_schema(
        operation_id="get_account_inbox_agent_bot",
        summary="Which agent bot answers in an inbox",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: InboxBotBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            bot: AgentBot | None = AgentBot.objects.filter(inboxes=inboxes.get(actor, inbox_of(id))).first()
            told = chatwoot.bot_body(bot, Numbers(actor.organization_id)) if bot else None
            return Response({"agent_bot": told})


class AccountSetBotView(AccountView):
    """Another one, or none."""

    @extend_schema(
        operation_id="set_account_inbox_agent_bot",
        summary="Let an agent bot answer in an inbox, or none",
        description="Each inbox has its own. What the one before has is given to people where none answers any more.",
        tags=TAGS,
        parameters=AT_ROW,
        request=SetAgentBot,
        responses={200: InboxBotBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = self.taken(SetAgentBot, request)
        require_fresh(request)
        with tenancy.scope(actor.organization_id):
            inbox = inbox_of(id)
            given = values.get("agent_bot")
            bot = row_of(Numbered.BOT, given, NO_BOT) if given not in (None, "", "0") else None
        found = setting.set_of_inbox(actor, inbox, bot)
        with tenancy.scope(actor.organization_id):
            return Response({"agent_bot": chatwoot.bot_body(found, Numbers(actor.organization_id)) if found else None})
