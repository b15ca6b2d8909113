"""Messages are claimed fairly, each by one worker, and what came of them is noted or sent again."""

from __future__ import annotations

import queue
from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.core import tenancy
from apps.webhooks import services as webhooks
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.services import sending
from apps.webhooks.services.making import Made, make
from tests.helpers.people import Tenant
from tests.helpers.webhooks import (
    WORKER,
    claim,
    deliveries,
    happen,
    receiving,
    send,
    work,
)
from workers.webhooks import Sender

pytestmark = pytest.mark.django_db(transaction=True)


def test_answers_that_could_not_be_noted_are_noted_later_and_not_sent_again(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = object.__new__(Sender)
    sender.name, sender._done, sender._begun = WORKER, queue.SimpleQueue(), {}
    with receiving() as there:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers")
        make()
        [ready] = claim()
        sender._begun[ready.delivery_id] = (0.0, False)
        sender._done.put(send(ready))
        with monkeypatch.context() as patch, pytest.raises(OperationalError):
            patch.setattr(sending, "note", Mock(side_effect=OperationalError))
            sender._note()
        assert ready.delivery_id in sender._begun
        assert sender._note() == 1
        assert not sender._begun
        assert work() == 0
    assert [row.state for row in deliveries(org_a)] == ["delivered"]
    assert len(there.got) == 1


def test_an_organization_has_its_share_of_places_and_who_has_fewer_goes_first(
    org_a: Tenant, org_b: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "HEALTHY_SHARE", 6)
    monkeypatch.setattr(sending, "FAILING_SHARE", 2)
    for tenant, count in ((org_a, 4), (org_b, 1)):
        for number in range(2 * count):
            made, _secret = webhooks.create_endpoint(tenant.actor, f"http://127.0.0.1:9/{number}", types=["team.*"])
            if number < count:
                with tenancy.scope(tenant.id):
                    Endpoint.objects.filter(pk=made.pk).update(failing_since=timezone.now())
        happen(tenant, *"abcdef")
    make()

    def taken(healthy: int, failing: int) -> tuple[list[bool], list[bool]]:
        held = sending.claim(WORKER, healthy, failing)
        by = {
            tenant.id: [each.failing for each in held if each.organization_id == tenant.id] for tenant in (org_a, org_b)
        }
        return sorted(by[org_a.id]), sorted(by[org_b.id])

    assert taken(4, 2) == ([False, False, True], [False, False, True])
    assert taken(100, 100)[0].count(False) == 4, "six in all"
    assert taken(100, 100) == ([], [])


def test_two_workers_never_take_the_same_message(org_a: Tenant) -> None:
    webhooks.create_endpoint(org_a.actor, "http://127.0.0.1:9/", types=["team.*"], at_once=10)
    happen(org_a, *"abcdef")
    make()
    taken = [each.delivery_id for worker in ("a", "b") for each in sending.claim(worker, 3, 0)]
    assert len(set(taken)) == len(taken) == 6
    assert not claim(WORKER)


def test_a_look_says_what_was_made_what_is_due_and_whether_anybody_listens(org_a: Tenant) -> None:
    happen(org_a, "nobody asked for this")
    assert make() == Made(0, due=False, wanted=False)
    endpoint, _secret = webhooks.create_endpoint(org_a.actor, "http://127.0.0.1:9/", types=["team.*"])
    make()
    happen(org_a, "a", "b")
    assert make() == Made(2, due=True, wanted=True)
    assert make() == Made(0, due=True, wanted=True)
    with tenancy.scope(org_a.id):
        Delivery.objects.update(next_at=timezone.now() + timedelta(hours=1))
    assert make() == Made(0, due=False, wanted=True)
    with tenancy.scope(org_a.id):
        Delivery.objects.update(next_at=timezone.now())
    webhooks.pause_endpoint(org_a.actor, endpoint.pk)
    assert make() == Made(0, due=False, wanted=False)
