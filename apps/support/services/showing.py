"""What the bot is about to say, shown at the desk and to the contact while a model writes it.

Only sentences that have been checked come here, and nothing of it is stored: Redis holds it for seconds, and the
message that is stored in the end decides. Where a person has acted there is nothing to show, whatever Redis holds.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID

from django.conf import settings
from redis.exceptions import RedisError

from apps.core import tenancy
from apps.core.connections import quick_redis_client, stream_client
from apps.core.threads import in_database
from apps.support.masking import hidden
from apps.support.models import Conversation
from apps.support.services.desk import settings_of
from apps.support.services.hints import channel_of

DRAFT = "draft"
# Of a worker that is lost nothing is shown for longer.
KEPT_SECONDS = 30
log = logging.getLogger(__name__)


def show(conversation: Conversation, text: str) -> None:
    """Has open pages show the text, masked, in place of what they show of this answer."""
    with tenancy.scope(conversation.organization_id):
        text = hidden(text, settings_of(conversation.organization_id).masked)
    _write(conversation, lambda pipe, key: pipe.set(key, text, ex=KEPT_SECONDS))


def hide(conversation: Conversation) -> None:
    """Nothing is written any more, or what was written is stored."""
    _write(conversation, lambda pipe, key: pipe.delete(key))


async def shown(organization_id: UUID, conversation_id: UUID) -> str:
    """What is to be shown now; nothing unless the bot still has the conversation."""
    try:
        found = await stream_client().get(_key(organization_id, conversation_id))
    except (RedisError, OSError):
        return ""
    if not found or not await in_database(_is_with_bot, organization_id, conversation_id):
        return ""
    return found.decode() if isinstance(found, bytes) else str(found)


def _is_with_bot(organization_id: UUID, conversation_id: UUID) -> bool:
    with tenancy.scope(organization_id):
        return bool(Conversation.objects.filter(pk=conversation_id, bot_owns=True, merged_into=None).exists())


def _key(organization_id: UUID, conversation_id: UUID) -> str:
    return f"{settings.REDIS_PREFIX}:desk-draft:{organization_id}:{conversation_id}"


def _write(conversation: Conversation, write: Any) -> None:
    organization_id, id = conversation.organization_id, conversation.pk
    try:
        pipe = quick_redis_client().pipeline(transaction=True)
        write(pipe, _key(organization_id, id))
        pipe.publish(channel_of(organization_id, id), json.dumps({"type": DRAFT}))
        pipe.execute()
    except (RedisError, OSError) as error:
        log.warning("what the bot writes is not shown: %s", error)
