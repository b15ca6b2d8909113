"""Endpoints, secrets and messages as JSON."""

from __future__ import annotations

import json
from typing import Any

from rest_framework import serializers

from apps.core.fields import Flag, OneOf, StrictSerializer, Text, WholeNumber
from apps.webhooks.messages import VERSIONS
from apps.webhooks.models import (
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    Endpoint,
    Format,
    Payload,
    Scheme,
    SigningSecret,
    Stopped,
)
from apps.webhooks.models.endpoints import LONGEST_URL
from apps.webhooks.services.endpoints import LONGEST_DESCRIPTION, LONGEST_OVERLAP_HOURS, MOST_AT_ONCE

STATUSES = ["enabled", *(each.value for each in Stopped if each.value)]


class EndpointBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["webhook_endpoint"])
    url = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    types = serializers.ListField(child=serializers.CharField(), help_text="Empty for all types.")
    version = serializers.CharField()
    payload = serializers.ChoiceField(Payload.choices)
    format = serializers.ChoiceField(Format.choices, help_text="Where it is `email`, `url` is a member's address.")
    at_once = serializers.IntegerField(help_text="Requests at the same time; 1 for one after the other.")
    status = serializers.ChoiceField(STATUSES)
    failing_since = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class SecretBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["webhook_secret"])
    scheme = serializers.ChoiceField(Scheme.choices)
    hint = serializers.CharField(help_text="The end of it.")
    public_key = serializers.CharField(allow_null=True, help_text="`whpk_…`, of v1a.")
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewSecretBody(SecretBody):
    secret = serializers.CharField(allow_null=True, help_text="`whsec_…`, shown this once; null for v1a.")


class NewEndpointBody(EndpointBody):
    secret = serializers.CharField(help_text="`whsec_…`, shown this once.")


class SecretList(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = SecretBody(many=True)  # type: ignore[assignment]


class DeliveryBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["webhook_delivery"])
    endpoint = serializers.UUIDField()
    message = serializers.CharField(help_text="Its `webhook-id`.")
    type = serializers.CharField()
    sequence = serializers.IntegerField(allow_null=True, help_text="The number of its event.")
    status = serializers.ChoiceField(DeliveryState.choices)
    tries = serializers.IntegerField()
    next_at = serializers.DateTimeField(allow_null=True)
    last_status = serializers.IntegerField(allow_null=True, help_text="Of the receiver's last answer.")
    last_error = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class AttemptBody(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    milliseconds = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_blank=True)
    request_headers = serializers.DictField()
    response_headers = serializers.DictField()
    response_body = serializers.CharField(allow_blank=True, help_text="Its beginning.")


class WholeDeliveryBody(DeliveryBody):
    url = serializers.CharField()
    body = serializers.DictField(
        allow_null=True, help_text="Null for the result of a job where you may not read texts (`generations:read`)."
    )
    attempts = AttemptBody(many=True)


class ReplayBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["webhook_replay"])
    count = serializers.IntegerField(help_text="Messages that are sent again.")


class WriteEndpoint(StrictSerializer):
    url = Text(max_length=LONGEST_URL)
    description = Text(max_length=LONGEST_DESCRIPTION, required=False, allow_blank=True)
    types = serializers.ListField(child=Text(max_length=80), required=False, max_length=50)
    version = OneOf(choices=VERSIONS, required=False)
    payload = OneOf(choices=Payload.values, required=False)
    format = OneOf(choices=Format.values, required=False)
    at_once = WholeNumber(min_value=1, max_value=MOST_AT_ONCE, required=False)


class ChangeEndpoint(WriteEndpoint):
    url = Text(max_length=LONGEST_URL, required=False)


class AddSecret(StrictSerializer):
    scheme = OneOf(choices=Scheme.values, required=False)
    expire_others_in_hours = WholeNumber(min_value=0, max_value=LONGEST_OVERLAP_HOURS, required=False)


class ReplayRange(StrictSerializer):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(required=False)
    failed_only = Flag(required=False)


def endpoint_body(row: Endpoint) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "object": "webhook_endpoint",
        "url": row.url,
        "description": row.description,
        "types": row.types,
        "version": row.version,
        "payload": row.payload,
        "format": row.format,
        "at_once": row.at_once,
        "status": row.stopped or "enabled",
        "failing_since": _moment(row.failing_since),
        "delivered_at": _moment(row.delivered_at),
        "created_at": _moment(row.created_at),
    }


def secret_body(row: SigningSecret) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "object": "webhook_secret",
        "scheme": row.scheme,
        "hint": row.hint,
        "public_key": row.public or None,
        "expires_at": _moment(row.expires_at),
        "created_at": _moment(row.created_at),
    }


def delivery_body(row: Delivery) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "object": "webhook_delivery",
        "endpoint": str(row.endpoint_id),
        "message": row.message,
        "type": row.type,
        "sequence": row.position,
        "status": row.state,
        "tries": row.tries,
        "next_at": _moment(row.next_at) if row.state == DeliveryState.WAITING else None,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "created_at": _moment(row.created_at),
        "finished_at": _moment(row.finished_at),
    }


def whole_delivery_body(row: Delivery, attempts: list[DeliveryAttempt], may_see: bool) -> dict[str, Any]:
    """With what it holds, and what was answered to that, for those who may see it."""
    whole = {"url": row.url or row.endpoint.url, "body": json.loads(row.body) if may_see else None}
    return delivery_body(row) | whole | {"attempts": [_attempt_body(each, may_see) for each in attempts]}


def _attempt_body(row: DeliveryAttempt, may_see: bool) -> dict[str, Any]:
    return {
        "number": row.number,
        "started_at": _moment(row.started_at),
        "milliseconds": row.milliseconds,
        "status": row.status,
        "error": row.error,
        "request_headers": row.request_headers,
        "response_headers": row.response_headers,
        "response_body": row.response_body if may_see else "",
    }


def _moment(value: Any) -> str | None:
    return value.isoformat() if value else None
