"""The pages: landing, dashboard, studio and history. They parse, call one service, and render."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page
from apps.accounts.models import ApiKey
from apps.billing import services as billing
from apps.billing.budgets import states_for
from apps.billing.models import FREE_PLAN, LedgerEntry, Plan
from apps.core.errors import MillraceError
from apps.core.jobs import Status
from apps.studio import services as studio
from apps.studio import texts, throttle
from apps.studio.examples import EXAMPLES
from apps.studio.forms import GenerationForm, again, initial_of
from apps.studio.models import Generation
from apps.studio.pages import FILTERS, daily_tokens, history_page, timing_of

READ, WRITE = "generations:read", "generations:write"
RECENT_IN_STUDIO, RECENT_ON_DASHBOARD = 6, 8
# Bytes that the brief's own words and the chat template add; part of the upper bound shown before sending.
PROMPT_OVERHEAD_TOKENS = 200
FAILURES_DAYS = 7


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    base_url = settings.BASE_URL or request.build_absolute_uri("/").rstrip("/")
    plan = Plan.objects.filter(code=FREE_PLAN).first()
    return render(request, "core/home.html", {"base_url": base_url, "free_plan": plan})


@require_GET
@organization_page
def dashboard(request: HttpRequest) -> HttpResponse:
    """What the organization has used and written, as far as the role may see either."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    rows = Generation.objects
    since = timezone.now() - timedelta(days=FAILURES_DAYS)
    usage = billing.usage_summary(actor.organization_id)
    context: dict[str, Any] = {
        "budgets": states_for(actor.user_id),
        "plan": texts.PLANS.get(usage.plan, usage.plan),
        "has_keys": ApiKey.objects.usable().exists(),
        "may_read": READ in actor.permissions,
    }
    if "usage:read" in actor.permissions:
        context |= {"usage": usage, "days": daily_tokens(timezone.now())}
    if READ in actor.permissions:
        context |= {
            "active": rows.unfinished().count(),
            "failed": rows.filter(status=Status.FAILED, created_at__gte=since).count(),
            "recent": rows.for_pages()[:RECENT_ON_DASHBOARD],
        }
    return render(request, "studio/dashboard.html", context)


@require_http_methods(["GET", "POST"])
@organization_page
def studio_page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _create(request)
    form = GenerationForm(initial=EXAMPLES.get(request.GET.get("example", "")))
    return _render_studio(request, form)


def _create(request: HttpRequest) -> HttpResponse:
    request.actor.require(WRITE)  # type: ignore[attr-defined]
    form = GenerationForm(request.POST)
    if form.is_valid():
        try:
            generation = throttle.request_generation(request.actor, form.spec())  # type: ignore[attr-defined]
            return _go_to(request, generation)
        except MillraceError as error:
            form.refuse(error)
    if _wants_json(request):
        message = " ".join(map(str, form.non_field_errors()))
        return JsonResponse({"errors": form.errors, "message": message or _first_error(form)}, status=422)
    return _render_studio(request, form, status=422)


def _first_error(form: GenerationForm) -> str:
    return next((str(messages[0]) for messages in form.errors.values()), "")


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("accept", "") == "application/json"


def _go_to(request: HttpRequest, generation: Generation) -> HttpResponse:
    url = reverse("studio-generation", args=[generation.pk])
    return JsonResponse({"id": str(generation.pk), "url": url}) if _wants_json(request) else redirect(url)


@require_GET
@organization_page
def generation_page(request: HttpRequest, id: UUID) -> HttpResponse:
    generation = studio.get_generation(request.actor, id)  # type: ignore[attr-defined]
    form = GenerationForm(initial=initial_of(generation))
    return _render_studio(request, form, generation)


def _render_studio(
    request: HttpRequest, form: GenerationForm, generation: Generation | None = None, status: int = 200
) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    context: dict[str, Any] = {
        "form": form,
        "generation": generation,
        "recent": Generation.objects.for_pages()[:RECENT_IN_STUDIO] if READ in actor.permissions else [],
        "examples": EXAMPLES,
        "texts": texts.script_texts(),
        "prices": _prices(form),
    }
    if generation:
        context |= {
            "busy": generation.status in {Status.QUEUED, Status.RUNNING},
            "reason": texts.reason_of(generation.finish_reason, generation.completion_tokens),
            "error": texts.error_text(generation.error_code, generation.error_message),
            "timing": timing_of(generation),
            "charge": LedgerEntry.objects.filter(job_id=generation.pk, kind="settle").first(),
        }
    return render(request, "studio/studio.html", context, status=status)


def _prices(form: GenerationForm) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "input": float(version.input_price),
            "output": float(version.output_price),
            "currency": version.currency,
            "max_output": version.max_output_tokens,
            "overhead": PROMPT_OVERHEAD_TOKENS,
        }
        for name, version in form.models
    }


@require_POST
@organization_page
def regenerate(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    try:
        generation = throttle.request_generation(actor, again(studio.get_generation(actor, id)))
    except MillraceError as error:
        return _refused(request, error)
    return _go_to(request, generation)


@require_POST
@organization_page
def cancel(request: HttpRequest, id: UUID) -> HttpResponse:
    try:
        generation = studio.cancel_generation(request.actor, id)  # type: ignore[attr-defined]
    except MillraceError as error:
        return _refused(request, error)
    return _go_to(request, generation)


def _refused(request: HttpRequest, error: MillraceError) -> HttpResponse:
    """For scripts the words; without scripts the error's page."""
    if not _wants_json(request):
        raise error
    message = str(texts.error_text(error.code, error.message))
    return JsonResponse({"errors": {}, "message": message}, status=error.status)


@require_GET
@organization_page
def history(request: HttpRequest) -> HttpResponse:
    request.actor.require(READ)  # type: ignore[attr-defined]
    chosen = request.GET.get("status", "")
    page = history_page(Generation.objects.for_pages(), chosen, request.GET.get("before"), request.GET.get("after"))
    charges = LedgerEntry.objects.filter(kind="settle", job_id__in=[row.pk for row in page.rows])
    amounts = {entry.job_id: entry for entry in charges}
    context = {
        "page": page,
        "entries": [(row, amounts.get(row.pk)) for row in page.rows],
        "filters": FILTERS,
        "chosen": chosen if chosen in FILTERS else "",
    }
    return render(request, "studio/history.html", context)
