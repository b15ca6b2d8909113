"""Blind votes: which of two texts is better, before it is said which model wrote which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.jobs import TERMINAL
from apps.studio.models import Run, RunVote, Variant, Verdict
from apps.studio.services.feedback import author_of, checked_comment, checked_reasons
from ml.training.preferences import FEW_VOTES, Rate, Tally, strengths, win_rate


@dataclass(frozen=True, slots=True)
class PairResult:
    """Votes between two models, and how often the first of them wins."""

    tally: Tally
    rate: Rate | None

    @property
    def few(self) -> bool:
        return self.tally.decided < FEW_VOTES


@dataclass(frozen=True, slots=True)
class Results:
    """All pairs, those with most votes first, and the models from the strongest."""

    pairs: list[PairResult]
    models: list[tuple[str, float]]


def vote(
    actor: Actor,
    run_id: UUID,
    verdict: str,
    winner_id: UUID | None = None,
    reasons: Iterable[str] = (),
    comment: str = "",
) -> RunVote:
    """Counts once for each person and key, and cannot be changed: after it the models are shown."""
    actor.require("generations:write")
    if verdict not in Verdict.values:
        raise InvalidRequest("A verdict is better, tie or neither.", param="verdict")
    if (verdict == Verdict.BETTER) != (winner_id is not None):
        raise InvalidRequest("Name the better one, and no other.", param="winner")
    chosen, comment = checked_reasons(reasons), checked_comment(comment)
    with tenancy.scope(actor.organization_id):
        run = _votable(run_id)
        if winner_id is not None and not run.variants.filter(pk=winner_id).exists():
            raise NotFound("There is no variant with this id.", param="winner")
        try:
            with transaction.atomic():
                cast: RunVote = RunVote.objects.create(
                    organization_id=actor.organization_id,
                    run=run,
                    verdict=verdict,
                    winner_id=winner_id,
                    reasons=chosen,
                    comment=comment,
                    **author_of(actor),
                )
        except IntegrityError:
            raise Conflict("You have voted on this run already.") from None
        cast.refresh_from_db()
        events.record("run.voted", run.pk, {"verdict": verdict})
    return cast


def _votable(run_id: UUID) -> Run:
    run: Run | None = Run.objects.filter(pk=run_id).first()
    if run is None:
        raise NotFound("There is no run with this id.")
    if not run.is_blind:
        raise Conflict("Only runs of two models are voted on.")
    if run.variants.exclude(generation__status__in=TERMINAL).exists():
        raise Conflict("Both texts have to be finished before they are voted on.")
    return run


def results(actor: Actor) -> Results:
    """Of every pair of models that this organization has voted on."""
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        votes = list(RunVote.objects.values_list("run_id", "verdict", "winner__model__name"))
        compared: dict[UUID, list[str]] = {}
        rows = Variant.objects.filter(run__votes__isnull=False).distinct()
        for run_id, name in rows.order_by("model__name").values_list("run_id", "model__name"):
            compared.setdefault(run_id, []).append(name)
    counts: dict[tuple[str, str], Counter[str]] = {}
    for run_id, verdict, winner in votes:
        pair = compared.get(run_id, [])
        if len(pair) == 2:
            counts.setdefault((pair[0], pair[1]), Counter())[winner or verdict] += 1
    tallies = [
        Tally(first, second, count[first], count[second], count[Verdict.TIE], count[Verdict.NEITHER])
        for (first, second), count in counts.items()
    ]
    tallies.sort(key=lambda tally: (-tally.total, tally.first, tally.second))
    ranked = sorted(strengths(tallies).items(), key=lambda item: -item[1])
    return Results([PairResult(tally, win_rate(tally)) for tally in tallies], ranked)
