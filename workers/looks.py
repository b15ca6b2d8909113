"""Which tasks have something to do, for the schedule's tick: bells may be lost, and some work is due by time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from workers.celery import EXPIRY_SECONDS, app

if TYPE_CHECKING:
    from apps.core.looks import Look


def waiting() -> Mapping[str, Iterable[Any]]:
    """The rows that wait for each task."""
    return {**_of_every_app(), **_of_desks()}


def _of_every_app() -> Mapping[str, Iterable[Any]]:
    from apps.accounts.audit import streaming
    from apps.billing.services import inbox, outbox
    from apps.core import jobs, mail
    from apps.knowledge.models import SourceVersion
    from apps.privacy.models import Erasure, Export
    from apps.studio.models import PageText, SafetyClassifier
    from apps.studio.services.schedules import occurrences, planning
    from apps.webhooks.services import calls

    return {
        "core.send_mail": [mail.due()],
        "audit.stream": [streaming.due()],
        "billing.handle_stripe_events": [inbox.due()],
        "billing.send_operations": [outbox.due()],
        "privacy.wake": [jobs.due(Erasure), jobs.due(Export)],
        "knowledge.wake": [jobs.due(SourceVersion)],
        "studio.fetch_pages": [jobs.due(PageText)],
        "studio.train_classifiers": [jobs.due(SafetyClassifier)],
        "schedules.look": [planning.due(), occurrences.due()],
        "webhooks.take_calls": [calls.due()],
    }


def _of_desks() -> Mapping[str, Iterable[Any]]:
    from apps.core import jobs
    from apps.support.models import StoryRun, TrainingRun
    from apps.support.services import bot, drafts, housekeeping, resolutions, scanning
    from apps.support.services.mail import receiving, sending

    return {
        "support.call_people": [bot.late_turns()],
        "support.send_mail": [sending.due()],
        "support.fetch_mail": [receiving.due()],
        "support.sweep": housekeeping.due(),
        "support.settle": [resolutions.due(), drafts.being_written()],
        "support.scan_files": [scanning.due()],
        "support.run_stories": [jobs.due(StoryRun)],
        "support.train": [jobs.due(TrainingRun)],
    }


@cache
def look() -> Look:
    from apps.core.looks import Look

    return Look(waiting)


def send() -> None:
    """Sends the tasks that have something to do; the next tick comes in seconds where a store is away."""
    for name in look().names():
        app.send_task(name, expires=EXPIRY_SECONDS, retry=False)
