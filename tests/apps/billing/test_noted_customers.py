"""What the product itself notes of an organization as a customer stands in the audit log as such."""

from __future__ import annotations

import pytest

from apps.accounts.models import AuditEntry
from apps.core import tenancy
from tests.helpers.billing import subscribe
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


def test_nothing_of_a_purchase_is_called_a_change_from_outside(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, trial=True)
    with tenancy.scope(org_a.id):
        entries = AuditEntry.objects.filter(object_type__startswith="billing.")
        actions = set(entries.values_list("action", flat=True))
    assert "billing.customer_noted" in actions
    assert [action for action in actions if action.startswith("database.")] == []
