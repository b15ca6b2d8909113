"""Addresses for calls in over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.billing.services.ingest import WRITE_USAGE
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.fields import Flag, OneOf, StrictSerializer, Text
from apps.core.schema import READ, WRITE, problems
from apps.webhooks.access import MANAGE
from apps.webhooks.mapping import LONGEST_TEXT
from apps.webhooks.models import CallState, InboundCall, InboundHook, Sender
from apps.webhooks.services import inbound
from apps.webhooks.services.inbound import LONGEST_NAME, LONGEST_SECRET, NO_HOOK

TAGS = ["Webhooks"]


class HookBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["inbound_hook"])
    name = serializers.CharField()
    url = serializers.CharField(help_text="What is called.")
    sender = serializers.ChoiceField(Sender.choices)
    action = serializers.CharField()
    mapping = serializers.DictField(child=serializers.CharField())
    enabled = serializers.BooleanField()
    created_by = serializers.UUIDField(allow_null=True, help_text="In whose name it acts.")
    api_key = serializers.UUIDField(
        allow_null=True, help_text="The key through which it was set up: it acts as long as that key works."
    )
    created_at = serializers.DateTimeField()


class NewHookBody(HookBody):
    secret = serializers.CharField(allow_null=True, help_text="Shown this once; null where you gave it.")


class CallBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["inbound_call"])
    key = serializers.CharField(help_text="By which a repeated call is known.")
    status = serializers.ChoiceField(CallState.choices)
    result = serializers.UUIDField(allow_null=True, help_text="The id of what it has made.")
    error_code = serializers.CharField(allow_blank=True)
    error_message = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class TrialBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["inbound_trial"])
    inputs = serializers.DictField()
    missing = serializers.ListField(child=serializers.CharField())


class _Paths(serializers.DictField):
    """From where each input is taken: a JSONPath that begins with `$`, or a text."""

    child = Text(max_length=LONGEST_TEXT)


class ChangeHook(StrictSerializer):
    name = Text(max_length=LONGEST_NAME, required=False)
    action = Text(max_length=40, required=False)
    mapping = _Paths(required=False)
    enabled = Flag(required=False)


class WriteHook(ChangeHook):
    name = Text(max_length=LONGEST_NAME)
    sender = OneOf(choices=Sender.values)
    action = Text(max_length=40)
    mapping = _Paths()
    secret = Text(max_length=LONGEST_SECRET, required=False, help_text="Of senders that make it themselves.")


class WriteSecret(StrictSerializer):
    secret = Text(max_length=LONGEST_SECRET, required=False)


class TryPayload(StrictSerializer):
    body = Text(max_length=300_000)
    mapping = _Paths(required=False)


class HooksView(AsyncAPIView):
    """All addresses for calls in."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_inbound_hooks",
        summary="List addresses for calls in, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: HookBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MANAGE)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, InboundHook.objects.all())
            return listed(answer, [hook_body(row) for row in found])

    @extend_schema(
        operation_id="create_inbound_hook",
        summary="Open an address for calls in",
        tags=TAGS,
        request=WriteHook,
        responses={201: NewHookBody, **problems(*WRITE, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(WriteHook, request, MANAGE, WRITE_USAGE)
        row, secret = inbound.create_hook(api_actor(request), values, values.pop("secret", ""))
        return Response(hook_body(row) | {"secret": secret or None}, status=201)


class HookView(AsyncAPIView):
    """One address for calls in."""

    @extend_schema(
        operation_id="get_inbound_hook",
        summary="Get an address for calls in",
        tags=TAGS,
        parameters=[ID],
        responses={200: HookBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(hook_body(inbound.get_hook(api_actor(request), _id(request, id))))

    @extend_schema(
        operation_id="change_inbound_hook",
        summary="Change an address for calls in",
        description="It acts in the name of whoever has changed it last.",
        tags=TAGS,
        parameters=[ID],
        request=ChangeHook,
        responses={200: HookBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        values = checked(ChangeHook, request, MANAGE, WRITE_USAGE)
        return Response(hook_body(inbound.change_hook(api_actor(request), _id(request, id), values)))

    @extend_schema(
        operation_id="delete_inbound_hook",
        summary="Close an address for calls in",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        inbound.delete_hook(api_actor(request), _id(request, id))
        return Response(status=204)


class SecretView(AsyncAPIView):
    """Another secret."""

    @extend_schema(
        operation_id="change_inbound_secret",
        summary="Change the secret; the one before counts for a day more",
        tags=TAGS,
        parameters=[ID],
        request=WriteSecret,
        responses={200: NewHookBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values = checked(WriteSecret, request, MANAGE)
        row, secret = inbound.change_secret(api_actor(request), _id(request, id), values.get("secret", ""))
        return Response(hook_body(row) | {"secret": secret or None})


class TryView(AsyncAPIView):
    """What would become of a payload."""

    @extend_schema(
        operation_id="try_inbound_hook",
        summary="See which inputs a mapping finds in a payload",
        tags=TAGS,
        parameters=[ID],
        request=TryPayload,
        responses={200: TrialBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values, actor = checked(TryPayload, request, MANAGE), api_actor(request)
        hook = inbound.get_hook(actor, _id(request, id))
        trial = inbound.try_payload(actor, hook.action, values.get("mapping", hook.mapping), values["body"])
        return Response({"object": "inbound_trial", "inputs": trial.inputs, "missing": trial.missing})


class CallsView(AsyncAPIView):
    """What has come in."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_inbound_calls",
        summary="List the calls of an address, newest first",
        tags=TAGS,
        parameters=[ID, LIMIT, CURSOR],
        responses={200: CallBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        hook = inbound.get_hook(actor, _id(request, id))
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, InboundCall.objects.filter(hook=hook).defer("payload"))
            return listed(answer, [call_body(row) for row in found])


def hook_body(row: InboundHook) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "object": "inbound_hook",
        "name": row.name,
        "url": f"{settings.BASE_URL}{reverse('inbound-call', args=[row.pk])}",
        "sender": row.sender,
        "action": row.action,
        "mapping": row.mapping,
        "enabled": row.enabled,
        "created_by": str(row.created_by_id) if row.created_by_id else None,
        "api_key": str(row.api_key_id) if row.api_key_id else None,
        "created_at": row.created_at.isoformat(),
    }


def call_body(row: InboundCall) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "object": "inbound_call",
        "key": row.key,
        "status": row.state,
        "result": str(row.result) if row.result else None,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "created_at": row.created_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
    }


def _id(request: Request, id: str) -> UUID:
    api_actor(request).require(MANAGE)
    return parse_id(id, NO_HOOK)
