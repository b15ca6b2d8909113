"""All that Millrace can be connected with, and what of it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts.access import organization_page
from apps.webhooks.access import MANAGE
from apps.webhooks.models import Endpoint, EndpointKind, Format, InboundHook, Sender, Stopped


@dataclass(frozen=True, slots=True)
class Integration:
    """One card: `count` of those that are set up, `stopped` of them not working, and where it is set."""

    name: Any
    about: Any
    url: str
    count: int = 0
    stopped: int = 0


_OUT = {
    Format.SLACK: _("Events as messages in a channel, by an incoming webhook of your workspace."),
    Format.TEAMS: _("Events as cards in a channel, by the workflow “when a Teams webhook request is received”."),
    Format.EMAIL: _("Events that you choose as mails to a member."),
    Format.CHATWOOT: _("Events of the support desk with Chatwoot's names and bodies, for what was written for it."),
    Format.STANDARD: _("Every event to a program of yours: signed, in order, again until it answers."),
}
_IN = {
    Sender.STRIPE: _("Payments elsewhere count usage, or start a text."),
    Sender.GITHUB: _("A release or a push starts a template, such as release notes."),
    Sender.SLACK: _("Calls of a Slack app, checked by its signing secret."),
    Sender.STANDARD: _("Any program that signs as Standard Webhooks says."),
}


@require_GET
@never_cache
@organization_page
def integrations_page(request: HttpRequest) -> HttpResponse:
    request.actor.require(MANAGE)  # type: ignore[attr-defined]
    endpoints = Endpoint.objects.filter(kind=EndpointKind.EVENTS)
    there = dict(endpoints.values_list("format").annotate(count=Count("pk")).order_by())
    down = dict(endpoints.exclude(stopped=Stopped.NO).values_list("format").annotate(count=Count("pk")).order_by())
    hooks = dict(InboundHook.objects.values_list("sender").annotate(count=Count("pk")).order_by())
    out = reverse("webhooks")
    context = {
        "outgoing": [
            Integration(Format(each).label, about, f"{out}?format={each}", there.get(each, 0), down.get(each, 0))
            for each, about in _OUT.items()
        ],
        "incoming": [
            Integration(Sender(each).label, about, reverse("inbound-hooks") + f"?sender={each}", hooks.get(each, 0))
            for each, about in _IN.items()
        ],
    }
    return render(request, "webhooks/integrations.html", context)
