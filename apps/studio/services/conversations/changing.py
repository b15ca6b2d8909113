"""Conversations themselves: begun, set up, named, pinned, put away, deleted and had back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.knowledge.models import Collection
from apps.registry import services as registry
from apps.studio.models import Conversation
from apps.studio.requests import DEFAULT_MAX_TOKENS, GenerationSpec, checked
from apps.studio.services.conversations.branches import tree_of
from apps.studio.services.conversations.indexing import index_title
from apps.studio.services.conversations.reading import NO_CONVERSATION, find_conversation
from ml.types import Message, SamplingParams

LONGEST_TITLE, LONGEST_SYSTEM, MOST_COLLECTIONS, MOST_OFFERED = 200, 20_000, 20, 200
# After this only retention knows of what was deleted.
UNDO_DAYS = 7


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """With what a conversation's answers are asked for."""

    model_name: str = "default"
    system: str = ""
    max_tokens: int = DEFAULT_MAX_TOKENS
    sampling: SamplingParams = field(default_factory=SamplingParams)
    collections: tuple[UUID, ...] = ()

    def columns(self) -> dict[str, Any]:
        sampled = {name: value for name, value in asdict(self.sampling).items() if name in SAMPLED}
        own = {"model_name": self.model_name, "system": self.system.strip(), "max_tokens": self.max_tokens}
        return own | sampled | {"stop": list(self.sampling.stop), "collections": list(self.collections)}


SAMPLED = ("temperature", "top_p", "top_k", "repetition_penalty", "seed")


def create_conversation(actor: Actor, chat: ChatSettings, title: str = "") -> Conversation:
    actor.require("generations:write")
    actor.require_open()
    _check(chat)
    title = _checked_title(title)
    with tenancy.scope(actor.organization_id):
        _check_collections(actor, chat)
        conversation: Conversation = Conversation.objects.create(
            organization_id=actor.organization_id,
            created_by_id=actor.user_id,
            title=title,
            **chat.columns(),
        )
        conversation.refresh_from_db()
        if title:
            index_title(conversation.organization_id, conversation.pk, title)
        events.record("conversation.created", conversation.pk, {"model": conversation.model_name})
    return conversation


def change_settings(actor: Actor, id: UUID, chat: ChatSettings) -> Conversation:
    """From the next answer on; what was asked before keeps what it was asked with."""
    actor.require("generations:write")
    _check(chat)
    with tenancy.scope(actor.organization_id):
        _check_collections(actor, chat, kept=find_conversation(id).collections)
    return _changed(actor, id, **chat.columns())


def rename_conversation(actor: Actor, id: UUID, title: str) -> Conversation:
    actor.require("generations:write")
    title = _checked_title(title)
    with tenancy.scope(actor.organization_id):
        conversation = _changed(actor, id, title=title)
        index_title(conversation.organization_id, conversation.pk, title)
    return conversation


def pin_conversation(actor: Actor, id: UUID, pinned: bool) -> Conversation:
    actor.require("generations:write")
    return _changed(actor, id, pinned_at=Now() if pinned else None)


def archive_conversation(actor: Actor, id: UUID, archived: bool) -> Conversation:
    actor.require("generations:write")
    return _changed(actor, id, archived_at=Now() if archived else None)


def choose_branch(actor: Actor, id: UUID, turn_id: UUID) -> Conversation:
    """Takes into use the branch on which this turn lies, down to what was written last below it."""
    actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        conversation = find_conversation(id, lock=True)
        tree = tree_of(conversation)
        if turn_id not in tree.parents:
            raise NotFound("There is no message with this id.")
        conversation.tip = tree.end(turn_id)
        conversation.save(update_fields=["tip"])
    return conversation


def delete_conversation(actor: Actor, id: UUID) -> Conversation:
    """Puts a conversation away for a week, in which it can be had back; then retention removes it."""
    actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        conversation = find_conversation(id, lock=True)
        Conversation.objects.filter(pk=conversation.pk).update(deleted_at=Now())
        audit.record(actor, "conversation.deleted", conversation)
        events.record("conversation.deleted", conversation.pk, {})
    return conversation


def restore_conversation(actor: Actor, id: UUID) -> Conversation:
    actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        since = timezone.now() - timedelta(days=UNDO_DAYS)
        deleted = Conversation.objects.select_for_update().filter(pk=id, deleted_at__gte=since)
        conversation: Conversation | None = deleted.first()
        if conversation is None:
            raise NotFound(NO_CONVERSATION)
        conversation.deleted_at = None
        conversation.save(update_fields=["deleted_at"])
        audit.record(actor, "conversation.restored", conversation)
        events.record("conversation.restored", conversation.pk, {})
    return conversation


def _changed(actor: Actor, id: UUID, **columns: Any) -> Conversation:
    with tenancy.scope(actor.organization_id):
        conversation = find_conversation(id, lock=True)
        Conversation.objects.filter(pk=conversation.pk).update(**columns)
        conversation.refresh_from_db()
    return conversation


def _checked_title(title: str) -> str:
    title = " ".join(title.split())
    if len(title) > LONGEST_TITLE or "\0" in title:
        raise InvalidRequest("A title has at most %(most)s characters.", values={"most": LONGEST_TITLE}, param="title")
    return title


def _check(chat: ChatSettings) -> None:
    """By the same rules as a generation, so that no conversation can be set up that none of its messages would pass."""
    if len(chat.system) > LONGEST_SYSTEM:
        raise InvalidRequest(
            "A system prompt has at most %(most)s characters.", values={"most": LONGEST_SYSTEM}, param="system"
        )
    if len(chat.collections) > MOST_COLLECTIONS:
        raise InvalidRequest("At most %(most)s collections.", values={"most": MOST_COLLECTIONS}, param="collections")
    messages = (Message("system", chat.system), Message("user", "x"))
    checked(GenerationSpec(messages=messages, max_tokens=chat.max_tokens, sampling=chat.sampling))
    registry.resolve(chat.model_name)


def collections_of(actor: Actor) -> list[tuple[UUID, str]]:
    """Those that answers may be taken from, by name; none for who may not read the knowledge base."""
    if "knowledge:read" not in actor.permissions:
        return []
    with tenancy.scope(actor.organization_id):
        return list(Collection.objects.order_by("name").values_list("pk", "name")[:MOST_OFFERED])


def _check_collections(actor: Actor, chat: ChatSettings, kept: Iterable[UUID] = ()) -> None:
    """Each that is not there already must be one of the organization's; call it in its scope."""
    new = set(chat.collections) - set(kept)
    if not new:
        return
    actor.require("knowledge:read")
    if Collection.objects.filter(pk__in=new).count() < len(new):
        raise NotFound("There is no collection with this id.", param="collections")
