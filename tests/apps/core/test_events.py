"""Positions of events have no gaps and no repeats, whoever writes at the same time and whatever is rolled back."""

import pytest

from apps.core import events, tenancy
from apps.core.models import Event
from apps.core.tenancy import ScopeMissing
from tests.helpers.people import Tenant
from tests.helpers.threads import together


def test_an_event_needs_a_scope(org_a: Tenant) -> None:
    with pytest.raises(ScopeMissing):
        events.record("x.happened", org_a.id, {})


@pytest.mark.django_db(transaction=True)
def test_positions_are_gapless_under_concurrency_and_rollback(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        before = Event.objects.count()

    def write(number: int) -> None:
        for turn in range(6):
            try:
                with tenancy.scope(org_a.id):
                    events.record("x.happened", org_a.id, {"by": number, "turn": turn})
                    if turn % 3 == 2:
                        raise InterruptedError
            except InterruptedError:
                pass

    assert together([lambda number=number: write(number) for number in range(8)]) == [None] * 8
    with tenancy.scope(org_a.id):
        rows = list(Event.objects.order_by("position"))
    assert [row.position for row in rows] == list(range(1, before + 8 * 4 + 1))
    for number in range(8):
        assert [row.data["turn"] for row in rows if row.data.get("by") == number] == [0, 1, 3, 4]
