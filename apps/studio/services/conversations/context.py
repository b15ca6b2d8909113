"""What a model is given of a conversation: its system prompt, and the messages of the branch that still fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.core.errors import InvalidRequest
from apps.knowledge import services as knowledge
from apps.knowledge.services import Passage
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.studio.models import Conversation, Turn, TurnRole
from apps.studio.requests import MAX_MESSAGES
from apps.studio.services.admission import TEMPLATE_TOKENS_PER_MESSAGE
from apps.studio.services.conversations.attachments import Reading
from ml.text.tokens import count_chat_tokens
from ml.text.window import left_out, merged
from ml.types import Message


@dataclass(frozen=True, slots=True)
class Window:
    """Messages for a model, how many of the oldest on the branch are not among them, and room for the answer."""

    messages: tuple[Message, ...]
    left_out: int
    max_tokens: int


def message_of(turn: Turn) -> Message:
    """A turn as a model reads it, with what is attached before what is said; an answer is its generation's text."""
    if turn.role == TurnRole.ASSISTANT:
        return Message("assistant", turn.generation.text if turn.generation else "")
    quoted = [Reading(a.name, a.media_type, a.size, a.text).quoted() for a in turn.attachments.all()]
    return Message("user", "\n\n".join([*quoted, turn.text]).strip())


def said(text: str, attached: Sequence[Reading]) -> Message:
    """The message that is about to be sent."""
    return Message("user", "\n\n".join([*(reading.quoted() for reading in attached), text]).strip())


def fitting(conversation: Conversation, passages: tuple[Passage, ...]) -> tuple[Passage, ...]:
    """As many of the best passages as leave most of the context to the conversation itself."""
    version = registry.resolve(conversation.model_name)
    room = version.context_length * 2 // 5
    while passages and _tokens(version, (knowledge.context(passages), Message("user", "?"))) > room:
        passages = passages[:-1]
    return passages


def window_of(conversation: Conversation, turns: Sequence[Message], passages: tuple[Passage, ...] = ()) -> Window:
    """What fits of the branch into the context of the conversation's model, with at most half of it for the answer."""
    version = registry.resolve(conversation.model_name)
    head = [Message("system", conversation.system)] if conversation.system.strip() else []
    head += [knowledge.context(passages)] if passages else []
    answer = max(1, min(conversation.max_tokens, version.context_length // 2, version.max_output_tokens))
    room = version.context_length - answer

    def given(without: int) -> tuple[Message, ...]:
        return merged([*head, *turns[without:]])

    def fits(without: int) -> bool:
        messages = given(without)
        return len(messages) <= MAX_MESSAGES and _tokens(version, messages) <= room

    without = left_out(turns, fits)
    return Window(given(without), without, answer)


def _tokens(version: ModelVersion, messages: Sequence[Message]) -> int:
    """Exact where the model's tokenizer is at hand, and otherwise a bound from above."""
    folder = registry.local_folder(version)
    if folder is not None:
        try:
            counted = count_chat_tokens(folder, messages)
        except ValueError as error:
            raise InvalidRequest(
                "The messages cannot be used: %(reason)s.", values={"reason": str(error)[:300]}, param="messages"
            ) from None
        if counted is not None:
            return counted
    return sum(len(message.content.encode()) + TEMPLATE_TOKENS_PER_MESSAGE for message in messages)
