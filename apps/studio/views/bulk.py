"""Bulk runs: a table is uploaded, set and previewed, started, followed and downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page, waiting_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.keyset import page_of
from apps.core.said import said, told
from apps.registry.models import ModelVersion
from apps.studio import bulk_export, texts
from apps.studio.bulk_costs import Cost, cost_of
from apps.studio.bulk_forms import BulkDraftForm, BulkFileForm
from apps.studio.models import BrandVoiceVersion, BulkRow, BulkRun, RowState, RunState
from apps.studio.services import bulk
from apps.studio.services.bulk.drafts import RowProblem
from apps.studio.services.bulk.taking import READ, WRITE

PREVIEW_ROWS, PAGE_ROWS = 5, 50
ACTS: dict[str, tuple[Callable[..., Any], str | Promise]] = {
    "start": (bulk.start_run, gettext_lazy("The run has been started.")),
    "pause": (bulk.pause_run, gettext_lazy("The run is paused; what is being written is finished.")),
    "resume": (bulk.resume_run, gettext_lazy("The run goes on.")),
    "cancel": (bulk.cancel_run, gettext_lazy("The run is being stopped.")),
    "retry": (bulk.retry_failed, gettext_lazy("The failed rows are asked again.")),
    "delete": (bulk.delete_run, gettext_lazy("The run has been deleted.")),
}
FILTERS: dict[str, Promise] = {
    "": gettext_lazy("All"),
    "failed": gettext_lazy("Failed"),
    "invalid": gettext_lazy("Not usable"),
}


@require_GET
@organization_page
def runs(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    page = page_of(BulkRun.objects.for_pages(), request.GET.get("before"))
    counts = bulk.progress_of_many([run.pk for run in page.rows])
    entries = [(run, counts[run.pk]) for run in page.rows]
    context = {"page": page, "entries": entries, "may_write": WRITE in actor.permissions}
    return render(request, "studio/bulk/runs.html", context)


@require_http_methods(["GET", "POST"])
@waiting_page
def new_run(request: HttpRequest) -> HttpResponse:
    """Not in a transaction: a child process reads the file meanwhile."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    form = BulkFileForm(request.POST or None, request.FILES or None)
    made: list[BulkRun] = []
    if form.is_valid() and attempt(form, lambda: made.append(bulk.upload_run(actor, form.cleaned_data["file"]))):
        return redirect("bulk-run", made[0].pk)
    limits = {"most_rows": settings.BULK_MAX_ROWS, "most_bytes": settings.BULK_MAX_FILE_BYTES}
    with tenancy.scope(actor.organization_id):
        return render(request, "studio/bulk/new.html", {"form": form, **limits}, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def run_page(request: HttpRequest, id: UUID) -> HttpResponse:
    """A draft with its form and its preview, or a run with its rows."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if request.method == "POST" else READ)
    run = bulk.get_run(actor, id)
    if run.state != RunState.DRAFT:
        return redirect("bulk-run", id) if request.method == "POST" else _shown(request, run)
    form = BulkDraftForm(request.POST or None, run=run, actor=actor)
    if form.is_valid() and attempt(form, lambda: bulk.configure_run(actor, id, form.draft())):
        if "start" in request.POST:
            _carry_out(request, "start", id)
        return redirect("bulk-run", id)
    return _draft(request, run, form)


def _draft(request: HttpRequest, run: BulkRun, form: BulkDraftForm) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    first, problems = _preview(run)
    context = {
        "run": run,
        "form": form,
        "cost": _cost(run, dict(reversed(form.models))),
        "preview": _previews(request, run, first),
        "problems": problems,
        "may_write": WRITE in actor.permissions,
    }
    return render(request, "studio/bulk/draft.html", context, status=first_errors([form]))


def _preview(run: BulkRun) -> tuple[list[BulkRow], list[BulkRow]]:
    """The first rows, and once they have been judged the first that cannot be asked, with one question."""
    rows = BulkRow.objects.filter(run=run).order_by("number")
    shown = Q(pk__in=rows.values("pk")[:PREVIEW_ROWS])
    if run.estimate and run.estimate["invalid"]:
        shown |= Q(pk__in=rows.filter(state=RowState.INVALID).values("pk")[:PREVIEW_ROWS])
    found = list(rows.filter(shown).select_related("run"))
    invalid = [row for row in found if row.state == RowState.INVALID] if run.estimate else []
    return found[:PREVIEW_ROWS], invalid[:PREVIEW_ROWS]


def _cost(run: BulkRun, models: Mapping[str, ModelVersion]) -> Cost | None:
    """What a run takes at most; None where it has not been counted, or its model is not there any more."""
    if run.estimate is None or run.model_name not in models:
        return None
    return cost_of(run.organization_id, run.estimate, models[run.model_name])


def _previews(request: HttpRequest, run: BulkRun, rows: list[BulkRow]) -> list[dict[str, Any]]:
    spoken = bulk.voice_of(run) if run.estimate and rows else None
    return [_previewed(request, run, row, spoken) for row in rows]


def _previewed(request: HttpRequest, run: BulkRun, row: BulkRow, spoken: BrandVoiceVersion | None) -> dict[str, Any]:
    """A row with what would be asked about it, or with why it cannot be asked."""
    if run.estimate is None or row.problem:
        return {"row": row, "cells": row.cells, "problem": row.problem_told}
    try:
        spec = bulk.rendered(request.actor, run, row, spoken)  # type: ignore[attr-defined]
    except RowProblem as problem:
        return {"row": row, "problem": told(said(problem.message), problem.message)}
    return {"row": row, "messages": spec.messages}


def _shown(request: HttpRequest, run: BulkRun) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    chosen = request.GET.get("rows", "")
    rows = BulkRow.objects.filter(run=run).select_related("generation", "run")
    if chosen == "failed":
        rows = rows.failed()
    elif chosen == "invalid":
        rows = rows.filter(state=RowState.INVALID)
    after = request.GET.get("after", "")
    start = int(after) if after.isdecimal() and len(after) < 9 else 0
    found = list(rows.filter(number__gt=start).order_by("number")[: PAGE_ROWS + 1])
    context = {
        "run": run,
        "progress": bulk.progress_of(run.pk),
        "rows": found[:PAGE_ROWS],
        "next": found[PAGE_ROWS - 1].number if len(found) > PAGE_ROWS else None,
        "filters": FILTERS,
        "chosen": chosen if chosen in FILTERS else "",
        "stopped_because": texts.error_text(run.stop_code, run.stop_told) if run.stop_code else "",
        "formats": {"csv": "CSV", "xlsx": "XLSX", "jsonl": "JSON Lines"},
        "may_write": WRITE in actor.permissions,
    }
    return render(request, "studio/bulk/run.html", context)


@require_GET
@organization_page
def run_progress(request: HttpRequest, id: UUID) -> HttpResponse:
    """How far it is, for the page that shows it: asked for again and again while the run goes on."""
    run = bulk.get_run(request.actor, id)  # type: ignore[attr-defined]
    progress = bulk.progress_of(run.pk)
    fields = {"state": run.state, "over": run.is_over, "percent": progress.percent, "ended": progress.ended}
    answer = JsonResponse(fields | progress.as_json())
    answer["cache-control"] = "no-store"
    return answer


@require_POST
@organization_page
def run_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    bulk.get_run(actor, id)
    if act not in ACTS:
        raise NotFound(_("There is nothing at this address."))
    done = _carry_out(request, act, id)
    return redirect("bulk") if done and act == "delete" else redirect("bulk-run", id)


def _carry_out(request: HttpRequest, act: str, id: UUID) -> bool:
    call, words = ACTS[act]
    try:
        call(request.actor, id)  # type: ignore[attr-defined]
    except (Conflict, InvalidRequest) as error:
        messages.error(request, error.shown())
        return False
    messages.success(request, str(words))
    return True


@require_POST
@organization_page
def download(request: HttpRequest, id: UUID, format: str) -> HttpResponse:
    """The table with the texts, sent while it is read; recorded."""
    actor = request.actor  # type: ignore[attr-defined]
    run = bulk.get_run(actor, id)
    if format not in bulk_export.TYPES:
        raise NotFound(_("There is nothing at this address."))
    bulk.note_download(actor, run, format)
    answer = StreamingHttpResponse(bulk_export.stream(run, format), content_type=bulk_export.TYPES[format])
    name = f"{run.name.rpartition('.')[0] or run.name}-texts.{format}"
    answer["content-disposition"] = content_disposition_header(True, name) or "attachment"
    answer["cache-control"] = "no-store"
    # Django's two kinds of answer have a base in common that the decorator does not ask for.
    return answer  # type: ignore[return-value]
