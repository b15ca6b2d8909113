"""Automation rules in Chatwoot's account API: the desk's rules, in Chatwoot's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.fields import Flag, Text
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import automation
from apps.support.access import MANAGE, READ
from apps.support.api.accounts.base import AT_ROW, IN_ACCOUNT, TAGS, AccountView, Lenient
from apps.support.api.accounts.bodies import OBJECT
from apps.support.api.told_errors import unprocessable as problems
from apps.support.errors import NoCounterpart
from apps.support.models import AutomationRule, Numbered
from apps.support.services import setup
from apps.support.services.chatwoot.actions import actions_of, told_actions
from apps.support.services.chatwoot.conditions import NO_COUNTERPART, conditions_of, told_conditions
from apps.support.services.chatwoot.known import known_of
from apps.support.services.numbers import Numbers, row_of

NAMES = {"about": "description", "event": "event_name"}


class AccountRuleBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    account_id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    event_name = serializers.ChoiceField(list(automation.EVENTS))
    conditions = serializers.ListField(child=serializers.DictField(), help_text="All of them hold.")
    actions = serializers.ListField(child=serializers.DictField())
    created_on = serializers.IntegerField(help_text="Seconds since 1970.")
    active = serializers.BooleanField()


class AccountOneRuleBody(serializers.Serializer[Any]):
    payload = AccountRuleBody()


class AccountRulesBody(serializers.Serializer[Any]):
    payload = AccountRuleBody(many=True)


class WriteAccountRule(Lenient):
    name = Text(required=False, max_length=255)
    description = Text(required=False, allow_null=True, allow_blank=True, max_length=500)
    event_name = Text(required=False, max_length=40)
    conditions = serializers.ListField(
        child=serializers.DictField(), required=False, max_length=100, help_text="Chatwoot's, all of them tied by AND."
    )
    actions = serializers.ListField(child=serializers.DictField(), required=False, max_length=100)
    active = Flag(required=False)


def rule_bodies(rows: Sequence[AutomationRule], numbers: Numbers) -> list[dict[str, Any]]:
    """Several, with as many questions as one takes."""
    numbers.want(Numbered.RULE, [row.pk for row in rows])
    known = known_of(numbers, rows)
    return [
        {
            "id": numbers(Numbered.RULE, row.pk),
            "account_id": numbers.account,
            "name": row.name,
            "description": row.about,
            "event_name": row.event,
            "conditions": told_conditions(row.event, row.conditions, known),
            "actions": told_actions(row.actions, known),
            "created_on": int(row.created_at.timestamp()),
            "active": row.active,
        }
        for row in rows
    ]


def _values(values: dict[str, Any], row: AutomationRule | None = None) -> dict[str, Any]:
    """By our names, in scope; raises NoCounterpart for what the desk does not have."""
    found: dict[str, Any] = {name: values[name] for name in ("name", "active") if name in values}
    event = values.get("event_name", row.event if row else "")
    if "event_name" in values:
        if event not in automation.EVENTS:
            raise NoCounterpart(NO_COUNTERPART, values={"name": event}, param="event_name")
        found["event"] = event
    if "description" in values:
        found["about"] = values["description"] or ""
    if "conditions" in values:
        found["conditions"] = conditions_of(event, values["conditions"])
    return found | ({"actions": actions_of(values["actions"])} if "actions" in values else {})


def _id(text: str) -> UUID:
    return row_of(Numbered.RULE, text, setup.MISSING)


class _RulesView(AccountView):
    their_names = NAMES

    def told(self, actor: Actor, row: AutomationRule) -> dict[str, Any]:
        return rule_bodies([row], Numbers(actor.organization_id))[0]


class AccountRulesView(_RulesView):
    """All rules."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_automation_rules",
        summary="List automation rules, in the order in which they act",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountRulesBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            rows = list(setup.listing(actor, "rule"))
            return Response({"payload": rule_bodies(rows, Numbers(actor.organization_id))})

    @extend_schema(
        operation_id="create_account_automation_rule",
        summary="Add an automation rule",
        description="What the desk has no counterpart of is refused by name (`no_counterpart`). A rule for messages "
        "acts where a contact writes, and is told with that condition.",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=WriteAccountRule,
        responses={200: AccountRuleBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, MANAGE, READ)
        values = self.taken(WriteAccountRule, request)
        with tenancy.scope(actor.organization_id):
            return Response(self.told(actor, setup.create(actor, "rule", _values(values))))


class AccountRuleView(_RulesView):
    """One rule."""

    @extend_schema(
        operation_id="get_account_automation_rule",
        summary="Get an automation rule",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountOneRuleBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return Response({"payload": self.told(actor, setup.get(actor, "rule", _id(id)))})

    @extend_schema(
        operation_id="change_account_automation_rule",
        summary="Change an automation rule",
        description="What is not named stays.",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountRule,
        responses={200: AccountOneRuleBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str) -> Response:
        # The answer is the rule.
        actor = self.actor(request, account, MANAGE, READ)
        values = self.taken(WriteAccountRule, request)
        with tenancy.scope(actor.organization_id):
            row = setup.get(actor, "rule", _id(id))
            return Response({"payload": self.told(actor, setup.change(actor, "rule", row.pk, _values(values, row)))})

    @extend_schema(
        operation_id="delete_account_automation_rule",
        summary="Delete an automation rule",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: OBJECT, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        with tenancy.scope(actor.organization_id):
            setup.delete(actor, "rule", _id(id))
        return Response({})


class AccountRuleCloneView(_RulesView):
    """The same rule again."""

    @extend_schema(
        operation_id="clone_account_automation_rule",
        summary="Add a copy of an automation rule",
        description="With a number behind its name, of which the desk has each once.",
        tags=TAGS,
        parameters=AT_ROW,
        request=None,
        responses={200: AccountOneRuleBody, **problems(*READ_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE, READ)
        with tenancy.scope(actor.organization_id):
            return Response({"payload": self.told(actor, setup.copy(actor, "rule", _id(id)))})
