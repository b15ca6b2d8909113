"""A hint to every web process that somebody's access has changed.

Whoever watches over open streams looks for itself every few seconds, so that a lost hint costs no more than that. It
carries no decision either, since only the database says who may do what.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from apps.core import bells
from apps.core.connections import quick_redis_client, stream_client

log = logging.getLogger(__name__)

# A Redis connection that has gone silent is noticed after this time.
LISTEN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Whose access has changed: a person or a key in one organization; None stands for all of them."""

    organization_id: UUID | None = None
    subject_id: UUID | None = None

    def concerns(self, organization_id: UUID) -> bool:
        return self.organization_id in {None, organization_id}


def channel() -> str:
    """The Redis channel on which notices are published."""
    return f"{settings.REDIS_PREFIX}:access"


def announce(organization_id: UUID | None = None, subject_id: UUID | None = None) -> None:
    """Tells every web process, once the transaction has committed."""
    text = json.dumps([str(id) if id else None for id in (organization_id, subject_id)])

    def send() -> None:
        try:
            quick_redis_client().publish(channel(), text)
        except (RedisError, OSError) as error:
            log.warning("change of access not announced: %s", error)

    transaction.on_commit(lambda: bells.send(f"access:{text}", send))


async def notices() -> AsyncGenerator[Notice]:
    """What is announced from now on, an empty notice first: what came before may have been missed.

    Raises RedisError or OSError when the connection is lost.
    """
    async with stream_client().pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(channel())
        yield Notice()
        while True:
            message = await subscription.get_message(timeout=LISTEN_SECONDS)
            if message is not None:
                yield _read(message["data"])


def _read(data: bytes) -> Notice:
    organization, subject = json.loads(data)
    return Notice(UUID(organization) if organization else None, UUID(subject) if subject else None)
