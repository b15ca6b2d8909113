"""When to come back to a full queue: what the queue has really done lately, in plain arithmetic."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.core import backlog, tenancy
from apps.core.backlog import LONGEST_SECONDS, SHORTEST_SECONDS, Load, retry_after
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from tests.helpers.people import Tenant
from tests.helpers.studio import add_rows


@pytest.mark.parametrize(
    ("load", "seconds"),
    [
        # Thirty jobs in the last minute, none running: one starts every two seconds.
        (Load(10, 10, services=(4.0,) * 30, span=60.0), 2.0),
        # A batch of four that started 5 s ago and takes 20 s: no place before it ends.
        (Load(10, 10, running=4, services=(20.0,) * 4, span=40.0, running_for=5.0), 15.0),
        # One that has run longer than usual: its end is due, the pace says when at the latest.
        (Load(10, 10, running=4, services=(20.0,) * 4, span=40.0, running_for=25.0), 10.0),
        # The limit was lowered: five must start before one more may wait.
        (Load(14, 10, services=(1.0,) * 10, span=30.0), 15.0),
        # Nothing has ended yet: each of the two that run takes at least as long as it has.
        (Load(10, 10, running=2, running_for=30.0), 15.0),
        # Nothing runs and nothing has: as long again as the oldest has waited.
        (Load(10, 10, stuck_for=40.0), 40.0),
        (Load(10, 10), SHORTEST_SECONDS),
        (Load(10, 10, stuck_for=9_000.0), LONGEST_SECONDS),
        # Nothing may ever wait.
        (Load(0, 0), LONGEST_SECONDS),
    ],
)
def test_the_wait_is_what_the_queue_needs_to_free_a_place(load: Load, seconds: float) -> None:
    assert retry_after(load) == pytest.approx(seconds)


SECONDS = st.floats(0, 10_000)
LOADS = st.builds(
    Load,
    waiting=st.integers(0, 10_000),
    limit=st.integers(0, 10_000),
    running=st.integers(0, 100),
    services=st.lists(SECONDS, max_size=20).map(tuple),
    span=SECONDS,
    running_for=SECONDS,
    stuck_for=SECONDS,
)


@given(LOADS)
def test_the_wait_has_bounds_whatever_is_measured(load: Load) -> None:
    assert SHORTEST_SECONDS <= retry_after(load) <= LONGEST_SECONDS


def test_an_organizations_load_is_read_from_its_rows_alone(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    now = timezone.now()
    for tenant, took in ((org_a, 10), (org_b, 1)):
        for n in range(4):
            started = now - timedelta(seconds=60 - n)
            add_rows(
                tenant,
                model,
                1,
                status=Status.SUCCEEDED,
                claimed_at=started,
                finished_at=started + timedelta(seconds=took),
            )
    add_rows(org_a, model, 2, status=Status.RUNNING, claimed_at=now - timedelta(seconds=3))
    add_rows(org_a, model, 1, status=Status.SUCCEEDED, claimed_at=now - timedelta(hours=2), finished_at=now)
    with tenancy.scope(org_a.id):
        load = backlog.of_organization(Generation, org_a.id, 7, 7)
    assert load.services == pytest.approx((10.0,) * 4)
    assert (load.waiting, load.limit, load.running) == (7, 7, 2)
    assert load.span == pytest.approx(60, abs=5)
    assert load.running_for == pytest.approx(3, abs=5)
    assert load.stuck_for == pytest.approx(3, abs=5)


def test_everybodys_load_is_counted_at_most_once_a_second(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    backlog.forget_counts()
    add_rows(org_a, model, 2)
    add_rows(org_b, model, 1)
    now = timezone.now()
    add_rows(org_b, model, 2, status=Status.RUNNING, claimed_at=now - timedelta(seconds=10))
    load = backlog.everywhere(Generation, 3)
    add_rows(org_a, model, 5)
    assert backlog.everywhere(Generation, 3) is load
    assert (load.waiting, load.limit, load.running) == (3, 3, 2)
    # Two that have run for 10 s on average take 20 s each: one ends every 10 s.
    assert retry_after(load) == pytest.approx(10, abs=3)
    backlog.forget_counts()
    assert backlog.everywhere(Generation, 3).waiting == 8
    backlog.forget_counts()
