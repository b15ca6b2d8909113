"""Pages of what the bot learns: examples, training with its progress, models, and what it has read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core import charts
from apps.core.errors import InvalidRequest, MillraceError, NotFound
from apps.core.jobs import TERMINAL
from apps.core.keyset import below, page_of
from apps.support.access_bot import APPROVE, READ, WRITE
from apps.support.forms_bot import ExamplesForm, IntentForm, TrainForm
from apps.support.models import (
    DialogueModel,
    ExampleSource,
    IntentExample,
    Method,
    TrainingRun,
    TurnRecord,
)
from apps.support.services import flows, learning
from apps.support.services.learning.examples import MOST_BYTES

RUNS_SHOWN = 20


@require_http_methods(["GET", "POST"])
@organization_page
def examples_page(request: HttpRequest) -> HttpResponse:
    """Intents with how many examples they have, the examples themselves, and a form for more."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if request.method == "POST" else READ)
    form = ExamplesForm(request.POST, request.FILES) if request.method == "POST" else ExamplesForm()
    added: list[int] = []
    if form.is_valid() and attempt(form, lambda: added.append(_add(actor, form.cleaned_data))):
        told = ngettext("%(count)s example is new.", "%(count)s examples are new.", added[0])
        messages.success(request, told % {"count": added[0]})
        return redirect("intent-examples")
    chosen = request.GET.get("intent", "").replace("\0", "")[:64]
    rows = IntentExample.objects.filter(**({"intent": chosen} if chosen else {}))
    page = page_of(rows, request.GET.get("before"), 50)
    counts = IntentExample.objects.values("intent").annotate(
        learned=Count("id", filter=Q(is_test=False)), tested=Count("id", filter=Q(is_test=True))
    )
    context = {
        "intents": counts.order_by("intent"), "chosen": chosen, "page": page,
        "rows": [(row, learning.notation_of(row)) for row in page.rows],
        "form": form, "may_write": WRITE in actor.permissions, "tab": "examples",
    }  # fmt: skip
    return render(request, "support/bot/examples.html", context, status=first_errors([form]))


@require_POST
@organization_page
def example_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """Gives an example another intent, keeps it as it is for sure, or removes it."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    back = request.POST.get("run", "")
    if act == "remove":
        learning.remove_example(actor, id)
        messages.success(request, _("The example has been removed."))
    elif act == "change":
        form = IntentForm(request.POST)
        if not form.is_valid() or not attempt(form, lambda: learning.change_example(actor, id, **form.cleaned_data)):
            messages.error(request, " ".join(str(each) for found in form.errors.values() for each in found))
        else:
            messages.success(request, _("The example has been changed."))
    elif act == "slots":
        try:
            learning.mark_slots(actor, id, request.POST.get("slots", ""))
            messages.success(request, _("The slots are marked."))
        except InvalidRequest as error:
            messages.error(request, error.shown())
    else:
        raise NotFound(_("There is nothing at this address."))
    return redirect("training-run", UUID(back)) if _is_id(back) else redirect("intent-examples")


@require_http_methods(["GET", "POST"])
@organization_page
def models_page(request: HttpRequest) -> HttpResponse:
    """Models with what was measured, runs with how far they have got, and the button that trains another."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if request.method == "POST" else READ)
    form = TrainForm(request.POST or None)
    asked: list[TrainingRun] = []

    def train() -> None:
        values = form.cleaned_data
        asked.append(learning.request_training(actor, Method(values["method"]), values["promotes"]))

    if form.is_valid() and attempt(form, train):
        return redirect("training-run", asked[0].pk)
    runs = list(TrainingRun.objects.select_related("dataset").order_by("-id")[:RUNS_SHOWN])
    context = {
        "models": learning.models().order_by("-number")[:RUNS_SHOWN], "runs": runs,
        "live": flows.settings_of(actor.organization_id).model_id, "form": form,
        "may_write": WRITE in actor.permissions, "may_approve": APPROVE in actor.permissions,
        "unfinished": any(run.status not in TERMINAL for run in runs), "tab": "models",
    }  # fmt: skip
    return render(request, "support/bot/models.html", context, status=first_errors([form]))


