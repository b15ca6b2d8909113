"""Pages of the bot: what is live, its flows with steps and stories, and the systems that it calls."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core.errors import MillraceError, NotFound
from apps.core.keyset import page_of
from apps.support.access_bot import APPROVE, READ, WRITE
from apps.support.forms_bot import ActionForm, BotForm, FlowsForm, StoryForm
from apps.support.models import BotAction, FlowApproval, FlowVersion
from apps.support.services import flows, resolutions
from apps.support.views.flow_editor import standing_of, tried, with_standing
from ml.dialogue.flows import Problem

BEGINNING = """answers:
  opening_hours: We are open from nine to five.
flows:
  example:
    title: An example
    intents: [example]
    slots:
      amount: {kind: amount, ask: "What amount?"}
    steps:
      - ask: amount
      - say: "You said {amount}."
"""


@require_http_methods(["GET", "POST"])
@organization_page
def bot_page(request: HttpRequest) -> HttpResponse:
    """What is live, and by which thresholds the bot goes."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(APPROVE if request.method == "POST" else READ)
    settings = flows.settings_of(actor.organization_id)
    names = ("is_on", "accept", "margin", "quiet_seconds", "least_likeness", "four_eyes",
             "writer", "answer_seconds", "idle_hours")  # fmt: skip
    duties = "\n".join(f"{name}: {reason}" for name, reason in settings.duties.items())
    form = BotForm(request.POST or None, initial={name: getattr(settings, name) for name in names} | {"duties": duties})
    if form.is_valid() and attempt(form, lambda: flows.change_bot(actor, form.change())):
        messages.success(request, _("The bot has been changed."))
        return redirect("bot")
    context = {
        "settings": settings, "form": form, "may_approve": APPROVE in actor.permissions, "tab": "bot",
        "in_plan": flows.is_in_plan(actor.organization_id), "has_room": resolutions.has_bot(actor.organization_id),
    }  # fmt: skip
    return render(request, "support/bot/bot.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def flows_page(request: HttpRequest) -> HttpResponse:
    """Versions of the flows, and a form for another, which begins with the newest."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if request.method == "POST" else READ)
    page = page_of(FlowVersion.objects.select_related("created_by"), request.GET.get("before"))
    newest = page.rows[0] if page.rows else None
    initial = {"text": newest.text if newest else BEGINNING, "stories": newest.stories if newest else ""}
    form = FlowsForm(request.POST or None, initial=initial)
    made: list[FlowVersion] = []
    problems: Sequence[Problem] = []
    if form.is_valid():
        values = form.cleaned_data
        problems, saved = tried(form, lambda: made.append(flows.save_version(actor, **values)))
        if saved:
            return redirect("flow", made[0].number)
    context = {
        "page": page, "rows": with_standing(actor.organization_id, page.rows), "form": form, "problems": problems,
        "may_write": WRITE in actor.permissions, "tab": "flows",
    }  # fmt: skip
    return render(request, "support/bot/flows.html", context, status=first_errors([form]))


@require_GET
@organization_page
def flow_page(request: HttpRequest, number: int) -> HttpResponse:
    """One version: its text by lines, what is wrong with it, and what came of its stories."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    version = flows.get_version(actor, number)
    problems = flows.problems_of(version.text)
    by_line = {each.line: each.message for each in problems}
    run = flows.latest_run(version)
    context = {
        "version": version, "standing": standing_of(version), "problems": problems, "run": run,
        "lines": [(place, line, by_line.get(place, "")) for place, line in enumerate(version.text.splitlines(), 1)],
        "approval": FlowApproval.objects.select_related("approved_by").filter(version=version).first(),
        "story_form": StoryForm(), "may_write": WRITE in actor.permissions,
        "may_approve": APPROVE in actor.permissions, "tab": "flows",
    }  # fmt: skip
    return render(request, "support/bot/flow.html", context)


@require_POST
@organization_page
def flow_act(request: HttpRequest, number: int, act: str) -> HttpResponse:
    """Approves a version, puts it live, or has its stories run."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if act == "test" else APPROVE)
    flows.get_version(actor, number)
    try:
        if act == "approve":
            flows.approve(actor, number)
            messages.success(request, _("The flows are approved."))
        elif act == "live":
            flows.go_live(actor, number)
            messages.success(request, _("The flows are live."))
        elif act == "test":
            flows.request_run(actor, number, bool(request.POST.get("calls")))
            messages.success(request, _("The stories are being run."))
        else:
            raise NotFound(_("There is nothing at this address."))
    except MillraceError as error:
        if act not in {"approve", "live", "test"} or error.status in {403, 404}:
            raise
        messages.error(request, error.shown())
    return redirect("flow", number)


@require_http_methods(["GET", "POST"])
@organization_page
def actions_page(request: HttpRequest) -> HttpResponse:
    """The systems that flows may call; a new one's secret is shown once."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(APPROVE if request.method == "POST" else READ)
    form = ActionForm(request.POST or None)
    made: list[tuple[BotAction, str]] = []
    if form.is_valid():
        values = form.cleaned_data
        if attempt(form, lambda: made.append(flows.save_action(actor, flows.ActionDraft(**values)))):
            form = ActionForm()
    context = {
        "rows": BotAction.objects.order_by("name"), "form": form, "made": made[0] if made else None,
        "may_approve": APPROVE in actor.permissions, "tab": "actions",
    }  # fmt: skip
    return render(request, "support/bot/actions.html", context, status=first_errors([form]))


@require_POST
@organization_page
def action_delete(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    flows.delete_action(actor, id)
    messages.success(request, _("The action has been removed."))
    return redirect("bot-actions")
