"""Webhooks in Chatwoot's account API: endpoints that are sent its messages."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest, NotFound
from apps.core.fields import Text
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support.api.accounts.base import AT_ROW, IN_ACCOUNT, TAGS, AccountView, Lenient
from apps.support.api.accounts.bodies import OBJECT
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import Numbered
from apps.support.services.numbers import Numbers, row_of
from apps.support.webhook_formats import NAMES
from apps.webhooks import services as webhooks
from apps.webhooks.access import MANAGE as HOOKS
from apps.webhooks.models import Endpoint, EndpointKind, Format
from apps.webhooks.models.endpoints import LONGEST_URL
from apps.webhooks.services.endpoints import NO_ENDPOINT

OURS = {theirs: ours for ours, theirs in NAMES.items()}


class AccountWebhookBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField(allow_blank=True)
    url = serializers.CharField()
    account_id = serializers.IntegerField()
    subscriptions = serializers.ListField(child=serializers.CharField())
    secret = serializers.CharField(required=False, help_text="Shown this once: signs what is sent.")


class AccountWebhookListBody(serializers.Serializer[Any]):
    payload = serializers.DictField(help_text="`webhooks`.")


class AccountOneWebhookBody(serializers.Serializer[Any]):
    payload = serializers.DictField(help_text="`webhook`.")


class WriteAccountWebhook(Lenient):
    url = Text(required=False, max_length=LONGEST_URL)
    name = Text(required=False, allow_null=True, allow_blank=True, max_length=200)
    subscriptions = serializers.ListField(child=Text(max_length=60), required=False, max_length=30)


def webhook_body(row: Endpoint, numbers: Numbers) -> dict[str, Any]:
    return {
        "id": numbers(Numbered.ENDPOINT, row.pk),
        "name": row.description,
        "url": row.url,
        "account_id": numbers.account,
        "subscriptions": sorted(NAMES[each] for each in row.types or NAMES if each in NAMES),
    }


def _endpoint_values(given: dict[str, Any]) -> dict[str, Any]:
    """Events that are none here, such as typing, are passed over: what is subscribed to, the answer says."""
    found = {"url": given["url"]} if "url" in given else {}
    if "name" in given:
        found["description"] = given["name"] or ""
    if "subscriptions" in given:
        found["types"] = sorted(OURS[each] for each in set(given["subscriptions"]) & set(OURS))
        if not found["types"]:
            raise InvalidRequest("None of these events is sent from here.", param="subscriptions")
    return found


class _WebhookView(AccountView):
    def values(self, request: Request) -> dict[str, Any]:
        """Also where the body has them under `webhook`."""
        given = self.taken(WriteAccountWebhook, request)
        inner = dict(request.data).get("webhook")
        if isinstance(inner, dict):
            body = WriteAccountWebhook(data=inner)
            body.is_valid(raise_exception=True)
            given = body.validated_data | given
        return _endpoint_values(given)


class AccountWebhooksView(_WebhookView):
    """Endpoints that are sent Chatwoot's messages."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_webhooks",
        summary="List webhooks",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountWebhookListBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, HOOKS)
        with tenancy.scope(actor.organization_id):
            rows = Endpoint.objects.filter(kind=EndpointKind.EVENTS, format=Format.CHATWOOT).order_by("id")
            numbers = Numbers(actor.organization_id)
            numbers.want(Numbered.ENDPOINT, [row.pk for row in rows])
            return Response({"payload": {"webhooks": [webhook_body(row, numbers) for row in rows]}})

    @extend_schema(
        operation_id="create_account_webhook",
        summary="Have Chatwoot's messages sent to an address",
        description="`subscriptions` are Chatwoot's names of events.",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=WriteAccountWebhook,
        responses={200: AccountOneWebhookBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, HOOKS)
        values = self.values(request)
        with tenancy.scope(actor.organization_id):
            row, secret = webhooks.create_endpoint(actor, values.pop("url", ""), format=Format.CHATWOOT, **values)
            told = webhook_body(row, Numbers(actor.organization_id)) | {"secret": secret}
            return Response({"payload": {"webhook": told}})


class AccountWebhookView(_WebhookView):
    """One of them."""

    def _found(self, id: str) -> Endpoint:
        rows = Endpoint.objects.filter(kind=EndpointKind.EVENTS, format=Format.CHATWOOT)
        row: Endpoint | None = rows.filter(pk=row_of(Numbered.ENDPOINT, id, NO_ENDPOINT)).first()
        if row is None:
            raise NotFound(NO_ENDPOINT)
        return row

    @extend_schema(
        operation_id="change_account_webhook",
        summary="Change a webhook",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountWebhook,
        responses={200: AccountOneWebhookBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, HOOKS)
        values = self.values(request)
        with tenancy.scope(actor.organization_id):
            row = webhooks.change_endpoint(actor, self._found(id).pk, values)
            return Response({"payload": {"webhook": webhook_body(row, Numbers(actor.organization_id))}})

    @extend_schema(
        operation_id="delete_account_webhook",
        summary="Delete a webhook with its messages",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: OBJECT, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, HOOKS)
        with tenancy.scope(actor.organization_id):
            webhooks.delete_endpoint(actor, self._found(id).pk)
        return Response({})
