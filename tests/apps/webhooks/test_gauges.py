"""What Prometheus is told of messages is what the tables hold."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants
from apps.webhooks import gauges
from apps.webhooks import services as webhooks
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.services.making import make
from tests.helpers.people import Tenant
from tests.helpers.webhooks import claim, happen, receiving

pytestmark = pytest.mark.django_db(transaction=True)


def told() -> dict[str, float]:
    with across_tenants(Across.COUNT_WORK):
        samples = [sample for family in gauges.read() for sample in family.samples]
    return {
        ".".join([sample.name.removeprefix("millrace_"), *sample.labels.values()]): sample.value for sample in samples
    }


def test_messages_are_counted_over_all_organizations(org_a: Tenant, org_b: Tenant) -> None:
    with receiving() as there:
        for tenant in (org_a, org_b):
            endpoint, _secret = webhooks.create_endpoint(tenant.actor, there.url, types=["team.deleted"], at_once=1)
            happen(tenant, "one", "two", "three")
    make()
    claim()
    with tenancy.scope(org_a.id):
        first, last = Delivery.objects.filter(state="waiting").order_by("position")
        Delivery.objects.filter(pk=first.pk).update(next_at=timezone.now() - timedelta(minutes=2))
        Delivery.objects.filter(pk=last.pk).update(next_at=timezone.now() + timedelta(hours=1))
        Endpoint.objects.update(failing_since=timezone.now())
    webhooks.pause_endpoint(org_b.actor, endpoint.pk)
    found = told()
    assert 115 < found.pop("webhooks_due_oldest_age_seconds") < 600
    assert found == {
        "webhooks_waiting": 4,
        "webhooks_due": 1,
        "webhooks_running": 2,
        "webhooks_failing_endpoints": 1,
        "webhooks_stopped_endpoints.paused": 1,
        "webhooks_stopped_endpoints.failing": 0,
        "webhooks_stopped_endpoints.gone": 0,
        "inbound_calls_waiting": 0,
    }
