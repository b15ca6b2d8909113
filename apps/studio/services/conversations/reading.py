"""Reading conversations: lists and searches page by page, and one branch with everything that is shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.core.jobs import TERMINAL
from apps.core.keyset import below
from apps.studio.models import Conversation, Turn, TurnRole
from apps.studio.services.conversations.branches import tree_of
from apps.studio.services.conversations.indexing import index_answers, is_searchable, matches
from apps.studio.services.feedback import opinion_of, with_opinions
from ml.text.words import snippet

NO_CONVERSATION = gettext_noop("There is no conversation with this id.")
PAGE_ROWS, MOST_PINNED = 30, 50
# Of a branch; the page reads earlier messages when somebody asks for them.
SHOWN_TURNS = 60


@dataclass(frozen=True, slots=True)
class Shown:
    """A turn on the branch in use, and which of the turns beside it come before and after."""

    turn: Turn
    number: int
    count: int
    before: UUID | None
    after: UUID | None
    left_out: bool = False
    # What the reader thinks of an answer.
    opinion: dict[str, Any] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        return self.turn.generation is not None and self.turn.generation.status not in TERMINAL


@dataclass(frozen=True, slots=True)
class Branch:
    """The end of the branch in use; `earlier` is the turn to continue from towards the beginning."""

    conversation: Conversation
    turns: Sequence[Shown]
    earlier: UUID | None
    left_out: int = 0

    @property
    def busy(self) -> bool:
        return bool(self.turns) and self.turns[-1].busy


@dataclass(frozen=True, slots=True)
class ListPage:
    """Conversations, those written in last first; `next` is the id to continue from. `found` holds pieces of texts."""

    rows: Sequence[Conversation]
    next: UUID | None
    found: dict[UUID, list[tuple[str, bool]]] = field(default_factory=dict)


def find_conversation(id: UUID, lock: bool = False) -> Conversation:
    """One that is not deleted, of the organization in scope."""
    rows = Conversation.objects.select_for_update() if lock else Conversation.objects
    conversation: Conversation | None = rows.present().filter(pk=id).first()
    if conversation is None:
        raise NotFound(NO_CONVERSATION)
    return conversation


def get_conversation(actor: Actor, id: UUID) -> Conversation:
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        return find_conversation(id)


def get_turn(actor: Actor, id: UUID, turn_id: UUID) -> Turn:
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        rows = Turn.objects.filter(conversation=find_conversation(id), pk=turn_id).select_related("generation__model")
        turn: Turn | None = rows.first()
    if turn is None or (turn.role == TurnRole.ASSISTANT and turn.generation is None):
        raise NotFound("There is no message with this id.")
    return turn


def get_branch(actor: Actor, id: UUID, before: str | None = None, limit: int = SHOWN_TURNS) -> Branch:
    """The branch in use, or the part of it before a turn; four queries, however long the conversation is."""
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        conversation = find_conversation(id)
        tree = tree_of(conversation)
        path = tree.branch(conversation.tip)
        end = path.index(last) if (last := below(before)) in path else len(path)
        start = max(0, end - limit)
        rows = Turn.objects.filter(pk__in=path[start:end]).select_related("generation__model", "created_by")
        rows = with_opinions(rows, actor, "generation__").prefetch_related("attachments")
        turns = {turn.pk: turn for turn in rows}
        # What the last answer was asked without; a message that was left out is marked as such.
        left_out = _left_out(conversation, turns)
        shown = []
        for index, pk in enumerate(path[start:end], start):
            beside = tree.beside(pk)
            place = beside.index(pk)
            before_it = beside[place - 1] if place else None
            after_it = beside[place + 1] if place + 1 < len(beside) else None
            turn = turns[pk]
            marked = index < left_out
            shown.append(Shown(turn, place + 1, len(beside), before_it, after_it, marked, opinion_of(turn)))
    return Branch(conversation, shown, path[start] if start else None, left_out)


def _left_out(conversation: Conversation, turns: dict[UUID, Turn]) -> int:
    """How many of the oldest the last answer was asked without; the last is mostly among those that are shown."""
    if conversation.tip in turns:
        return turns[conversation.tip].left_out
    return Turn.objects.filter(pk=conversation.tip).values_list("left_out", flat=True).first() or 0


def list_conversations(
    actor: Actor,
    *,
    search: str = "",
    archived: bool = False,
    mine: bool = False,
    before: str | None = None,
    limit: int = PAGE_ROWS,
) -> ListPage:
    """A page of them; a search looks through titles and messages of all branches."""
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        rows = Conversation.objects.present().filter(archived_at__isnull=not archived)
        if mine:
            rows = rows.filter(created_by_id=actor.user_id)
        said: dict[UUID, UUID | None] = {}
        if is_searchable(search):
            index_answers()
            said = matches(search)
            rows = rows.filter(pk__in=said)
        rows = _from(rows, before)
        found: list[Conversation] = list(rows.latest_first()[: limit + 1])
        more, found = len(found) > limit, found[:limit]
        pieces = _pieces(search, [turn for row in found if (turn := said.get(row.pk))])
    return ListPage(found, found[-1].pk if more else None, pieces)


def list_with_pinned(actor: Actor, *, mine: bool, before: str | None = None) -> tuple[list[Conversation], ListPage]:
    """Those that are pinned, and a page of the others; read together."""
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        rows = Conversation.objects.present().filter(archived_at=None)
        if mine:
            rows = rows.filter(created_by_id=actor.user_id)
        others = _from(rows.filter(pinned_at=None), before).latest_first()[: PAGE_ROWS + 1].values("pk")
        found = list(
            rows.filter(Q(pinned_at__isnull=False) | Q(pk__in=others)).latest_first()[: PAGE_ROWS + MOST_PINNED]
        )
    pinned = [row for row in found if row.pinned_at is not None]
    unpinned = [row for row in found if row.pinned_at is None]
    more, unpinned = len(unpinned) > PAGE_ROWS, unpinned[:PAGE_ROWS]
    return pinned, ListPage(unpinned, unpinned[-1].pk if more else None)


def _from(rows: Any, before: str | None) -> Any:
    """Those that come after one in the list, wherever that one stands by now."""
    anchor = Conversation.objects.filter(pk=below(before)).values_list("changed_at", "pk").first() if before else None
    if anchor is None:
        return rows
    changed_at, pk = anchor
    return rows.filter(Q(changed_at__lt=changed_at) | Q(changed_at=changed_at, pk__lt=pk))


def _pieces(search: str, turns: Sequence[UUID]) -> dict[UUID, list[tuple[str, bool]]]:
    """Of each conversation the message that was found last, around what was looked for."""
    last = Turn.objects.filter(pk__in=turns).select_related("generation") if turns else ()
    return {turn.conversation_id: snippet(_text_of(turn), search) for turn in last}


def _text_of(turn: Turn) -> str:
    return turn.generation.text if turn.generation is not None else turn.text
