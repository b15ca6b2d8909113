"""Service accounts as REST resources."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import services
from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page, require_fresh
from apps.accounts.api.keys import MANAGE, TAGS
from apps.accounts.authentication import api_actor
from apps.accounts.models import Role, ServiceAccount
from apps.accounts.services.service_accounts import NO_ACCOUNT
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.fields import Flag, StrictSerializer, Text
from apps.core.schema import READ, WRITE, problems

ROLES = [(role.value, role.label) for role in Role if role is not Role.OWNER]


class ServiceAccountBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["service_account"])
    name = serializers.CharField()
    description = serializers.CharField()
    role = serializers.ChoiceField(ROLES)
    custom_role = serializers.UUIDField(allow_null=True)
    role_name = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())
    enabled = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def account_body(account: ServiceAccount) -> dict[str, Any]:
    return {
        "id": str(account.pk),
        "object": "service_account",
        "name": account.name,
        "description": account.description,
        "role": account.role,
        "custom_role": str(account.custom_role_id) if account.custom_role_id else None,
        "role_name": str(account.role_name),
        "permissions": sorted(account.permissions),
        "enabled": account.disabled_at is None,
        "created_at": account.created_at,
    }


class CreateServiceAccount(StrictSerializer):
    name = Text(max_length=60)
    description = Text(required=False, allow_blank=True, max_length=200)
    role = serializers.ChoiceField(ROLES)
    custom_role = serializers.UUIDField(required=False, help_text="With the role `custom`: which.")


class ChangeServiceAccount(StrictSerializer):
    name = Text(required=False, max_length=60)
    description = Text(required=False, allow_blank=True, max_length=200)
    role = serializers.ChoiceField(ROLES, required=False)
    custom_role = serializers.UUIDField(required=False)
    enabled = Flag(required=False, help_text="False stops all of its keys.")


class ServiceAccountsView(AsyncAPIView):
    """Programs that are nobody's in particular."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_service_accounts",
        summary="List service accounts, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: ServiceAccountBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MANAGE)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, ServiceAccount.objects.select_related("custom_role"))
            return listed(answer, [account_body(account) for account in found])

    @extend_schema(
        operation_id="create_service_account",
        summary="Create a service account",
        tags=TAGS,
        request=CreateServiceAccount,
        responses={201: ServiceAccountBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(CreateServiceAccount, request, MANAGE)
        require_fresh(request)
        account = services.create_service_account(
            api_actor(request),
            values["name"],
            values["role"],
            values.get("custom_role"),
            values.get("description", ""),
        )
        return Response(_shown(request, account), status=201)


class ServiceAccountView(AsyncAPIView):
    """One service account."""

    @extend_schema(
        operation_id="get_service_account",
        summary="Get a service account",
        tags=TAGS,
        parameters=[ID],
        responses={200: ServiceAccountBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(account_body(services.get_service_account(api_actor(request), parse_id(id, NO_ACCOUNT))))

    @extend_schema(
        operation_id="change_service_account",
        summary="Change a service account, or switch it off and on",
        tags=TAGS,
        parameters=[ID],
        request=ChangeServiceAccount,
        responses={200: ServiceAccountBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        values = checked(ChangeServiceAccount, request, MANAGE)
        require_fresh(request)
        actor, account_id = api_actor(request), parse_id(id, NO_ACCOUNT)
        role = (values["role"], values.get("custom_role")) if "role" in values else None
        account = services.change_service_account(
            actor, account_id, name=values.get("name"), description=values.get("description"), role=role
        )
        if "enabled" in values:
            account = services.switch_service_account(actor, account_id, on=values["enabled"])
        return Response(_shown(request, account))


def _shown(request: Request, account: ServiceAccount) -> dict[str, Any]:
    return account_body(services.get_service_account(api_actor(request), account.pk))
