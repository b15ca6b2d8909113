"""Which model reads: promoted once it was measured and all stories of the flows that are live pass with it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import NotFound
from apps.support.access_bot import APPROVE
from apps.support.errors_bot import StoriesFailed
from apps.support.models import BotSettings, DialogueModel, FlowVersion, StoryRun, TrainingRun
from apps.support.services.flows.settings import settings_of

NO_MODEL = gettext_noop("There is no model with this number.")


def models() -> Any:
    """All models with their runs and what is said of the data sets, without the examples in these; in scope."""
    return DialogueModel.objects.select_related("run__dataset").defer("run__dataset__rows", "run__dataset__origins")


def model_numbered(number: int) -> DialogueModel:
    """In scope."""
    found: DialogueModel | None = models().filter(number=number).first()
    if found is None:
        raise NotFound(NO_MODEL)
    return found


def promote(actor: Actor, number: int) -> DialogueModel:
    """From the next turn on this model reads; an older one is gone back to in the same way. Raises StoriesFailed."""
    actor.require(APPROVE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        settings = settings_of(actor.organization_id, lock=True)
        model = model_numbered(number)
        if settings.flows is not None and settings.flows.stories.strip() and not _passes(model, settings.flows):
            raise StoriesFailed("All stories of the live flows have to pass with this model: run them with it.")
        _put_live(actor, settings, model)
    return model


def promote_if_better(run: TrainingRun, model: DialogueModel) -> bool:
    """The model of a run that was asked to promote it: live if all stories pass and it is no worse. In scope."""
    settings = settings_of(run.organization_id, lock=True)
    if settings.flows is not None and settings.flows.stories.strip() and not _passes(model, settings.flows):
        return False
    if settings.model is not None and _accuracy(model) < _accuracy(settings.model):
        return False
    _put_live(audit.system(run.organization_id), settings, model)
    return True


def _put_live(actor: Actor, settings: BotSettings, model: DialogueModel) -> None:
    if settings.model_id == model.pk:
        return
    before = settings.model.number if settings.model else 0
    settings.model = model
    settings.save(update_fields=["model"])
    accuracy = round(_accuracy(model), 4)
    audit.record(actor, "dialogue_model.promoted", model, number=model.number, replaced=before, accuracy=accuracy)
    events.record("dialogue_model.promoted", model.pk, {"number": model.number, "before": before})


def _accuracy(model: DialogueModel) -> float:
    return float(model.run.report.get("accuracy", 0.0))


def _passes(model: DialogueModel, flows: FlowVersion) -> bool:
    """The newest word on it counts: a run of the stories with this model, or what its training has found."""
    run: StoryRun | None = StoryRun.objects.filter(version=flows, model=model).order_by("-id").first()
    if run is not None:
        return run.is_good
    found = model.run.report.get("stories") or {}
    return found.get("flows") == flows.number and not found.get("failed")
