"""Classifiers: asked for with examples, trained by a worker, scored wherever texts are checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from django.db.models import Max
from django.db.models.functions import Now

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Organization
from apps.core import events, jobs, tenancy
from apps.core.jobs import Status
from apps.studio.errors import ExamplesInvalid
from apps.studio.models import SafetyClassifier
from apps.studio.services.safety.policies import MANAGE
from apps.webhooks.services import callbacks
from ml.safety import classifier as learning

TRAIN = "studio.train_classifiers"
LONGEST_NAME, MOST_BYTES = 80, 5_000_000
# Words for the two labels; of the second column of a file, without regard to case.
REFUSED = frozenset({"1", "true", "yes", "refuse", "refused", "block", "blocked", "bad", "unsafe"})
ALLOWED = frozenset({"0", "false", "no", "allow", "allowed", "ok", "good", "safe"})

Example = tuple[str, bool]


def read_examples(text: str) -> list[Example]:
    """Examples of a CSV text: a text and its label in each row, with or without a heading.

    Raises ExamplesInvalid, naming the row.
    """
    rows = csv.reader(io.StringIO(text.lstrip("\ufeff")))
    found: list[Example] = []
    try:
        for number, row in enumerate(rows, 1):
            if not any(cell.strip() for cell in row):
                continue
            label = row[1].strip().casefold() if len(row) == 2 else ""
            if label in REFUSED or label in ALLOWED:
                found.append((row[0], label in REFUSED))
            elif number > 1 or len(row) != 2:
                raise ExamplesInvalid(
                    "Row %(row)s: each row is a text and, behind a comma, refuse or allow.",
                    values={"row": number},
                    param="examples",
                )
    except csv.Error as error:
        raise ExamplesInvalid("This is not CSV: %(reason)s.", values={"reason": error}, param="examples") from None
    return found


def train_classifier(
    actor: Actor, name: str, examples: Sequence[Example], callback: Mapping[str, Any] | None = None
) -> SafetyClassifier:
    """Asks for a classifier that learns from examples; once a worker has trained it, its row says how well it does.

    `callback` may say where the result is sent (`callback_url`, `callback_endpoint`).
    """
    actor.require(MANAGE)
    actor.require_open()
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ExamplesInvalid("A classifier needs a name of up to 80 characters.", param="name")
    kept = [(text.replace("\0", "")[: learning.MOST_CHARS], label) for text, label in examples if text.strip()]
    if problem := learning.problem_of(kept):
        raise ExamplesInvalid(problem.template, values=problem.values, param="examples")
    refused = sum(label for _, label in kept)
    with tenancy.scope(actor.organization_id):
        organization = Organization.objects.select_for_update(no_key=True).get(pk=actor.organization_id)
        number = SafetyClassifier.objects.aggregate(most=Max("number"))["most"] or 0
        row: SafetyClassifier = SafetyClassifier.objects.create(
            organization_id=organization.pk,
            number=number + 1,
            name=name,
            examples=kept,
            refused_count=refused,
            allowed_count=len(kept) - refused,
            created_by_id=actor.user_id,
            request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
        )
        audit.record(actor, "safety.classifier_asked", row, after={"name": name, "examples": len(kept)})
        events.record("safety.classifier_asked", row.pk, {"name": name, "number": row.number})
        callbacks.register(actor, row.pk, callback or {})
        jobs.ring(TRAIN)
    return row


def carry_out(job: SafetyClassifier) -> bool:
    """Trains, and writes what was measured; False if another attempt has taken over. The examples are forgotten."""
    trained = learning.train([(text, bool(label)) for text, label in job.examples])
    with tenancy.scope(job.organization_id):
        mine = SafetyClassifier.objects.filter(pk=job.pk, attempt=job.attempt, status=Status.RUNNING)
        written = mine.update(
            weights=trained.dump(),
            curve=[asdict(point) for point in trained.curve],
            average_precision=trained.average_precision,
            examples=[],
            status=Status.SUCCEEDED,
            finished_at=Now(),
            lease_until=None,
        )
        if written:
            facts = {"number": job.number, "average_precision": round(trained.average_precision, 4)}
            events.record("safety.classifier_trained", job.pk, facts)
    return bool(written)


def fail(job: SafetyClassifier, code: str, message: str) -> bool:
    """Ends the current attempt; its examples are forgotten as well."""
    with tenancy.scope(job.organization_id):
        mine = SafetyClassifier.objects.filter(pk=job.pk, attempt=job.attempt, status=Status.RUNNING)
        ended = {"status": Status.FAILED, "finished_at": Now(), "lease_until": None, "examples": []}
        written = bool(mine.update(error_code=code, error_message=message, **ended))
        if written:
            events.record("safety.classifier_failed", job.pk, {"number": job.number, "reason": code})
    return written


def score(classifier_id: UUID, text: str) -> float:
    """How much a text is like those to be refused; in the scope of the organization."""
    return learning.score(_weights(classifier_id), text)


@lru_cache(maxsize=128)
def _weights(classifier_id: UUID) -> bytes:
    # A classifier never changes once it is trained, and its id is nobody else's.
    return bytes(SafetyClassifier.objects.values_list("weights", flat=True).get(pk=classifier_id))
