"""One key, one effect: repeats get the first answer, other requests under the same key are refused."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from apps.core import events, idempotency, tenancy
from apps.core.errors import IdempotencyConflict, InvalidRequest
from apps.core.models import Event, IdempotencyKey
from tests.helpers.people import Tenant
from tests.helpers.threads import together


def post(tenant: Tenant, key: str | None, body: bytes = b"{}", path: str = "/x") -> tuple[UUID, Any]:
    """What an endpoint does: one event is its effect, the event's id its answer."""
    with tenancy.scope(tenant.id):
        record = idempotency.begin(key, path, body)
        if record and record.object_id:
            return record.object_id, record.body
        made = events.record("x.happened", uuid4(), {})
        idempotency.complete(record, 202, {"id": str(made.object_id)}, made.object_id)
        return made.object_id, {"id": str(made.object_id)}


def effects(tenant: Tenant) -> int:
    with tenancy.scope(tenant.id):
        return Event.objects.filter(type="x.happened").count()


@pytest.mark.django_db(transaction=True)
def test_twenty_repeats_at_once_have_one_effect(org_a: Tenant) -> None:
    answers = together([lambda: post(org_a, "key-1")] * 20)
    assert effects(org_a) == 1
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert len({answer[0] for answer in answers}) == 1
    assert all(answer == answers[0] for answer in answers)


def test_another_body_or_address_is_a_conflict(org_a: Tenant) -> None:
    post(org_a, "key-1", b'{"a": 1}')
    for body, path in ((b'{"a": 2}', "/x"), (b'{"a": 1}', "/y")):
        with pytest.raises(IdempotencyConflict) as refused:
            post(org_a, "key-1", body, path)
        assert refused.value.status == 409
    assert effects(org_a) == 1


def test_two_organizations_may_use_the_same_key(org_a: Tenant, org_b: Tenant) -> None:
    assert post(org_a, "key-1")[0] != post(org_b, "key-1", b"other")[0]


def test_a_first_request_that_fails_may_be_tried_again(org_a: Tenant) -> None:
    with pytest.raises(RuntimeError), tenancy.scope(org_a.id):
        idempotency.begin("key-1", "/x", b"first")
        raise RuntimeError
    post(org_a, "key-1", b"second")
    assert effects(org_a) == 1


def test_a_key_is_forgotten_after_a_day(org_a: Tenant, org_b: Tenant) -> None:
    post(org_a, "key-1")
    post(org_b, "key-1")
    old = timezone.now() - idempotency.KEPT_FOR - timedelta(minutes=1)
    with tenancy.scope(org_a.id):
        IdempotencyKey.objects.update(created_at=old)
    post(org_a, "key-1", b"something else")
    assert effects(org_a) == 2
    with tenancy.scope(org_a.id):
        IdempotencyKey.objects.update(created_at=old)
    assert idempotency.forget_expired() == 1
    with tenancy.scope(org_b.id):
        assert IdempotencyKey.objects.count() == 1


def test_without_a_key_every_request_counts(org_a: Tenant) -> None:
    post(org_a, None)
    post(org_a, None)
    assert effects(org_a) == 2


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, "a\nb", "\x7f"])
def test_an_unusable_key_is_refused(org_a: Tenant, key: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        post(org_a, key)
    assert refused.value.param == "Idempotency-Key"
