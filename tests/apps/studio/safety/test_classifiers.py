"""A classifier is trained by a worker from an organization's own examples, measured, and used."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.core import tenancy
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio.errors import ContentRefused, ExamplesInvalid, SafetyRulesInvalid
from apps.studio.models import SafetyClassifier
from apps.studio.services import safety
from apps.studio.services.safety.rules import ClassifierRules, Rules
from tests.helpers.people import Tenant
from tests.helpers.studio import ask
from tests.ml.safety.test_classifier import examples
from workers.safety import train_classifiers

pytestmark = pytest.mark.django_db(transaction=True)
CSV = "text,label\n" + "".join(f'"{text}",{"refuse" if label else "allow"}\n' for text, label in examples())


def trained(tenant: Tenant) -> SafetyClassifier:
    row = safety.train_classifier(tenant.actor, "Threats", safety.read_examples(CSV))
    train_classifiers()
    with tenancy.scope(tenant.id):
        return SafetyClassifier.objects.get(pk=row.pk)


def test_it_is_trained_measured_and_refuses(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    row = trained(org_a)
    assert (row.status, row.examples, row.refused_count) == (Status.SUCCEEDED, [], len(examples()) // 2)
    assert row.average_precision and row.average_precision > 0.9
    assert len(row.curve) == 19 and 0 <= row.curve[0]["recall"] <= 1
    wanted = Rules(classifier=ClassifierRules(str(row.pk), 0.5, "block", "mark"))
    safety.change_policy(org_a.actor, wanted)
    with pytest.raises(ContentRefused, match="classifier"):
        ask(org_a, "I am going to attack the teacher tonight")
    ask(org_a, "please greet the teacher tonight")
    with pytest.raises(SafetyRulesInvalid):
        safety.change_policy(org_b.actor, wanted)


def test_a_classifier_that_is_not_trained_yet_cannot_be_used(org_a: Tenant, model: ModelVersion) -> None:
    row = safety.train_classifier(org_a.actor, "Threats", examples())
    with pytest.raises(SafetyRulesInvalid):
        safety.change_policy(org_a.actor, Rules(classifier=ClassifierRules(str(row.pk), 0.5, "block")))


def test_examples_are_read_strictly() -> None:
    assert safety.read_examples("\ufeffa,1\n\nb,allow\n") == [("a", True), ("b", False)]
    assert safety.read_examples('"two, parts",Refuse\n') == [("two, parts", True)]
    for wrong in ("a,1\nb\n", "a,1\nb,maybe\n", "a,1,2\n"):
        with pytest.raises(ExamplesInvalid, match="Row"):
            safety.read_examples(wrong)


def test_too_few_are_refused(org_a: Tenant, model: ModelVersion) -> None:
    with pytest.raises(ExamplesInvalid, match="at least"):
        safety.train_classifier(org_a.actor, "Few", examples()[:12])


def test_pages_and_rest(org_a: Tenant, model: ModelVersion, client_of: Any) -> None:
    browser = client_of(org_a.owner)
    assert browser.post("/settings/safety/classifiers/", {"name": "Threats", "text": CSV}).status_code == 302
    train_classifiers()
    page = browser.get("/settings/safety/classifiers/").content.decode()
    assert "Threats v1" in page and "Average precision" in page
    with tenancy.scope(org_a.id):
        row = SafetyClassifier.objects.get()
    form: dict[str, Any] = {
        "lists-TOTAL_FORMS": 1,
        "lists-INITIAL_FORMS": 0,
        "lists-0-name": "Names",
        "lists-0-terms": "project falcon\n违禁词\n",
        "lists-0-prompt": "block",
        "lists-0-output": "mark",
        "kinds": ["email", "iban"],
        "personal_prompt": "mask",
        "personal_output": "mark",
        "classifier": str(row.pk),
        "threshold": "0.8",
        "classifier_prompt": "block",
        "classifier_output": "off",
        "output_action": "mark",
    }
    answer = browser.post("/settings/safety/", form)
    assert answer.status_code == 302, answer.context["form"].errors
    page = browser.post("/settings/safety/test/", {"text": "这是违禁词 and ann@example.com"}).content.decode()
    assert "Refused" in page and "blocked term: Names" in page and "[EMAIL_1]" in page
    client = Client()

    def call(method: str, path: str, body: Any = None) -> Any:
        send = getattr(client, method)
        more = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
        return send(f"/api/v1/safety/{path}", headers=org_a.bearer, **more)

    assert call("get", "policy").status_code == 403, "a key has the scope only where it was given"


def test_rest_with_the_scope(org_a: Tenant, model: ModelVersion) -> None:
    from apps.accounts import services as accounts

    _key, secret = accounts.create_api_key(org_a.actor, "rules", scopes=("safety:manage",))
    client, headers = Client(), {"authorization": f"Bearer {secret}"}
    body = {"personal": {"kinds": ["email"], "prompt": "mask", "output": "off"}, "length": {"output": 100}}
    answer = client.put("/api/v1/safety/policy", json.dumps(body), content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.json()
    found = client.get("/api/v1/safety/policy", headers=headers).json()
    assert (found["number"], found["rules"]["personal"]["kinds"], found["holds_back"]) == (1, ["email"], False)
    checked = client.post(
        "/api/v1/safety/check",
        json.dumps({"text": "to ann@example.com"}),
        content_type="application/json",
        headers=headers,
    ).json()
    assert (checked["action"], checked["text"]) == ("mask", "to [EMAIL_1]")
    wrong = {"personal": {"kinds": ["shoe size"]}}
    answer = client.put("/api/v1/safety/policy", json.dumps(wrong), content_type="application/json", headers=headers)
    assert answer.status_code == 400
    made = client.post(
        "/api/v1/safety/classifiers",
        json.dumps({"name": "T", "examples": [{"text": text, "refuse": label} for text, label in examples()]}),
        content_type="application/json",
        headers=headers,
    )
    assert made.status_code == 202, made.json()
    train_classifiers()
    assert (
        client.get(f"/api/v1/safety/classifiers/{made.json()['id']}", headers=headers).json()["status"] == "succeeded"
    )
    assert len(client.get("/api/v1/safety/classifiers", headers=headers).json()["data"]) == 1
