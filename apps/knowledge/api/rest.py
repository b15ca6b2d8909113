"""Collections, documents and searching over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.core import ratelimit, tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import InvalidRequest
from apps.core.ratelimit import Bucket
from apps.core.schema import READ as READ_FAILURES
from apps.core.schema import WRITE as WRITE_FAILURES
from apps.core.schema import problems
from apps.knowledge import reading
from apps.knowledge import services as knowledge
from apps.knowledge.access import READ, WRITE
from apps.knowledge.api import bodies
from apps.knowledge.models import Collection, Source, SourceVersion
from apps.knowledge.reading import NO_COLLECTION, NO_SOURCE

TAGS = ["Knowledge"]
COLLECTION = OpenApiParameter("collection", OpenApiTypes.UUID, description="Documents of this collection alone.")


class CollectionsView(AsyncAPIView):
    """All collections."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_collections",
        summary="List collections, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: bodies.CollectionBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Collection.objects.all())
            return listed(answer, [bodies.collection_body(row) for row in found])

    @extend_schema(
        operation_id="create_collection",
        summary="Make a collection",
        tags=TAGS,
        request=bodies.WriteCollection,
        responses={201: bodies.CollectionBody, **problems(*WRITE_FAILURES, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.WriteCollection, request, WRITE)
        row = knowledge.create_collection(api_actor(request), **values)
        return Response(bodies.collection_body(row), status=201)


class CollectionView(AsyncAPIView):
    """One collection."""

    @extend_schema(
        operation_id="get_collection",
        summary="Get a collection",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.CollectionBody, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        row = knowledge.get_collection(api_actor(request), _id(request, READ, id, NO_COLLECTION))
        return Response(bodies.collection_body(row))

    @extend_schema(
        operation_id="change_collection",
        summary="Give a collection another name or description",
        tags=TAGS,
        parameters=[ID],
        request=bodies.WriteCollection,
        responses={200: bodies.CollectionBody, **problems(*WRITE_FAILURES, 404, 409)},
    )
    @in_thread
    def put(self, request: Request, id: str) -> Response:
        values = checked(bodies.WriteCollection, request, WRITE)
        row = knowledge.change_collection(api_actor(request), parse_id(id, NO_COLLECTION), **values)
        return Response(bodies.collection_body(row))

    @extend_schema(
        operation_id="delete_collection",
        summary="Delete a collection with its documents, passages and files",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        knowledge.delete_collection(api_actor(request), _id(request, WRITE, id, NO_COLLECTION))
        return Response(status=204)


class DocumentsView(AsyncAPIView):
    """All documents."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_knowledge_documents",
        summary="List documents with how far they have got, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, COLLECTION],
        responses={200: bodies.DocumentBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        rows = {"collection_id": _chosen(request)} if "collection" in request.query_params else {}
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Source.objects.filter(**rows))
            return listed(answer, [bodies.document_body(each) for each in reading.with_versions(found)])

    @extend_schema(
        operation_id="add_knowledge_document",
        summary="Add a text or a web page",
        description="It is read in the background: `status` becomes `succeeded`, or `failed` with a `reason`.",
        tags=TAGS,
        request=bodies.AddDocument,
        responses={201: bodies.DocumentBody, **problems(*WRITE_FAILURES, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.AddDocument, request, WRITE)
        actor, collection = api_actor(request), values["collection"]
        if "url" in values:
            version = knowledge.add_url(actor, collection, values["url"])
        else:
            version = knowledge.add_text(actor, collection, values["title"], values["text"])
        return _added(version)


class FilesView(AsyncAPIView):
    """Uploads."""

    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="upload_knowledge_document",
        summary="Upload a document",
        description="It is read in the background: `status` becomes `succeeded`, or `failed` with a `reason`.",
        tags=TAGS,
        request={"multipart/form-data": bodies.UploadDocument},
        responses={201: bodies.DocumentBody, **problems(*WRITE_FAILURES, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.UploadDocument, request, WRITE)
        actor = api_actor(request)
        version = knowledge.add_file(actor, values["collection"], values["file"], values.get("title", ""))
        return _added(version)


class DocumentView(AsyncAPIView):
    """One document."""

    @extend_schema(
        operation_id="get_knowledge_document",
        summary="Get a document and how far it has got",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.DocumentBody, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        found = knowledge.get_source(actor, _id(request, READ, id, NO_SOURCE))
        with tenancy.scope(actor.organization_id):
            [each] = reading.with_versions([found])
        return Response(bodies.document_body(each))

    @extend_schema(
        operation_id="delete_knowledge_document",
        summary="Delete a document with its passages and files",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        knowledge.delete_source(api_actor(request), _id(request, WRITE, id, NO_SOURCE))
        return Response(status=204)


class SearchView(AsyncAPIView):
    """Finding passages."""

    @extend_schema(
        operation_id="search_knowledge",
        summary="Find the passages that answer a question",
        tags=TAGS,
        request=bodies.SearchPassages,
        responses={200: bodies.PassageList, **problems(*WRITE_FAILURES)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.SearchPassages, request, READ)
        actor = api_actor(request)
        self.answer_headers |= _charge(actor)
        found = knowledge.search(actor, values["query"], values.get("limit", 8), values.get("collections"))
        return Response({"object": "list", "data": [bodies.passage_body(row) for row in found]})


def _charge(actor: Actor) -> dict[str, str]:
    """A search counts as one of the minute's requests."""
    limits = billing.limits_of(actor.organization_id)
    levels = ratelimit.charge(str(actor.organization_id), [Bucket("requests", limits.requests_per_minute, 1)])
    return ratelimit.headers(levels)


def _id(request: Request, permission: str, id: str, message: str) -> UUID:
    """The id in the path, for whoever may act at all."""
    api_actor(request).require(permission)
    return parse_id(id, message)


def _chosen(request: Request) -> UUID:
    try:
        return UUID(request.query_params["collection"])
    except ValueError:
        raise InvalidRequest("collection must be an id.", param="collection") from None


def _added(version: SourceVersion) -> Response:
    answer: dict[str, Any] = bodies.document_body(reading.Listed(version.document, version))
    return Response(answer, status=201)
