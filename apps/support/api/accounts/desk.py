"""The account itself in Chatwoot's account API, who calls, and who answers there."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.models import Membership, Organization, Team, TeamMembership
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import NotFound, PermissionDenied
from apps.core.schema import READ as READ_PROBLEMS
from apps.support import chatwoot
from apps.support.access import MANAGE, READ, WRITE
from apps.support.api.accounts.base import AT_ROW, IN_ACCOUNT, TAGS, AccountView, team_of
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import Agent, Numbered
from apps.support.services import assignment
from apps.support.services.assignment import NO_TEAM
from apps.support.services.chatwoot import pubsub
from apps.support.services.numbers import Numbers

MEMBERS = "members:read"
MOST_AGENTS = 500


class AccountBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    locale = serializers.CharField()
    status = serializers.CharField()


class ProfileBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    account_id = serializers.IntegerField()
    name = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    role = serializers.CharField()
    pubsub_token = serializers.CharField(help_text="Subscribes at `/cable`; it ends with the key or the session.")
    accounts = serializers.ListField(child=serializers.DictField())


class AccountAgentBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    account_id = serializers.IntegerField()
    availability_status = serializers.CharField()
    auto_offline = serializers.BooleanField()
    confirmed = serializers.BooleanField()
    email = serializers.CharField(allow_blank=True, help_text="With `members:read`.")
    available_name = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    thumbnail = serializers.CharField(allow_blank=True)


class AccountTeamBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    allow_auto_assign = serializers.BooleanField()
    account_id = serializers.IntegerField()
    is_member = serializers.BooleanField()


def agents_among(members: Any, actor: Actor, numbers: Numbers) -> list[dict[str, Any]]:
    """Those of some members who answer, by their names."""
    rows = members.select_related("user", "custom_role").order_by("user__email", "id")
    found = [row for row in rows if WRITE in row.permissions][:MOST_AGENTS]
    numbers.want(Numbered.USER, [row.user_id for row in found])
    there = {each.membership_id: each for each in Agent.objects.filter(membership__in=[row.pk for row in found])}
    email = MEMBERS in actor.permissions
    return [chatwoot.agent_body(row, numbers, there.get(row.pk), email=email) for row in found]


class AccountShowView(AccountView):
    """The account."""

    @extend_schema(
        operation_id="get_account",
        summary="Get the account",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            row = Organization.objects.get(pk=actor.organization_id)
            told = chatwoot.account_body(Numbers(row.pk), row.name)
            return Response(told | {"locale": row.language, "status": "active"})


class ProfileView(AccountView):
    """Who calls."""

    @extend_schema(
        operation_id="get_account_profile",
        summary="Get the caller and their account",
        description="0 is the id of a key that is nobody's own.",
        tags=TAGS,
        responses={200: ProfileBody, **problems(*READ_PROBLEMS)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        auth: Any = request.auth
        if not isinstance(auth, Actor):
            raise PermissionDenied("A bot's token opens the conversations of its inboxes, and nothing else.")
        with tenancy.scope(auth.organization_id):
            numbers = Numbers(auth.organization_id)
            person, role = auth.person_id, "administrator" if MANAGE in auth.permissions else "agent"
            account = chatwoot.account_body(numbers)
            return Response(
                {
                    "id": numbers(Numbered.USER, person) if person else 0,
                    "account_id": numbers.account,
                    "name": auth.name.partition("@")[0],
                    "email": auth.name if auth.user_id else "",
                    "role": role,
                    "pubsub_token": pubsub.token_of_actor(auth),
                    "accounts": [account | {"role": role, "status": "active"}],
                }
            )


class AccountAgentsView(AccountView):
    """Who answers."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_agents",
        summary="List who answers",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountAgentBody(many=True), **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return Response(agents_among(Membership.objects.all(), actor, Numbers(actor.organization_id)))


class AccountTeamsView(AccountView):
    """Teams."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_teams",
        summary="List teams",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountTeamBody(many=True), **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            numbers, rows = Numbers(actor.organization_id), list(Team.objects.order_by("name", "id"))
            numbers.want(Numbered.TEAM, [row.pk for row in rows])
            mine = _teams_of(actor)
            return Response([chatwoot.team_body(row, numbers, mine=row.pk in mine) for row in rows])


class AccountTeamView(AccountView):
    """One team."""

    @extend_schema(
        operation_id="get_account_team",
        summary="Get a team",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountTeamBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            row = _team(id)
            return Response(chatwoot.team_body(row, Numbers(actor.organization_id), mine=row.pk in _teams_of(actor)))


class AccountTeamMembersView(AccountView):
    """Who is in a team."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_team_members",
        summary="List who answers in a team",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountAgentBody(many=True), **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            inside = TeamMembership.objects.filter(team=_team(id)).values("membership")
            rows = Membership.objects.filter(pk__in=inside)
            return Response(agents_among(rows, actor, Numbers(actor.organization_id)))


def _team(id: str) -> Team:
    row: Team | None = Team.objects.filter(pk=team_of(id)).first()
    if row is None:
        raise NotFound(NO_TEAM)
    return row


def _teams_of(actor: Actor) -> set[Any]:
    member = assignment.membership_of(actor)
    if member is None:
        return set()
    return set(TeamMembership.objects.filter(membership=member).values_list("team_id", flat=True))
