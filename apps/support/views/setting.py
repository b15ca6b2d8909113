"""Pages on which a desk is set up: inboxes and who answers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages as flashes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page
from apps.accounts.models import Membership
from apps.accounts.organization_forms import attempt, first_errors
from apps.accounts.sudo import recently_authenticated
from apps.core.errors import NotFound
from apps.support.access import MANAGE, WRITE
from apps.support.forms import AgentForm, DeskForm, InboxForm, NewInboxForm
from apps.support.models import Agent, Inbox, InboxAgent
from apps.support.services import assignment, desk, inboxes
from apps.support.services.mail import accounts
from apps.support.views.kinds import NAMES


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def inboxes_page(request: HttpRequest) -> HttpResponse:
    """All inboxes, a form for another, and what holds for the whole desk."""
    actor = _actor(request)
    actor.require(MANAGE)
    row = desk.read_settings(actor)
    values = {name: getattr(row, name) for name in ("masked", "original_days", "resolve_after_days")}
    whole = "desk" in request.POST
    form = NewInboxForm(request.POST if request.method == "POST" and not whole else None)
    setting = DeskForm(request.POST if whole else None, initial=values)
    if form.is_valid() and attempt(form, lambda: inboxes.create(actor, **form.cleaned_data)):
        flashes.success(request, _("The inbox is open."))
        return redirect("desk-inboxes")
    if setting.is_valid() and attempt(setting, lambda: desk.change_settings(actor, setting.cleaned_data)):
        flashes.success(request, _("The desk has been changed."))
        return redirect("desk-inboxes")
    context = {"inboxes": list(inboxes.listing(actor)), "form": form, "setting": setting, "kinds": NAMES}
    return render(request, "support/inboxes.html", context, status=first_errors([form, setting]))


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def inbox_page(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = _actor(request)
    actor.require(MANAGE)
    row = inboxes.get(actor, id)
    form = InboxForm(request.POST or None, initial=_initial(row))
    if form.is_valid() and attempt(form, lambda: inboxes.change(actor, id, form.values())):
        flashes.success(request, _("The inbox has been changed."))
        return redirect("desk-inbox", id)
    return _inbox(request, row, form=form)


@require_POST
@never_cache
@recently_authenticated
@organization_page
def inbox_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """Its agents, its secret and its end."""
    actor = _actor(request)
    actor.require(MANAGE)
    row = inboxes.get(actor, id)
    if act == "agents":
        inboxes.set_agents(actor, id, [UUID(each) for each in request.POST.getlist("agents") if _is_id(each)])
        flashes.success(request, _("The inbox has been changed."))
    elif act == "secret":
        return _inbox(request, row, secret=inboxes.show_secret(actor, id))
    elif act == "renew":
        return _inbox(request, row, secret=inboxes.renew_secret(actor, id))
    elif act == "close":
        inboxes.close(actor, id)
        flashes.success(request, _("The inbox is closed."))
        return redirect("desk-inboxes")
    else:
        raise NotFound(_("There is nothing at this address."))
    return redirect("desk-inbox", id)


def _inbox(request: HttpRequest, row: Inbox, **more: Any) -> HttpResponse:
    form = more.get("form") or InboxForm(initial=_initial(row))
    named = set(InboxAgent.objects.filter(inbox=row).values_list("membership_id", flat=True))
    members = [each for each in Membership.objects.for_pages() if WRITE in each.permissions][:200]
    context = {
        "inbox": row,
        "form": form,
        "members": [(each, each.pk in named) for each in members],
        "base_url": settings.BASE_URL,
        "secret": more.get("secret", ""),
        "account": accounts.find(row.pk),
    }
    return render(request, "support/inbox.html", context, status=first_errors([form]))


def _initial(row: Inbox) -> dict[str, Any]:
    look = row.settings.get("look", {})
    plain = ("name", "greeting", "away_message", "origins", *inboxes.FLAGS)
    ids = {name: str(getattr(row, f"{name}_id") or "") for name in ("hours", "sla", "team")}
    words = {"colour": look.get("colour", "#0a656d"), "title": look.get("title", "")}
    return {name: getattr(row, name) for name in plain} | ids | words


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def routing_page(request: HttpRequest) -> HttpResponse:
    """Who answers: whether they are there, how much they have and take, and what they know."""
    actor = _actor(request)
    actor.require(MANAGE)
    form = AgentForm(request.POST or None)
    member = request.POST.get("member", "")
    ready = _is_id(member) and form.is_valid()
    if ready and attempt(form, lambda: assignment.change_agent(actor, UUID(member), form.cleaned_data)):
        flashes.success(request, _("The agent has been changed."))
        return redirect("desk-routing")
    known = {row.membership_id: row for row in Agent.objects.all()}
    loads = assignment.loads_of(list(known))
    rows = [
        (each, known.get(each.pk), loads.get(each.pk, 0), each.pk in known and assignment.is_there(known[each.pk]))
        for each in Membership.objects.for_pages()[:200]
        if WRITE in each.permissions
    ]
    context = {"rows": rows, "form": form, "kinds": NAMES}
    return render(request, "support/routing.html", context, status=first_errors([form]))


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor
