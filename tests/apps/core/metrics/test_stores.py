"""The queues as PostgreSQL knows them, over all organizations and without a name of one."""

from typing import Any

import pytest
from django.apps import apps
from django.db import OperationalError, connection
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from apps.core import tenancy
from apps.core.jobs import Job, Status
from apps.core.metrics import stores
from apps.core.metrics.stores import StoreCollector
from apps.core.views import worker_key
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from tests.helpers.people import Tenant
from tests.helpers.studio import add_rows


def collected(collector: StoreCollector | None = None) -> dict[tuple[str, ...], float]:
    """Values by name and labels, in the order of the labels' names."""
    found = (collector or StoreCollector(fresh_seconds=-1)).collect()
    return {
        (sample.name, *(text for _, text in sorted(sample.labels.items()))): sample.value
        for family in found
        for sample in family.samples
    }


def figure(found: dict[tuple[str, ...], float], name: str, model: ModelVersion) -> float:
    return found[(f"millrace_queue_{name}", model.name, "generation")]


def test_an_empty_queue_says_so(db: None, model: ModelVersion) -> None:
    found = collected()
    names = ("depth", "oldest_age_seconds", "organizations", "running", "lapsed_leases")
    assert [figure(found, name, model) for name in names] == [0, 0, 0, 0, 0]
    assert (found[("millrace_store_up", "database")], found[("millrace_store_up", "redis")]) == (1, 1)


def test_the_work_of_all_organizations_is_counted(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    now = timezone.now()
    add_rows(org_a, model, 3, created_at=now - timezone.timedelta(seconds=100))
    add_rows(org_b, model, 2, created_at=now - timezone.timedelta(seconds=10))
    add_rows(org_b, model, 1, status=Status.RUNNING, lease_until=now + timezone.timedelta(seconds=60))
    add_rows(org_b, model, 1, status=Status.RUNNING, lease_until=now - timezone.timedelta(seconds=60))
    add_rows(org_a, model, 4, status=Status.SUCCEEDED)
    found = collected()
    assert figure(found, "depth", model) == 5
    assert 100 <= figure(found, "oldest_age_seconds", model) < 1000
    assert figure(found, "organizations", model) == 2
    assert (figure(found, "running", model), figure(found, "lapsed_leases", model)) == (2, 1)


def test_each_model_has_its_own_figures(org_a: Tenant, model: ModelVersion) -> None:
    other = ModelVersion.objects.create(
        name="other", backend="local", source="path", context_length=100, max_output_tokens=50
    )
    add_rows(org_a, other, 2)
    found = collected()
    assert (figure(found, "depth", model), figure(found, "depth", other)) == (0, 2)


def test_reading_opens_no_scope_for_what_follows(org_a: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 1)
    collected()
    with pytest.raises(tenancy.ScopeMissing):
        Generation.objects.count()


def test_two_readers_at_a_time_cost_one_look(org_a: Tenant, model: ModelVersion) -> None:
    collector = StoreCollector()
    first = collected(collector)
    add_rows(org_a, model, 1)
    assert collected(collector) == first
    assert figure(collected(), "depth", model) == 1


def test_the_broker_and_the_workers_are_seen(db: None, model: ModelVersion, redis: Any) -> None:
    assert collected()[("millrace_worker_seen_timestamp_seconds", "default")] == 0
    redis.set(worker_key("default"), 1234.5)
    found = collected()
    assert found[("millrace_worker_seen_timestamp_seconds", "default")] == 1234.5
    assert found[("millrace_broker_messages", "generation")] >= 0


def test_a_lost_redis_costs_its_own_figures_only(
    db: None, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost() -> None:
        raise RedisConnectionError("gone")

    monkeypatch.setattr(stores, "quick_redis_client", lost)
    found = collected()
    assert (found[("millrace_store_up", "database")], found[("millrace_store_up", "redis")]) == (1, 0)
    assert figure(found, "depth", model) == 0
    assert not [key for key in found if key[0].startswith("millrace_worker")]


def test_a_lost_database_costs_its_own_figures_only(
    db: None, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(table: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(stores, "_count_work", lost)
    found = collected()
    assert (found[("millrace_store_up", "database")], found[("millrace_store_up", "redis")]) == (0, 1)
    assert not [key for key in found if key[0].startswith("millrace_queue")]


def test_the_count_is_bounded_in_time(db: None, model: ModelVersion, django_assert_max_num_queries: Any) -> None:
    tables = [table for table in apps.get_models() if issubclass(table, Job)]
    # Entering and leaving the scope, the limit, one count; and which models there are. Then what the exchange with
    # Stripe tells, and what webhooks do: seven counts in one scope.
    with django_assert_max_num_queries(1 + 6 * len(tables) + 13):
        collected()
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == stores.STATEMENT_TIMEOUT
