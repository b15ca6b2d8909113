"""Doing a failed generation again: a new one with its own hold, once, and never paid for twice."""

import threading
from dataclasses import replace

import pytest
from django.db import connection

from apps.accounts.models import AuditEntry
from apps.core import tenancy
from apps.core.errors import Conflict, InsufficientQuota, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.services import Outcome
from tests.helpers.people import Tenant, acting, audit_of
from tests.helpers.plans import include
from tests.helpers.studio import SUCCESS, ask, finish, held, ledger, reread, start

pytestmark = pytest.mark.django_db
FAILURE = Outcome(Status.FAILED, "", error_code="out_of_memory", error_message="No room.")


def failed(tenant: Tenant, outcome: Outcome = FAILURE) -> Generation:
    ask(tenant, "A line about tea.")
    running = start()
    assert finish(running, outcome)
    return reread(tenant, running)


def test_it_is_a_new_generation_with_a_hold_of_its_own(org_a: Tenant, model: ModelVersion) -> None:
    first = failed(org_a)
    again = studio.repeat_generation(org_a.actor, first.pk)
    assert again.pk != first.pk
    for field in ("messages", "kind", "model_id", "model_name", "max_tokens", "seed", "held_tokens", "created_by_id"):
        assert getattr(again, field) == getattr(first, field), field
    assert reread(org_a, first).status == Status.FAILED
    size = first.held_tokens
    assert sorted(ledger(org_a)) == [("hold", size), ("hold", size), ("release", 0)]
    [entry] = audit_of(org_a, "generation.repeated")
    assert entry.object_id == first.pk


def test_it_is_charged_once(org_a: Tenant, model: ModelVersion) -> None:
    studio.repeat_generation(org_a.actor, failed(org_a).pk)
    assert finish(start(), SUCCESS)
    assert sorted(kind for kind, _ in ledger(org_a)) == ["hold", "hold", "release", "settle"]
    assert held(org_a) == 0


def test_asking_twice_gives_the_same_one(org_a: Tenant, model: ModelVersion) -> None:
    first = failed(org_a)
    again = studio.repeat_generation(org_a.actor, first.pk)
    assert studio.repeat_generation(org_a.actor, first.pk).pk == again.pk
    assert held(org_a) == again.held_tokens
    assert len(audit_of(org_a, "generation.repeated")) == 1


@pytest.mark.django_db(transaction=True)
def test_asking_at_the_same_time_gives_the_same_one(org_a: Tenant, model: ModelVersion) -> None:
    first = failed(org_a)
    found: list[object] = []

    def repeat() -> None:
        found.append(studio.repeat_generation(org_a.actor, first.pk).pk)
        connection.close()

    threads = [threading.Thread(target=repeat) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert len(set(found)) == 1


def test_one_that_fails_again_may_be_done_again(org_a: Tenant, model: ModelVersion) -> None:
    second = studio.repeat_generation(org_a.actor, failed(org_a).pk)
    assert finish(start(), FAILURE)
    assert studio.repeat_generation(org_a.actor, second.pk).pk != second.pk


def test_what_was_charged_is_not_done_again(org_a: Tenant, model: ModelVersion) -> None:
    first = failed(org_a, Outcome(Status.FAILED, "Half a", "error", 10, 3, "worker_lost", "Lost."))
    with pytest.raises(Conflict, match="charged"):
        studio.repeat_generation(org_a.actor, first.pk)
    assert held(org_a) == 0


def test_only_what_failed_is_done_again(org_a: Tenant, model: ModelVersion) -> None:
    waiting = ask(org_a)
    with pytest.raises(Conflict):
        studio.repeat_generation(org_a.actor, waiting.pk)


def test_the_customers_allowance_holds(org_a: Tenant, model: ModelVersion) -> None:
    first = failed(org_a)
    include(5)
    with pytest.raises(InsufficientQuota):
        studio.repeat_generation(org_a.actor, first.pk)
    with tenancy.scope(org_a.id):
        assert Generation.objects.count() == 1
        assert not AuditEntry.objects.filter(action="generation.repeated").exists()


def test_nobody_else_has_it_done_again(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    first = failed(org_a)
    with pytest.raises(NotFound):
        studio.repeat_generation(org_b.actor, first.pk)
    with pytest.raises(PermissionDenied):
        studio.repeat_generation(replace(acting(org_a, org_a.member), permissions=frozenset()), first.pk)
