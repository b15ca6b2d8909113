"""Exports and erasures."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView
from apps.core.datakinds import Texts
from apps.core.errors import InvalidRequest
from apps.core.rest import CreatedCursorPagination
from apps.core.schema import READ, WRITE, problems
from apps.privacy import services
from apps.privacy.api.serializers import (
    CreateErasure,
    CreateExport,
    ErasureBody,
    ErasurePreviewBody,
    ExportBody,
    erasure_body,
    export_body,
    fresh,
    parse_id,
    parsed,
)
from apps.privacy.models import Erasure, Export, Scope

TAGS = ["Privacy"]
PAGED = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
    OpenApiParameter("cursor", str, description="From `next` of the page before."),
]


class ExportsView(AsyncAPIView):
    """Asking for an export, and listing those one may see."""

    pagination_class = CreatedCursorPagination

    @extend_schema(
        operation_id="create_privacy_export",
        summary="Ask for an export",
        description="A ZIP of everything about the organization (`privacy:manage`), about a `person` in it, or, with "
        "`scope: account`, about oneself, signed in. It is written in its turn: get it until `status` is `succeeded`.",
        tags=TAGS,
        request=CreateExport,
        responses={202: ExportBody, **problems(*WRITE, 404, 409)},
        examples=[OpenApiExample("The organization", request_only=True, value={"scope": "organization"})],
    )
    async def post(self, request: Request) -> Response:
        return Response(await sync_to_async(self._create)(request), status=202)

    @staticmethod
    def _create(request: Request) -> dict[str, Any]:
        values, actor = parsed(CreateExport, request), api_actor(request)
        fresh(request)
        if values["scope"] == Scope.MEMBER and not values.get("person"):
            raise InvalidRequest("Say whom the export is about.", param="person")
        export = services.request_export(actor, Scope(values["scope"]), values.get("person"))
        return export_body(export, actor)

    @extend_schema(
        operation_id="list_privacy_exports",
        summary="List exports, newest first",
        tags=TAGS,
        parameters=PAGED,
        responses={200: ExportBody(many=True), **problems(*READ, 400, 404)},
    )
    async def get(self, request: Request) -> Response:
        return await sync_to_async(self._page)(request)

    def _page(self, request: Request) -> Response:
        actor, pages = api_actor(request), CreatedCursorPagination()
        with tenancy.scope(actor.organization_id):
            rows = Export.objects.visible_to(actor.user_id, services.MANAGE in actor.permissions)
            found: list[Export] = pages.paginate_queryset(rows, request, self) or []
            return pages.get_paginated_response([export_body(export, actor) for export in found])


class ExportView(AsyncAPIView):
    """One export as it stands."""

    @extend_schema(
        operation_id="get_privacy_export",
        summary="Get an export",
        tags=TAGS,
        parameters=[OpenApiParameter("export", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={200: ExportBody, **problems(*READ, 404)},
    )
    async def get(self, request: Request, export: str) -> Response:
        actor = api_actor(request)
        found = await sync_to_async(services.get_export)(actor, parse_id(export, "export"))
        return Response(export_body(found, actor))


class ErasuresView(AsyncAPIView):
    """Asking for the erasure of a person, and listing those one may see."""

    pagination_class = CreatedCursorPagination

    @extend_schema(
        operation_id="create_privacy_erasure",
        summary="Erase a person",
        description="Takes a `person` out of the organization (`privacy:manage`), or, with `scope: account`, oneself "
        "out of everything. It cannot be taken back; `erasures/preview` counts first.",
        tags=TAGS,
        request=CreateErasure,
        responses={202: ErasureBody, **problems(*WRITE, 404, 409)},
    )
    async def post(self, request: Request) -> Response:
        return Response(await sync_to_async(self._create)(request), status=202)

    @staticmethod
    def _create(request: Request) -> dict[str, Any]:
        values, actor = parsed(CreateErasure, request), api_actor(request)
        fresh(request)
        scope, texts = Scope(values["scope"]), Texts(values["texts"])
        return erasure_body(services.request_erasure(actor, scope, values.get("person"), texts))

    @extend_schema(
        operation_id="list_privacy_erasures",
        summary="List erasures, newest first",
        tags=TAGS,
        parameters=PAGED,
        responses={200: ErasureBody(many=True), **problems(*READ, 400, 404)},
    )
    async def get(self, request: Request) -> Response:
        return await sync_to_async(self._page)(request)

    def _page(self, request: Request) -> Response:
        actor, pages = api_actor(request), CreatedCursorPagination()
        with tenancy.scope(actor.organization_id):
            rows = Erasure.objects.visible_to(actor.user_id, services.MANAGE in actor.permissions)
            found: list[Erasure] = pages.paginate_queryset(rows, request, self) or []
            return pages.get_paginated_response([erasure_body(erasure) for erasure in found])


class ErasurePreviewView(AsyncAPIView):
    """What an erasure would change, counted and not done."""

    @extend_schema(
        operation_id="preview_privacy_erasure",
        summary="Count what an erasure would change",
        tags=TAGS,
        parameters=[
            OpenApiParameter("scope", enum=[Scope.MEMBER, Scope.ACCOUNT], default=Scope.MEMBER),
            OpenApiParameter("person", OpenApiTypes.UUID),
        ],
        responses={200: ErasurePreviewBody, **problems(*READ, 400, 404, 409)},
    )
    async def get(self, request: Request) -> Response:
        return Response(await sync_to_async(self._count)(request))

    @staticmethod
    def _count(request: Request) -> dict[str, Any]:
        scope, person = request.query_params.get("scope", Scope.MEMBER), request.query_params.get("person")
        if scope not in {Scope.MEMBER, Scope.ACCOUNT}:
            raise InvalidRequest("scope must be member or account.", param="scope")
        fates = services.preview(api_actor(request), Scope(scope), parse_id(person, "person") if person else None)
        return {"object": "privacy.erasure_preview", "counts": {fate.kind.name: fate.rows for fate in fates}}


class ErasureView(AsyncAPIView):
    """One erasure as it stands."""

    @extend_schema(
        operation_id="get_privacy_erasure",
        summary="Get an erasure",
        tags=TAGS,
        parameters=[OpenApiParameter("erasure", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={200: ErasureBody, **problems(*READ, 404)},
    )
    async def get(self, request: Request, erasure: str) -> Response:
        found = await sync_to_async(services.get_erasure)(api_actor(request), parse_id(erasure, "erasure"))
        return Response(erasure_body(found))