@require_POST
@organization_page
def promote(request: HttpRequest, number: int) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(APPROVE)
    try:
        learning.promote(actor, number)
        messages.success(request, _("The model reads from now on."))
    except MillraceError as error:
        if error.status == 404:
            raise
        messages.error(request, error.shown())
    return redirect("dialogue-models")


@require_GET
@organization_page
def run_page(request: HttpRequest, id: UUID) -> HttpResponse:
    """A training run: its progress, and once it is over what was measured, the curve, and what is doubtful."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    run = learning.get_run(actor, id)
    known = {str(row.pk): row for row in IntentExample.objects.filter(pk__in=[each["id"] for each in run.doubts])}
    doubts = [
        each
        for each in run.doubts
        if (row := known.get(each["id"])) and not row.is_sure and row.intent == each["intent"]
    ]
    context = {
        "run": run, "report": run.report, "chart": curve_of(run.report), "doubts": doubts[:50],
        "model": DialogueModel.objects.filter(run=run).first(), "percent": round(100 * run.progress),
        "unfinished": run.status not in TERMINAL, "may_write": WRITE in actor.permissions,
        "may_approve": APPROVE in actor.permissions, "tab": "models",
        "worst": sorted(run.report.get("recall", {}).items(), key=lambda pair: pair[1][0])[:10],
    }  # fmt: skip
    return render(request, "support/bot/run.html", context)


@require_POST
@organization_page
def stop(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    learning.cancel_training(actor, id)
    return redirect("training-run", id)


@require_GET
@organization_page
def turns_page(request: HttpRequest) -> HttpResponse:
    """What visitors wrote and how it was read; a wrong reading is put right here."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    rows = TurnRecord.objects.select_related("model", "flows", "article")
    if conversation := below(request.GET.get("conversation")):
        rows = rows.filter(conversation_id=conversation)
    page = page_of(rows, request.GET.get("before"), 50)
    context = {
        "page": page, "rows": [(row, row.best) for row in page.rows],
        "intents": learning.intents(), "may_write": WRITE in actor.permissions, "tab": "turns",
    }  # fmt: skip
    return render(request, "support/bot/turns.html", context)


@require_POST
@organization_page
def mark(request: HttpRequest, id: UUID) -> HttpResponse:
    """From the list of turns, or from a conversation, where a script stays on the page and wants JSON."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    stays = request.headers.get("accept") == "application/json"
    thanks = _("Thank you: the bot learns from it at the next training.")
    try:
        row = learning.mark_intent(actor, id, request.POST.get("intent", ""))
    except MillraceError as error:
        if error.status == 404:
            raise
        if stays:
            return JsonResponse({"message": error.shown()}, status=error.status)
        messages.error(request, error.shown())
    else:
        if stays:
            return JsonResponse({"intent": row.intent, "message": thanks})
        messages.success(request, thanks)
    conversation = request.POST.get("conversation", "")
    return redirect("desk-conversation", UUID(conversation)) if _is_id(conversation) else redirect("bot-turns")


def curve_of(report: dict[str, Any]) -> charts.Chart | None:
    """Answered wrongly against handed over, at each threshold; drawn on the server."""
    points = report.get("curve", [])[::2]
    if not points:
        return None
    share = lambda name: [round(1_000 * each[name]) for each in points]  # noqa: E731
    return charts.draw(
        charts.Kind.LINES,
        _("What a threshold costs"),
        [f"{each['threshold']:.2f}" for each in points],
        [charts.Series(_("answered wrongly"), share("wrong")), charts.Series(_("handed over"), share("handed_over"))],
        label=_("Threshold"),
        show=lambda value: f"{value / 10:g} %",
    )


def _add(actor: Any, values: dict[str, Any]) -> int:
    if upload := values["file"]:
        text = upload.read(MOST_BYTES).decode("utf-8-sig", "replace")
        return learning.add_examples(actor, learning.read_csv(text), ExampleSource.IMPORT)
    lines = [line.strip() for line in values["texts"].splitlines() if line.strip()]
    return learning.add_examples(actor, [learning.Given(line, values["intent"]) for line in lines])


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
