"""The tree of a conversation: which turns lie on a branch, which stand beside each other, and where a branch ends."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from apps.studio.models import Conversation, Turn


@dataclass(frozen=True, slots=True)
class Tree:
    """A conversation's turns by id alone: the whole of it is a row of five small columns for each."""

    parents: dict[UUID, UUID | None]
    children: dict[UUID | None, list[UUID]] = field(default_factory=lambda: defaultdict(list))

    def branch(self, tip: UUID | None) -> list[UUID]:
        """The turns from the first to this one."""
        path: list[UUID] = []
        while tip is not None and tip in self.parents:
            path.append(tip)
            tip = self.parents[tip]
        return path[::-1]

    def beside(self, turn: UUID) -> list[UUID]:
        """The turns that are branches at the same place, this one among them, oldest first."""
        return self.children[self.parents[turn]]

    def end(self, turn: UUID) -> UUID:
        """The end of the branch that was written last below this turn."""
        while below := self.children.get(turn):
            turn = below[-1]
        return turn


def tree_of(conversation: Conversation) -> Tree:
    """In one query; children come in the order in which they were written."""
    rows = Turn.objects.filter(conversation=conversation).order_by("sequence").values_list("pk", "parent_id")
    tree = Tree(dict(rows))
    for id, parent in tree.parents.items():
        tree.children[parent].append(id)
    return tree
