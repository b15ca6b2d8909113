"""An organization that goes leaves no subscription behind that is charged for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import Organization
from apps.billing import gateway
from apps.billing import services as billing
from apps.core import tenancy
from apps.core.errors import Conflict
from tests.helpers.billing import payments as payments
from tests.helpers.billing import subscribe, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator
from tests.helpers.stripe_simulator import simulator as simulator
from tests.helpers.stripe_simulator import simulator_process as simulator_process

pytestmark = pytest.mark.django_db(transaction=True)


def announce(tenant: Tenant) -> None:
    accounts.schedule_deletion(tenant.actor, tenant.organization.name)
    with tenancy.scope(tenant.id):
        Organization.objects.update(deletes_at=timezone.now() - timedelta(seconds=1))


def exists(tenant: Tenant) -> bool:
    with tenancy.scope(tenant.id):
        return Organization.objects.filter(pk=tenant.id).exists()


def test_a_subscription_that_goes_on_is_cancelled_first(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    row = subscribe(payments, org_a)
    with pytest.raises(Conflict, match="Cancel the subscription first"):
        accounts.schedule_deletion(org_a.actor, org_a.organization.name)
    announce(org_b)
    billing.cancel_subscription(org_a.actor)
    announce(org_a)
    assert accounts.remove_due(lambda id, begun: None) == 2
    assert (exists(org_a), exists(org_b)) == (False, False)
    assert gateway.get_subscription(row.stripe_id).cancel_at is not None


def test_what_was_taken_up_again_meanwhile_is_ended_before_anything_goes(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a)
    billing.cancel_subscription(org_a.actor)
    announce(org_a)
    payments.client.v1.subscriptions.update(row.stripe_id, {"cancel_at_period_end": False})
    billing.refresh(org_a.id)
    assert subscription_of(org_a).cancel_at is None
    payments.do("fail", times=5, matching="DELETE /v1/subscriptions", replays="error", before=True)
    assert accounts.remove_due(lambda id, begun: None) == 0
    assert exists(org_a), "without an answer nothing goes"
    payments.do("fail", times=0, matching="DELETE /v1/subscriptions", replays="error")
    assert accounts.remove_due(lambda id, begun: None) == 1
    assert gateway.get_subscription(row.stripe_id).status == "canceled"
