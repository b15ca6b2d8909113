"""Reading runs: one with its texts side by side, the tree it belongs to, and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.core.jobs import TERMINAL, Status
from apps.core.keyset import KeysetPage, page_of
from apps.studio.models import Run, RunKind, RunStep, RunVote, Variant
from apps.studio.services.feedback import author_of, opinion_of, with_opinions

NO_RUN = gettext_noop("There is no run with this id.")
# Of a tree's runs, as many as are shown; the newest are those that somebody works on.
SHOWN_OF_TREE = 60


@dataclass(frozen=True, slots=True)
class Text:
    """A variant with what the reader thinks of it; `same` says of an exact repetition whether it was one."""

    variant: Variant
    opinion: dict[str, Any] = field(default_factory=dict)
    same: bool | None = None

    @property
    def busy(self) -> bool:
        return self.variant.generation is not None and self.variant.generation.status not in TERMINAL


@dataclass(frozen=True, slots=True)
class Node:
    """A run in its tree, and how far from the first."""

    run: Run
    depth: int


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as one reader sees it; `hidden` says that the models are not told before their vote."""

    run: Run
    texts: Sequence[Text]
    tree: Sequence[Node]
    vote: RunVote | None
    votes: int

    @property
    def hidden(self) -> bool:
        return self.run.is_blind and self.vote is None

    @property
    def busy(self) -> bool:
        return any(text.busy for text in self.texts)


def get_run(actor: Actor, id: UUID) -> RunView:
    """Five queries, however many variants there are and however large the tree is."""
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        run: Run | None = Run.objects.select_related("parent__generation", "created_by").filter(pk=id).first()
        if run is None:
            raise NotFound(NO_RUN)
        rows = run.variants.select_related("generation__model", "model").order_by("position")
        cast = run.votes.filter(**author_of(actor)).first() if run.is_blind else None
        votes = run.votes.count() if run.is_blind else 0
        texts = [Text(v, opinion_of(v), _is_same(run, v)) for v in with_opinions(rows, actor, "generation__")]
        return RunView(run, texts, _tree(run), cast, votes)


def _is_same(run: Run, variant: Variant) -> bool | None:
    """Whether a repetition gave the text of its parent; None while either of them is not whole."""
    if run.step != RunStep.REPEAT or run.parent is None or run.parent.generation is None:
        return None
    first, second = run.parent.generation, variant.generation
    if second is None or {first.status, second.status} != {Status.SUCCEEDED}:
        return None
    return bool(first.text == second.text)


def _tree(run: Run) -> list[Node]:
    """The runs of the tree, each under the run from which it came, oldest first."""
    rows = list(Run.objects.filter(root=run.root).select_related("parent").order_by("-id")[:SHOWN_OF_TREE])[::-1]
    below: dict[UUID | None, list[Run]] = {}
    known = {row.pk for row in rows}
    for row in rows:
        above = row.parent.run_id if row.parent is not None else None
        below.setdefault(above if above in known else None, []).append(row)
    nodes: list[Node] = []
    waiting = [(row, 0) for row in below.get(None, [])[::-1]]
    while waiting:
        row, depth = waiting.pop()
        nodes.append(Node(row, depth))
        waiting += [(child, depth + 1) for child in below.get(row.pk, [])[::-1]]
    return nodes


def list_runs(actor: Actor, before: str | None = None, kind: str = "", limit: int = 25) -> KeysetPage:
    """Runs with their variants, newest first."""
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        rows = runs_of(kind)
        return page_of(rows, before, limit)


def runs_of(kind: str = "") -> Any:
    """The rows in scope, as lists and the API page through them."""
    rows = Run.objects.select_related("created_by", "api_key").prefetch_related(
        "variants__generation", "variants__model"
    )
    return rows.filter(kind=kind) if kind in RunKind.values else rows


def hidden_runs(actor: Actor, rows: Sequence[Run]) -> set[UUID]:
    """Those of two models on which the actor has not voted yet; call it in the organization's scope."""
    blind = {row.pk for row in rows if row.is_blind}
    voted = RunVote.objects.filter(run__in=blind, **author_of(actor)).values_list("run_id", flat=True)
    return blind - set(voted) if blind else blind
