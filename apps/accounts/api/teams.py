"""Teams and roles as REST resources."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import services
from apps.accounts.api.base import CURSOR, ID, LIMIT, TAGS, NewestFirst, checked, listed, page, require_fresh
from apps.accounts.api.bodies import (
    ChangeRole,
    ChangeTeam,
    CreateRole,
    CreateTeam,
    MemberBody,
    RoleBody,
    TeamBody,
    built_in_roles,
    member_body,
    role_body,
    team_body,
)
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.accounts.models import CustomRole, Team, TeamMembership
from apps.accounts.permissions import PERMISSIONS
from apps.accounts.services.members import NO_MEMBER
from apps.accounts.services.roles import NO_ROLE
from apps.accounts.services.teams import NO_TEAM
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.schema import READ, WRITE, problems

MEMBER = OpenApiParameter("member", OpenApiTypes.UUID, OpenApiParameter.PATH)


class TeamsView(AsyncAPIView):
    """The organization's teams."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_teams",
        summary="List teams, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: TeamBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require("members:read")
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Team.objects.all())
            return listed(answer, [team_body(team) for team in found])

    @extend_schema(
        operation_id="create_team",
        summary="Create a team",
        tags=TAGS,
        request=CreateTeam,
        responses={201: TeamBody, **problems(*WRITE, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        team = services.create_team(api_actor(request), **checked(CreateTeam, request, "members:manage"))
        return Response(team_body(team), status=201)


class TeamView(AsyncAPIView):
    """One team."""

    @extend_schema(
        operation_id="get_team",
        summary="Get a team",
        tags=TAGS,
        parameters=[ID],
        responses={200: TeamBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(team_body(services.get_team(api_actor(request), parse_id(id, NO_TEAM))))

    @extend_schema(
        operation_id="change_team",
        summary="Change a team's name or description",
        tags=TAGS,
        parameters=[ID],
        request=ChangeTeam,
        responses={200: TeamBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        values = checked(ChangeTeam, request, "members:manage")
        return Response(team_body(services.change_team(api_actor(request), parse_id(id, NO_TEAM), **values)))

    @extend_schema(
        operation_id="delete_team",
        summary="Delete a team",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        services.delete_team(api_actor(request), parse_id(id, NO_TEAM))
        return Response(status=204)


class TeamMembersView(AsyncAPIView):
    """Who is in a team."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_team_members",
        summary="List a team's members",
        tags=TAGS,
        parameters=[ID, LIMIT, CURSOR],
        responses={200: MemberBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        team = services.get_team(actor, parse_id(id, NO_TEAM))
        with tenancy.scope(actor.organization_id):
            rows = TeamMembership.objects.filter(team=team)
            found, answer = page(request, rows.select_related("membership__user", "membership__custom_role"))
            return listed(answer, [member_body(row.membership, [team]) for row in found])


class TeamMemberView(AsyncAPIView):
    """One member's place in a team."""

    @extend_schema(
        operation_id="add_team_member",
        summary="Put a member into a team",
        tags=TAGS,
        parameters=[ID, MEMBER],
        request=None,
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def put(self, request: Request, id: str, member: str) -> Response:
        services.add_to_team(api_actor(request), parse_id(id, NO_TEAM), parse_id(member, NO_MEMBER))
        return Response(status=204)

    @extend_schema(
        operation_id="remove_team_member",
        summary="Take a member out of a team",
        tags=TAGS,
        parameters=[ID, MEMBER],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str, member: str) -> Response:
        services.remove_from_team(api_actor(request), parse_id(id, NO_TEAM), parse_id(member, NO_MEMBER))
        return Response(status=204)


def _list_of(name: str, item: type[serializers.Serializer[Any]]) -> OpenApiResponse:
    fields: dict[str, Any] = {
        "object": serializers.ChoiceField(["list"]),
        "data": item(many=True),
        "permissions": serializers.DictField(child=serializers.CharField(), help_text="What each permission allows."),
    }
    return OpenApiResponse(inline_serializer(name, fields))


class RolesView(AsyncAPIView):
    """Built-in roles and the organization's own, each with what it may do."""

    @extend_schema(
        operation_id="list_roles",
        summary="List roles and what they may do",
        tags=TAGS,
        responses={200: _list_of("RoleList", RoleBody), **problems(*READ)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require("members:read")
        with tenancy.scope(actor.organization_id):
            own = [role_body(role) for role in CustomRole.objects.order_by("name")]
        texts = {name: str(text) for name, text in PERMISSIONS.items()}
        return Response({"object": "list", "data": built_in_roles() + own, "permissions": texts})

    @extend_schema(
        operation_id="create_role",
        summary="Create a custom role",
        description="From permissions that you hold yourself.",
        tags=TAGS,
        request=CreateRole,
        responses={201: RoleBody, **problems(*WRITE, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(CreateRole, request, "roles:manage")
        require_fresh(request)
        role = services.create_role(api_actor(request), **values)
        return Response(role_body(role), status=201)


class RoleView(AsyncAPIView):
    """One custom role."""

    @extend_schema(
        operation_id="get_role",
        summary="Get a custom role",
        tags=TAGS,
        parameters=[ID],
        responses={200: RoleBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(role_body(services.get_role(api_actor(request), parse_id(id, NO_ROLE))))

    @extend_schema(
        operation_id="change_role",
        summary="Change a custom role",
        description="Its members hold the new permissions from their next request on.",
        tags=TAGS,
        parameters=[ID],
        request=ChangeRole,
        responses={200: RoleBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        values = checked(ChangeRole, request, "roles:manage")
        require_fresh(request)
        role = services.change_role_permissions(api_actor(request), parse_id(id, NO_ROLE), **values)
        return Response(role_body(role))

    @extend_schema(
        operation_id="delete_role",
        summary="Delete a custom role that nobody has",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        api_actor(request).require("roles:manage")
        require_fresh(request)
        services.delete_role(api_actor(request), parse_id(id, NO_ROLE))
        return Response(status=204)
