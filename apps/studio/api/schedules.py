"""Schedules over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.schema import READ, WRITE, problems
from apps.studio.api.schedule_bodies import OccurrenceBody, ScheduleBody, SetSchedule, occurrence_body, schedule_body
from apps.studio.models import Occurrence, Recipient, Schedule
from apps.studio.services import schedules
from apps.studio.services.schedules.setting import NO_SCHEDULE
from apps.studio.services.schedules.setting import READ as MAY_READ
from apps.studio.services.schedules.setting import WRITE as MAY_WRITE

TAGS = ["Schedules"]


def _body(actor: Actor, schedule: Schedule) -> dict[str, Any]:
    with tenancy.scope(actor.organization_id):
        return schedule_body(schedule, list(Recipient.objects.filter(schedule=schedule).order_by("email")))


class SchedulesView(AsyncAPIView):
    """Setting schedules, and listing them."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="create_schedule",
        summary="Set a schedule",
        tags=TAGS,
        request=SetSchedule,
        responses={201: ScheduleBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        actor, values = api_actor(request), checked(SetSchedule, request, MAY_WRITE)
        with tenancy.scope(actor.organization_id):
            schedule = schedules.create_schedule(actor, SetSchedule.plan(values))
            for email in dict.fromkeys(address.lower() for address in values.get("recipients", [])):
                schedules.add_recipient(actor, schedule.pk, email)
        return Response(_body(actor, schedule), status=201)

    @extend_schema(
        operation_id="list_schedules",
        summary="List schedules, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: ScheduleBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Schedule.objects.all())
            recipients: dict[Any, list[Recipient]] = {}
            for each in Recipient.objects.filter(schedule__in=found).order_by("email"):
                recipients.setdefault(each.schedule_id, []).append(each)
            return listed(answer, [schedule_body(row, recipients.get(row.pk, [])) for row in found])


class ScheduleView(AsyncAPIView):
    """One schedule."""

    @extend_schema(
        operation_id="get_schedule",
        summary="Get a schedule",
        tags=TAGS,
        parameters=[ID],
        responses={200: ScheduleBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        return Response(_body(actor, schedules.get_schedule(actor, parse_id(id, NO_SCHEDULE))))

    @extend_schema(
        operation_id="change_schedule",
        summary="Set a schedule anew; its recipients stay",
        tags=TAGS,
        parameters=[ID],
        request=SetSchedule,
        responses={200: ScheduleBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def put(self, request: Request, id: str) -> Response:
        actor, values = api_actor(request), checked(SetSchedule, request, MAY_WRITE)
        found = schedules.change_schedule(actor, parse_id(id, NO_SCHEDULE), SetSchedule.plan(values))
        return Response(_body(actor, found))

    @extend_schema(
        operation_id="delete_schedule",
        summary="Delete a schedule; its texts stay",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        schedules.delete_schedule(actor, parse_id(id, NO_SCHEDULE))
        return Response(status=204)


class PauseView(AsyncAPIView):
    @extend_schema(
        operation_id="pause_schedule",
        summary="Pause a schedule",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: ScheduleBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        return Response(_body(actor, schedules.pause_schedule(actor, parse_id(id, NO_SCHEDULE))))


class ResumeView(AsyncAPIView):
    @extend_schema(
        operation_id="resume_schedule",
        summary="Resume a schedule from its next time on",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: ScheduleBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        return Response(_body(actor, schedules.resume_schedule(actor, parse_id(id, NO_SCHEDULE))))


class RunView(AsyncAPIView):
    @extend_schema(
        operation_id="run_schedule",
        summary="Carry a schedule out now, once more",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={202: OccurrenceBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        return Response(occurrence_body(schedules.run_now(actor, parse_id(id, NO_SCHEDULE))), status=202)


class OccurrencesView(AsyncAPIView):
    """A schedule's history."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_occurrences",
        summary="List a schedule's occurrences, newest first",
        tags=TAGS,
        parameters=[ID, LIMIT, CURSOR],
        responses={200: OccurrenceBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        schedule = schedules.get_schedule(actor, parse_id(id, NO_SCHEDULE))
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Occurrence.objects.filter(schedule=schedule))
        return listed(answer, [occurrence_body(row) for row in found])
