"""Pages on which programs that answer at the desk are connected."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import Actor, waiting_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.accounts.sudo import recently_authenticated, require_recent
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.support.access import MANAGE
from apps.support.forms import AgentBotForm
from apps.support.models import BotCall
from apps.support.services.agent_bots import setting
from apps.support.services.agent_bots.setting import Shown
from apps.support.views.setting import NAMES

LATEST = 20


@require_http_methods(["GET", "POST"])
@never_cache
@waiting_page
def agent_bots_page(request: HttpRequest) -> HttpResponse:
    """All of them, and a form for another; conversations are given away in transactions of their own."""
    actor = _manager(request)
    form = _form(actor, request)
    made: list[Shown] = []
    if form.is_valid() and attempt(form, lambda: made.append(setting.create(actor, form.values()))):
        return _one(request, actor, made[0])
    context = {"bots": setting.listing(actor), "form": form, "kinds": NAMES}
    return render(request, "support/agent_bots.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@never_cache
@waiting_page
def agent_bot_page(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = _manager(request)
    row = setting.get(actor, id)
    form = _form(actor, request, row)
    changed: list[Shown] = []
    if form.is_valid() and attempt(form, lambda: changed.append(setting.change(actor, id, form.values()))):
        if changed[0].secret:
            return _one(request, actor, changed[0])
        flashes.success(request, _("The bot has been changed."))
        return redirect("desk-bot", id)
    return _one(request, actor, Shown(row), form)


@require_POST
@never_cache
@recently_authenticated
@waiting_page
def agent_bot_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """Another token, and its end."""
    actor = _actor(request)
    actor.require(MANAGE)
    setting.get(actor, id)
    if act == "renew":
        return _one(request, actor, setting.renew_token(actor, id))
    if act != "delete":
        raise NotFound(_("There is nothing at this address."))
    setting.delete(actor, id)
    flashes.success(request, _("The bot is gone; people have what it had."))
    return redirect("desk-bots")


def _form(actor: Actor, request: HttpRequest | None = None, row: Any = None) -> AgentBotForm:
    with tenancy.scope(actor.organization_id):
        given = request.POST if request is not None and request.method == "POST" else None
        initial: dict[str, Any] = {"patience_seconds": 30}
        if row is not None:
            initial = {name: getattr(row, name) for name in ("name", "url", "patience_seconds")}
            initial["inboxes"] = [str(each.pk) for each in row.inboxes.all()]
        return AgentBotForm(given, initial=initial)


def _one(request: HttpRequest, actor: Actor, shown: Shown, form: AgentBotForm | None = None) -> HttpResponse:
    form = form or _form(actor, row=setting.get(actor, shown.bot.pk))
    with tenancy.scope(actor.organization_id):
        calls = BotCall.objects.filter(bot=shown.bot).select_related("conversation").order_by("-id")
        context = {
            "bot": shown.bot,
            "shown": shown,
            "form": form,
            "calls": list(calls[:LATEST]),
            "account": str(actor.organization_id),
            "kinds": NAMES,
        }
    return render(request, "support/agent_bot.html", context, status=first_errors([form]))


def _manager(request: HttpRequest) -> Actor:
    """Whoever may set up; what is sent needs a fresh proof, since a token may be shown for it."""
    actor = _actor(request)
    actor.require(MANAGE)
    if request.method == "POST":
        require_recent(request)
    return actor


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor
