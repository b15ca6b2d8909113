"""The pages: dashboard, studio and history. They parse, call one service, and render."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts import services as accounts
from apps.accounts.access import Actor, organization_page, waiting_page
from apps.billing import services as billing
from apps.billing.budgets import states_for
from apps.billing.models import LedgerEntry
from apps.billing.texts import shown
from apps.core import tenancy, undo
from apps.core.errors import MillraceError, NotFound
from apps.core.jobs import TERMINAL, Status
from apps.studio import marking, texts, throttle
from apps.studio import services as studio
from apps.studio.examples import EXAMPLES
from apps.studio.forms import GenerationForm, again, example_spec, initial_of
from apps.studio.guide import Guide, guide_for
from apps.studio.marks import found_in
from apps.studio.models import Generation
from apps.studio.pages import FAVOURITES, FILTERS, at_a_glance, daily_tokens, history_page, timing_of
from apps.studio.services import feedback

READ, WRITE = "generations:read", "generations:write"
RECENT_IN_STUDIO, RECENT_ON_DASHBOARD = 6, 8
# Bytes that the brief's own words and the chat template add; part of the upper bound shown before sending.
PROMPT_OVERHEAD_TOKENS = 200
FAILURES_DAYS = 7


@require_GET
@organization_page
def dashboard(request: HttpRequest) -> HttpResponse:
    """What the organization has used and written, as far as the role may see either."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    figures = billing.figures_of(actor.organization_id)
    usage = billing.usage_summary(actor.organization_id, figures)
    glance = at_a_glance(actor, timezone.now() - timedelta(days=FAILURES_DAYS))
    context: dict[str, Any] = {
        "budgets": states_for(actor.user_id),
        "plan": shown(usage.plan),
        "features": figures.limits.features,
        "may_read": READ in actor.permissions,
        "guide": _guide(request, glance),
        "examples": texts.example_cards() if WRITE in actor.permissions else [],
    }
    if "usage:read" in actor.permissions:
        context |= {"usage": usage, "chart": daily_tokens(timezone.now())}
    if READ in actor.permissions:
        context |= {name: glance[name] for name in ("active", "failed")}
        context |= {"recent": Generation.objects.for_pages()[:RECENT_ON_DASHBOARD]}
    return render(request, "studio/dashboard.html", context)


def _guide(request: HttpRequest, done: Mapping[str, bool]) -> Guide | None:
    """The first steps, until they are done or the person has put them away."""
    if request.user.guide_hidden_at is not None:  # type: ignore[union-attr]
        return None
    guide = guide_for(request.actor, done)  # type: ignore[attr-defined]
    return None if guide.is_finished else guide


@require_POST
@organization_page
def show_guide(request: HttpRequest) -> HttpResponse:
    """Puts the first steps away, or back."""
    hidden = request.POST.get("show") != "on"
    accounts.hide_guide(request.user, hidden)  # type: ignore[arg-type]
    if hidden:
        undo.offer(request, _("The first steps are put away."), request.path, show="on")
    return redirect("dashboard")


@require_POST
@waiting_page
def write_example(request: HttpRequest, name: str) -> HttpResponse:
    """A text from one of the examples, with everything else as the form proposes it: the first one in one click."""
    request.actor.require(WRITE)  # type: ignore[attr-defined]
    if name not in EXAMPLES:
        raise NotFound(_("There is no such example."))
    generation = throttle.request_generation(request.actor, example_spec(name))  # type: ignore[attr-defined]
    return redirect("studio-generation", generation.pk)


@require_http_methods(["GET", "POST"])
def studio_page(request: HttpRequest) -> HttpResponse:
    return _create(request) if request.method == "POST" else _form(request)


@organization_page
def _form(request: HttpRequest) -> HttpResponse:
    return _render_studio(request, GenerationForm(initial=EXAMPLES.get(request.GET.get("example", ""))))


