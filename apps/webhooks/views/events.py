"""What has happened in the organization, and the catalogue of all that can."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.access import organization_page
from apps.core.eventtypes import EventType, catalogue, unknown_among
from apps.webhooks import feed
from apps.webhooks.access import EVENTS, MANAGE

PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Group:
    """Types of one beginning, as the catalogue shows them together."""

    name: str
    types: list[EventType]


def groups() -> list[Group]:
    found = groupby(catalogue().values(), key=lambda each: each.name.partition(".")[0])
    return [Group(name, list(types)) for name, types in found]


@require_GET
@organization_page
def events_page(request: HttpRequest) -> HttpResponse:
    """The newest events first, all or those of a type."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(EVENTS)
    chosen = request.GET.get("type", "").strip()
    unknown = bool(unknown_among([chosen])) if chosen else False
    before = request.GET.get("before", "")
    last = int(before) if before.isascii() and before.isdecimal() and len(before) <= feed.LONGEST_POSITION else None
    found = [] if unknown else feed.newest([chosen] if chosen else [], last, PAGE_ROWS + 1)
    rows = [(each, json.dumps(each.data, ensure_ascii=False)) for each in found[:PAGE_ROWS]]
    context: dict[str, Any] = {
        "rows": rows,
        "chosen": chosen,
        "groups": groups(),
        "next": rows[-1][0].position if len(found) > PAGE_ROWS else None,
        "may_manage": MANAGE in actor.permissions,
    }
    return render(request, "webhooks/events.html", context)


@require_GET
@organization_page
def event_catalogue(request: HttpRequest) -> HttpResponse:
    """Every type with what it is about and its facts."""
    request.actor.require(EVENTS)  # type: ignore[attr-defined]
    return render(request, "webhooks/catalogue.html", {"groups": groups()})
