"""Sending a message, asking for another answer, and going on after a stop: prepared first, then accepted at once.

As with single generations, everything that needs no lock comes before the transaction that accepts; between the two
the edges take from the minute's limits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.billing.entitlements import Limits
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.jobs import TERMINAL
from apps.knowledge.services import Passage
from apps.studio.models import Attachment, Conversation, Turn, TurnRole
from apps.studio.requests import GenerationSpec, Sources
from apps.studio.services.admission import Prepared, accept, prepare
from apps.studio.services.conversations.attachments import File, Reading, read_all
from apps.studio.services.conversations.branches import Tree, tree_of
from apps.studio.services.conversations.context import fitting, message_of, said, window_of
from apps.studio.services.conversations.indexing import index_answers, index_title, index_turn
from apps.studio.services.conversations.knowledge import passages_for, remembered
from apps.studio.services.conversations.reading import find_conversation
from ml.types import Message

LONGEST_MESSAGE = 100_000
TITLE_CHARS = 80
NO_TURN = gettext_noop("There is no message with this id.")
STILL_WRITING = gettext_noop("The answer is still being written: wait for its end, or stop it.")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be: `after` a turn (the end of the branch in use if none is named), or `instead_of` an earlier one.

    A message instead of another keeps its attachments and gets those that come with it.
    """

    text: str
    files: tuple[File, ...] = ()
    after: UUID | None = None
    instead_of: UUID | None = None
    client_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is about to be accepted: a message with the answer to it, or another answer to a message that is there.

    `answer` is set where the same client has sent it before: then nothing is left to do.
    """

    conversation_id: UUID
    prepared: Prepared | None
    parent_id: UUID | None = None
    text: str | None = None
    attached: tuple[Reading, ...] = ()
    client_id: UUID | None = None
    left_out: int = 0
    passages: tuple[Passage, ...] = ()
    answer: Turn | None = None


def prepare_message(actor: Actor, id: UUID, draft: Draft, limits: Limits | None = None) -> Question:
    """Raises what `prepare` raises, Conflict while the answer before is being written, or AttachmentRefused."""
    actor.require("generations:write")
    actor.require_open()
    text = _checked_text(draft.text, bool(draft.files) or draft.instead_of is not None)
    new = read_all(draft.files)
    with tenancy.scope(actor.organization_id):
        conversation = find_conversation(id)
        if earlier := _sent_before(conversation, draft.client_id):
            return Question(conversation.pk, None, answer=earlier)
        tree = tree_of(conversation)
        parent, kept = _place(conversation, tree, draft)
        attached = (*kept, *new)
        turns = [*_messages(tree, parent), said(text, attached)]
    spec, passages, without = _asked(actor, conversation, turns, text)
    prepared = prepare(actor, spec, limits)
    return Question(
        conversation_id=conversation.pk,
        prepared=prepared,
        parent_id=parent,
        text=prepared.clean(text),
        attached=tuple(replace(each, text=prepared.clean(each.text)) for each in attached),
        client_id=draft.client_id,
        left_out=without,
        passages=passages,
    )


def prepare_answer(actor: Actor, id: UUID, turn_id: UUID, limits: Limits | None = None) -> Question:
    """Another answer beside one that is there, with a seed of its own: after a failure as well as for a better one."""
    actor.require("generations:write")
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        conversation = find_conversation(id)
        turn = _turn(conversation, turn_id)
        question_id = turn.parent_id if turn.role == TurnRole.ASSISTANT else turn.pk
        turns = _messages(tree_of(conversation), question_id)
        words = Turn.objects.filter(pk=question_id).values_list("text", flat=True).first() or ""
    spec, passages, without = _asked(actor, conversation, turns, words)
    # The same seed would give the same answer again.
    spec = replace(spec, sampling=replace(spec.sampling, seed=None))
    prepared = prepare(actor, spec, limits)
    return Question(conversation.pk, prepared, parent_id=question_id, left_out=without, passages=passages)


def prepare_continuation(actor: Actor, id: UUID, turn_id: UUID, limits: Limits | None = None) -> Question:
    """Asks the model to go on where an answer was stopped or reached its length."""
    actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        turn = _turn(find_conversation(id), turn_id)
        if turn.role != TurnRole.ASSISTANT or turn.generation is None or not turn.generation.text:
            raise Conflict("Only an answer that has begun can be continued.")
    return prepare_message(actor, id, Draft(_("Go on exactly where you stopped."), after=turn_id), limits)


def accept_question(actor: Actor, question: Question) -> tuple[Turn, bool]:
    """The answer's turn, and whether it is new: message, answer, hold and doorbell in one transaction, or nothing.

    The conversation's row is held meanwhile, so that whatever two windows send at once both have a place in the
    sequence; each stands where its sender saw the conversation end, as a branch of its own where that was the same.
    """
    if question.answer is not None:
        return question.answer, False
    assert question.prepared is not None  # noqa: S101 - a question without an answer is prepared
    with tenancy.scope(actor.organization_id):
        conversation: Conversation | None = (
            Conversation.objects.select_for_update().present().filter(pk=question.conversation_id).first()
        )
        if conversation is None:
            raise NotFound("There is no conversation with this id.")
        if earlier := _sent_before(conversation, question.client_id):
            return earlier, False
        index_answers(conversation.pk)
        parent_id = question.parent_id
        if question.text is not None:
            parent_id = _store_message(actor, conversation, question).pk
        answer = _store_answer(actor, conversation, question, parent_id)
    return answer, True


def _store_message(actor: Actor, conversation: Conversation, question: Question) -> Turn:
    assert question.prepared is not None  # noqa: S101 - see accept_question
    # As the model is given it: what the organization's safety rules mask is not kept here either.
    clean = question.prepared.clean
    text = clean(question.text or "")
    attached = [replace(reading, text=clean(reading.text)) for reading in question.attached]
    conversation.turns_counted += 1
    turn: Turn = Turn.objects.create(
        organization_id=actor.organization_id,
        conversation=conversation,
        parent_id=question.parent_id,
        sequence=conversation.turns_counted,
        role=TurnRole.USER,
        text=text,
        client_id=question.client_id,
        created_by_id=actor.user_id,
    )
    index_turn(turn, "\n".join([text, *(reading.text for reading in attached)]))
    Attachment.objects.bulk_create(
        Attachment(
            organization_id=actor.organization_id,
            turn=turn,
            position=position,
            name=reading.name,
            media_type=reading.media_type,
            size=reading.size,
            text=reading.text,
        )
        for position, reading in enumerate(attached)
    )
    if not conversation.title:
        conversation.title = " ".join(text.split())[:TITLE_CHARS] or question.attached[0].name[:TITLE_CHARS]
        index_title(conversation.organization_id, conversation.pk, conversation.title)
    return turn


def _store_answer(actor: Actor, conversation: Conversation, question: Question, parent_id: UUID | None) -> Turn:
    assert question.prepared is not None  # noqa: S101 - see accept_question
    generation = accept(question.prepared)
    conversation.turns_counted += 1
    answer: Turn = Turn.objects.create(
        organization_id=actor.organization_id,
        conversation=conversation,
        parent_id=parent_id,
        sequence=conversation.turns_counted,
        role=TurnRole.ASSISTANT,
        generation=generation,
        left_out=question.left_out,
        passages=remembered(question.passages),
        created_by_id=actor.user_id,
    )
    conversation.tip, conversation.changed_at = answer.pk, Now()
    conversation.save(update_fields=["turns_counted", "tip", "title", "changed_at"])
    return answer


def _checked_text(text: str, may_be_empty: bool) -> str:
    text = text.strip()
    if not text and not may_be_empty:
        raise InvalidRequest("Write a message.", param="text")
    if len(text) > LONGEST_MESSAGE:
        raise InvalidRequest(
            "A message has at most %(most)s characters.", values={"most": LONGEST_MESSAGE}, param="text"
        )
    return text


def _sent_before(conversation: Conversation, client_id: UUID | None) -> Turn | None:
    """The answer to what the same client has sent under this id already."""
    if client_id is None:
        return None
    answers = Turn.objects.filter(parent__client_id=client_id, parent__conversation=conversation)
    answer: Turn | None = answers.select_related("generation", "parent").order_by("sequence").first()
    return answer


def _place(conversation: Conversation, tree: Tree, draft: Draft) -> tuple[UUID | None, tuple[Reading, ...]]:
    """After which turn the message goes, and which attachments it takes over."""
    if draft.instead_of is not None:
        turn = _turn(conversation, draft.instead_of)
        if turn.role != TurnRole.USER:
            raise Conflict("Only messages of people can be edited; ask for another answer instead.")
        kept = tuple(Reading(a.name, a.media_type, a.size, a.text) for a in turn.attachments.order_by("position"))
        return turn.parent_id, kept
    if draft.after is not None and draft.after not in tree.parents:
        raise NotFound(NO_TURN, param="after")
    return draft.after or conversation.tip, ()


def _turn(conversation: Conversation, id: UUID) -> Turn:
    turn: Turn | None = Turn.objects.filter(conversation=conversation, pk=id).select_related("generation").first()
    if turn is None:
        raise NotFound(NO_TURN)
    return turn


def _messages(tree: Tree, tip: UUID | None) -> list[Message]:
    """The branch up to `tip` as messages; Conflict while its last answer is being written."""
    path = tree.branch(tip)
    rows = Turn.objects.filter(pk__in=path).select_related("generation").prefetch_related("attachments")
    turns = sorted(rows, key=lambda turn: turn.sequence)
    if turns and turns[-1].generation is not None and turns[-1].generation.status not in TERMINAL:
        raise Conflict(STILL_WRITING)
    return [message_of(turn) for turn in turns]


def _asked(
    actor: Actor, conversation: Conversation, turns: list[Message], text: str
) -> tuple[GenerationSpec, tuple[Passage, ...], int]:
    """The request for an answer, the passages that it rests on, and how many messages no longer fit."""
    passages = fitting(conversation, passages_for(actor, conversation, text))
    window = window_of(conversation, turns, passages)
    spec = GenerationSpec(
        model=conversation.model_name,
        messages=window.messages,
        max_tokens=window.max_tokens,
        sampling=conversation.sampling(),
        origin="conversation",
        sources=Sources(passages=tuple(passage.id for passage in passages)),
    )
    return spec, passages, window.left_out
