"""Training as a piece of work: a data set is frozen by its hash, a worker trains, what was measured stays."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.db.models import Max
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Organization
from apps.core import events, jobs, tenancy
from apps.core.errors import Conflict, NotFound
from apps.core.jobs import TERMINAL, Status
from apps.support.access_bot import APPROVE, READ, WRITE
from apps.support.errors_bot import ExamplesMissing
from apps.support.models import Dataset, DialogueModel, IntentExample, Method, TrainingRun
from apps.support.services.learning.promotion import promote_if_better
from apps.webhooks.services import callbacks
from ml.dialogue.types import OUTSIDE

TRAIN = "support.train"
NO_RUN = gettext_noop("There is no training run with this id.")
# Fewer than this on average, and nothing can be held back for the temperature.
LEAST_EACH = 4


@dataclass(frozen=True, slots=True)
class Trained:
    """What a worker has made: where the files lie, their hash, and what was measured."""

    path: str
    sha256: str
    intents: Sequence[str]
    report: dict[str, Any]
    doubts: Sequence[dict[str, Any]]
    slots: Sequence[str] = ()
    ranks: bool = False


def request_training(
    actor: Actor,
    method: Method = Method.HEAD,
    promotes: bool = False,
    callback: Mapping[str, Any] | None = None,
) -> TrainingRun:
    """Freezes the examples as they are and has a model trained from them. Raises ExamplesMissing.

    With `promotes`, which takes the right to promote, the model goes live by itself if it is no worse than that which
    is live and all stories pass. `callback` may say where the result is sent (`callback_url`, `callback_endpoint`).
    """
    actor.require(*((WRITE, APPROVE) if promotes else (WRITE,)))
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        Organization.objects.select_for_update(no_key=True).get(pk=actor.organization_id)
        if TrainingRun.objects.unfinished().exists():
            raise Conflict("A model is being trained already: wait for it, or stop it.")
        dataset = _frozen(actor.organization_id)
        run: TrainingRun = TrainingRun.objects.create(
            organization_id=actor.organization_id,
            dataset=dataset,
            method=method,
            promotes=promotes,
            created_by_id=actor.user_id,
            request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
        )
        facts: dict[str, Any] = {"dataset": dataset.number, "method": str(method)}
        audit.record(actor, "training.asked", run, sha256=dataset.sha256, **facts)
        events.record("training.asked", run.pk, facts)
        callbacks.register(actor, run.pk, callback or {})
        jobs.ring(TRAIN)
    return run


def cancel_training(actor: Actor, id: UUID) -> TrainingRun:
    """Stops a run: one that waits at once, one that is trained at its next step."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        run: TrainingRun | None = TrainingRun.objects.select_for_update(of=("self",)).filter(pk=id).first()
        if run is None:
            raise NotFound(NO_RUN)
        if run.status in TERMINAL:
            return run
        changes: dict[str, Any] = {"cancel_requested_at": Now()}
        if run.status == Status.QUEUED:
            changes |= {"status": Status.CANCELLED, "finished_at": Now()}
        TrainingRun.objects.filter(pk=id).update(**changes)
        audit.record(actor, "training.cancelled", run)
        if run.status == Status.QUEUED:
            events.record("training.failed", run.pk, {"reason": "cancelled"})
        run.refresh_from_db()
    return run


def get_run(actor: Actor, id: UUID) -> TrainingRun:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        found: TrainingRun | None = TrainingRun.objects.select_related("dataset").filter(pk=id).first()
    if found is None:
        raise NotFound(NO_RUN)
    return found


# ---------------------------------------------------------------- the worker's side


def note_progress(run: TrainingRun, stage: str, progress: float) -> bool:
    """Shows how far this attempt has got; False once it is to stop, or is somebody else's."""
    with tenancy.scope(run.organization_id):
        mine = _mine(run).filter(cancel_requested_at=None)
        return bool(mine.update(stage=stage[:20], progress=min(1.0, max(0.0, progress))))


def finish_training(run: TrainingRun, trained: Trained) -> DialogueModel | None:
    """The model with its number; None if another attempt has taken over."""
    with tenancy.scope(run.organization_id):
        Organization.objects.select_for_update(no_key=True).get(pk=run.organization_id)
        ended = {"status": Status.SUCCEEDED, "finished_at": Now(), "lease_until": None, "stage": "", "progress": 1.0}
        if not _mine(run).update(report=trained.report, doubts=list(trained.doubts), **ended):
            return None
        run.report = trained.report
        number = (DialogueModel.objects.aggregate(most=Max("number"))["most"] or 0) + 1
        made: DialogueModel = DialogueModel.objects.create(
            organization_id=run.organization_id,
            number=number,
            run=run,
            path=trained.path,
            sha256=trained.sha256,
            intents=list(trained.intents),
            slots=list(trained.slots),
            ranks=trained.ranks,
        )
        facts = {"number": number, "accuracy": round(float(trained.report.get("accuracy", 0.0)), 4)}
        events.record("training.finished", run.pk, facts)
        if run.promotes:
            promote_if_better(run, made)
    return made


def fail_training(run: TrainingRun, code: str, message: str) -> bool:
    status = Status.CANCELLED if code == "cancelled" else Status.FAILED
    with tenancy.scope(run.organization_id):
        ended = {"status": status, "finished_at": Now(), "lease_until": None}
        written = _mine(run).update(error_code=code, error_message=message, **ended)
        if written:
            events.record("training.failed", run.pk, {"reason": code})
    return bool(written)


def _mine(run: TrainingRun) -> Any:
    return TrainingRun.objects.filter(pk=run.pk, attempt=run.attempt, status=Status.RUNNING)


def _frozen(organization_id: UUID) -> Dataset:
    """The examples as they are now, under their hash: the same examples are the same data set."""
    examples = IntentExample.objects.order_by("text").values_list("id", "text", "intent", "is_test", "slots")
    # Without marks a row is as it ever was, and so is its hash.
    rows = [[str(id), *facts, bool(test), *([slots] if slots else [])] for id, *facts, test, slots in examples]
    learned = Counter(row[2] for row in rows if not row[3])
    tested = sum(1 for row in rows if row[3])
    inside = {intent: count for intent, count in learned.items() if intent != OUTSIDE}
    if len(inside) < 2 or sum(inside.values()) < LEAST_EACH * len(inside):
        raise ExamplesMissing("At least two intents with four examples on average are needed to learn from.")
    if not tested:
        raise ExamplesMissing("Nothing is left to measure on: add more examples.")
    digest = hashlib.sha256(json.dumps([row[1:] for row in rows], ensure_ascii=False).encode()).hexdigest()
    number = (Dataset.objects.aggregate(most=Max("number"))["most"] or 0) + 1
    found: Dataset = Dataset.objects.get_or_create(
        organization_id=organization_id,
        sha256=digest,
        defaults={"number": number, "rows": rows, "train_count": len(rows) - tested, "test_count": tested},
    )[0]
    return found
