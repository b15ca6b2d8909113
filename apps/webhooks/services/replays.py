"""Sending again: one message, or all events of a range of time, under the ids that they had the first time."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import jobs, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.ids import uuid7
from apps.webhooks import feed
from apps.webhooks.access import MANAGE, RESULTS
from apps.webhooks.messages import message_id, written
from apps.webhooks.models import Delivery, DeliveryState, Endpoint
from apps.webhooks.services.endpoints import find_endpoint
from apps.webhooks.services.fanout import messages_for
from apps.webhooks.services.sending import WAKE

MOST_REPLAYED, BATCH = 20_000, 500
LONGEST_RANGE = timedelta(days=31)
TEST_TYPE = "webhook.test"
NO_DELIVERY = gettext_noop("There is no message with this id.")


def get_delivery(actor: Actor, id: UUID) -> Delivery:
    """With its endpoint; its attempts are asked for by whoever shows them."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        found: Delivery | None = Delivery.objects.select_related("endpoint").filter(pk=id).first()
        if found is None:
            raise NotFound(NO_DELIVERY)
        return found


def may_see(actor: Actor, delivery: Delivery) -> bool:
    """Whether the actor may read what the message holds: results of jobs are texts."""
    return not delivery.type.endswith(".result") or RESULTS in actor.permissions


def replay_delivery(actor: Actor, id: UUID) -> Delivery:
    """Sends a message once more, with a schedule of its own; its id and its body stay."""
    actor.require(MANAGE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        found: Delivery | None = Delivery.objects.select_for_update(of=("self",)).select_related("endpoint").filter(
            pk=id
        ).first()  # fmt: skip
        if found is None:
            raise NotFound(NO_DELIVERY)
        if not may_see(actor, found):
            actor.require(RESULTS)
        if found.state == DeliveryState.RUNNING:
            raise Conflict("This message is being sent at this moment.")
        _again(Delivery.objects.filter(pk=id), _moment())
        found.refresh_from_db()
        audit.record(actor, "webhook_endpoint.replayed", found.endpoint, count=1)
        jobs.ring(WAKE)
    return found


def replay_range(
    actor: Actor, endpoint_id: UUID, since: datetime, until: datetime, *, failed_only: bool = False
) -> int:
    """Sends the endpoint every event of the range that it asks for, in their order; returns how many.

    Also those from before it was there and from while it was paused. With `failed_only` what has arrived is left out.
    """
    actor.require(MANAGE)
    actor.require_open()
    if not timedelta(0) < until - since <= LONGEST_RANGE:
        raise InvalidRequest(
            "Replay a range of up to %(most)s days.", values={"most": LONGEST_RANGE.days}, param="since"
        )
    with tenancy.scope(actor.organization_id):
        endpoint = find_endpoint(endpoint_id, lock=True)
        # What is to come by itself anyway is not sent twice.
        events = feed.between(since, until, endpoint.types).filter(position__lte=endpoint.position)
        if events.count() > MOST_REPLAYED:
            raise Conflict("At most %(most)s events at a time: choose a shorter range.", values={"most": MOST_REPLAYED})
        batch: list[Any] = []
        count, moment = 0, _moment()
        for event in events.iterator(BATCH):
            batch.append(event)
            if len(batch) == BATCH:
                count += _replay(endpoint, batch, failed_only, moment)
                batch = []
        count += _replay(endpoint, batch, failed_only, moment)
        audit.record(actor, "webhook_endpoint.replayed", endpoint, count=count)
        jobs.ring(WAKE)
    return count


def _replay(endpoint: Endpoint, events: list[Any], failed_only: bool, moment: datetime) -> int:
    """Old and new ones are due at the same moment: then they go in the order of their events."""
    mine = Delivery.objects.filter(endpoint=endpoint, message__in=[message_id(event.pk) for event in events])
    known = set(mine.values_list("message", flat=True))
    fresh = [each for each in messages_for(endpoint, events) if each.message not in known]
    for each in fresh:
        each.next_at = moment
    Delivery.objects.bulk_create(fresh)
    states = [DeliveryState.FAILED] if failed_only else [DeliveryState.FAILED, DeliveryState.DELIVERED]
    return len(fresh) + _again(mine.filter(message__in=known, state__in=states), moment)


def _again(rows: Any, moment: datetime) -> int:
    count: int = rows.update(state=DeliveryState.WAITING, tries=0, crashes=0, next_at=moment, finished_at=None)
    return count


def _moment() -> datetime:
    """The transaction's, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        found: datetime = cursor.fetchone()[0]
    return found


def send_test(actor: Actor, endpoint_id: UUID) -> Delivery:
    """A message of its own type that no event has caused, so that a receiver can be tried."""
    actor.require(MANAGE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        endpoint = find_endpoint(endpoint_id, lock=True)
        if not endpoint.is_enabled:
            raise Conflict("This endpoint is not sent anything: switch it on first.")
        data = {"organization_id": str(actor.organization_id), "endpoint_id": str(endpoint.pk)}
        made: Delivery = Delivery.objects.create(
            organization_id=actor.organization_id,
            endpoint=endpoint,
            message=message_id(uuid7()),
            type=TEST_TYPE,
            body=written(TEST_TYPE, timezone.now().isoformat(), data),
        )
        made.refresh_from_db()
        audit.record(actor, "webhook_endpoint.tested", endpoint)
        jobs.ring(WAKE)
    return made


def waiting_at(endpoints: list[Endpoint]) -> dict[UUID, int]:
    """How many messages wait for each endpoint, in the organization's scope."""
    rows = Delivery.objects.filter(endpoint__in=endpoints, state=DeliveryState.WAITING).values("endpoint_id")
    return {row["endpoint_id"]: row["count"] for row in rows.annotate(count=Count("pk"))}


def shown(body: str) -> str:
    """A message's body as people read it."""
    return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
