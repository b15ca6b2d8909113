"""The audit log as a REST resource."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from asgiref.sync import sync_to_async
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.audit.presentation import as_json
from apps.accounts.audit.search import Filters, filters_of, page_of, position
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView
from apps.core.errors import InvalidRequest, NotFound
from apps.core.schema import READ, problems

DEFAULT_ROWS, MOST_ROWS = 20, 100


class Party(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class AuditActor(serializers.Serializer):
    kind = serializers.CharField(help_text="user, api_key, service_account, directory, staff, system or database.")
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField(help_text="As it was then.")
    impersonator = Party(allow_null=True, help_text="The member of staff who acted as this person.")


class AuditTarget(serializers.Serializer):
    type = serializers.CharField()
    id = serializers.UUIDField()
    name = serializers.CharField(help_text="As it was then.")


class AuditEntryBody(serializers.Serializer):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["audit_entry"])
    sequence = serializers.IntegerField(help_text="Counts the organization's entries from 1, without gaps.")
    created_at = serializers.DateTimeField()
    sentence = serializers.CharField(help_text="The entry in plain English.")
    action = serializers.CharField()
    actor = AuditActor()
    target = AuditTarget()
    address = serializers.CharField()
    agent = serializers.CharField()
    request_id = serializers.CharField()
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    detail = serializers.DictField()
    previous_hash = serializers.CharField()
    hash = serializers.CharField()


def _parameter(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, description=description)


class AuditView(AsyncAPIView):
    """The organization's entries, newest first."""

    @extend_schema(
        operation_id="list_audit_entries",
        summary="Read the audit log",
        tags=["Audit"],
        parameters=[
            _parameter("actor", "An id, or a part of a name."),
            _parameter("action", "An action such as api_key.created, or what stands before its dot."),
            _parameter("target", "An id, a type, or a part of a name."),
            _parameter("address", "Where it came from."),
            _parameter("text", "A part of anything in the entry."),
            _parameter("since", "A day or a time, included."),
            _parameter("until", "A day, included, or a time, not included."),
            _parameter("cursor", "As found in `next`."),
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS}),
        ],
        responses={
            200: OpenApiResponse(
                inline_serializer(
                    "AuditEntryList",
                    {
                        "object": serializers.ChoiceField(["list"]),
                        "data": AuditEntryBody(many=True),
                        "has_more": serializers.BooleanField(),
                        "next": serializers.URLField(allow_null=True),
                    },
                )
            ),
            **problems(400, *READ, 404),
        },
    )
    async def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require("audit:read")
        query = request.query_params.dict()
        found, older = await sync_to_async(_read)(
            actor.organization_id, filters_of(query), _limit(query.get("limit")), _cursor(query.get("cursor"))
        )
        next = f"{request.build_absolute_uri(request.path)}?{urlencode(query | {'cursor': older})}" if older else None
        return Response({"object": "list", "data": found, "has_more": older is not None, "next": next})


def _read(
    organization_id: UUID, filters: Filters, limit: int, before: int | None
) -> tuple[list[dict[str, Any]], int | None]:
    with tenancy.scope(organization_id):
        page = page_of(filters, before, size=limit)
        return [as_json(entry) for entry in page.rows], page.older


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_ROWS
    if not re.fullmatch(r"[0-9]{1,3}", given) or not 1 <= int(given) <= MOST_ROWS:
        raise InvalidRequest(f"limit must be between 1 and {MOST_ROWS}.", param="limit")
    return int(given)


def _cursor(given: str | None) -> int | None:
    place = position(given)
    if given is not None and place is None:
        raise NotFound("There is no such page: take the cursor from `next` of an earlier one.", param="cursor")
    return place