@waiting_page
def _create(request: HttpRequest) -> HttpResponse:
    """What is refused has to leave its note behind, and the minute's limits lie in Redis: no transaction around it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    form = GenerationForm(request.POST)
    if form.is_valid():
        try:
            generation = throttle.request_generation(actor, form.spec())
            return _go_to(request, generation)
        except MillraceError as error:
            form.refuse(error)
    if _wants_json(request):
        message = " ".join(map(str, form.non_field_errors()))
        return JsonResponse({"errors": form.errors, "message": message or _first_error(form)}, status=422)
    with tenancy.scope(actor.organization_id):
        return _render_studio(request, form, status=422)


def _first_error(form: GenerationForm) -> str:
    return next((str(messages[0]) for messages in form.errors.values()), "")


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("accept", "") == "application/json"


def _go_to(request: HttpRequest, generation: Generation) -> HttpResponse:
    url = address_of(generation)
    return JsonResponse({"id": str(generation.pk), "url": url}) if _wants_json(request) else redirect(url)


def address_of(generation: Generation) -> str:
    """Where a text is shown beside the form that asked for it."""
    if generation.template_version is not None:
        version = generation.template_version
        return f"{reverse('template', args=[version.template.slug])}?version={version.number}&text={generation.pk}"
    return reverse("studio-generation", args=[generation.pk])


@require_GET
@organization_page
def generation_page(request: HttpRequest, id: UUID) -> HttpResponse:
    generation = studio.get_generation(request.actor, id, opinions=True)  # type: ignore[attr-defined]
    form = GenerationForm(initial=initial_of(generation))
    return _render_studio(request, form, generation)


def _render_studio(
    request: HttpRequest, form: GenerationForm, generation: Generation | None = None, status: int = 200
) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    context: dict[str, Any] = {
        "form": form,
        "recent": Generation.objects.for_pages()[:RECENT_IN_STUDIO] if READ in actor.permissions else [],
        "examples": EXAMPLES,
        "texts": texts.script_texts(),
        "prices": prices_of(form),
        **output_context(actor, generation),
    }
    return render(request, "studio/studio.html", context, status=status)


def output_context(actor: Actor, generation: Generation | None) -> dict[str, Any]:
    """What the panel with the running or finished text shows; read in the organization's scope."""
    if generation is None:
        return {"generation": None}
    violations = [] if generation.status not in TERMINAL else studio.voices.check_generation(generation)
    return {
        "generation": generation,
        "busy": generation.status in {Status.QUEUED, Status.RUNNING},
        "reason": texts.reason_of(generation.finish_reason, generation.completion_tokens),
        "error": texts.error_text(generation.error_code, generation.error_message),
        "timing": timing_of(generation),
        "opinion": feedback.opinion_on(actor, generation),
        "may_write": WRITE in actor.permissions,
        "good_reasons": feedback.GOOD_REASONS,
        "bad_reasons": feedback.BAD_REASONS,
        "charge": LedgerEntry.objects.filter(job_id=generation.pk, kind="settle").first(),
        "found": found_in(generation),
        "violations": marking.listed(generation.text, violations),
        "segments": marking.segments(generation.text, violations),
    }


def prices_of(form: Any) -> dict[str, dict[str, Any]]:
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
@waiting_page
def regenerate(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    try:
        generation = throttle.request_generation(actor, again(studio.get_generation(actor, id)))
    except MillraceError as error:
        return _refused(request, error)
    with tenancy.scope(actor.organization_id):
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
    message = str(texts.error_text(error.code, error.shown()))
    return JsonResponse({"errors": {}, "message": message}, status=error.status)


@require_GET
@organization_page
def history(request: HttpRequest) -> HttpResponse:
    request.actor.require(READ)  # type: ignore[attr-defined]
    chosen = request.GET.get("status", "")
    rows = Generation.objects.for_pages()
    if chosen == FAVOURITES:
        rows = rows.filter(favourites__user_id=request.actor.user_id)  # type: ignore[attr-defined]
    page = history_page(rows, chosen, request.GET.get("before"), request.GET.get("after"))
    charges = LedgerEntry.objects.filter(kind="settle", job_id__in=[row.pk for row in page.rows])
    amounts = {entry.job_id: entry for entry in charges}
    context = {
        "page": page,
        "entries": [(row, amounts.get(row.pk)) for row in page.rows],
        "filters": FILTERS,
        "chosen": chosen if chosen in FILTERS else "",
    }
    return render(request, "studio/history.html", context)
