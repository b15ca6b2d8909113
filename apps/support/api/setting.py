"""What a desk is set up with, over REST: inboxes, hours, promises, labels, texts, macros, rules; and its reports."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import ID, checked
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import InvalidRequest
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.core.schema import problems
from apps.support.access import MANAGE, READ, WRITE
from apps.support.api import bodies
from apps.support.api.base import KIND, TAGS, inbox_id, with_nulls
from apps.support.models import DeskSettings, Inbox
from apps.support.services import desk, inboxes, reports, setup
from apps.support.services.reports import Where

MOMENT: dict[str, Any] = {"type": "string", "format": "date-time"}


class SupportInboxesView(AsyncAPIView):
    """Ways in."""

    @extend_schema(
        operation_id="list_support_inboxes",
        summary="List inboxes",
        tags=TAGS,
        responses={200: bodies.SupportInboxesBody, **problems(*READ_PROBLEMS)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            return Response({"object": "list", "data": [inbox_body(row) for row in inboxes.listing(actor)]})

    @extend_schema(
        operation_id="create_support_inbox",
        summary="Open an inbox",
        tags=TAGS,
        request=bodies.WriteSupportInbox,
        responses={201: bodies.SupportInboxBody, **problems(*WRITE_PROBLEMS, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = with_nulls(bodies.WriteSupportInbox, request, MANAGE)
        return Response(inbox_body(inboxes.create(api_actor(request), **values)), status=201)


class SupportInboxView(AsyncAPIView):
    """One way in."""

    @extend_schema(
        operation_id="get_support_inbox",
        summary="Get an inbox",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.SupportInboxBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(inbox_body(inboxes.get(api_actor(request), inbox_id(request, id, READ))))

    @extend_schema(
        operation_id="change_support_inbox",
        summary="Change an inbox",
        description="Null takes hours, promises or the team away.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.ChangeSupportInbox,
        responses={200: bodies.SupportInboxBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        place = inbox_id(request, id, MANAGE)
        values = with_nulls(bodies.ChangeSupportInbox, request, MANAGE)
        return Response(inbox_body(inboxes.change(api_actor(request), place, values)))

    @extend_schema(
        operation_id="close_support_inbox",
        summary="Close an inbox; its conversations stay",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        inboxes.close(api_actor(request), inbox_id(request, id, MANAGE))
        return Response(status=204)


class SupportInboxAgentsView(AsyncAPIView):
    """Who answers there."""

    @extend_schema(
        operation_id="set_support_inbox_agents",
        summary="Set who answers in an inbox",
        tags=TAGS,
        parameters=[ID],
        request=bodies.SetSupportAgents,
        responses={200: bodies.SupportAgentsBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def put(self, request: Request, id: str) -> Response:
        place = inbox_id(request, id, MANAGE)
        values = checked(bodies.SetSupportAgents, request, MANAGE)
        members = inboxes.set_agents(api_actor(request), place, values["agents"])
        return Response({"object": "list", "data": [str(each) for each in members]})


class SupportInboxSecretView(AsyncAPIView):
    """What signs who a visitor is."""

    @extend_schema(
        operation_id="renew_support_inbox_secret",
        summary="Change the secret that identities are signed with",
        description="The new one is in the answer; the old one proves nothing from now on.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: bodies.SupportSecretBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        secret = inboxes.renew_secret(api_actor(request), inbox_id(request, id, MANAGE))
        return Response({"object": "support_secret", "secret": secret})


class SupportDeskView(AsyncAPIView):
    """What holds for the whole desk."""

    @extend_schema(
        operation_id="get_support_desk",
        summary="Get what holds for the whole desk",
        tags=TAGS,
        responses={200: bodies.SupportDeskBody, **problems(*READ_PROBLEMS)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        return Response(_desk(desk.read_settings(api_actor(request))))

    @extend_schema(
        operation_id="change_support_desk",
        summary="Set what is masked, and how long originals are kept",
        tags=TAGS,
        request=bodies.ChangeSupportDesk,
        responses={200: bodies.SupportDeskBody, **problems(*WRITE_PROBLEMS)},
    )
    @in_thread
    def patch(self, request: Request) -> Response:
        values = checked(bodies.ChangeSupportDesk, request, MANAGE)
        return Response(_desk(desk.change_settings(api_actor(request), values)))


class SupportSettingsView(AsyncAPIView):
    """Settings of one kind."""

    @extend_schema(
        operation_id="list_support_settings",
        summary="List hours, promises, labels, ready texts, macros, rules or attributes",
        tags=TAGS,
        parameters=[KIND],
        responses={200: bodies.SupportSettingsBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, kind: str) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            data = [setting_body(kind, row) for row in setup.listing(actor, kind)]
            return Response({"object": "list", "data": data})

    @extend_schema(
        operation_id="create_support_setting",
        summary="Add hours, a promise, a label, a ready text, a macro, a rule or an attribute",
        description="A macro with `personal: true` is the caller's own, for which `support:write` is enough.",
        tags=TAGS,
        parameters=[KIND],
        request=bodies.WriteSupportSetting,
        responses={201: bodies.SupportSettingBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, kind: str) -> Response:
        values = checked(bodies.WriteSupportSetting, request, WRITE)["values"]
        return Response(setting_body(kind, setup.create(api_actor(request), kind, values)), status=201)


class SupportSettingView(AsyncAPIView):
    """One setting."""

    @extend_schema(
        operation_id="get_support_setting",
        summary="Get a setting of a kind",
        tags=TAGS,
        parameters=[KIND, ID],
        responses={200: bodies.SupportSettingBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, kind: str, id: str) -> Response:
        row = setup.get(api_actor(request), kind, _id(request, id, READ))
        return Response(setting_body(kind, row))

    @extend_schema(
        operation_id="change_support_setting",
        summary="Change a setting of a kind",
        tags=TAGS,
        parameters=[KIND, ID],
        request=bodies.WriteSupportSetting,
        responses={200: bodies.SupportSettingBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, kind: str, id: str) -> Response:
        place = _id(request, id, WRITE)
        values = checked(bodies.WriteSupportSetting, request, WRITE)["values"]
        return Response(setting_body(kind, setup.change(api_actor(request), kind, place, values)))

    @extend_schema(
        operation_id="delete_support_setting",
        summary="Delete a setting of a kind",
        tags=TAGS,
        parameters=[KIND, ID],
        responses={204: NOTHING, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, kind: str, id: str) -> Response:
        setup.delete(api_actor(request), kind, _id(request, id, WRITE))
        return Response(status=204)


class SupportReportView(AsyncAPIView):
    """How the desk works."""

    @extend_schema(
        operation_id="get_support_report",
        summary="Report first replies, resolutions, ratings and the bot's work",
        description="Of the conversations that began in the time asked for; the last seven days unless said otherwise.",
        tags=TAGS,
        parameters=[
            OpenApiParameter("since", MOMENT),
            OpenApiParameter("until", MOMENT),
            OpenApiParameter("inbox", {"type": "string", "format": "uuid"}),
        ],
        responses={200: bodies.SupportReportBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        until = _moment(request, "until", timezone.now())
        since = _moment(request, "since", until - timedelta(days=7))
        inbox = request.query_params.get("inbox")
        where = Where(inbox=inbox_id(request, inbox, READ) if inbox else None)
        found = reports.report(actor, since, until, where)
        return Response({"object": "support_report", **asdict(found)})


def _moment(request: Request, name: str, otherwise: datetime) -> datetime:
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidRequest(f"{name} must be a time with its zone, such as 2026-01-31T00:00:00Z.", param=name)
    return moment


def _id(request: Request, id: str, permission: str) -> UUID:
    api_actor(request).require(permission)
    return parse_id(id, setup.MISSING)


def _desk(row: DeskSettings) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in ("masked", "original_days", "resolve_after_days")}
    return {"object": "support_desk", **values}


def setting_body(kind: str, row: Any) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in setup.KINDS[kind].fields}
    if kind == "macro":
        values["personal"] = row.owner_id is not None
    return {"object": f"support_{kind}", "id": str(row.pk), "values": values, "created_at": row.created_at.isoformat()}


def inbox_body(row: Inbox) -> dict[str, Any]:
    plain = ("name", "kind", "token", "greeting", "away_message", "origins", *inboxes.FLAGS)
    ids = {name: str(getattr(row, f"{name}_id") or "") or None for name in ("hours", "sla", "team")}
    values = {name: getattr(row, name) for name in plain}
    look, created = dict(row.settings.get("look", {})), row.created_at.isoformat()
    return {"object": "support_inbox", "id": str(row.pk), **values, **ids, "look": look, "created_at": created}
