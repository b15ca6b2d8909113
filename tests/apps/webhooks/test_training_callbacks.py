"""Results of training, sent back to whoever asked for it, once, however it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.core import jobs, tenancy
from apps.studio.models import SafetyClassifier
from apps.studio.services import safety
from apps.support.models import TrainingRun
from apps.support.services import learning
from apps.webhooks import services as webhooks
from apps.webhooks.models import Callback
from tests.helpers.people import Tenant, bearer_with
from tests.helpers.webhooks import receiving, work
from workers import safety as worker

pytestmark = pytest.mark.django_db(transaction=True)
REPORT = {
    "questions": 1, "accuracy": 1.0, "calibration_error": 0.0, "kept": 1.0, "wrong": 0.0, "outside_answered": None,
    "curve": [], "recall": {}, "confusions": [], "stories": {},
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def post(tenant: Tenant, path: str, body: Any, *scopes: str) -> Any:
    return Client().post(path, json.dumps(body), "application/json", headers=bearer_with(tenant, *scopes))


def train(tenant: Tenant, url: str, *scopes: str) -> Any:
    given = [learning.Given(f"{intent} {n}", intent) for intent in ("lost", "hours") for n in range(20)]
    learning.add_examples(tenant.actor, given)
    return post(tenant, "/api/v1/support/training-runs", {"method": "head", "callback_url": url}, *scopes)


def messages(got: list[Any]) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in got]


def test_a_training_run_is_told_once_it_has_ended(org_a: Tenant) -> None:
    webhooks.add_secret(org_a.actor, None)
    with receiving() as there:
        made = train(org_a, f"{there.url}/done", "bots:read", "bots:write")
        assert made.status_code == 202, made.content
        assert work() == 0
        [run] = jobs.claim(TrainingRun, "by-hand", 1)
        learning.finish_training(
            run, learning.Trained("dialogue/x", "0" * 64, ["hours", "lost"], REPORT, [{"id": str(org_a.id)}])
        )
        work()
        assert work() == 0
    [told] = messages(there.got)
    assert told["type"] == "training.result"
    result = told["data"]["result"]
    assert (result["id"], result["status"], result["model"], result["doubts"]) == (str(run.pk), "succeeded", 1, [])


def test_one_that_is_stopped_while_it_waits_is_told_as_well(org_a: Tenant) -> None:
    webhooks.add_secret(org_a.actor, None)
    with receiving() as there:
        made = train(org_a, f"{there.url}/done", "bots:read", "bots:write")
        learning.cancel_training(org_a.actor, made.json()["id"])
        work()
    [told] = messages(there.got)
    assert (told["data"]["event"], told["data"]["result"]["status"]) == ("training.failed", "cancelled")


def test_whoever_may_not_read_the_result_has_it_sent_nowhere(org_a: Tenant) -> None:
    webhooks.add_secret(org_a.actor, None)
    assert train(org_a, "https://there.example/done", "bots:write").status_code == 403
    with tenancy.scope(org_a.id):
        assert not Callback.objects.exists() and not TrainingRun.objects.exists()


def test_a_classifier_is_told_trained_or_failed(org_a: Tenant) -> None:
    webhooks.add_secret(org_a.actor, None)
    examples = [{"text": f"bad thing {n}", "refuse": True} for n in range(12)]
    examples += [{"text": f"good thing {n}", "refuse": False} for n in range(12)]
    with receiving() as there:
        body = {"name": "Bad things", "examples": examples, "callback_url": f"{there.url}/done"}
        assert post(org_a, "/api/v1/safety/classifiers", body, "safety:manage").status_code == 202
        worker.train_classifiers()
        post(org_a, "/api/v1/safety/classifiers", body, "safety:manage")
        [job] = jobs.claim(SafetyClassifier, "by-hand", 1)
        assert safety.fail(job, "training_failed", "No.")
        work()
        work()
    told = messages(there.got)
    assert [each["data"]["event"] for each in told] == ["safety.classifier_trained", "safety.classifier_failed"]
    assert [each["data"]["result"]["status"] for each in told] == ["succeeded", "failed"]
