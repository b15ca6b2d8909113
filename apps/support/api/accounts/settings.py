"""Labels and ready texts in Chatwoot's account API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.fields import Text
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support.access import MANAGE, READ
from apps.support.api.accounts.base import AT_ROW, IN_ACCOUNT, TAGS, AccountView, Lenient
from apps.support.api.accounts.bodies import OBJECT
from apps.support.api.told_errors import unprocessable as problems
from apps.support.chatwoot.colours import nearest, palette
from apps.support.models import CannedReply, Label, Numbered
from apps.support.services import setup
from apps.support.services.numbers import Numbers, row_of

LABEL_NAMES = {"about": "description", "colour": "color"}
CANNED_NAMES = {"code": "short_code"}


class AccountLabelBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    title = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    color = serializers.CharField()
    show_on_sidebar = serializers.BooleanField()


class AccountLabelListBody(serializers.Serializer[Any]):
    payload = AccountLabelBody(many=True)


class AccountCannedBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    account_id = serializers.IntegerField()
    short_code = serializers.CharField()
    content = serializers.CharField()
    created_at = serializers.DateTimeField()


class WriteAccountLabel(Lenient):
    title = Text(required=False, max_length=40)
    description = Text(required=False, allow_null=True, allow_blank=True, max_length=200)
    color = Text(required=False, allow_null=True, max_length=7, help_text="The nearest of the palette is taken.")


class WriteAccountCanned(Lenient):
    short_code = Text(required=False, max_length=40)
    content = Text(required=False, max_length=5_000)


# ---------------------------------------------------------------- labels


def label_body(row: Label, numbers: Numbers) -> dict[str, Any]:
    return {
        "id": numbers(Numbered.LABEL, row.pk),
        "title": row.title,
        "description": row.about,
        "color": palette()[row.colour],
        "show_on_sidebar": True,
    }


def _label_values(values: dict[str, Any]) -> dict[str, Any]:
    found = {"title": values["title"]} if "title" in values else {}
    if "description" in values:
        found["about"] = values["description"] or ""
    return found | ({"colour": nearest(values["color"])} if values.get("color") else {})


class AccountLabelsListView(AccountView):
    """Labels of the desk."""

    their_names = LABEL_NAMES
    pagination_class = None

    @extend_schema(
        operation_id="list_account_labels",
        summary="List labels",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountLabelListBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            numbers, rows = Numbers(actor.organization_id), list(setup.listing(actor, "label"))
            numbers.want(Numbered.LABEL, [row.pk for row in rows])
            return Response({"payload": [label_body(row, numbers) for row in rows]})

    @extend_schema(
        operation_id="create_account_label",
        summary="Add a label",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=WriteAccountLabel,
        responses={200: AccountLabelBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = _label_values(self.taken(WriteAccountLabel, request))
        with tenancy.scope(actor.organization_id):
            return Response(label_body(setup.create(actor, "label", values), Numbers(actor.organization_id)))


class AccountLabelView(AccountView):
    """One label."""

    their_names = LABEL_NAMES

    @extend_schema(
        operation_id="get_account_label",
        summary="Get a label",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountLabelBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            row = setup.get(actor, "label", row_of(Numbered.LABEL, id, setup.MISSING))
            return Response(label_body(row, Numbers(actor.organization_id)))

    @extend_schema(
        operation_id="change_account_label",
        summary="Change a label",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountLabel,
        responses={200: AccountLabelBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = _label_values(self.taken(WriteAccountLabel, request))
        with tenancy.scope(actor.organization_id):
            row = setup.change(actor, "label", row_of(Numbered.LABEL, id, setup.MISSING), values)
            return Response(label_body(row, Numbers(actor.organization_id)))

    @extend_schema(
        operation_id="delete_account_label",
        summary="Delete a label",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: OBJECT, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        with tenancy.scope(actor.organization_id):
            setup.delete(actor, "label", row_of(Numbered.LABEL, id, setup.MISSING))
        return Response({})


# ---------------------------------------------------------------- ready texts


def canned_body(row: CannedReply, numbers: Numbers) -> dict[str, Any]:
    return {
        "id": numbers(Numbered.CANNED, row.pk),
        "account_id": numbers.account,
        "short_code": row.code,
        "content": row.content,
        "created_at": row.created_at.isoformat(),
    }


def _canned_values(values: dict[str, Any]) -> dict[str, Any]:
    names = {"short_code": "code", "content": "content"}
    return {ours: values[theirs] for theirs, ours in names.items() if theirs in values}


class AccountCannedListView(AccountView):
    """Ready texts."""

    their_names = CANNED_NAMES
    pagination_class = None

    @extend_schema(
        operation_id="list_account_canned_responses",
        summary="List ready texts",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        responses={200: AccountCannedBody(many=True), **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            numbers, rows = Numbers(actor.organization_id), list(setup.listing(actor, "canned"))
            numbers.want(Numbered.CANNED, [row.pk for row in rows])
            return Response([canned_body(row, numbers) for row in rows])

    @extend_schema(
        operation_id="create_account_canned_response",
        summary="Add a ready text",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=WriteAccountCanned,
        responses={200: AccountCannedBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = _canned_values(self.taken(WriteAccountCanned, request))
        with tenancy.scope(actor.organization_id):
            return Response(canned_body(setup.create(actor, "canned", values), Numbers(actor.organization_id)))


class AccountCannedView(AccountView):
    """One ready text."""

    their_names = CANNED_NAMES

    @extend_schema(
        operation_id="change_account_canned_response",
        summary="Change a ready text",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountCanned,
        responses={200: AccountCannedBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = _canned_values(self.taken(WriteAccountCanned, request))
        with tenancy.scope(actor.organization_id):
            row = setup.change(actor, "canned", row_of(Numbered.CANNED, id, setup.MISSING), values)
            return Response(canned_body(row, Numbers(actor.organization_id)))

    @extend_schema(
        operation_id="delete_account_canned_response",
        summary="Delete a ready text",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: OBJECT, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        with tenancy.scope(actor.organization_id):
            setup.delete(actor, "canned", row_of(Numbered.CANNED, id, setup.MISSING))
        return Response({})
