"""Contacts and agents over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import NotFound
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.core.schema import problems
from apps.support.access import MANAGE, READ, WRITE
from apps.support.api import bodies
from apps.support.api.base import MEMBER, TAGS, contact_id
from apps.support.bodies import contact_body, conversation_body
from apps.support.models import Agent
from apps.support.services import assignment, contacts

SEARCH = OpenApiParameter("search", str, description="A part of the name, address or number, or the whole identifier.")


class SupportContactsView(AsyncAPIView):
    """All contacts."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_support_contacts",
        summary="List contacts, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, SEARCH],
        responses={200: bodies.SupportContactBody(many=True), **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            some, answer = page(request, contacts.listing(actor, request.query_params.get("search", "")))
            return listed(answer, [contact_body(row) for row in some])

    @extend_schema(
        operation_id="create_support_contact",
        summary="Add a contact",
        tags=TAGS,
        request=bodies.WriteSupportContact,
        responses={201: bodies.SupportContactBody, **problems(*WRITE_PROBLEMS, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.WriteSupportContact, request, WRITE)
        return Response(contact_body(contacts.create(api_actor(request), values)), status=201)


class SupportContactView(AsyncAPIView):
    """One contact."""

    @extend_schema(
        operation_id="get_support_contact",
        summary="Get a contact",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.SupportContactBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(contact_body(contacts.get(api_actor(request), contact_id(request, id, READ))))

    @extend_schema(
        operation_id="change_support_contact",
        summary="Change a contact",
        description="`blocked` needs `support:manage`.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.ChangeSupportContact,
        responses={200: bodies.SupportContactBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        place = contact_id(request, id, WRITE)
        values = checked(bodies.ChangeSupportContact, request, WRITE)
        actor, blocked, labels = api_actor(request), values.pop("blocked", None), values.pop("labels", None)
        with tenancy.scope(actor.organization_id):
            row = contacts.change(actor, place, values)
            if labels is not None:
                row = contacts.set_labels(actor, place, labels)
            if blocked is not None:
                row = contacts.set_blocked(actor, place, blocked)
        return Response(contact_body(row))

    @extend_schema(
        operation_id="erase_support_contact",
        summary="Erase a contact with all their conversations",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.SupportErasedBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        count = contacts.erase(api_actor(request), contact_id(request, id, MANAGE))
        return Response({"object": "support_erasure", "conversations": count})


class SupportContactMergeView(AsyncAPIView):
    """Two that are one."""

    @extend_schema(
        operation_id="merge_support_contact",
        summary="Merge a contact into another one",
        tags=TAGS,
        parameters=[ID],
        request=bodies.MergeSupport,
        responses={200: bodies.SupportContactBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = contact_id(request, id, WRITE)
        values = checked(bodies.MergeSupport, request, WRITE)
        return Response(contact_body(contacts.merge(api_actor(request), place, values["into"])))


class SupportAgentsView(AsyncAPIView):
    """Who answers."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_support_agents",
        summary="List agents, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: bodies.SupportAgentBody(many=True), **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            some, answer = page(request, Agent.objects.all())
            return listed(answer, [agent_body(row) for row in some])


class SupportAgentView(AsyncAPIView):
    """What somebody takes on."""

    @extend_schema(
        operation_id="change_support_agent",
        summary="Set how many conversations a member takes, and their skills",
        tags=TAGS,
        parameters=[MEMBER],
        request=bodies.ChangeSupportAgent,
        responses={200: bodies.SupportAgentBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MANAGE)
        member = parse_id(id, assignment.NO_AGENT)
        values = checked(bodies.ChangeSupportAgent, request, MANAGE)
        with tenancy.scope(actor.organization_id):
            if not assignment.is_member(member):
                raise NotFound(assignment.NO_AGENT)
            return Response(agent_body(assignment.change_agent(actor, member, values)))


class SupportPresenceView(AsyncAPIView):
    """Whether the caller is there."""

    @extend_schema(
        operation_id="set_support_presence",
        summary="Say that the caller is there",
        description="A console says so every twenty seconds; after a minute of silence nothing is given out to it.",
        tags=TAGS,
        request=bodies.SupportPresence,
        responses={200: bodies.SupportAgentBody, **problems(*WRITE_PROBLEMS, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.SupportPresence, request, WRITE)
        return Response(agent_body(assignment.note_presence(api_actor(request), values.get("availability"))))


class SupportNextView(AsyncAPIView):
    """Work, please."""

    @extend_schema(
        operation_id="claim_next_support_conversation",
        summary="Claim what waits longest",
        tags=TAGS,
        request=None,
        responses={200: bodies.SupportConversationBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        row = assignment.claim_next(api_actor(request))
        if row is None:
            raise NotFound("Nothing waits for you.")
        return Response(conversation_body(row))


def agent_body(row: Agent) -> dict[str, Any]:
    return {
        "object": "support_agent",
        "member": str(row.membership_id),
        "availability": str(row.availability),
        "capacity": row.capacity,
        "skills": list(row.skills),
        "seen_at": row.seen_at.isoformat() if row.seen_at else None,
    }
