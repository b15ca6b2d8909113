"""Flows, the systems that they call, and the bot's settings over REST."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import NotFound
from apps.core.schema import READ as READ_FAILURES
from apps.core.schema import WRITE as WRITE_FAILURES
from apps.core.schema import problems
from apps.support.access_bot import APPROVE, READ, WRITE
from apps.support.api.bots import bodies
from apps.support.errors_bot import FlowsInvalid
from apps.support.models import BotAction, FlowApproval, FlowVersion, StoryRun
from apps.support.services import flows
from apps.support.services.flows.actions import NO_ACTION
from apps.support.services.flows.versions import NO_VERSION

TAGS = ["Bot"]
NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="The version.")
NO_RUN = "There is no run of stories with this id."


class FlowsView(AsyncAPIView):
    """All versions of the flows."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_flows",
        summary="List versions of the flows, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: bodies.FlowsBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, FlowVersion.objects.all())
            return listed(answer, [_body(row) for row in found])

    @extend_schema(
        operation_id="write_flows",
        summary="Write a version of the flows",
        description="A draft; every fault is told with its line.",
        tags=TAGS,
        request=bodies.WriteFlows,
        responses={201: bodies.FlowsBody, **problems(*WRITE_FAILURES, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values, actor = checked(bodies.WriteFlows, request, WRITE), api_actor(request)
        made = flows.save_version(actor, values["text"], values["stories"], values["note"])
        return _answer(actor, made.pk, 201)


class CheckView(AsyncAPIView):
    @extend_schema(
        operation_id="check_flows",
        summary="Check flows without keeping them",
        description="Also whether actions are set up, and whether there are examples of the intents.",
        tags=TAGS,
        request=bodies.WriteFlows,
        responses={200: bodies.FlowsCheckBody, **problems(*WRITE_FAILURES)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values, actor = checked(bodies.WriteFlows, request, READ), api_actor(request)
        with tenancy.scope(actor.organization_id):
            found = flows.problems_of(values["text"])
        if not found:
            try:
                flows.check(values["text"], values["stories"])
            except FlowsInvalid as error:
                found = error.problems
        listed_problems = [{"line": each.line, "message": each.message} for each in found]
        return Response({"object": "flows_check", "problems": listed_problems})


class FlowView(AsyncAPIView):
    @extend_schema(
        operation_id="get_flows",
        summary="Get a version of the flows",
        tags=TAGS,
        parameters=[NUMBER],
        responses={200: bodies.FlowsBody, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def get(self, request: Request, number: str) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        return _answer(actor, flows.get_version(actor, _number(number)).pk)


class ApproveView(AsyncAPIView):
    @extend_schema(
        operation_id="approve_flows",
        summary="Approve a version of the flows",
        tags=TAGS,
        parameters=[NUMBER],
        request=None,
        responses={200: bodies.FlowsBody, **problems(*READ_FAILURES, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request, number: str) -> Response:
        actor = api_actor(request)
        actor.require(APPROVE)
        return _answer(actor, flows.approve(actor, _number(number)).version_id)


class LiveView(AsyncAPIView):
    @extend_schema(
        operation_id="put_flows_live",
        summary="Put an approved version live, or go back to one",
        tags=TAGS,
        parameters=[NUMBER],
        request=None,
        responses={200: bodies.FlowsBody, **problems(*READ_FAILURES, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, number: str) -> Response:
        actor = api_actor(request)
        actor.require(APPROVE)
        return _answer(actor, flows.go_live(actor, _number(number)).pk)


class StoriesView(AsyncAPIView):
    @extend_schema(
        operation_id="run_stories",
        summary="Play a version's stories",
        description="A worker plays them; `status` says when it is done.",
        tags=TAGS,
        parameters=[NUMBER],
        request=bodies.RunStories,
        responses={202: bodies.StoryRunBody, **problems(*WRITE_FAILURES, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, number: str) -> Response:
        values, actor = checked(bodies.RunStories, request, WRITE), api_actor(request)
        run = flows.request_run(actor, _number(number), values["calls"], values.get("model"))
        return _run(actor, run.pk, 202)


class StoryRunView(AsyncAPIView):
    @extend_schema(
        operation_id="get_story_run",
        summary="Get what came of a run of stories",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.StoryRunBody, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        return _run(actor, parse_id(id, NO_RUN))


class ActionsView(AsyncAPIView):
    """Systems that flows may call."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_bot_actions",
        summary="List actions, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: bodies.ActionBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, BotAction.objects.all())
            return listed(answer, [bodies.action_body(row) for row in found])

    @extend_schema(
        operation_id="create_bot_action",
        summary="Set up an action",
        tags=TAGS,
        request=bodies.WriteAction,
        responses={201: bodies.SavedActionBody, **problems(*WRITE_FAILURES, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.WriteAction, request, APPROVE)
        row, secret = flows.save_action(api_actor(request), flows.ActionDraft(**values))
        return Response(bodies.action_body(row) | {"secret": secret or None}, status=201)


class ActionView(AsyncAPIView):
    @extend_schema(
        operation_id="change_bot_action",
        summary="Change an action",
        tags=TAGS,
        parameters=[ID],
        request=bodies.WriteAction,
        responses={200: bodies.SavedActionBody, **problems(*WRITE_FAILURES, 404, 409, 422)},
    )
    @in_thread
    def put(self, request: Request, id: str) -> Response:
        values = checked(bodies.WriteAction, request, APPROVE)
        row, secret = flows.save_action(api_actor(request), flows.ActionDraft(**values), parse_id(id, NO_ACTION))
        return Response(bodies.action_body(row) | {"secret": secret or None})

    @extend_schema(
        operation_id="delete_bot_action",
        summary="Remove an action",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(APPROVE)
        flows.delete_action(actor, parse_id(id, NO_ACTION))
        return Response(status=204)


class BotView(AsyncAPIView):
    """What is in force."""

    @extend_schema(
        operation_id="get_bot",
        summary="Get what is live and by which thresholds the bot goes",
        tags=TAGS,
        responses={200: bodies.BotBody, **problems(*READ_FAILURES)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            return Response(bodies.bot_body(flows.settings_of(actor.organization_id)))

    @extend_schema(
        operation_id="change_bot",
        summary="Change the bot's settings",
        tags=TAGS,
        request=bodies.ChangeBot,
        responses={200: bodies.BotBody, **problems(*WRITE_FAILURES, 402, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request) -> Response:
        values = checked(bodies.ChangeBot, request, APPROVE)
        row = flows.change_bot(api_actor(request), flows.BotChange(**values))
        return Response(bodies.bot_body(row))


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise NotFound(NO_VERSION)
    return int(text)


def _body(row: FlowVersion) -> dict[str, object]:
    """In scope."""
    live = flows.settings_of(row.organization_id).flows_id
    approved = set(FlowApproval.objects.filter(version=row).values_list("version_id", flat=True))
    return bodies.flows_body(row, flows.standing_of(row, live, approved))


def _answer(actor: Actor, id: UUID, status: int = 200) -> Response:
    with tenancy.scope(actor.organization_id):
        return Response(_body(FlowVersion.objects.get(pk=id)), status=status)


def _run(actor: Actor, id: UUID, status: int = 200) -> Response:
    with tenancy.scope(actor.organization_id):
        row = StoryRun.objects.select_related("version").filter(pk=id).first()
    if row is None:
        raise NotFound(NO_RUN)
    return Response(bodies.run_body(row), status=status)
