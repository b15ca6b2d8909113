"""Who answers in inboxes, in Chatwoot's account API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Membership
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import MANAGE, READ
from apps.support.api.accounts.base import (
    AT_ROW,
    IN_ACCOUNT,
    TAGS,
    AccountView,
    Lenient,
    Ref,
    inbox_of,
    members_of,
    named,
    several,
)
from apps.support.api.accounts.desk import AccountAgentBody, agents_among
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import Inbox, InboxAgent
from apps.support.services import inboxes
from apps.support.services.numbers import Numbers

INBOXES = OpenApiParameter("inbox_ids", str, many=True, description="Also as `inbox_ids[]`.")


class AccountInboxAgentsBody(serializers.Serializer[Any]):
    payload = AccountAgentBody(many=True)


class WriteInboxMembers(Lenient):
    inbox_id = Ref()
    user_ids = serializers.ListField(child=Ref(), max_length=200)


def _members(inbox: Inbox) -> Any:
    """Where nobody is named, everybody answers."""
    inside = InboxAgent.objects.filter(inbox=inbox)
    return Membership.objects.filter(pk__in=inside.values("membership")) if inside else Membership.objects.all()


class AccountInboxMembersView(AccountView):
    """Who answers in an inbox."""

    @extend_schema(
        operation_id="get_account_inbox_members",
        summary="Who answers in an inbox",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountInboxAgentsBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            rows = _members(inboxes.get(actor, inbox_of(id)))
            return Response({"payload": agents_among(rows, actor, Numbers(actor.organization_id))})


class AccountMembersView(AccountView):
    """The same set: some added, or those that there shall be, or some taken off."""

    def _set(self, request: Request, account: str, act: str) -> Response:
        # The answer says who answers there.
        actor = self.actor(request, account, MANAGE, READ)
        values = self.taken(WriteInboxMembers, request)
        with tenancy.scope(actor.organization_id):
            inbox = inboxes.get(actor, _required("inbox_id", values, inbox_of))
            given = members_of("user_ids", values["user_ids"])
            members = {"taken" if act == "take" else "added": given}
            inboxes.alter_agents(actor, inbox.pk, **members, alone=act == "set")
            return Response({"payload": agents_among(_members(inbox), actor, Numbers(actor.organization_id))})

    @extend_schema(
        operation_id="add_account_inbox_members",
        summary="Let members answer in an inbox as well",
        description="The first who is named answers there alone.",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=WriteInboxMembers,
        responses={200: AccountInboxAgentsBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        return self._set(request, account, "add")

    @extend_schema(
        operation_id="set_account_inbox_members",
        summary="Set who answers in an inbox",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=WriteInboxMembers,
        responses={200: AccountInboxAgentsBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def patch(self, request: Request, account: str) -> Response:
        return self._set(request, account, "set")

    @extend_schema(
        operation_id="remove_account_inbox_members",
        summary="Take members off an inbox",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=WriteInboxMembers,
        responses={200: AccountInboxAgentsBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str) -> Response:
        return self._set(request, account, "take")


class AccountAssignableView(AccountView):
    """To whom conversations of inboxes can be given."""

    @extend_schema(
        operation_id="list_account_assignable_agents",
        summary="List who answers in all of some inboxes, and administrators who may answer",
        tags=TAGS,
        parameters=[*IN_ACCOUNT, INBOXES],
        responses={200: AccountInboxAgentsBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            wanted = Q()
            for each in several(request, "inbox_ids"):
                inbox = inboxes.get(actor, _required("inbox_ids", {"inbox_ids": each}, inbox_of))
                wanted &= Q(pk__in=_members(inbox).values("pk"))
            rows = Membership.objects.filter(wanted | Q(role__in=chatwoot.ADMINISTRATORS) if wanted else wanted)
            return Response({"payload": agents_among(rows, actor, Numbers(actor.organization_id))})


def _required(name: str, values: dict[str, Any], find: Any) -> UUID:
    found = named(name, values, find)
    if found is None:
        raise InvalidRequest("Must be an id.", param=name)
    return found
