"""Who has a conversation open, and who is typing in it.

Redis holds it, for seconds at a time: what is lost costs a name in a list, and never a word of a message.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from redis.exceptions import RedisError

from apps.core.connections import quick_redis_client, stream_client
from apps.support.models import Conversation
from apps.support.services.hints import channel_of

# Whoever has not said so for this long is no longer here; pages say it every ten seconds.
PRESENT_SECONDS = 30
# A keystroke counts so long for typing.
TYPING_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Seat:
    """One open connection to a conversation; `who` is the member or contact behind it."""

    organization_id: UUID
    conversation_id: UUID
    connection: str
    who: str
    name: str
    is_contact: bool

    @property
    def key(self) -> str:
        return f"{settings.REDIS_PREFIX}:desk-present:{self.organization_id}:{self.conversation_id}"


async def say(seat: Seat, *, typing: bool, news: bool) -> None:
    """That the connection is here, and whether somebody types; `news` tells the others at once."""
    facts = {"who": seat.who, "name": seat.name, "contact": seat.is_contact, "at": time.time()}
    facts["typing"] = time.time() if typing else 0
    with contextlib.suppress(RedisError, OSError):
        pipe = stream_client().pipeline(transaction=False)
        pipe.hset(seat.key, seat.connection, json.dumps(facts))
        pipe.expire(seat.key, PRESENT_SECONDS * 2)
        if news:
            pipe.publish(channel_of(seat.organization_id, seat.conversation_id), json.dumps({"type": "people"}))
        await pipe.execute()


def say_once(conversation: Conversation, *, who: str, name: str, typing: bool, is_contact: bool = False) -> None:
    """The same for whoever has no connection open: a program, which says so with each request."""
    seat = Seat(conversation.organization_id, conversation.pk, f"call:{who}", who, name, is_contact)
    facts = {"who": who, "name": name, "contact": is_contact, "at": time.time(), "typing": time.time() if typing else 0}
    with contextlib.suppress(RedisError, OSError):
        pipe = quick_redis_client().pipeline(transaction=False)
        pipe.hset(seat.key, seat.connection, json.dumps(facts))
        pipe.expire(seat.key, PRESENT_SECONDS * 2)
        pipe.publish(channel_of(seat.organization_id, seat.conversation_id), json.dumps({"type": "people"}))
        pipe.execute()


async def leave(seat: Seat) -> None:
    with contextlib.suppress(RedisError, OSError):
        pipe = stream_client().pipeline(transaction=False)
        pipe.hdel(seat.key, seat.connection)
        pipe.publish(channel_of(seat.organization_id, seat.conversation_id), json.dumps({"type": "people"}))
        await pipe.execute()


async def people(seat: Seat) -> list[dict[str, Any]]:
    """Everybody else who is here, each once; a contact is told of those who type, and not who is only looking."""
    try:
        found = await stream_client().hgetall(seat.key)
    except (RedisError, OSError):
        return []
    values = list(found.values()) if isinstance(found, dict) else list(found[1::2])
    now, here = time.time(), dict[str, dict[str, Any]]()
    for text in values:
        each = json.loads(text)
        if each["at"] < now - PRESENT_SECONDS or each["who"] == seat.who:
            continue
        typing = each["typing"] > now - TYPING_SECONDS
        known = here.setdefault(each["who"], {"name": each["name"], "contact": each["contact"], "typing": False})
        known["typing"] = known["typing"] or typing
    told = sorted(here.values(), key=lambda each: each["name"])
    return [each for each in told if each["typing"]] if seat.is_contact else told
