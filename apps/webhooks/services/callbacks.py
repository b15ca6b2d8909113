"""Results of jobs, sent back to where whoever asked for the job wants them.

A job's end is an event like any other: so nothing but the asking knows of callbacks, and a result is sent once the end
has been committed, also where the process that ended the job dies with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db.models import Exists, OuterRef

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.eventtypes import MOST_BYTES
from apps.core.models import Event, EventCounter
from apps.core.outbound import target_of
from apps.webhooks.messages import VERSION, message_id, written
from apps.webhooks.models import Callback, Delivery, Endpoint, EndpointKind
from apps.webhooks.models.endpoints import LONGEST_URL
from apps.webhooks.services.endpoints import NO_ENDPOINT, alive

# What a job's result is, from the job's id, in the organization's scope; by the type of the event that ends it.
Result = Callable[[UUID], dict[str, Any] | None]

BATCH, MOST_ORIGINS = 500, 200


@cache
def endings() -> dict[str, Result]:
    """By the type of the event, what the result is: declared by each app in its `results.py`."""
    names = [f"{config.name}.results" for config in apps.get_app_configs() if config.name.startswith("apps.")]
    found: dict[str, Result] = {}
    for name in names:
        if find_spec(name):
            found |= import_module(name).ENDINGS
    return found


def register(actor: Actor, job: UUID, wanted: Mapping[str, Any]) -> None:
    """Has the job's result sent to `callback_url` or `callback_endpoint`, where one is given.

    In the transaction that accepts the job, so that a result is sent for no job that there is not.
    """
    url, endpoint_id = wanted.get("callback_url"), wanted.get("callback_endpoint")
    if url is None and endpoint_id is None:
        return
    if url is not None and endpoint_id is not None:
        raise InvalidRequest("Give either callback_url or callback_endpoint.", param="callback_url")
    with tenancy.scope(actor.organization_id):
        if url is not None:
            endpoint = _lane(actor.organization_id, url)
        else:
            found = Endpoint.objects.filter(pk=endpoint_id, kind=EndpointKind.EVENTS).first()
            if found is None:
                raise NotFound(NO_ENDPOINT, param="callback_endpoint")
            endpoint = found
        last = EventCounter.objects.values_list("last", flat=True).first() or 0
        Callback.objects.create(
            organization_id=actor.organization_id, job=job, endpoint=endpoint, url=url or "", position=last
        )


def _lane(organization_id: UUID, url: str) -> Endpoint:
    """What keeps a slow receiver of results from delaying those at other origins."""
    if len(url) > LONGEST_URL:
        raise InvalidRequest("The address is too long.", param="callback_url")
    target_of(url, settings.OUTBOUND_ALLOW_PRIVATE, "callback_url")
    if not alive().filter(endpoint=None).exists():
        raise Conflict("Nothing signs results yet: add a secret under Webhooks, Results of jobs.", param="callback_url")
    parts = urlsplit(url)
    origin = {"kind": EndpointKind.CALLBACKS, "url": f"{parts.scheme}://{parts.netloc.lower()}"}
    lanes = Endpoint.objects.filter(kind=EndpointKind.CALLBACKS)
    if not lanes.filter(**origin).exists() and lanes.count() >= MOST_ORIGINS:
        sent = Delivery.objects.filter(endpoint=OuterRef("pk"))
        waits = Exists(Callback.objects.filter(endpoint=OuterRef("pk")))
        lanes.exclude(Exists(sent)).exclude(waits).delete()
        if lanes.filter(waits | Exists(sent.filter(state__in=["waiting", "running"]))).count() >= MOST_ORIGINS:
            raise Conflict("Results go to at most %(most)s servers at a time.", values={"most": MOST_ORIGINS})
    lane: Endpoint
    lane, _made = Endpoint.objects.get_or_create(
        **origin, defaults={"organization_id": organization_id, "version": VERSION}
    )
    return lane


def send_results(organizations: Iterable[UUID]) -> int:
    """Makes messages of the jobs that have ended there since; returns how many. Each once, whoever dies."""
    return sum(_results_of(id) for id in organizations)


def _results_of(organization_id: UUID) -> int:
    with tenancy.scope(organization_id):
        waiting = list(Callback.objects.select_for_update(skip_locked=True).order_by("position")[:BATCH])
        if not waiting:
            return 0
        last = EventCounter.objects.values_list("last", flat=True).first() or 0
        begin = waiting[0].position
        behind = Event.objects.filter(position__gt=begin, position__lte=last).order_by("position")[:BATCH]
        events = list(behind)
        by_job = {callback.job: callback for callback in waiting}
        ended = {event.object_id: event for event in events if event.type in endings() and event.object_id in by_job}
        made = [_message(by_job[job], event) for job, event in ended.items()]
        Delivery.objects.bulk_create(made, ignore_conflicts=True)
        Callback.objects.filter(job__in=ended).delete()
        reached = events[-1].position if events else last
        left = [callback.pk for callback in waiting if callback.job not in ended and callback.position < reached]
        Callback.objects.filter(pk__in=left).update(position=reached)
    return len(made)


def _message(callback: Callback, event: Event) -> Delivery:
    facts: dict[str, Any] = {
        "organization_id": str(callback.organization_id),
        "sequence": event.position,
        "object_id": str(event.object_id),
        "event": event.type,
    }
    kind = f"{event.type.partition('.')[0]}.result"
    body = written(kind, event.created_at.isoformat(), facts | {"result": endings()[event.type](event.object_id)})
    if len(body.encode()) >= MOST_BYTES:
        # Whoever gets it fetches the job by its id.
        body = written(kind, event.created_at.isoformat(), facts | {"result": None, "result_omitted": True})
    return Delivery(
        organization_id=callback.organization_id,
        endpoint_id=callback.endpoint_id,
        message=message_id(callback.pk),
        type=kind,
        url=callback.url,
        body=body,
    )
