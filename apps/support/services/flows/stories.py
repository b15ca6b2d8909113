"""Stories of a version, played by a worker: what is read comes from the live model, what is called may be real."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from django.db.models.functions import Now

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, jobs, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.jobs import Status
from apps.support.access_bot import APPROVE, WRITE
from apps.support.models import DialogueModel, FlowVersion, StoryRun
from apps.support.services.flows.settings import settings_of

RUN_STORIES = "support.run_stories"
MOST_WAITING = 5


def request_run(actor: Actor, number: int, calls: bool = False, model: int | None = None) -> StoryRun:
    """Asks for the version's stories to be played; with `calls` what they do not script is really done.

    What they do not say how to read is read by the model with this number, or the one that is live.
    """
    actor.require(APPROVE if calls else WRITE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        version = FlowVersion.objects.filter(number=number).first()
        if version is None:
            raise NotFound("There are no flows with this number.")
        if not version.stories.strip():
            raise InvalidRequest("These flows have no stories yet.", param="number")
        if StoryRun.objects.unfinished().count() >= MOST_WAITING:
            raise Conflict("Other stories are being run: wait for them.")
        reads = settings_of(actor.organization_id).model
        if model is not None:
            reads = DialogueModel.objects.filter(number=model).first()
            if reads is None:
                raise NotFound("There is no model with this number.", param="model")
        run: StoryRun = StoryRun.objects.create(
            organization_id=actor.organization_id,
            version=version,
            model=reads,
            calls=calls,
            created_by_id=actor.user_id,
            request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
        )
        audit.record(actor, "flows.tested", version, calls="yes" if calls else "no")
        jobs.ring(RUN_STORIES)
    return run


def latest_run(version: FlowVersion) -> StoryRun | None:
    """In scope."""
    found: StoryRun | None = StoryRun.objects.filter(version=version).order_by("-id").first()
    return found


def finish_run(run: StoryRun, results: Sequence[dict[str, Any]]) -> bool:
    """Writes what came of it; False if another attempt has taken over."""
    failed = sum(1 for each in results if each["problems"])
    with tenancy.scope(run.organization_id):
        written = _mine(run).update(
            results=list(results),
            failed=failed,
            passed=len(results) - failed,
            status=Status.SUCCEEDED,
            finished_at=Now(),
            lease_until=None,
        )
        if written:
            number = FlowVersion.objects.values_list("number", flat=True).get(pk=run.version_id)
            facts = {"number": number, "passed": len(results) - failed, "failed": failed}
            events.record("flows.tested", run.version_id, facts)
    return bool(written)


def fail_run(run: StoryRun, code: str, message: str) -> bool:
    with tenancy.scope(run.organization_id):
        ended = {"status": Status.FAILED, "finished_at": Now(), "lease_until": None}
        return bool(_mine(run).update(error_code=code, error_message=message, **ended))


def _mine(run: StoryRun) -> Any:
    return StoryRun.objects.filter(pk=run.pk, attempt=run.attempt, status=Status.RUNNING)
