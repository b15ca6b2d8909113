"""Who takes part in a conversation, in Chatwoot's account API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Membership
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import READ, WRITE
from apps.support.api.accounts.base import (
    AT_CONVERSATION,
    OURS,
    TAGS,
    AccountView,
    Lenient,
    Ref,
    conversation_of,
    members_of,
)
from apps.support.api.accounts.bodies import OBJECT
from apps.support.api.accounts.desk import MEMBERS, AccountAgentBody
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import Agent, Numbered
from apps.support.services import participants
from apps.support.services.numbers import Numbers


class WriteParticipants(Lenient):
    user_ids = serializers.ListField(child=Ref(), max_length=participants.MOST)


class AccountParticipantsView(AccountView):
    """Those who are told of what is said there."""

    their_names = OURS | {"members": "user_ids"}
    pagination_class = None

    def _told(self, actor: Any, members: list[Membership]) -> Response:
        numbers, email = Numbers(actor.organization_id), MEMBERS in actor.permissions
        numbers.want(Numbered.USER, [row.user_id for row in members])
        agents = Agent.objects.filter(membership__in=[row.pk for row in members])
        there = {each.membership_id: each for each in agents}
        return Response([chatwoot.agent_body(row, numbers, there.get(row.pk), email=email) for row in members])

    def _altered(self, request: Request, account: str, number: str, act: str) -> Response:
        # The answer says who takes part.
        actor = self.actor(request, account, WRITE, READ)
        values = self.taken(WriteParticipants, request)
        with tenancy.scope(actor.organization_id):
            id = conversation_of(number)
            given = members_of("user_ids", values["user_ids"])
            if act == "take":
                participants.alter(actor, id, taken=given)
                return Response({})
            come = participants.alter(actor, id, added=given, alone=act == "set")
            return self._told(actor, participants.listed(actor, id) if act == "set" else come)

    @extend_schema(
        operation_id="list_account_participants",
        summary="List who takes part in a conversation",
        tags=TAGS,
        parameters=AT_CONVERSATION,
        responses={200: AccountAgentBody(many=True), **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, number: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return self._told(actor, participants.listed(actor, conversation_of(number)))

    @extend_schema(
        operation_id="add_account_participants",
        summary="Let members take part in a conversation",
        description="Answers with those who have come.",
        tags=TAGS,
        parameters=AT_CONVERSATION,
        request=WriteParticipants,
        responses={200: AccountAgentBody(many=True), **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str, number: str) -> Response:
        return self._altered(request, account, number, "add")

    @extend_schema(
        operation_id="set_account_participants",
        summary="Set who takes part in a conversation",
        tags=TAGS,
        parameters=AT_CONVERSATION,
        request=WriteParticipants,
        responses={200: AccountAgentBody(many=True), **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, number: str) -> Response:
        return self._altered(request, account, number, "set")

    @extend_schema(
        operation_id="remove_account_participants",
        summary="Take members off a conversation",
        tags=TAGS,
        parameters=AT_CONVERSATION,
        request=WriteParticipants,
        responses={200: OBJECT, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request, account: str, number: str) -> Response:
        return self._altered(request, account, number, "take")
