"""That somebody types, told to whoever asks for it: once when it begins and once when it ends, and never in between.

Webhooks are told by an event, which is recorded only where one asks for it, and open sockets by a hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from redis.exceptions import RedisError

from apps.core import events, ratelimit, tenancy
from apps.core.connections import quick_redis_client
from apps.core.errors import RateLimitExceeded
from apps.core.eventtypes import matches
from apps.core.ratelimit import Bucket
from apps.support.models import Author, Conversation
from apps.support.services import hints
from apps.webhooks.models import Endpoint, EndpointKind, Format, Stopped

TYPES = ("support_typing.on", "support_typing.off")
TOLD, HINTED, UNTOLD = b"told", b"hinted", b"untold"
# Whoever says nothing for so long has stopped without a word; what they type next has begun anew.
SILENT_SECONDS = 60
# Of one person or program in a conversation: who begins and stops all the time is told of no more often.
BEGINNINGS_A_MINUTE = 10


@dataclass(frozen=True, slots=True)
class Typist:
    """Who types where: `who` keeps them apart, `person` is the user or contact behind them, if there is one."""

    organization_id: UUID
    conversation_id: UUID
    who: str
    author: Author
    person: UUID | None = None

    @property
    def key(self) -> str:
        return f"{settings.REDIS_PREFIX}:desk-typing:{self.organization_id}:{self.conversation_id}:{self.who}"


def tell(typist: Typist, *, typing: bool, private: bool = False) -> bool:
    """Records that somebody has begun to type, or has stopped; False where that was told already, or nobody asks.

    Redis remembers who types. While it is away nothing is told: what is lost is a hint.
    """
    try:
        redis = quick_redis_client()
        if not typing:
            known = redis.getdel(typist.key)
            known = known.encode() if isinstance(known, str) else known
            if known in (TOLD, HINTED):
                _hint(typist, "off", private)
            return known == TOLD and _record(typist, "off", private)
        if not redis.set(typist.key, UNTOLD, nx=True, ex=SILENT_SECONDS):
            redis.expire(typist.key, SILENT_SECONDS)
            return False
        ratelimit.charge(typist.key, [Bucket("requests", BEGINNINGS_A_MINUTE, 1)])
        # Of what was not told to have begun nobody is told that it has ended.
        if redis.set(typist.key, HINTED, xx=True, ex=SILENT_SECONDS):
            _hint(typist, "on", private)
        if not is_heard(typist.organization_id):
            return False
        told = redis.set(typist.key, TOLD, xx=True, ex=SILENT_SECONDS)
        # Who has stopped meanwhile has not begun for anybody.
        return bool(told) and _record(typist, "on", private)
    except (RedisError, OSError, RateLimitExceeded):
        return False


def is_heard(organization_id: UUID) -> bool:
    """Whether a webhook asks for it: by name, or with all of Chatwoot's events."""
    with tenancy.scope(organization_id):
        rows = Endpoint.objects.filter(kind=EndpointKind.EVENTS, stopped=Stopped.NO)
        asking = list(rows.values_list("format", "types"))
    wanted = [types or (TYPES if format == Format.CHATWOOT else ()) for format, types in asking]
    return any(matches(type, types) for types in wanted if types for type in TYPES)


def _hint(typist: Typist, state: str, private: bool) -> None:
    """To open sockets of Chatwoot's kind, which need no event of it."""
    facts = {"conversation": str(typist.conversation_id), "author": str(typist.author), "private": private}
    person = str(typist.person) if typist.person else None
    hints.tell_typing(typist.organization_id, facts | {"state": state, "person": person, "who": typist.who})


def _record(typist: Typist, state: str, private: bool) -> bool:
    with tenancy.scope(typist.organization_id):
        row: Conversation | None = (
            Conversation.objects.select_related("contact").filter(pk=typist.conversation_id).first()
        )
        if row is None or (typist.author == Author.CONTACT and row.contact.blocked_at is not None):
            return False
        facts = {"number": row.number, "inbox": str(row.inbox_id), "author": str(typist.author), "private": private}
        person = {"person": str(typist.person)} if typist.person else {}
        events.record(f"support_typing.{state}", row.pk, facts | person)
    return True
