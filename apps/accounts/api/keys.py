"""API keys as REST resources; secrets are in the answers to their creation and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import services
from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.accounts.models import ApiKey
from apps.accounts.permissions import KEY_SCOPES
from apps.accounts.services.keys import LONGEST_OVERLAP, MOST_NETWORKS, NO_KEY
from apps.accounts.sudo import require_recent
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.fields import StrictSerializer, Text, WholeNumber
from apps.core.schema import READ, WRITE, problems

TAGS = ["Keys"]
MANAGE = "keys:manage"


class KeyBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["api_key"])
    name = serializers.CharField()
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    permissions = serializers.ListField(
        child=serializers.CharField(), help_text="The scopes that whoever it belongs to may still do."
    )
    allowed_networks = serializers.ListField(child=serializers.CharField())
    owner = serializers.CharField(help_text="A member's address, or the service account's name; empty when gone.")
    service_account = serializers.UUIDField(allow_null=True)
    replaces = serializers.UUIDField(allow_null=True, help_text="The key that this one was rotated from.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_address = serializers.CharField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewKeyBody(KeyBody):
    secret = serializers.CharField(help_text="Shown this once.")


def key_body(key: ApiKey) -> dict[str, Any]:
    return {
        "id": str(key.pk),
        "object": "api_key",
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "permissions": sorted(key.permissions),
        "allowed_networks": key.allowed_networks,
        "owner": key.owner_name,
        "service_account": str(key.service_account_id) if key.service_account_id else None,
        "replaces": str(key.replaces_id) if key.replaces_id else None,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "last_used_address": key.last_used_address,
        "revoked_at": key.revoked_at,
    }


class CreateKey(StrictSerializer):
    name = Text(max_length=80)
    scopes = serializers.ListField(child=serializers.ChoiceField(list(KEY_SCOPES)), min_length=1)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    allowed_networks = serializers.ListField(
        child=Text(max_length=60), required=False, max_length=MOST_NETWORKS, help_text="Addresses or CIDR networks."
    )
    service_account = serializers.UUIDField(required=False, allow_null=True, help_text="Else the key is your own.")


class RotateKey(StrictSerializer):
    overlap_seconds = WholeNumber(
        required=False,
        default=0,
        min_value=0,
        max_value=int(LONGEST_OVERLAP.total_seconds()),
        help_text="How long the old key goes on working.",
    )


class KeysView(AsyncAPIView):
    """The organization's keys, revoked ones included."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_api_keys",
        summary="List API keys, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: KeyBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MANAGE)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, ApiKey.objects.for_pages())
            return listed(answer, [key_body(key) for key in found])

    @extend_schema(
        operation_id="create_api_key",
        summary="Create an API key",
        description="With the session of a member who has proved who they are within the last minutes; no key makes "
        "keys.",
        tags=TAGS,
        request=CreateKey,
        responses={201: NewKeyBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(CreateKey, request, MANAGE)
        require_recent(request._request)
        limits = services.KeyLimits(
            expires_at=values.get("expires_at"),
            networks=values.get("allowed_networks", ()),
            service_account_id=values.get("service_account"),
        )
        return _created(services.create_api_key(api_actor(request), values["name"], values["scopes"], limits))


class KeyView(AsyncAPIView):
    """One key."""

    @extend_schema(
        operation_id="get_api_key",
        summary="Get an API key",
        tags=TAGS,
        parameters=[ID],
        responses={200: KeyBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(key_body(services.get_api_key(api_actor(request), parse_id(id, NO_KEY))))

    @extend_schema(
        operation_id="revoke_api_key",
        summary="Revoke an API key",
        description="At once, its open streams included. Revoking it again changes nothing.",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        services.revoke_api_key(api_actor(request), parse_id(id, NO_KEY))
        return Response(status=204)


class RotateKeyView(AsyncAPIView):
    """Exchanging a key."""

    @extend_schema(
        operation_id="rotate_api_key",
        summary="Rotate an API key",
        description="A new secret at once; the old key works for `overlap_seconds` longer.",
        tags=TAGS,
        parameters=[ID],
        request=RotateKey,
        responses={201: NewKeyBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values = checked(RotateKey, request, MANAGE)
        require_recent(request._request)
        overlap = timedelta(seconds=values["overlap_seconds"])
        return _created(services.rotate_api_key(api_actor(request), parse_id(id, NO_KEY), overlap))


def _created(made: tuple[ApiKey, str]) -> Response:
    key, secret = made
    return Response(key_body(key) | {"secret": secret}, status=201)
