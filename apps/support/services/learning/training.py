"""Training as a piece of work: a data set is frozen by its hash, a worker trains, what was measured stays."""

from __future__ import annotations

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
from apps.support.models import DialogueModel, IntentExample, Method, TrainingRun
from apps.support.services.learning.freezing import frozen
from apps.support.services.learning.promotion import promote_if_better
from apps.webhooks.services import callbacks

TRAIN = "support.train"
NO_RUN = gettext_noop("There is no training run with this id.")


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
        dataset = frozen(actor.organization_id)
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
        mine = _mine(run).select_for_update(of=("self",)).first()
        # Of examples that were erased meanwhile nothing is said.
        there = set(IntentExample.objects.values_list("pk", flat=True)) if trained.doubts else set()
        doubts = [each for each in trained.doubts if UUID(each["id"]) in there]
        if mine is None or not _mine(run).update(report=trained.report, doubts=doubts, **ended):
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
