"""Rotation brings every sealed value under the new key while others read and write."""

import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from apps.core import crypto, keyring, rotation, tenancy
from apps.core.models import IdempotencyKey
from apps.core.rotation import Column
from tests.helpers.people import Tenant
from workers.core import rotate_keys

OLD, NEW = keyring.generate("old"), keyring.generate("new")


@pytest.fixture(autouse=True)
def sealed_columns(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Any text column can hold envelopes: a small table of the core stands for those of the product."""
    monkeypatch.setattr(rotation, "columns", lambda: [Column(IdempotencyKey, "key")])
    settings.FIELD_KEYS = OLD


def store(tenant: Tenant, secret: str) -> IdempotencyKey:
    with tenancy.scope(tenant.id):
        row = IdempotencyKey(organization_id=tenant.id, fingerprint="x")
        crypto.seal_into(row, "key", secret)
        row.save(force_insert=True)
    return row


def secrets_of(tenant: Tenant) -> list[str]:
    with tenancy.scope(tenant.id):
        return [crypto.unseal_from(row, "key") for row in IdempotencyKey.objects.order_by("id")]


def test_every_organizations_values_come_under_the_new_key(org_a: Tenant, org_b: Tenant, settings: Any) -> None:
    for number in range(3):
        store(org_a, f"a{number}")
    store(org_b, "b")
    settings.FIELD_KEYS = f"{NEW},{OLD}"
    assert secrets_of(org_a) == ["a0", "a1", "a2"], "the old key still reads"
    assert rotation.rotate().resealed == 4
    assert [(each.by_key, each.old) for each in rotation.standing()] == [({"new": 4}, 0)]
    settings.FIELD_KEYS = NEW
    assert secrets_of(org_a) == ["a0", "a1", "a2"]
    assert secrets_of(org_b) == ["b"]


def test_it_goes_in_batches_and_stops_at_the_bound(
    org_a: Tenant, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    for number in range(5):
        store(org_a, str(number))
    settings.FIELD_KEYS = f"{NEW},{OLD}"
    told: list[int] = []
    assert rotation.rotate(at_most=3, told=lambda column, done: told.append(done.resealed)).resealed == 4
    assert told == [2, 4]
    assert rotation.rotate().resealed == 1
    assert rotation.rotate().resealed == 0, "what is done is not done again"


def test_the_task_and_the_command_do_the_same(org_a: Tenant, settings: Any, capsys: Any) -> None:
    store(org_a, "secret")
    settings.FIELD_KEYS = f"{NEW},{OLD}"
    call_command("rotate_keys", "--status")
    assert "core_idempotencykey.key  old: 1" in capsys.readouterr().out
    rotate_keys()
    call_command("rotate_keys")
    assert "core_idempotencykey.key  new: 1" in capsys.readouterr().out


def test_a_value_whose_key_is_gone_is_counted_and_left(org_a: Tenant, settings: Any) -> None:
    lost = store(org_a, "lost")
    settings.FIELD_KEYS = f"{NEW},{keyring.generate('other')}"
    outcome = rotation.rotate()
    assert (outcome.resealed, outcome.unreadable) == (0, 1)
    with tenancy.scope(org_a.id):
        assert IdempotencyKey.objects.get(pk=lost.pk).key == lost.key
    with pytest.raises(CommandError, match="1 values"):
        call_command("rotate_keys")


def test_what_is_written_between_read_and_write_wins(
    transactional_db: None, org_a: Tenant, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = store(org_a, "before")
    settings.FIELD_KEYS = f"{NEW},{OLD}"
    honest = crypto.reseal

    def overtaken(envelope: str, place: crypto.Place) -> str:
        in_a_thread(lambda: rewrite(org_a, row, "after"))
        return honest(envelope, place)

    monkeypatch.setattr(crypto, "reseal", overtaken)
    outcome = rotation.rotate()
    assert (outcome.resealed, outcome.contested) == (0, 1)
    assert secrets_of(org_a) == ["after"]


def test_no_write_is_lost_while_rotation_runs(transactional_db: None, org_a: Tenant, settings: Any) -> None:
    # Ids of one millisecond come in any order.
    rows = sorted((store(org_a, "start") for _ in range(20)), key=lambda row: row.pk)
    settings.FIELD_KEYS = f"{NEW},{OLD}"
    last: dict[int, str] = {}
    stop = threading.Event()

    def write() -> None:
        turn = 0
        while not stop.is_set():
            for index, row in enumerate(rows):
                last[index] = f"{turn}-{index}"
                rewrite(org_a, row, last[index], OLD if turn % 2 else NEW)
            turn += 1

    writer = threading.Thread(target=lambda: closing(write))
    writer.start()
    try:
        for _ in range(10):
            rotation.rotate()
    finally:
        stop.set()
        writer.join()
    rotation.rotate()
    assert secrets_of(org_a) == [last.get(index, "start") for index in range(len(rows))]
    assert rotation.standing()[0].by_key == {"new": 20}


def rewrite(tenant: Tenant, row: IdempotencyKey, secret: str, key: str = OLD) -> None:
    """Stores a secret as another process does, which may not have the new key as its current one yet."""
    envelope = crypto.seal(secret, crypto.place_of(row, "key"), keyring.parse(key))
    with tenancy.scope(tenant.id):
        IdempotencyKey.objects.filter(pk=row.pk).update(key=envelope)


def closing(work: Any) -> None:
    try:
        work()
    finally:
        connection.close()


def in_a_thread(work: Any) -> None:
    thread = threading.Thread(target=lambda: closing(work))
    thread.start()
    thread.join()
