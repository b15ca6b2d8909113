"""OpenAI's files and batches, as its clients know them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import one_of
from apps.accounts.authentication import api_actor
from apps.core import idempotency, media, tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.errors import InvalidRequest, NotFound, PayloadTooLarge
from apps.core.schema import IDEMPOTENCY_KEY, READ, WRITE, problems
from apps.core.threads import release_thread
from apps.studio.api.batch_bodies import (
    BatchBody,
    BatchList,
    CreateBatch,
    DeletedFile,
    FileList,
    StoredFileBody,
    UploadFile,
    batch_body,
    file_body,
)
from apps.studio.models import Batch, Purpose, StoredFile
from apps.studio.services import batches, files
from apps.studio.services.bulk import progress_of_many
from apps.studio.services.files import READ as MAY_READ
from apps.studio.services.files import WRITE as MAY_WRITE
from apps.studio.services.files import id_of
from apps.webhooks.services import callbacks

TAGS = ["OpenAI-compatible"]
# What a multipart body has around its file.
AROUND_A_FILE = 100_000
AFTER = OpenApiParameter("after", str, description="The id of the last one of the page before.")
FILE_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="As `file-…`.")
BATCH_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="As `batch_…`.")


def page(request: Request, rows: Any, prefix: str, most: int, default: int) -> tuple[list[Any], bool]:
    """The rows behind `after`, newest first, or oldest with `order=asc`; and whether there are more."""
    given = request.query_params.get("limit", str(default))
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and 1 <= int(given) <= most):
        raise InvalidRequest(f"limit must be between 1 and {most}.", param="limit")
    order = request.query_params.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise InvalidRequest("order must be asc or desc.", param="order")
    if after := request.query_params.get("after"):
        last = id_of(after, prefix, "There is nothing with the id in after.", "after")
        rows = rows.filter(id__gt=last) if order == "asc" else rows.filter(id__lt=last)
    found = list(rows.order_by("id" if order == "asc" else "-id")[: int(given) + 1])
    return found[: int(given)], len(found) > int(given)


def listed(bodies: list[dict[str, Any]], more: bool) -> Response:
    first, last = (bodies[0]["id"], bodies[-1]["id"]) if bodies else (None, None)
    return Response({"object": "list", "data": bodies, "first_id": first, "last_id": last, "has_more": more})


class FilesView(AsyncAPIView):
    """Uploading files, and listing them."""

    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="create_file",
        summary="Upload a file",
        description="`batch` files hold a request a line; `user_data` files are kept as they are.",
        tags=TAGS,
        request={"multipart/form-data": UploadFile},
        responses={200: StoredFileBody, **problems(*WRITE, 409)},
    )
    async def post(self, request: Request) -> Response:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if len(length) > 18 or int(length) > settings.FILES_MAX_BYTES + AROUND_A_FILE:
            raise PayloadTooLarge(f"A file has at most {settings.FILES_MAX_BYTES} bytes.", param="file")
        return await sync_to_async(self._stored)(request)

    def _stored(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        body = UploadFile(data=request.data)
        body.is_valid(raise_exception=True)
        stored = files.upload_file(actor, body.validated_data["file"], body.validated_data["purpose"])
        return Response(file_body(stored))

    @extend_schema(
        operation_id="list_files",
        summary="List files",
        tags=TAGS,
        parameters=[
            AFTER,
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 10_000}),
            OpenApiParameter("order", enum=["asc", "desc"]),
            OpenApiParameter("purpose", enum=Purpose.values),
        ],
        responses={200: FileList, **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        with tenancy.scope(actor.organization_id):
            rows = StoredFile.objects.all()
            if purpose := one_of(request, "purpose", list(Purpose.values)):
                rows = rows.filter(purpose=purpose)
            found, more = page(request, rows, "file-", 10_000, 10_000)
        return listed([file_body(file) for file in found], more)


class FileView(AsyncAPIView):
    """One file."""

    @extend_schema(
        operation_id="get_file",
        summary="Get a file's facts",
        tags=TAGS,
        parameters=[FILE_ID],
        responses={200: StoredFileBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(file_body(_file(api_actor(request), id)))

    @extend_schema(
        operation_id="delete_file",
        summary="Delete a file",
        tags=TAGS,
        parameters=[FILE_ID],
        responses={200: DeletedFile, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        files.delete_file(actor, id_of(id, "file-", "No such File object."))
        return Response({"id": id, "object": "file", "deleted": True})


class FileContentView(AsyncAPIView):
    """What is in a file."""

    # Without HEAD, which would read the whole file and send nothing.
    http_method_names = ("get", "options")

    @extend_schema(
        operation_id="download_file",
        summary="Get a file's content",
        tags=TAGS,
        parameters=[FILE_ID],
        responses={(200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY), **problems(*READ, 404)},
    )
    async def get(self, request: Request, id: str) -> HttpResponseBase:
        file = await sync_to_async(_file)(api_actor(request), id)
        path = files.path_of(file.organization_id, file.path)
        if not await asyncio.to_thread(path.is_file):
            raise NotFound("The content of this file is gone.", param="id")
        answer = StreamingHttpResponse(_content(path), content_type="application/octet-stream")
        answer["content-length"] = str(file.size)
        return answer


async def _content(path: Path) -> AsyncGenerator[bytes]:
    await release_thread()
    async for piece in media.pieces(path):
        yield piece


def _file(actor: Actor, id: str) -> StoredFile:
    actor.require(MAY_READ)
    return files.get_file(actor, id_of(id, "file-", "No such File object."))


class BatchesView(AsyncAPIView):
    """Making batches, and listing them."""

    @extend_schema(
        operation_id="create_batch",
        summary="Ask for a batch",
        description="Each request of the file is held, limited and charged like one that is sent by itself.",
        tags=TAGS,
        parameters=[IDEMPOTENCY_KEY],
        request=CreateBatch,
        responses={200: BatchBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE, MAY_READ)
        body = CreateBatch(data=request.data)
        body.is_valid(raise_exception=True)
        values, inner = body.validated_data, request._request
        file = id_of(values["input_file_id"], "file-", "No such File object.", "input_file_id")
        with tenancy.scope(actor.organization_id):
            record = idempotency.begin(request.headers.get("idempotency-key"), inner.path, inner.body)
            if record is not None and record.object_id is not None:
                self.answer_headers["idempotency-replayed"] = "true"
                return Response(record.body)
            batch = batches.create_batch(
                actor, file, values["endpoint"], values["completion_window"], values.get("metadata") or {}
            )
            callbacks.register(actor, batch.pk, values)
            answer = batch_body(batch, None)
            idempotency.complete(record, 200, answer, batch.pk)
        return Response(answer)

    @extend_schema(
        operation_id="list_batches",
        summary="List batches, newest first",
        tags=TAGS,
        parameters=[
            AFTER,
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        ],
        responses={200: BatchList, **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        with tenancy.scope(actor.organization_id):
            found, more = page(request, Batch.objects.all(), "batch_", 100, 20)
            counts = progress_of_many([batch.run_id for batch in found if batch.run_id])
        return listed([batch_body(batch, counts.get(batch.run_id) if batch.run_id else None) for batch in found], more)


class BatchView(AsyncAPIView):
    """One batch as it stands."""

    @extend_schema(
        operation_id="get_batch",
        summary="Get a batch",
        tags=TAGS,
        parameters=[BATCH_ID],
        responses={200: BatchBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        return _answer(actor, batches.get_batch(actor, id_of(id, "batch_", batches.NO_BATCH)))


class BatchCancelView(AsyncAPIView):
    """Stopping a batch."""

    @extend_schema(
        operation_id="cancel_batch",
        summary="Cancel a batch",
        description="What has been answered stays, and is in the files when it is `cancelled`.",
        tags=TAGS,
        parameters=[BATCH_ID],
        request=None,
        responses={200: BatchBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        return _answer(actor, batches.cancel_batch(actor, id_of(id, "batch_", batches.NO_BATCH)))


def _answer(actor: Actor, batch: Batch) -> Response:
    with tenancy.scope(actor.organization_id):
        counts = progress_of_many([batch.run_id]) if batch.run_id else {}
    return Response(batch_body(batch, counts[batch.run_id] if batch.run_id else None))
