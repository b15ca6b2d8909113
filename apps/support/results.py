"""What is sent back for a training run that was asked for with a callback, by the event that ends it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder

from apps.support.api.bots.learning_bodies import run_body
from apps.support.models import DialogueModel, TrainingRun


def _training_run(id: UUID) -> dict[str, Any] | None:
    """The run as REST has it, without the single doubts, and the number of the model that it made."""
    row: TrainingRun | None = TrainingRun.objects.select_related("dataset").filter(pk=id).first()
    if row is None:
        return None
    number = DialogueModel.objects.filter(run=row).values_list("number", flat=True).first()
    body: dict[str, Any] = json.loads(
        json.dumps(run_body(row) | {"doubts": [], "model": number}, cls=DjangoJSONEncoder)
    )
    return body


ENDINGS = {f"training.{state}": _training_run for state in ("finished", "failed")}
