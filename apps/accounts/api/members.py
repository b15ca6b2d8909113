"""Members and invitations as REST resources."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import services
from apps.accounts.api.base import (
    CURSOR,
    ID,
    LIMIT,
    LONGEST_SEARCH,
    TAGS,
    NewestFirst,
    checked,
    listed,
    one_of,
    page,
    require_fresh,
)
from apps.accounts.api.bodies import (
    AcceptInvitation,
    GiveRole,
    InvitationBody,
    Invite,
    Joined,
    MemberBody,
    Moved,
    invitation_body,
    joined_body,
    member_body,
)
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import PersonSessionAuthentication, api_actor
from apps.accounts.models import Membership, Role, TeamMembership, User
from apps.accounts.services.invitations import NO_INVITATION
from apps.accounts.services.members import NO_MEMBER
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import InvalidRequest
from apps.core.schema import READ, WRITE, problems

SEARCH = OpenApiParameter(
    "search",
    {"type": "string", "maxLength": LONGEST_SEARCH},
    description="Each word must begin a word of the name or the address.",
)


class MembersView(AsyncAPIView):
    """Who belongs to the organization."""

    # drf-spectacular reads it to give the list its paginated shape.
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_members",
        summary="List members, newest first",
        tags=TAGS,
        parameters=[
            LIMIT,
            CURSOR,
            SEARCH,
            OpenApiParameter("role", enum=Role.values),
        ],
        responses={200: MemberBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require("members:read")
        search = request.query_params.get("search", "")
        if len(search) > LONGEST_SEARCH or "\0" in search:
            raise InvalidRequest(f"search has at most {LONGEST_SEARCH} characters.", param="search")
        role = one_of(request, "role", Role.values)
        with tenancy.scope(actor.organization_id):
            rows = Membership.objects.for_pages().matching(search)
            found, answer = page(request, rows.filter(role=role) if role else rows)
            teams = TeamMembership.objects.teams_of(found)
            return listed(answer, [member_body(member, teams.get(member.pk, [])) for member in found])


class MemberView(AsyncAPIView):
    """One member."""

    @extend_schema(
        operation_id="get_member",
        summary="Get a member",
        tags=TAGS,
        parameters=[ID],
        responses={200: MemberBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(self._body(request, services.get_member(api_actor(request), parse_id(id, NO_MEMBER))))

    @extend_schema(
        operation_id="change_member",
        summary="Give a member another role",
        description="It acts on their next request. Nobody gives, or takes from, a role that may do more than theirs.",
        tags=TAGS,
        parameters=[ID],
        request=GiveRole,
        responses={200: MemberBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        values = checked(GiveRole, request, "members:manage")
        require_fresh(request)
        given = values["role"], values.get("custom_role")
        return Response(self._body(request, services.change_role(api_actor(request), parse_id(id, NO_MEMBER), *given)))

    @extend_schema(
        operation_id="remove_member",
        summary="Remove a member",
        description="Their access ends at once. What they own goes to the member `move_to`, or to you.",
        tags=TAGS,
        parameters=[ID, OpenApiParameter("move_to", {"type": "string", "format": "uuid"})],
        responses={200: Moved, **problems(*READ, 400, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        api_actor(request).require("members:manage")
        require_fresh(request)
        heir = request.query_params.get("move_to")
        heir_id = parse_id(heir, NO_MEMBER) if heir is not None else None
        return Response(services.remove_member(api_actor(request), parse_id(id, NO_MEMBER), heir_id))

    def _body(self, request: Request, member: Membership) -> dict[str, Any]:
        with tenancy.scope(api_actor(request).organization_id):
            return member_body(member, TeamMembership.objects.teams_of([member]).get(member.pk, []))


class InvitationsView(AsyncAPIView):
    """Invitations that are open."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_invitations",
        summary="List open invitations, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: InvitationBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require("members:read")
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, services.open_invitations())
            return listed(answer, [invitation_body(invitation) for invitation in found])

    @extend_schema(
        operation_id="create_invitation",
        summary="Invite an address",
        description="A link goes there by mail: for this address only, once, for seven days. The answer is the same "
        "whether or not the address has an account.",
        tags=TAGS,
        request=Invite,
        responses={201: InvitationBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(Invite, request, "members:manage")
        require_fresh(request)
        actor = api_actor(request)
        invitation = services.invite(
            actor, values["email"], values["role"], values.get("custom_role"), values.get("teams", [])
        )
        return Response(_shown(request, invitation.pk), status=201)


class InvitationView(AsyncAPIView):
    """One open invitation."""

    @extend_schema(
        operation_id="get_invitation",
        summary="Get an open invitation",
        tags=TAGS,
        parameters=[ID],
        responses={200: InvitationBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(_shown(request, parse_id(id, NO_INVITATION)))

    @extend_schema(
        operation_id="revoke_invitation",
        summary="Revoke an invitation",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        services.revoke_invitation(api_actor(request), parse_id(id, NO_INVITATION))
        return Response(status=204)


class ResendView(AsyncAPIView):
    """Sending an invitation again."""

    @extend_schema(
        operation_id="resend_invitation",
        summary="Send an invitation again",
        description="With a new link, valid for another seven days; the one before stops working.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: InvitationBody, **problems(*READ, 404, 409, 429)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        invitation = services.resend_invitation(api_actor(request), parse_id(id, NO_INVITATION))
        return Response(_shown(request, invitation.pk))


class AcceptInvitationView(AsyncAPIView):
    """The answer of whoever was invited, who may belong to no organization yet."""

    authentication_classes = (PersonSessionAuthentication,)

    @extend_schema(
        operation_id="accept_invitation",
        summary="Accept an invitation",
        description="With the session of the invited person, who has confirmed the invited address. Keys cannot.",
        tags=TAGS,
        request=AcceptInvitation,
        responses={201: Joined, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        body = AcceptInvitation(data=request.data)
        body.is_valid(raise_exception=True)
        person = cast(User, request.user)
        member = services.accept_invitation(person, body.validated_data["token"])
        return Response(joined_body(member), status=201)


def _shown(request: Request, id: Any) -> dict[str, Any]:
    """An invitation as whoever manages members sees it; reading it anew asks for no more than that."""
    actor = api_actor(request)
    with tenancy.scope(actor.organization_id):
        return invitation_body(services.get_invitation(actor, id))
