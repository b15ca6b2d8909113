"""What is sent back for a job that was asked for with a callback, by the event that ends it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder

from apps.studio.api.batch_bodies import batch_body
from apps.studio.api.bulk_bodies import run_body
from apps.studio.api.safety import classifier_body
from apps.studio.body import generation_body
from apps.studio.models import Batch, BulkRun, Generation, SafetyClassifier
from apps.studio.services import bulk


def _generation(id: UUID) -> dict[str, Any] | None:
    found: Generation | None = Generation.objects.for_pages().filter(pk=id).first()
    return generation_body(found) if found else None


def _bulk_run(id: UUID) -> dict[str, Any] | None:
    found: BulkRun | None = BulkRun.objects.for_pages().filter(pk=id).first()
    return run_body(found, bulk.progress_of(id)) if found else None


def _batch(id: UUID) -> dict[str, Any] | None:
    found: Batch | None = Batch.objects.select_related("run").filter(pk=id).first()
    return batch_body(found, bulk.progress_of(found.run_id) if found.run_id else None) if found else None


def _classifier(id: UUID) -> dict[str, Any] | None:
    found: SafetyClassifier | None = SafetyClassifier.objects.defer("weights", "examples").filter(pk=id).first()
    if found is None:
        return None
    body: dict[str, Any] = json.loads(json.dumps(classifier_body(found), cls=DjangoJSONEncoder))
    return body


ENDINGS = {
    **{f"generation.{state}": _generation for state in ("succeeded", "failed", "cancelled")},
    **{f"bulk_run.{state}": _bulk_run for state in ("completed", "cancelled", "expired")},
    **{f"safety.classifier_{state}": _classifier for state in ("trained", "failed")},
    **{f"batch.{state}": _batch for state in ("completed", "failed", "cancelled", "expired")},
}
