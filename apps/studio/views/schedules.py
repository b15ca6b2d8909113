"""Schedules: set, paused, run at once, with their history; and the page on which a recipient decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.keyset import page_of
from apps.core.views import error_response
from apps.studio.models import Occurrence, Recipient, RecipientState, Schedule
from apps.studio.schedule_forms import RecipientForm, ScheduleForm
from apps.studio.services import schedules
from apps.studio.services.schedules.setting import READ, WRITE

HISTORY_ROWS = 25
ACTS: dict[str, tuple[Callable[..., Any], str | Promise]] = {
    "pause": (schedules.pause_schedule, gettext_lazy("The schedule is paused.")),
    "resume": (schedules.resume_schedule, gettext_lazy("The schedule goes on from its next time.")),
    "run": (schedules.run_now, gettext_lazy("It is carried out now.")),
    "delete": (schedules.delete_schedule, gettext_lazy("The schedule has been deleted; its texts stay.")),
}


@require_GET
@organization_page
def schedule_list(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    page = page_of(Schedule.objects.all(), request.GET.get("before"))
    return render(request, "studio/schedules/list.html", {"page": page, "may_write": WRITE in actor.permissions})


@require_http_methods(["GET", "POST"])
@organization_page
def new_schedule(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    form = ScheduleForm(request.POST or None, actor=actor)
    made: list[Schedule] = []
    if form.is_valid() and attempt(form, lambda: made.append(schedules.create_schedule(actor, form.plan()))):
        messages.success(request, _("The schedule is set. Say below whom its texts are sent to."))
        return redirect("schedule", made[0].pk)
    return render(request, "studio/schedules/form.html", {"form": form}, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def edit_schedule(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    found = schedules.get_schedule(actor, id)
    form = ScheduleForm(request.POST or None, actor=actor, schedule=found)
    if form.is_valid() and attempt(form, lambda: schedules.change_schedule(actor, id, form.plan())):
        messages.success(request, _("The schedule has been changed."))
        return redirect("schedule", id)
    context = {"form": form, "schedule": found}
    return render(request, "studio/schedules/form.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def schedule_page(request: HttpRequest, id: UUID) -> HttpResponse:
    """One schedule with its history and its recipients; adding one is what is posted here."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if request.method == "POST" else READ)
    found = schedules.get_schedule(actor, id)
    form = RecipientForm(request.POST or None)
    added: list[Recipient] = []
    if form.is_valid() and attempt(
        form, lambda: added.append(schedules.add_recipient(actor, id, form.cleaned_data["email"]))
    ):
        pending = added[0].state == RecipientState.PENDING
        messages.success(request, _("They get a mail in which they can say yes.") if pending else _("They are added."))
        return redirect("schedule", id)
    occurrences = Occurrence.objects.filter(schedule=found).select_related("generation", "run").order_by("-due_at")
    context = {
        "schedule": found,
        "occurrences": list(occurrences[:HISTORY_ROWS]),
        "recipients": list(found.recipients.order_by("email")),
        "form": form,
        "may_write": WRITE in actor.permissions,
    }
    return render(request, "studio/schedules/schedule.html", context, status=first_errors([form]))


@require_POST
@organization_page
def schedule_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    schedules.get_schedule(actor, id)
    if act == "remove-recipient":
        call, words = _removal(request), _("They are taken off the list.")
    elif act in ACTS:
        call, words = ACTS[act][0], str(ACTS[act][1])
    else:
        raise NotFound(_("There is nothing at this address."))
    try:
        call(actor, id)
    except (Conflict, InvalidRequest) as error:
        messages.error(request, error.shown())
        return redirect("schedule", id)
    messages.success(request, words)
    return redirect("schedules") if act == "delete" else redirect("schedule", id)


def _removal(request: HttpRequest) -> Callable[[Any, UUID], None]:
    try:
        recipient = UUID(request.POST.get("recipient", ""))
    except ValueError:
        recipient = UUID(int=0)
    return lambda actor, id: schedules.remove_recipient(actor, id, recipient)


@csrf_exempt
@require_http_methods(["GET", "POST"])
def recipient_page(request: HttpRequest, token: str) -> HttpResponse:
    """Where a recipient says whether they want the mails; whoever has the link, without signing in.

    A mail program's one click is a POST without a form (RFC 8058): it ends the mails. Nothing is changed by looking,
    since programs look at links before people do.
    """
    try:
        if request.method == "POST":
            found = schedules.decide(token, wanted=request.POST.get("want") == "yes")
        else:
            found = schedules.find_recipient(token)
    except NotFound as error:
        return error_response(request, error)
    context = {"recipient": found, "schedule": found.schedule, "said": request.method == "POST"}
    answer = render(request, "studio/schedules/recipient.html", context)
    answer["cache-control"] = "no-store"
    answer["referrer-policy"] = "no-referrer"
    return answer
