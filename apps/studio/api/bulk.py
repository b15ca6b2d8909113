"""Bulk runs over REST: made of rows or of an uploaded file, started, followed, and downloaded."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, listed, one_of, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import idempotency, tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import InvalidRequest
from apps.core.schema import IDEMPOTENCY_KEY, READ, WRITE, problems
from apps.studio import bulk_export
from apps.studio.api.bulk_bodies import BulkRowsBody, BulkRunBody, CreateBulkRun, row_body, run_body
from apps.studio.models import BulkRow, BulkRun, RunState
from apps.studio.services import bulk
from apps.studio.services.bulk.taking import NO_RUN
from apps.studio.services.bulk.taking import READ as MAY_READ
from apps.studio.services.bulk.taking import WRITE as MAY_WRITE
from apps.webhooks.services import callbacks

TAGS = ["Bulk runs"]
LAST_ROW = 10**9
ROWS_PARAMETERS = [
    ID,
    OpenApiParameter(
        "after", {"type": "integer", "minimum": 0, "maximum": LAST_ROW}, description="The number of the last row seen."
    ),
    LIMIT,
]


def _body(actor: Actor, run: BulkRun) -> dict[str, Any]:
    with tenancy.scope(actor.organization_id):
        return run_body(run, bulk.progress_of(run.pk))


class BulkRunsView(AsyncAPIView):
    """Making runs, and listing them."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="create_bulk_run",
        summary="Make a bulk run",
        description="A text is asked for each row, on the server and a few at a time. Its `estimate` says what it "
        "takes at most; `start` begins at once. Each row is charged like any other generation.",
        tags=TAGS,
        parameters=[IDEMPOTENCY_KEY],
        request=CreateBulkRun,
        responses={201: BulkRunBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE, MAY_READ)
        body = CreateBulkRun(data=request.data)
        body.is_valid(raise_exception=True)
        inner = request._request
        with tenancy.scope(actor.organization_id):
            record = idempotency.begin(request.headers.get("idempotency-key"), inner.path, inner.body)
            if record is not None and record.object_id is not None:
                self.answer_headers["idempotency-replayed"] = "true"
                return Response(record.body, status=201)
            columns, rows = body.table()
            run = bulk.create_run(actor, body.validated_data["name"], columns, rows, format="jsonl")
            run = bulk.configure_run(actor, run.pk, body.draft())
            callbacks.register(actor, run.pk, body.validated_data)
            if body.validated_data.get("start"):
                run = bulk.start_run(actor, run.pk)
            answer = _body(actor, run)
            idempotency.complete(record, 201, answer, run.pk)
        return Response(answer, status=201, headers={"location": f"/api/v1/bulk-runs/{run.pk}"})

    @extend_schema(
        operation_id="list_bulk_runs",
        summary="List bulk runs, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, OpenApiParameter("state", enum=RunState.values)],
        responses={200: BulkRunBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        state = one_of(request, "state", list(RunState.values))
        with tenancy.scope(actor.organization_id):
            rows = BulkRun.objects.for_pages()
            found, answer = page(request, rows.filter(state=state) if state else rows)
            counts = bulk.progress_of_many([run.pk for run in found])
            return listed(answer, [run_body(run, counts[run.pk]) for run in found])


class BulkRunView(AsyncAPIView):
    """One run: how far it is, and what it took."""

    @extend_schema(
        operation_id="get_bulk_run",
        summary="Get a bulk run",
        tags=TAGS,
        parameters=[ID],
        responses={200: BulkRunBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        return Response(_body(actor, bulk.get_run(actor, parse_id(id, NO_RUN))))

    @extend_schema(
        operation_id="delete_bulk_run",
        summary="Delete a bulk run that is over, or a draft",
        description="Its table goes; the generations stay.",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        bulk.delete_run(actor, parse_id(id, NO_RUN))
        return Response(status=204)


class _Act(AsyncAPIView):
    """One change of a run's state."""

    act: Any = None

    def _answer(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        return Response(_body(actor, type(self).act(actor, parse_id(id, NO_RUN))))


def _described(name: str, summary: str) -> Any:
    return extend_schema(
        operation_id=f"{name}_bulk_run",
        summary=summary,
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: BulkRunBody, **problems(*READ, 404, 409)},
    )


class StartView(_Act):
    act = staticmethod(bulk.start_run)

    @_described("start", "Start a bulk run")
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return self._answer(request, id)


class PauseView(_Act):
    act = staticmethod(bulk.pause_run)

    @_described("pause", "Pause a bulk run; what is being written is finished")
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return self._answer(request, id)


class ResumeView(_Act):
    act = staticmethod(bulk.resume_run)

    @_described("resume", "Resume a bulk run that is paused, or waits for quota")
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return self._answer(request, id)


class CancelView(_Act):
    act = staticmethod(bulk.cancel_run)

    @_described("cancel", "Stop a bulk run and what it has running")
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return self._answer(request, id)


class RetryView(_Act):
    act = staticmethod(bulk.retry_failed)

    @_described("retry", "Ask the failed rows of a bulk run again")
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return self._answer(request, id)


class RowsView(AsyncAPIView):
    """A run's rows in their order."""

    @extend_schema(
        operation_id="list_bulk_rows",
        summary="List a bulk run's rows",
        tags=TAGS,
        parameters=ROWS_PARAMETERS,
        responses={200: BulkRowsBody, **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        run = bulk.get_run(actor, parse_id(id, NO_RUN))
        after, limit = _whole(request, "after", 0, LAST_ROW, 0), _whole(request, "limit", 1, 100, 20)
        with tenancy.scope(actor.organization_id):
            rows = BulkRow.objects.filter(run=run, number__gt=after).select_related("generation").order_by("number")
            found = list(rows[: limit + 1])
        data = [row_body(row) for row in found[:limit]]
        return Response({"object": "list", "data": data, "has_more": len(found) > limit})


def _whole(request: Request, name: str, least: int, most: int, default: int) -> int:
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdecimal() and len(given) < 12 and least <= int(given) <= most):
        raise InvalidRequest(f"{name} must be between {least} and {most}.", param=name)
    return int(given)


class DownloadView(AsyncAPIView):
    """A run's table with the texts."""

    # Without HEAD, which would read the whole table and send nothing.
    http_method_names = ("get", "options")

    @extend_schema(
        operation_id="download_bulk_run",
        summary="Download a bulk run's table with its texts",
        tags=TAGS,
        parameters=[ID, OpenApiParameter("format", enum=list(bulk_export.TYPES), description="Default csv.")],
        responses={
            **{
                (200, kind.partition(";")[0]): OpenApiResponse(OpenApiTypes.BINARY)
                for kind in bulk_export.TYPES.values()
            },
            **problems(*READ, 400, 404),
        },
    )
    async def get(self, request: Request, id: str) -> HttpResponseBase:
        run, format = await sync_to_async(self._noted)(request, id)
        return StreamingHttpResponse(bulk_export.stream(run, format), content_type=bulk_export.TYPES[format])

    def _noted(self, request: Request, id: str) -> tuple[BulkRun, str]:
        actor = api_actor(request)
        actor.require(MAY_READ)
        run = bulk.get_run(actor, parse_id(id, NO_RUN))
        format = one_of(request, "format", list(bulk_export.TYPES)) or "csv"
        bulk.note_download(actor, run, format)
        return run, format
