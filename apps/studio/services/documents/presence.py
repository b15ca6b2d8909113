"""Who is in a document right now, and hints to their pages that something has changed.

Redis holds it, for seconds at a time: what is lost costs a name in a list, and never a word of a text.
"""

from __future__ import annotations

import json
import logging
from uuid import UUID

from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from apps.accounts.access import Actor
from apps.core import bells
from apps.core.connections import quick_redis_client
from apps.studio.models import Document

log = logging.getLogger(__name__)

# Whoever has not said so for this long is no longer here; pages say it every four seconds, and move rarely.
PRESENT_SECONDS = 30


def channel_of(organization_id: UUID, document_id: UUID) -> str:
    """The Redis channel of one document's hints; the organization in it keeps apart what has the same id by forgery."""
    return f"{settings.REDIS_PREFIX}:document:{organization_id}:{document_id}"


def people_key(organization_id: UUID, document_id: UUID) -> str:
    """The Redis hash of who has the document open, by connection."""
    return f"{settings.REDIS_PREFIX}:present:{organization_id}:{document_id}"


def hint_changed(document: Document, actor: Actor) -> None:
    """Tells open pages, once the transaction has committed, that there is a newer revision."""
    hint(document, {"type": "changed", "revision": document.revision, "by": str(actor.user_id or "")})


def hint(document: Document, message: dict[str, object]) -> None:
    channel, text = channel_of(document.organization_id, document.pk), json.dumps(message)

    def send() -> None:
        try:
            quick_redis_client().publish(channel, text)
        except (RedisError, OSError) as error:
            log.warning("change of a document not announced: %s", error)

    transaction.on_commit(lambda: bells.send(f"document:{channel}:{message['type']}", send))
