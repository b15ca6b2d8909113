"""A sending worker killed with kill -9 at every step: each message arrives, under one id, and after a 2xx no more."""

from __future__ import annotations

import pytest

from apps.webhooks import services as webhooks
from tests.faults.dying import MOST_STEPS, Worker
from tests.helpers.people import Tenant
from tests.helpers.webhooks import deliveries, happen, lapse, receiving, soon, work

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults"), pytest.mark.django_db(transaction=True)]


def test_a_message_arrives_whatever_step_its_worker_dies_at(org_a: Tenant, settings: object) -> None:
    settings.OUTBOUND_ALLOW_PRIVATE = True  # type: ignore[attr-defined]
    worker = Worker(OUTBOUND_ALLOW_PRIVATE="true")
    twice = 0
    try:
        with receiving() as there:
            webhooks.create_endpoint(org_a.actor, there.url, types=["team.deleted"])
            for step in range(1, MOST_STEPS):
                happen(org_a, f"at {step}")
                was_killed = worker.runs("send_webhooks", dies_at=step)
                lapse(org_a)
                for _ in range(2):
                    sending_again(org_a)
                mine = [got.id for got in there.got if got.message["data"]["facts"]["name"] == f"at {step}"]
                assert len(set(mine)) == 1, step
                assert len(mine) <= 2, step
                twice += len(mine) == 2
                if not was_killed:
                    break
    finally:
        worker.stop()
    assert step > 7
    # Killed between the answer and its being noted, and nowhere else.
    assert 0 < twice < step / 2
    found = deliveries(org_a)
    assert [each.state for each in found] == ["delivered"] * step
    # The order of ids is that of the events, whoever died.
    assert [each.message for each in found] == list(dict.fromkeys(there.ids))


def sending_again(tenant: Tenant) -> None:
    """The next worker, which finds what the dead one has left."""
    from apps.webhooks.services import sending

    sending.reap()
    soon(tenant)
    work()
