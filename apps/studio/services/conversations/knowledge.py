"""Answers from the knowledge base: the passages that a model is given, and how a turn remembers them."""

from __future__ import annotations

from typing import Any

from apps.accounts.access import Actor
from apps.knowledge import services as knowledge
from apps.knowledge.services import Passage
from apps.knowledge.services.searching import LONGEST_QUERY
from apps.studio.models import Conversation

# At most, and fewer where a model's context is small.
GIVEN = 5


def passages_for(actor: Actor, conversation: Conversation, text: str) -> tuple[Passage, ...]:
    """What the conversation's collections say to a message; nothing is asked where it has none.

    It waits for a worker, so it is called outside of transactions.
    """
    if not conversation.collections or not text.strip():
        return ()
    return tuple(knowledge.search(actor, text[:LONGEST_QUERY], GIVEN, conversation.collections))


def remembered(passages: tuple[Passage, ...]) -> list[dict[str, Any]]:
    """By the numbers under which the model was given them: what is cited stays as it was when it was cited."""
    return [
        {
            "number": number,
            "passage": str(passage.id),
            "title": " › ".join([passage.title, *passage.heading]),
            "page": passage.page,
            "text": passage.text,
        }
        for number, passage in enumerate(passages, 1)
    ]
