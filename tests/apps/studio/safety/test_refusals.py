"""What safety rules refuse on pages is noted, and Redis is asked while no transaction and no lock is held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.core import ratelimit
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.errors import ContentRefused
from apps.studio.services import Outcome, documents, safety
from apps.studio.services.safety.rules import ListRules, Rules
from tests.apps.studio.test_pages import BRIEF
from tests.helpers.people import Tenant, audit_of
from tests.helpers.studio import ask, finish, start

pytestmark = pytest.mark.django_db(transaction=True)
BLOCKING = Rules(lists=(ListRules("Names", ("project falcon",), "block", "block"),))
TEXT = "All about project falcon."
JSON = {"accept": "application/json"}
Act = Callable[[Tenant, Client], int]


@pytest.fixture
def charged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose minutes were asked for."""
    owners: list[str] = []
    before = ratelimit.charge

    def charge(owner: str, buckets: Any) -> Any:
        assert not connection.in_atomic_block, "Redis may hang, and would hold the transaction's locks"
        owners.append(owner)
        return before(owner, buckets)

    monkeypatch.setattr(ratelimit, "charge", charge)
    return owners


def write(org: Tenant, client: Client) -> int:
    return client.post("/studio/", BRIEF | {"product": TEXT}).status_code


def regenerate(org: Tenant, client: Client) -> int:
    generation = ask(org, TEXT)
    assert finish(start(), Outcome(Status.SUCCEEDED, "Tea.", "stop", 10, 5))
    safety.change_policy(org.actor, BLOCKING)
    return client.post(reverse("studio-regenerate", args=[generation.pk])).status_code


def run(org: Tenant, client: Client) -> int:
    return client.post(reverse("run-new"), BRIEF | {"product": TEXT, "differ": "seeds", "count": "2"}).status_code


def suggest(org: Tenant, client: Client) -> int:
    document = documents.create(org.actor, "Falcon", TEXT)
    body = {"action": "rewrite", "revision": 1, "start": 0, "end": len(TEXT), "quote": TEXT}
    address = reverse("document-suggest", args=[document.pk])
    return client.post(address, body, content_type="application/json", headers=JSON).status_code


@pytest.mark.parametrize("act", [write, regenerate, suggest, run], ids=lambda act: act.__name__)
def test_a_refusal_on_a_page_stands_in_the_audit_log(
    org_a: Tenant, model: ModelVersion, client_of: Any, charged: list[str], act: Act
) -> None:
    if act is not regenerate:
        safety.change_policy(org_a.actor, BLOCKING)
    assert act(org_a, client_of(org_a.owner)) in {400, 403, 422}
    assert len(audit_of(org_a, "safety.prompt_refused")) == 1
    assert str(org_a.id) in charged


def test_what_may_not_be_done_again_is_noted(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a, TEXT)
    failed = start()
    assert finish(failed, Outcome(Status.FAILED, "", "error", error_code="engine_failed", error_message="x"))
    safety.change_policy(org_a.actor, BLOCKING)
    with pytest.raises(ContentRefused):
        studio.repeat_generation(org_a.actor, failed.pk)
    assert len(audit_of(org_a, "safety.prompt_refused")) == 1


def test_pages_still_answer_outside_of_transactions(
    org_a: Tenant, model: ModelVersion, client_of: Any, charged: list[str]
) -> None:
    client = client_of(org_a.owner)
    assert client.post("/studio/", BRIEF).status_code == 302
    assert client.post("/studio/", BRIEF | {"product": ""}).status_code == 422
    assert client.post(reverse("run-new"), {"kind": "prompt"}).status_code == 422
