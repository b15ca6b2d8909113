"""Licences: the list, a new one, and one with its files, machines, seats and history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.audit.sentences import sentence
from apps.accounts.models import AuditEntry
from apps.accounts.organization_forms import TypedForm, attempt, first_errors
from apps.core import shown_once
from apps.core.errors import NotFound
from apps.core.jobs import Status
from apps.core.keyset import page_of
from apps.licensing import services as licensing
from apps.licensing.forms import IssueForm, LicenseeForm, ReasonForm, RenewForm, RequestForm
from apps.licensing.models import SERVED, Licence, Machine, Policy, Purpose, SigningJob, State
from apps.licensing.services import MANAGE, READ
from apps.licensing.views.products import as_file

MOST_SHOWN = 50
LONGEST_SEARCH = 120


@require_GET
@organization_page
def licences(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    rows = Licence.objects.for_pages()
    search = request.GET.get("search", "").replace("\0", "").strip()[:LONGEST_SEARCH]
    state = request.GET.get("state", "")
    if search:
        rows = rows.matching(search)
    if state in State.values:
        rows = rows.filter(state=state)
    page = page_of(rows, request.GET.get("before"))
    context = {
        "page": page,
        "search": search,
        "state": state,
        "states": State.choices,
        "is_filtered": bool(search or state in State.values),
        "has_policies": bool(page.rows) or Policy.objects.exists(),
        "may_manage": MANAGE in actor.permissions,
    }
    return render(request, "licensing/licences.html", context)


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def new_licence(request: HttpRequest) -> HttpResponse:
    """Issues a licence; its page shows the key, once."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    form = IssueForm(request.POST or None)
    made: list[tuple[Licence, str]] = []
    if form.is_valid():
        values = form.cleaned_data
        attempt(
            form,
            lambda: made.append(
                licensing.issue_licence(actor, UUID(values["policy"]), values["licensee"], values["email"])
            ),
        )
    if made:
        shown_once.keep(request, str(made[0][0].pk), made[0][1])
        return redirect("licence", id=made[0][0].pk)
    has_policies = bool(form.fields["policy"].choices)  # type: ignore[attr-defined]
    context = {"form": form, "has_policies": has_policies}
    return render(request, "licensing/licence_new.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def licence(request: HttpRequest, id: UUID) -> HttpResponse:
    """One licence; `act` says what a form on it does."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "GET":
        return _page(request, id, key=shown_once.take(request, str(id)))
    actor.require(MANAGE)
    licensing.get_licence(actor, id, MANAGE)
    act = request.POST.get("act", "")
    renewing = RenewForm(request.POST if act == "renew" else None)
    transfer = LicenseeForm(request.POST if act == "transfer" else None)
    key: list[str] = []
    acts: dict[str, Callable[[], Any]] = {
        "sign": lambda: licensing.request_file(actor, id),
        "suspend": lambda: licensing.suspend(actor, id, request.POST.get("reason", "")),
        "reinstate": lambda: licensing.reinstate(actor, id),
        "key": lambda: key.append(licensing.replace_key(actor, id)[1]),
    }
    if act in acts:
        acts[act]()
    elif renewing.is_valid() and attempt(renewing, lambda: licensing.renew(actor, id, renewing.cleaned_data["days"])):
        act = "renewed"
    elif transfer.is_valid():
        attempt(transfer, lambda: key.append(licensing.transfer(actor, id, **transfer.cleaned_data)[1]))
    if renewing.errors or transfer.errors:
        return _page(request, id, renewing=renewing, transfer=transfer)
    if key:
        shown_once.keep(request, str(id), key[0])
        return redirect("licence", id=id)
    messages.success(request, _("Done. What changed is signed within a moment."))
    return redirect("licence", id=id)


def _page(request: HttpRequest, id: UUID, key: str = "", **forms: Any) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    found = licensing.get_licence(actor, id, READ if request.method == "GET" else MANAGE)
    machines = list(Machine.objects.filter(licence=found).order_by("released_at", "-id")[:MOST_SHOWN])
    history = AuditEntry.objects.filter(object_id__in=[id, *(machine.pk for machine in machines)])
    waiting = SigningJob.objects.filter(licence=found, status__in=[Status.QUEUED, Status.RUNNING]).exists()
    last = SigningJob.objects.filter(licence=found, status=Status.FAILED).order_by("-id").first()
    context = {
        "licence": found,
        "state": State(found.state),  # type: ignore[attr-defined]  # annotated by the query
        "is_served": found.state in SERVED,  # type: ignore[attr-defined]
        "key": key,
        "waiting": waiting,
        "failed": None if waiting or found.is_signed else last,
        "machines": machines,
        "active": sum(machine.released_at is None for machine in machines),
        "seats": list(licensing.seats_in_use(found)[:MOST_SHOWN]) if found.floating else [],
        "history": [(entry, sentence(entry)) for entry in history.order_by("-sequence")[:MOST_SHOWN]],
        "renewing": forms.get("renewing") or RenewForm(),
        "transfer": forms.get("transfer") or LicenseeForm(),
        "may_manage": MANAGE in actor.permissions,
    }
    filled = [form for form in forms.values() if form is not None]
    return render(request, "licensing/licence.html", context, status=first_errors(filled))


@require_http_methods(["GET", "POST"])
@organization_page
def revoke(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    found = licensing.get_licence(actor, id, MANAGE)
    form = TypedForm(request.POST or None, label=_("Type the licensee's name to confirm"), expected=found.licensee)
    reason = ReasonForm(request.POST or None)
    if (
        form.is_valid()
        and reason.is_valid()
        and attempt(reason, lambda: licensing.revoke(actor, id, reason.cleaned_data["reason"]))
    ):
        messages.success(request, _("The licence has been revoked; the list is signed within a moment."))
        return redirect("licence", id=id)
    context = {"licence": found, "form": form, "reason": reason}
    return render(request, "licensing/licence_revoke.html", context, status=first_errors([form, reason]))


@require_GET
@organization_page
def licence_file(request: HttpRequest, id: UUID) -> HttpResponse:
    found = licensing.get_licence(request.actor, id)  # type: ignore[attr-defined]
    if not found.file:
        raise NotFound(_("This licence has not been signed yet."))
    return as_file(found.file.encode(), f"licence-{found.pk}.lic")


@require_POST
@organization_page
def release_machine(request: HttpRequest, id: UUID, machine: UUID) -> HttpResponse:
    licensing.release(request.actor, id, machine)  # type: ignore[attr-defined]
    messages.success(request, _("The machine has been released."))
    return redirect("licence", id=id)


@require_http_methods(["GET", "POST"])
@organization_page
def requests(request: HttpRequest) -> HttpResponse:
    """Answers an activation request of a machine without a network."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    form = RequestForm(request.POST, request.FILES) if request.method == "POST" else RequestForm()
    made: list[SigningJob] = []
    if form.is_valid() and attempt(
        form, lambda: made.append(licensing.activate_by_request(actor, form.request_bytes()))
    ):
        messages.success(request, _("The machine is activated. The response is signed within a moment."))
        return redirect("licence-requests")
    jobs = SigningJob.objects.filter(purpose=Purpose.RESPONSE).select_related("licence", "machine")
    context = {"form": form, "jobs": jobs.order_by("-id")[:MOST_SHOWN]}
    return render(request, "licensing/requests.html", context, status=first_errors([form]))


@require_GET
@organization_page
def response_file(request: HttpRequest, id: UUID) -> HttpResponse:
    request.actor.require(MANAGE)  # type: ignore[attr-defined]
    job = SigningJob.objects.filter(pk=id, purpose=Purpose.RESPONSE).exclude(file="").first()
    if job is None:
        raise NotFound(_("There is no response with this id."))
    return as_file(job.file.encode(), f"response-{job.pk}.txt")
