"""Hints to open pages that a conversation has something new: they say where to look, and never what is there.

Redis carries them, for whoever listens at that moment. What is lost costs a pause: readers look for themselves.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from apps.core import bells
from apps.core.connections import quick_redis_client

log = logging.getLogger(__name__)

# The place of hints about the list of all conversations, where others have a conversation's id.
EVERYWHERE = "all"
# The place of what else is hinted to sockets of Chatwoot's kind, which follow all of an organization's events.
EVENTS = "events"


def channel_of(organization_id: UUID, place: UUID | str) -> str:
    """The Redis channel of one conversation, or of the list; the organization in it keeps forged ids apart."""
    return f"{settings.REDIS_PREFIX}:desk:{organization_id}:{place}"


def hint_changed(organization_id: UUID, conversation_id: UUID) -> None:
    """Tells open pages, once the transaction has committed, that there is more to read."""
    _hint(organization_id, conversation_id, {"type": "changed"})
    _hint(organization_id, EVERYWHERE, {"type": "changed", "conversation": str(conversation_id)})


def hint_signed_out(organization_id: UUID, conversation_id: UUID) -> None:
    """Open pages of a contact see whether it was theirs."""
    _hint(organization_id, conversation_id, {"type": "signed_out"})


def hint_signed_out_everywhere(organization_id: UUID) -> None:
    """Sockets of Chatwoot's kind see whether it was their browser."""
    _hint(organization_id, EVENTS, {"type": "signed_out"})


def hint_event(organization_id: UUID) -> None:
    """The same of what has happened in no conversation."""
    _hint(organization_id, EVENTS, {"type": "changed"})


def tell_typing(organization_id: UUID, facts: dict[str, Any]) -> None:
    """At once, to whoever listens: nothing is stored that a transaction could take back."""
    _send(channel_of(organization_id, EVENTS), json.dumps({"type": "typing"} | facts))


def _hint(organization_id: UUID, place: UUID | str, message: dict[str, Any]) -> None:
    channel, text = channel_of(organization_id, place), json.dumps(message)
    name = f"desk:{channel}:{message['type']}:{message.get('conversation', '')}"
    transaction.on_commit(lambda: bells.send(name, lambda: _send(channel, text)))


def _send(channel: str, text: str) -> None:
    try:
        quick_redis_client().publish(channel, text)
    except (RedisError, OSError) as error:
        log.warning("change of a conversation not announced: %s", error)
