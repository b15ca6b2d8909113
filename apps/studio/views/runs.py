"""Runs: asked for, shown side by side, voted on, written again from, and added up."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page, waiting_page
from apps.core import tenancy
from apps.core.errors import MillraceError, NotFound
from apps.core.keyset import below
from apps.studio import services as studio
from apps.studio import texts, throttle
from apps.studio.forms import initial_of
from apps.studio.models import RunKind
from apps.studio.run_forms import RunForm
from apps.studio.services import runs
from apps.studio.services.feedback import BAD_REASONS, GOOD_REASONS
from apps.studio.views.answering import go_to, refused

READ, WRITE = "generations:read", "generations:write"


@require_GET
@organization_page
def run_list(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    kind = request.GET.get("kind", "")
    kind = kind if kind in RunKind.values else ""
    page = runs.list_runs(actor, request.GET.get("before"), kind)
    context = {"page": page, "kinds": RunKind.choices, "chosen": kind, "may_write": WRITE in actor.permissions}
    return render(request, "studio/runs/list.html", context)


@require_http_methods(["GET", "POST"])
def run_new(request: HttpRequest) -> HttpResponse:
    return _ask(request) if request.method == "POST" else _form(request)


@organization_page
def _form(request: HttpRequest) -> HttpResponse:
    """The form, filled in from a text (`generation`) or from a variant, of which the run is then a branch."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    parent = below(request.GET.get("variant"))
    return _form_page(request, RunForm(initial=_initial(actor, request, parent)), parent)


@waiting_page
def _ask(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    parent = below(request.POST.get("parent") or request.GET.get("variant"))
    form = RunForm(request.POST)
    if form.is_valid():
        try:
            run = throttle.request_run(actor, form.request(parent))
            return redirect("run", run.pk)
        except MillraceError as error:
            form.refuse(error)
    with tenancy.scope(actor.organization_id):
        return _form_page(request, form, parent, status=422)


def _initial(actor: Actor, request: HttpRequest, parent: UUID | None) -> dict[str, Any]:
    if parent is not None:
        return initial_of(runs.text_of(actor, parent))
    source = below(request.GET.get("generation"))
    return initial_of(studio.get_generation(actor, source)) if source else {}


def _form_page(request: HttpRequest, form: RunForm, parent: UUID | None, status: int = 200) -> HttpResponse:
    return render(request, "studio/runs/new.html", {"form": form, "parent": parent}, status=status)


@require_GET
@organization_page
def run_page(request: HttpRequest, id: UUID) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    context = {
        "view": runs.get_run(actor, id),
        "may_write": WRITE in actor.permissions,
        "texts": texts.script_texts(),
        "good_reasons": GOOD_REASONS,
        "bad_reasons": BAD_REASONS,
    }
    return render(request, "studio/runs/run.html", context)


@require_POST
@waiting_page
def variant_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """A further run from a variant: written again with other seeds, or repeated exactly."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    makers = {"again": runs.written_again, "repeat": runs.repeated_exactly}
    try:
        if act not in makers:
            raise NotFound("There is nothing at this address.")
        run = throttle.request_run(actor, makers[act](actor, id))
    except MillraceError as error:
        return refused(request, error)
    return go_to(request, reverse("run", args=[run.pk]))


@require_POST
@organization_page
def run_vote(request: HttpRequest, id: UUID) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    verdict = request.POST.get("verdict", "")
    winner = below(verdict)
    try:
        runs.vote(
            actor,
            id,
            "better" if winner else verdict,
            winner,
            request.POST.getlist("reasons"),
            request.POST.get("comment", ""),
        )
    except MillraceError as error:
        return refused(request, error)
    return go_to(request, reverse("run", args=[id]))


@require_POST
@organization_page
def run_stop(request: HttpRequest, id: UUID) -> HttpResponse:
    """Stops every text of the run that is not finished."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    for text in runs.get_run(actor, id).texts:
        if text.busy and text.variant.generation_id:
            studio.cancel_generation(actor, text.variant.generation_id)
    return go_to(request, reverse("run", args=[id]))


@require_GET
@organization_page
def run_results(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return render(request, "studio/runs/results.html", {"results": runs.results(actor)})


@require_GET
@organization_page  # type: ignore[arg-type]
def evaluation_data(request: HttpRequest) -> StreamingHttpResponse:
    """Every vote and thumb as JSON lines."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    return StreamingHttpResponse(
        runs.stream(actor),
        content_type="application/x-ndjson",
        headers={"content-disposition": 'attachment; filename="evaluation-data.jsonl"'},
    )
