"""An organization's events in their order: positions have no gaps, and become visible in the order of commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.core.eventtypes import unknown_among
from apps.core.models import Event, EventCounter
from apps.core.tenancy import Across, across_tenants
from apps.webhooks.access import EVENTS

LONGEST_POSITION = 18
MOST_TYPES = 50


@dataclass(frozen=True, slots=True)
class Feed:
    """Some events; a reader goes on behind `position`, also where the filter has left the last ones out.

    `removed_through` is the last position that is not kept any more, where the reader had not come that far.
    """

    events: Sequence[Event]
    position: int
    has_more: bool
    removed_through: int = 0


def checked_types(given: Sequence[str]) -> list[str]:
    """The filter, or InvalidRequest naming what is no type and no group of types."""
    wanted = sorted({each.strip() for each in given if each.strip()})
    if len(wanted) > MOST_TYPES:
        raise InvalidRequest("Name at most %(most)s types.", values={"most": MOST_TYPES}, param="type")
    if unknown := unknown_among(wanted):
        raise InvalidRequest("There is no event of the type %(type)s.", values={"type": unknown[0][:80]}, param="type")
    return wanted


def position_of(text: str, param: str) -> int:
    """Where a reader stands; "" is the beginning."""
    if text and not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_POSITION):
        raise InvalidRequest("This is not the number of an event.", param=param)
    return int(text or 0)


def asking_for(types: Sequence[str]) -> Q:
    """The filter as a condition: names of types, and `group.*` for a whole group."""
    condition = Q()
    for each in types:
        condition |= Q(type__startswith=each[:-1]) if each.endswith(".*") else Q(type=each)
    return condition


def read(actor: Actor, after: int, types: Sequence[str] = (), limit: int = 100) -> Feed:
    """The events behind a position, in order."""
    actor.require(EVENTS)
    with tenancy.reading(actor.organization_id):
        last = EventCounter.objects.values_list("last", flat=True).first() or 0
        # Everything up to the counter's number has committed: the counter's row is locked until its event has.
        rows = Event.objects.filter(position__gt=after, position__lte=last)
        first = rows.order_by("position").values_list("position", flat=True).first()
        found = list(rows.filter(asking_for(types)).order_by("position")[: limit + 1])
    has_more = len(found) > limit
    events = found[:limit]
    position = events[-1].position if has_more else max(last, after if after <= last else last)
    gone = (first or last + 1) - 1
    return Feed(events, position, has_more, removed_through=gone if gone > after else 0)


def newest(types: Sequence[str] = (), before: int | None = None, limit: int = 50) -> list[Event]:
    """For the page, in the organization's scope: the newest first."""
    rows = Event.objects.filter(asking_for(types))
    return list((rows.filter(position__lt=before) if before else rows).order_by("-position")[:limit])


def counted(organizations: Sequence[UUID]) -> dict[UUID, int]:
    """The number of the last event of each of them."""
    with across_tenants(Across.COUNT_WORK):
        rows: Any = EventCounter.objects.filter(organization_id__in=organizations)
        return dict(rows.values_list("organization_id", "last"))


def between(since: datetime, until: datetime, types: Sequence[str]) -> Any:
    """For replays, in the organization's scope: the events of a range of time, in order."""
    return Event.objects.filter(asking_for(types), created_at__gte=since, created_at__lt=until).order_by("position")
