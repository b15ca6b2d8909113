"""Definitions of custom attributes in Chatwoot's account API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest
from apps.core.fields import Text
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support.access import MANAGE, READ
from apps.support.api.accounts.base import AT_ROW, IN_ACCOUNT, TAGS, AccountView, Lenient
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import AttributeDefinition, AttributeKind, AttributeOf, Numbered
from apps.support.services import setup
from apps.support.services.numbers import Numbers, row_of

# Chatwoot's names, and the numbers that its documentation has for them.
MODELS = {"conversation_attribute": AttributeOf.CONVERSATION, "contact_attribute": AttributeOf.CONTACT}
NAMES = {of: name for name, of in MODELS.items()}
BY_NUMBER = dict(enumerate(MODELS))
KINDS = dict(enumerate(AttributeKind.values))
OF = OpenApiParameter("attribute_model", str, description="`conversation_attribute` (0) or `contact_attribute` (1).")


class AccountAttributeBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    attribute_display_name = serializers.CharField()
    attribute_display_type = serializers.CharField()
    attribute_description = serializers.CharField(allow_blank=True)
    attribute_key = serializers.CharField()
    attribute_values = serializers.ListField(child=serializers.CharField())
    attribute_model = serializers.CharField()
    regex_pattern = serializers.CharField(allow_null=True)
    default_value = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


@extend_schema_field({"oneOf": [{"type": "string", "maxLength": 30}, {"type": "integer", "minimum": 0}]})
class Choice(serializers.Field[Any, Any, Any, Any]):
    """A name, or the number that Chatwoot has for it."""

    default_error_messages = {"invalid": "Must be one of Chatwoot's names, or its number."}

    def __init__(self, names: dict[int, str], **more: Any) -> None:
        self.names = names
        super().__init__(**more)

    def to_internal_value(self, data: Any) -> str:
        text = str(data)
        if text in self.names.values():
            return text
        if isinstance(data, bool) or not text.isdecimal() or len(text) > 2 or int(text) not in self.names:
            self.fail("invalid")
        return self.names[int(text)]

    def to_representation(self, value: Any) -> Any:
        return value


class WriteAccountAttribute(Lenient):
    """Also under `custom_attribute_definition`. What a pattern says is not checked here."""

    attribute_display_name = Text(required=False, max_length=80)
    attribute_display_type = Choice(KINDS, required=False)
    attribute_description = Text(required=False, allow_null=True, allow_blank=True, max_length=500)
    attribute_key = Text(required=False, max_length=60)
    attribute_values = serializers.ListField(child=Text(max_length=200), required=False, max_length=200)
    attribute_model = Choice(BY_NUMBER, required=False)


def attribute_body(row: AttributeDefinition, numbers: Numbers) -> dict[str, Any]:
    return {
        "id": numbers(Numbered.ATTRIBUTE, row.pk),
        "attribute_display_name": row.name,
        "attribute_display_type": str(row.kind),
        "attribute_description": row.about,
        "attribute_key": row.key,
        "attribute_values": row.choices,
        "attribute_model": NAMES[AttributeOf(row.of)],
        "regex_pattern": None,
        "default_value": None,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.changed_at.isoformat(),
    }


OURS = {
    "attribute_display_name": "name",
    "attribute_display_type": "kind",
    "attribute_description": "about",
    "attribute_key": "key",
    "attribute_values": "choices",
    "attribute_model": "of",
}


class _AttributeView(AccountView):
    their_names = {ours: theirs for theirs, ours in OURS.items()}

    def values(self, request: Request) -> dict[str, Any]:
        """By our names."""
        inner = dict(request.data).get("custom_attribute_definition")
        body = WriteAccountAttribute(data=inner if isinstance(inner, dict) else request.data)
        body.is_valid(raise_exception=True)
        given: dict[str, Any] = body.validated_data
        found = {OURS[name]: value for name, value in given.items()}
        if "about" in found:
            found["about"] = found["about"] or ""
        return found | ({"of": MODELS[found["of"]]} if "of" in found else {})


class AccountAttributesView(_AttributeView):
    """Definitions."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_attributes",
        summary="List definitions of custom attributes",
        tags=TAGS,
        parameters=[*IN_ACCOUNT, OF],
        responses={200: AccountAttributeBody(many=True), **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        wanted = request.query_params.get("attribute_model") or None
        if wanted is not None and wanted not in (*MODELS, "0", "1"):
            raise InvalidRequest("An attribute is a contact's or a conversation's.", param="attribute_model")
        with tenancy.scope(actor.organization_id):
            rows = setup.listing(actor, "attribute")
            if wanted is not None:
                rows = rows.filter(of=MODELS[BY_NUMBER[int(wanted)] if wanted.isdecimal() else wanted])
            numbers, found = Numbers(actor.organization_id), list(rows)
            numbers.want(Numbered.ATTRIBUTE, [row.pk for row in found])
            return Response([attribute_body(row, numbers) for row in found])

    @extend_schema(
        operation_id="create_account_attribute",
        summary="Define a custom attribute",
        description="A conversation's, unless `attribute_model` says otherwise. Values that are set from then on are "
        "checked against it.",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=WriteAccountAttribute,
        responses={200: AccountAttributeBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = {"of": AttributeOf.CONVERSATION} | self.values(request)
        with tenancy.scope(actor.organization_id):
            row = setup.create(actor, "attribute", values)
            return Response(attribute_body(row, Numbers(actor.organization_id)))


class AccountAttributeView(_AttributeView):
    """One definition."""

    @extend_schema(
        operation_id="get_account_attribute",
        summary="Get the definition of a custom attribute",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountAttributeBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            row = setup.get(actor, "attribute", row_of(Numbered.ATTRIBUTE, id, setup.MISSING))
            return Response(attribute_body(row, Numbers(actor.organization_id)))

    @extend_schema(
        operation_id="change_account_attribute",
        summary="Change the definition of a custom attribute",
        description="Values that are there stay as they are.",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountAttribute,
        responses={200: AccountAttributeBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        values = self.values(request)
        with tenancy.scope(actor.organization_id):
            row = setup.change(actor, "attribute", row_of(Numbered.ATTRIBUTE, id, setup.MISSING), values)
            return Response(attribute_body(row, Numbers(actor.organization_id)))

    @extend_schema(
        operation_id="delete_account_attribute",
        summary="Delete the definition of a custom attribute; its values stay",
        tags=TAGS,
        parameters=AT_ROW,
        responses={204: None, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        with tenancy.scope(actor.organization_id):
            setup.delete(actor, "attribute", row_of(Numbered.ATTRIBUTE, id, setup.MISSING))
        return Response(status=204)
