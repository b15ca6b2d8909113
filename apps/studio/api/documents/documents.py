"""Documents and folders over REST: If-Match, or merging from the revision that was read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import CURSOR, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import idempotency, tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import Conflict, Unprocessable
from apps.core.schema import IDEMPOTENCY_KEY, READ, WRITE, problems
from apps.studio.api.documents import bodies
from apps.studio.api.documents.base import ID, IF_MATCH, TAGS, asked, document_id, folder_in, revision_of, shown
from apps.studio.downloads import download
from apps.studio.models import Document
from apps.studio.services import documents, get_generation
from apps.studio.services.documents import NO_FOLDER

SEARCH = {"type": "string", "minLength": 1, "maxLength": 200}
ONE_TAG = {"type": "string", "minLength": 1, "maxLength": 40}
MAY_READ, MAY_WRITE = documents.READ, documents.WRITE
FOLDER = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
FORMAT = OpenApiParameter("format", str, OpenApiParameter.PATH, enum=["md", "html", "docx", "pdf", "txt"])


class DocumentsView(AsyncAPIView):
    """Finding documents, and writing new ones."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_documents",
        summary="List documents, newest first, or search them, best first",
        description="With `search` the answer is one page of at most 50, each with a `snippet`.",
        tags=TAGS,
        parameters=[
            LIMIT,
            CURSOR,
            OpenApiParameter("search", SEARCH, description="Words that must all be there, in English or Chinese."),
            OpenApiParameter("folder", OpenApiTypes.UUID),
            OpenApiParameter("tag", ONE_TAG),
            OpenApiParameter("trashed", bool, description="Those in the trash instead."),
        ],
        responses={200: bodies.FoundDocumentBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        query = asked(request)
        folder, tag, words = folder_in(query), query.get("tag", ""), query.get("search", "")
        if words:
            found = documents.search(actor, words, folder=folder, tag=tag)
            data = [_found(each) for each in found]
            return Response({"object": "list", "data": data, "has_more": False, "next": None})
        with tenancy.scope(actor.organization_id):
            trashed = query.get("trashed") == "true"
            rows = Document.objects.filter(deleted_at__isnull=False) if trashed else Document.objects.present()
            rows = documents.listed(rows.defer("text"), folder, tag)
            rows, answer = page(request, rows)
            return listed(answer, [bodies.document_body(row, with_text=False) for row in rows])

    @extend_schema(
        operation_id="create_document",
        summary="Write a document, or save a generation's text as one",
        tags=TAGS,
        parameters=[IDEMPOTENCY_KEY],
        request=bodies.WriteDocument,
        responses={201: bodies.WrittenDocumentBody, **problems(*WRITE, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        actor = api_actor(request)
        values = checked(bodies.WriteDocument, request, MAY_WRITE, MAY_READ)
        inner = request._request
        with tenancy.scope(actor.organization_id):
            record = idempotency.begin(request.headers.get("idempotency-key"), inner.path, inner.body)
            if record is not None and record.object_id is not None:
                self.answer_headers["idempotency-replayed"] = "true"
                return shown(request, record.object_id, 201)
            made = _created(actor, values)
            idempotency.complete(record, 201, {}, made.pk)
        return shown(request, made, 201)


def _found(each: documents.Found) -> dict[str, Any]:
    snippet = "".join(words for words, _wanted in each.snippet)
    return bodies.document_body(each.document, with_text=False) | {"snippet": snippet}


def _created(actor: Actor, values: dict[str, Any]) -> Document:
    generation = get_generation(actor, values["generation"]) if values.get("generation") else None
    if generation is not None and values["text"]:
        raise Unprocessable("Give either a text or a generation.", param="text")
    text = generation.text if generation else values["text"]
    return documents.create(
        actor, values["title"], text, values.get("folder"), tags=values["tags"], generation=generation
    )


class DocumentView(AsyncAPIView):
    """One document."""

    @extend_schema(
        operation_id="get_document",
        summary="Get a document; its ETag is its revision",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.WrittenDocumentBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return shown(request, documents.get(api_actor(request), document_id(id)))

    @extend_schema(
        operation_id="change_document",
        summary="Change a document that you have read",
        description="For title and text say what you have read: with `If-Match` a change made meanwhile refuses yours "
        "(412); with `base_revision` both are merged, and where they touch yours is refused with 409 and nothing is "
        "lost. Folder and tags need neither.",
        tags=TAGS,
        parameters=[ID, IF_MATCH],
        request=bodies.ChangeDocument,
        responses={200: bodies.WrittenDocumentBody, **problems(*WRITE, 404, 409, 412)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        actor, found = api_actor(request), document_id(id)
        values = checked(bodies.ChangeDocument, request, MAY_WRITE, MAY_READ)
        with tenancy.scope(actor.organization_id):
            documents.find(found)
            if {"title", "text"} & set(values):
                _write(request, actor, found, values)
            if "folder" in values:
                documents.move(actor, found, parse_id(values["folder"], NO_FOLDER) if values["folder"] else None)
            if "tags" in values:
                documents.set_tags(actor, found, values["tags"])
            return shown(request, documents.get(actor, found))

    @extend_schema(
        operation_id="delete_document",
        summary="Move a document to the trash, for thirty days",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        documents.delete(api_actor(request), document_id(id))
        return Response(status=204)


def _write(request: Request, actor: Actor, id: UUID, values: dict[str, Any]) -> None:
    strict = revision_of(request)
    base = strict if strict is not None else values.get("base_revision")
    if base is None:
        # The body is right by itself: what is missing is what the document is compared with.
        raise Conflict("Say which revision you have read: If-Match, or base_revision.", param="If-Match")
    text = values.get("text")
    if text is None:
        text = documents.text_at(actor, id, base)
    documents.save(actor, id, base, text, values.get("title"), strict=strict is not None)


class UndeleteView(AsyncAPIView):
    """Out of the trash."""

    @extend_schema(
        operation_id="undelete_document",
        summary="Take a document out of the trash",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: bodies.WrittenDocumentBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE, MAY_READ)
        return shown(request, documents.undelete(actor, document_id(id)))


class DuplicateView(AsyncAPIView):
    """A copy."""

    @extend_schema(
        operation_id="duplicate_document",
        summary="Copy a document",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={201: bodies.WrittenDocumentBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE, MAY_READ)
        return shown(request, documents.duplicate(actor, document_id(id)), 201)


class ExportView(AsyncAPIView):
    """The document as a file."""

    @extend_schema(
        operation_id="export_document",
        summary="Download a document as Markdown, HTML, DOCX, PDF or plain text",
        tags=TAGS,
        parameters=[
            ID,
            OpenApiParameter("format", str, OpenApiParameter.PATH, enum=["md", "html", "docx", "pdf", "txt"]),
        ],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **problems(*READ, 404)},
    )
    async def get(self, request: Request, id: str, format: str) -> HttpResponseBase:
        # Another process may write for a while, and no place is held meanwhile.
        self.turn.leave()
        file = await sync_to_async(documents.exported)(api_actor(request), document_id(id), format)
        return download(file)


class FoldersView(AsyncAPIView):
    """The tree of folders."""

    @extend_schema(
        operation_id="list_document_folders",
        summary="List all folders, parents before their children",
        tags=TAGS,
        responses={200: bodies.DocumentFolderBody(many=True), **problems(*READ)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        rows = documents.folders(api_actor(request))
        return Response([bodies.folder_body(row) for row in rows])

    @extend_schema(
        operation_id="create_document_folder",
        summary="Make a folder",
        tags=TAGS,
        request=bodies.WriteFolder,
        responses={201: bodies.DocumentFolderBody, **problems(*WRITE, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.WriteFolder, request, MAY_WRITE)
        made = documents.create_folder(api_actor(request), values["name"], values.get("parent"))
        return Response(bodies.folder_body(made), status=201)


class FolderView(AsyncAPIView):
    """One folder."""

    @extend_schema(
        operation_id="rename_document_folder",
        summary="Rename a folder",
        tags=TAGS,
        parameters=[FOLDER],
        request=bodies.RenameFolder,
        responses={200: bodies.DocumentFolderBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        values = checked(bodies.RenameFolder, request, MAY_WRITE)
        row = documents.rename_folder(api_actor(request), parse_id(id, NO_FOLDER), values["name"])
        return Response(bodies.folder_body(row))

    @extend_schema(
        operation_id="delete_document_folder",
        summary="Delete an empty folder",
        tags=TAGS,
        parameters=[FOLDER],
        responses={204: NOTHING, **problems(*READ, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        documents.delete_folder(api_actor(request), parse_id(id, NO_FOLDER))
        return Response(status=204)
