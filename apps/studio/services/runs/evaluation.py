"""What people think of texts as a data set: one record for each vote and each thumb, without a person's name.

A record holds what was asked, what each model wrote and with which settings: enough to evaluate a model, or to train
one on preferences. A text that retention has removed takes its record with it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.threads import release_thread
from apps.studio.models import Feedback, Generation, RunVote, Verdict

PREFERENCE, RATING = "preference", "rating"
KINDS = (PREFERENCE, RATING)
BATCH = 200


def records(actor: Actor, kind: str = "", after: UUID | None = None, limit: int = BATCH) -> list[dict[str, Any]]:
    """Records in the order in which they were given, those after one id; `kind` is one of `KINDS`, or all."""
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        found = _preferences(after, limit) if kind != RATING else []
        found += _ratings(after, limit) if kind != PREFERENCE else []
    return sorted(found, key=lambda record: str(record["id"]))[:limit]


async def stream(actor: Actor) -> AsyncGenerator[bytes]:
    """All records as JSON lines; between two batches a slow reader holds neither thread nor connection."""
    after: UUID | None = None
    while batch := await sync_to_async(records)(actor, "", after):
        await release_thread()
        yield lines_of(batch)
        after = UUID(batch[-1]["id"])


def lines_of(batch: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in batch).encode()


def _preferences(after: UUID | None, limit: int) -> list[dict[str, Any]]:
    votes = RunVote.objects.filter(pk__gt=after) if after else RunVote.objects.all()
    whole = votes.exclude(run__variants__generation__isnull=True)
    rows = whole.select_related("run", "winner").prefetch_related("run__variants__generation__model").order_by("pk")
    return [_preference(row) for row in rows[:limit]]


def _preference(row: RunVote) -> dict[str, Any]:
    texts = [variant.generation for variant in sorted(row.run.variants.all(), key=lambda variant: variant.position)]
    winner = row.winner.position if row.winner is not None else None
    return _record(row, PREFERENCE) | {
        "run": str(row.run_id),
        **_asked(texts[0]),
        "outputs": [_output(text) for text in texts],
        "verdict": row.verdict,
        "winner": winner if row.verdict == Verdict.BETTER else None,
    }


def _ratings(after: UUID | None, limit: int) -> list[dict[str, Any]]:
    rows = Feedback.objects.filter(pk__gt=after) if after else Feedback.objects.all()
    return [
        _record(row, RATING)
        | {"generation": str(row.generation_id), **_asked(row.generation), "outputs": [_output(row.generation)]}
        | {"rating": row.rating}
        for row in rows.select_related("generation__model").order_by("pk")[:limit]
    ]


def _record(row: RunVote | Feedback, kind: str) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "object": "evaluation_record",
        "kind": kind,
        "reasons": row.reasons,
        "comment": row.comment,
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
    }


def _asked(text: Generation) -> dict[str, Any]:
    return {"messages": text.messages or None, "prompt": text.prompt or None, "brief": text.brief}


def _output(text: Generation) -> dict[str, Any]:
    names = ("max_tokens", "min_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop")
    return {
        "generation": str(text.pk),
        "model": text.model.name,
        "text": text.text,
        "status": text.status,
        "finish_reason": text.finish_reason or None,
        "parameters": {name: getattr(text, name) for name in names},
    }
