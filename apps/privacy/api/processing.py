"""What is stored, and for how long."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.utils import translation
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.authentication import api_actor
from apps.core.api import AsyncAPIView
from apps.core.datakinds import DataKind, kinds, recipients
from apps.core.errors import InvalidRequest
from apps.core.schema import READ, WRITE, problems
from apps.privacy import services
from apps.privacy.api.serializers import ChangeTerm, DataBody, DueBody, TermBody, TermsBody, fresh, parsed
from apps.privacy.services.retention import LONGEST_DAYS

TAGS = ["Privacy"]
KIND = OpenApiParameter("kind", str, OpenApiParameter.PATH)


def _kind_body(kind: DataKind, days: int | None) -> dict[str, Any]:
    return {
        "name": kind.name,
        "what": str(kind.what),
        "why": str(kind.why),
        "basis": kind.basis,
        "where": str(kind.where),
        "days": days,
        "on_erasure": kind.erasure,
    }


class DataView(AsyncAPIView):
    """What is stored, why, where and for how long."""

    @extend_schema(
        operation_id="get_data_processing",
        summary="What is stored, and who is given it",
        tags=TAGS,
        responses={200: DataBody, **problems(*READ)},
    )
    async def get(self, request: Request) -> Response:
        return Response(await sync_to_async(self._data)(api_actor(request)))

    @staticmethod
    def _data(actor: Actor) -> dict[str, Any]:
        actor.require("privacy:read")
        days = {term.kind.name: term.days for term in services.terms(actor.organization_id)}
        with translation.override("en"):
            data = [_kind_body(kind, days.get(kind.name)) for kind in kinds()]
            given = [{"name": each.name, "where": each.where, "what": str(each.what)} for each in recipients()]
        return {"object": "data_processing", "data": data, "recipients": given}


def _term_body(term: services.Term) -> dict[str, Any]:
    bounds = term.kind.retention
    return {
        "kind": term.kind.name,
        "days": term.days,
        "least": bounds.least,
        "most": bounds.most,
        "chosen": term.chosen,
    }


class RetentionView(AsyncAPIView):
    """How long the organization keeps what it may choose a term for."""

    @extend_schema(
        operation_id="list_retention",
        summary="List how long each kind of data is kept",
        tags=TAGS,
        responses={200: TermsBody, **problems(*READ)},
    )
    async def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require("privacy:read")
        terms = await sync_to_async(services.terms)(actor.organization_id)
        return Response({"object": "list", "data": [_term_body(term) for term in terms]})


class TermView(AsyncAPIView):
    """One kind's term: counting what it would remove, and choosing it."""

    @extend_schema(
        operation_id="preview_retention",
        summary="Count what a term would remove",
        tags=TAGS,
        parameters=[
            KIND,
            OpenApiParameter("days", {"type": "integer", "minimum": 0, "maximum": LONGEST_DAYS}, required=True),
        ],
        responses={200: DueBody, **problems(*READ, 400, 404)},
    )
    async def get(self, request: Request, kind: str) -> Response:
        actor, days = api_actor(request), request.query_params.get("days", "")
        actor.require("privacy:read")
        if not (days.isascii() and days.isdigit() and len(days) <= 5):
            raise InvalidRequest("Give days, a whole number.", param="days")
        due = await sync_to_async(services.preview_term)(actor, kind, int(days))
        return Response({"kind": kind, "days": int(days), "due": due})

    @extend_schema(
        operation_id="set_retention",
        summary="Choose how long a kind of data is kept",
        description="Carried out every night. Without `days` it is kept for as long as the organization is there.",
        tags=TAGS,
        parameters=[KIND],
        request=ChangeTerm,
        responses={200: TermBody, **problems(*WRITE, 404)},
    )
    async def put(self, request: Request, kind: str) -> Response:
        return Response(await sync_to_async(self._choose)(request, kind))

    @staticmethod
    def _choose(request: Request, kind: str) -> dict[str, Any]:
        values = parsed(ChangeTerm, request)
        fresh(request)
        return _term_body(services.set_term(api_actor(request), kind, values.get("days")))
