"""Addresses for calls in: all of them, and one with its calls and a place to try what becomes of a payload."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.accounts.sudo import recently_authenticated, require_recent
from apps.core.errors import NotFound
from apps.core.inbound import actions
from apps.core.keyset import page_of
from apps.webhooks.access import MANAGE
from apps.webhooks.forms import HookChangeForm, HookForm, HookSecretForm, TryForm, mapping_text
from apps.webhooks.models import InboundCall, InboundHook
from apps.webhooks.services import inbound

# Beside the form that changes the mapping the page has one that tries it.
OWN_IDS = "try_%s"


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def hooks_page(request: HttpRequest) -> HttpResponse:
    """Every address, and a form for another; a secret made here is in this answer and nowhere else."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    if request.method == "POST":
        require_recent(request)
    form = HookForm(request.POST or None, initial={"sender": request.GET.get("sender", "")})
    made: list[Any] = []
    if form.is_valid():
        secret = form.cleaned_data.pop("secret")
        if attempt(form, lambda: made.extend(inbound.create_hook(actor, form.cleaned_data, secret))):
            form = HookForm()
    context = {
        "hooks": [(row, _label(row)) for row in InboundHook.objects.order_by("-id")],
        "form": form,
        "actions": list(actions().values()),
        "created": made[0] if made else None,
        "address": _address(made[0]) if made else "",
        "secret": made[1] if made else "",
    }
    return render(request, "webhooks/hooks.html", context, status=first_errors([form]))


@require_GET
@never_cache
@organization_page
def hook_page(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    found = inbound.get_hook(actor, id)
    given: dict[str, Any] = {}
    if "call" in request.GET:
        try:
            body = inbound.payload_of_call(actor, found.pk, UUID(request.GET["call"]))
        except ValueError:
            raise NotFound(_("There is nothing at this address.")) from None
        given["trying"] = TryForm(initial={"mapping": mapping_text(found.mapping), "body": body}, auto_id=OWN_IDS)
    return _shown(request, found, given)


@require_POST
@never_cache
@recently_authenticated
@organization_page
def hook_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """Changes the address or its secret, tries a payload, or deletes it."""
    found = inbound.get_hook(request.actor, id)  # type: ignore[attr-defined]
    acts: dict[str, Callable[[HttpRequest, InboundHook], HttpResponse]] = {
        "change": _change,
        "secret": _secret,
        "try": _try,
        "delete": _delete,
    }
    if act not in acts:
        raise NotFound(_("There is nothing at this address."))
    return acts[act](request, found)


def _change(request: HttpRequest, found: InboundHook) -> HttpResponse:
    form = HookChangeForm(request.POST)
    actor = request.actor  # type: ignore[attr-defined]
    if form.is_valid() and attempt(form, lambda: inbound.change_hook(actor, found.pk, form.cleaned_data)):
        messages.success(request, _("The address has been changed."))
        return redirect("inbound-hook", found.pk)
    return _shown(request, found, {"form": form})


def _secret(request: HttpRequest, found: InboundHook) -> HttpResponse:
    form = HookSecretForm(request.POST)
    actor = request.actor  # type: ignore[attr-defined]
    made: list[Any] = []
    if form.is_valid() and attempt(
        form, lambda: made.extend(inbound.change_secret(actor, found.pk, form.cleaned_data["secret"]))
    ):
        messages.success(request, _("The secret has been changed; the one before counts for a day more."))
        return _shown(request, made[0], {"secret": made[1]})
    return _shown(request, found, {"renewing": form})


def _try(request: HttpRequest, found: InboundHook) -> HttpResponse:
    form = TryForm(request.POST, auto_id=OWN_IDS)
    actor = request.actor  # type: ignore[attr-defined]
    trials: list[inbound.Trial] = []
    if form.is_valid():
        values = form.cleaned_data
        attempt(
            form, lambda: trials.append(inbound.try_payload(actor, found.action, values["mapping"], values["body"]))
        )
    shown = [(name, json.dumps(each, ensure_ascii=False)) for name, each in trials[0].inputs.items()] if trials else []
    return _shown(request, found, {"trying": form, "trial": trials[0] if trials else None, "inputs": shown})


def _delete(request: HttpRequest, found: InboundHook) -> HttpResponse:
    inbound.delete_hook(request.actor, found.pk)  # type: ignore[attr-defined]
    messages.success(request, _("The address is closed."))
    return redirect("inbound-hooks")


def _shown(request: HttpRequest, found: InboundHook, given: dict[str, Any]) -> HttpResponse:
    text = mapping_text(found.mapping)
    current = {"name": found.name, "action": found.action, "mapping": text, "enabled": found.enabled}
    forms = {
        "form": HookChangeForm(initial=current),
        "renewing": HookSecretForm(),
        "trying": TryForm(initial={"mapping": text}, auto_id=OWN_IDS),
    }
    calls = InboundCall.objects.filter(hook=found).defer("payload")
    context = {
        "hook": found,
        "label": _label(found),
        "address": _address(found),
        "page": page_of(calls, request.GET.get("before")),
        **forms,
        **given,
    }
    return render(request, "webhooks/hook.html", context, status=first_errors([context[name] for name in forms]))


def _label(row: InboundHook) -> Any:
    known = actions().get(row.action)
    return known.label if known else row.action


def _address(row: InboundHook) -> str:
    return f"{settings.BASE_URL}{reverse('inbound-call', args=[row.pk])}"
