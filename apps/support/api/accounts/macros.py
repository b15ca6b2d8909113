"""Macros in Chatwoot's account API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import NotFound
from apps.core.fields import Text
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import MANAGE, READ, WRITE
from apps.support.api.accounts.base import AT_ROW, IN_ACCOUNT, TAGS, AccountView, Lenient, Ref
from apps.support.api.accounts.bodies import OBJECT
from apps.support.api.accounts.bulk import BulkOutcome, chosen, told
from apps.support.api.accounts.desk import MEMBERS, AccountAgentBody
from apps.support.api.told_errors import unprocessable as problems
from apps.support.errors import NoCounterpart
from apps.support.models import Macro, Numbered
from apps.support.services import bulk, setup
from apps.support.services.bulk import MOST
from apps.support.services.chatwoot.actions import actions_of, told_actions
from apps.support.services.chatwoot.known import known_of
from apps.support.services.numbers import Numbers, row_of

PERSONAL, GLOBAL = "personal", "global"


class AccountMacroBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    account_id = serializers.IntegerField()
    name = serializers.CharField()
    visibility = serializers.ChoiceField([PERSONAL, GLOBAL])
    created_by = AccountAgentBody(required=False, help_text="Whose it is, where it is personal.")
    actions = serializers.ListField(child=serializers.DictField())


class AccountOneMacroBody(serializers.Serializer[Any]):
    payload = AccountMacroBody()


class AccountMacrosBody(serializers.Serializer[Any]):
    payload = AccountMacroBody(many=True)


class WriteAccountMacro(Lenient):
    name = Text(required=False, max_length=255)
    visibility = serializers.ChoiceField(
        [PERSONAL, GLOBAL], required=False, allow_null=True, help_text="Everybody's needs `support:manage`."
    )
    actions = serializers.ListField(child=serializers.DictField(), required=False, max_length=100)


class ExecuteMacro(Lenient):
    conversation_ids = serializers.ListField(child=Ref(), max_length=MOST)


def macro_bodies(rows: Sequence[Macro], actor: Actor, numbers: Numbers) -> list[dict[str, Any]]:
    """Several, with as many questions as one takes."""
    numbers.want(Numbered.MACRO, [row.pk for row in rows])
    owners = {row.owner_id for row in rows if row.owner_id}
    members = {each.pk: each for each in Membership.objects.select_related("user").filter(pk__in=owners)}
    numbers.want(Numbered.USER, [each.user_id for each in members.values()])
    known, email = known_of(numbers, rows), MEMBERS in actor.permissions
    found = []
    for row in rows:
        body = {
            "id": numbers(Numbered.MACRO, row.pk),
            "account_id": numbers.account,
            "name": row.name,
            "visibility": PERSONAL if row.owner_id else GLOBAL,
            "actions": told_actions(row.actions, known),
        }
        if owner := members.get(row.owner_id):
            body["created_by"] = chatwoot.agent_body(owner, numbers, email=email)
        found.append(body)
    return found


def _values(values: dict[str, Any]) -> dict[str, Any]:
    """By our names, in scope."""
    found = {"name": values["name"]} if "name" in values else {}
    return found | ({"actions": actions_of(values["actions"])} if "actions" in values else {})


def _id(text: str) -> UUID:
    return row_of(Numbered.MACRO, text, setup.MISSING)


def _changeable(actor: Actor, text: str) -> Macro:
    """One's own, or with `support:manage` everybody's; without it nothing is said of what else there is."""
    try:
        row: Macro = setup.get(actor, "macro", _id(text))
    except NotFound:
        actor.require(MANAGE)
        raise
    if row.owner_id is None:
        actor.require(MANAGE)
    return row


class _MacrosView(AccountView):
    def told(self, actor: Actor, row: Macro) -> Response:
        return Response({"payload": macro_bodies([row], actor, Numbers(actor.organization_id))[0]})


class AccountMacrosView(_MacrosView):
    """Everybody's macros, and the caller's own."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_macros",
        summary="List macros that the caller may run",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountMacrosBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            rows = list(setup.listing(actor, "macro"))
            return Response({"payload": macro_bodies(rows, actor, Numbers(actor.organization_id))})

    @extend_schema(
        operation_id="create_account_macro",
        summary="Add a macro",
        description="The caller's own unless `visibility` is `global`. What the desk has no counterpart of is refused "
        "by name (`no_counterpart`).",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=WriteAccountMacro,
        responses={200: AccountOneMacroBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, WRITE, READ)
        values = self.taken(WriteAccountMacro, request)
        personal = {"personal": True} if values.get("visibility") != GLOBAL else {}
        with tenancy.scope(actor.organization_id):
            return self.told(actor, setup.create(actor, "macro", _values(values) | personal))


class AccountMacroView(_MacrosView):
    """One macro."""

    @extend_schema(
        operation_id="get_account_macro",
        summary="Get a macro",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountOneMacroBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return self.told(actor, setup.get(actor, "macro", _id(id)))

    def _changed(self, request: Request, account: str, id: str) -> Response:
        # The answer is the macro.
        actor = self.actor(request, account, WRITE, READ)
        values = self.taken(WriteAccountMacro, request)
        with tenancy.scope(actor.organization_id):
            row = _changeable(actor, id)
            visibility = PERSONAL if row.owner_id else GLOBAL
            if values.get("visibility") not in (None, visibility):
                raise NoCounterpart("Whose a macro is stays: add another one.", param="visibility")
            return self.told(actor, setup.change(actor, "macro", row.pk, _values(values)))

    @extend_schema(
        operation_id="change_account_macro",
        summary="Change a macro",
        description="What is not named stays. Everybody's needs `support:manage`.",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountMacro,
        responses={200: AccountOneMacroBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def put(self, request: Request, account: str, id: str) -> Response:
        return self._changed(request, account, id)

    @extend_schema(
        operation_id="patch_account_macro",
        summary="Change a macro",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountMacro,
        responses={200: AccountOneMacroBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str) -> Response:
        return self._changed(request, account, id)

    @extend_schema(
        operation_id="delete_account_macro",
        summary="Delete a macro",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: OBJECT, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, WRITE, READ)
        with tenancy.scope(actor.organization_id):
            setup.delete(actor, "macro", _changeable(actor, id).pk)
        return Response({})


class AccountMacroExecuteView(_MacrosView):
    """A macro on several conversations."""

    @extend_schema(
        operation_id="execute_account_macro",
        summary="Run a macro in up to 100 conversations",
        description="Carried out before the answer, in each conversation all of its actions or none: what failed is "
        "told of each. Ids without a conversation are passed over.",
        tags=TAGS,
        parameters=AT_ROW,
        request=ExecuteMacro,
        responses={200: BulkOutcome, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, WRITE, READ)
        values = self.taken(ExecuteMacro, request)
        with tenancy.scope(actor.organization_id):
            macro, numbers = setup.get(actor, "macro", _id(id)), chosen(values["conversation_ids"])
        # Each conversation has a transaction of its own.
        outcomes = bulk.run_macro(actor, list(numbers), macro.pk) if numbers else []
        return Response(told(outcomes, numbers))
