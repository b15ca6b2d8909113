"""Who is there, as Chatwoot's sockets tell it: members by their consoles, and contacts by their open sockets."""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from redis.exceptions import RedisError

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.connections import quick_redis_client
from apps.support.access import WRITE
from apps.support.assigning import PRESENT_SECONDS
from apps.support.models import Agent, Availability, Contact, Numbered
from apps.support.services import assignment
from apps.support.services.numbers import Numbers

# Chatwoot's window says once a minute that it is open.
HERE_SECONDS, MOST_TOLD = 90, 500


def note_agent(actor: Actor) -> None:
    """The actor's program says that they are at work; whoever has never said how they are available is online.

    What they have said in the desk stays: nobody who is busy is given anything. Nothing is noted of one who does not
    answer.
    """
    if WRITE not in actor.permissions:
        return
    with tenancy.scope(actor.organization_id):
        if assignment.membership_of(actor) is None:
            return
        is_new = assignment.agent_of(actor).seen_at is None
        assignment.note_presence(actor, Availability.ONLINE if is_new else None)


def note_contact(organization_id: UUID, contact_id: UUID) -> None:
    with contextlib.suppress(RedisError, OSError):
        pipe = quick_redis_client().pipeline(transaction=False)
        pipe.zadd(_key(organization_id), {contact_id.hex: time.time()})
        pipe.zremrangebyscore(_key(organization_id), 0, time.time() - HERE_SECONDS)
        pipe.expire(_key(organization_id), HERE_SECONDS)
        pipe.execute()


def told_to_desk(organization_id: UUID) -> dict[str, Any]:
    with tenancy.scope(organization_id):
        numbers = Numbers(organization_id)
        here = Contact.objects.filter(pk__in=_contacts(organization_id), merged_into=None)
        contacts = list(here.values_list("pk", flat=True))
        there = _agents()
        numbers.want(Numbered.CONTACT, contacts)
        numbers.want(Numbered.USER, [user for user, _availability in there])
        return {
            "account_id": numbers.account,
            "users": {str(numbers(Numbered.USER, user)): availability for user, availability in there},
            "contacts": {str(numbers(Numbered.CONTACT, id)): "online" for id in contacts},
        }


def told_to_contact(organization_id: UUID) -> dict[str, Any]:
    """Whether anybody is there, and not who."""
    with tenancy.scope(organization_id):
        is_there = any(availability == Availability.ONLINE for _user, availability in _agents())
        return {"account_id": Numbers(organization_id).account, "users": {"0": "online"} if is_there else {}}


def _agents() -> list[tuple[UUID, str]]:
    since = timezone.now() - timedelta(seconds=PRESENT_SECONDS)
    rows = Agent.objects.filter(seen_at__gt=since).exclude(availability=Availability.OFFLINE)
    return list(rows.order_by("membership__user").values_list("membership__user", "availability")[:MOST_TOLD])


def _contacts(organization_id: UUID) -> list[UUID]:
    try:
        found: Any = quick_redis_client().zrevrangebyscore(
            _key(organization_id), "+inf", time.time() - HERE_SECONDS, 0, MOST_TOLD
        )
    except (RedisError, OSError):
        return []
    return [UUID(hex=each.decode() if isinstance(each, bytes) else each) for each in found]


def _key(organization_id: UUID) -> str:
    return f"{settings.REDIS_PREFIX}:desk-cable-contacts:{organization_id}"
