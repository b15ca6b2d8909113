"""Machines and seats: never one too many, whoever comes at once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import ml.licensing as files
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, RateLimitExceeded
from apps.licensing import services as licensing
from apps.licensing.errors import InvalidLicenceKey, LicenceNotServed, NoMachineLeft, NoSeatLeft
from apps.licensing.models import Licence, Machine, SeatLease
from ml.licensing import Status, Surroundings, TrustAnchors
from tests.helpers.licensing import MACHINE, OTHER_MACHINE, fresh, issue, make_policy, sign, verdict_of
from tests.helpers.people import Tenant
from tests.helpers.threads import together

pytestmark = pytest.mark.django_db


def program(key: str) -> Any:
    return licensing.admit(key, "192.0.2.1").actor


def machine(fingerprint: str) -> Surroundings:
    return Surroundings(fingerprint=lambda vendor: fingerprint)


@pytest.mark.django_db(transaction=True)
def test_forty_at_once_take_exactly_twenty_five_seats(org_a: Tenant) -> None:
    licence, key = issue(org_a, make_policy(org_a, floating=True, seats=25))
    actor = program(key)

    def take(number: int) -> str:
        try:
            return f"seat {licensing.take_seat(actor, licence.pk, f'user-{number}').used}"
        except NoSeatLeft:
            return "refused"

    found = Counter(together([lambda n=n: take(n) for n in range(40)]))
    assert found["refused"] == 15
    assert {f"seat {n}" for n in range(1, 26)} == set(found) - {"refused"}
    with tenancy.scope(org_a.id):
        assert SeatLease.objects.count() == 25


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_take_exactly_two_machines(org_a: Tenant) -> None:
    licence, key = issue(org_a)
    actor = program(key)

    def activate(number: int) -> bool:
        try:
            licensing.activate(actor, licence.pk, f"{number:064x}", f"machine {number}")
        except NoMachineLeft:
            return False
        return True

    assert sum(together([lambda n=n: activate(n) for n in range(10)])) == 2


def test_a_seat_is_kept_by_heartbeats_returned_and_lapses(org_a: Tenant) -> None:
    licence, key = issue(org_a, make_policy(org_a, floating=True, seats=1))
    actor = program(key)
    first = licensing.take_seat(actor, licence.pk, "alice")
    again = licensing.take_seat(actor, licence.pk, "alice")
    assert (again.used, again.taken_at) == (1, first.taken_at)
    with pytest.raises(NoSeatLeft):
        licensing.take_seat(actor, licence.pk, "bob")
    licensing.return_seat(actor, licence.pk, "alice")
    licensing.take_seat(actor, licence.pk, "bob")
    with tenancy.scope(org_a.id):
        SeatLease.objects.update(lapses_at=datetime.now(UTC) - timedelta(seconds=1))
        assert not licensing.seats_in_use(licence).exists()
    assert licensing.take_seat(actor, licence.pk, "alice").used == 1


def test_an_expired_licence_takes_no_new_seat_and_ends_no_seat_that_is_held(org_a: Tenant) -> None:
    licence, key = issue(org_a, make_policy(org_a, floating=True, seats=5))
    actor = program(key)
    licensing.take_seat(actor, licence.pk, "alice")
    with tenancy.scope(org_a.id):
        Licence.objects.update(expires_at=datetime.now(UTC) - timedelta(days=15))
    assert fresh(licence).state == "expired"
    with pytest.raises(LicenceNotServed):
        licensing.take_seat(actor, licence.pk, "bob")
    assert licensing.take_seat(actor, licence.pk, "alice").holder == "alice"


def test_seats_of_a_licence_without_floating_seats_are_not_leased(org_a: Tenant) -> None:
    licence, key = issue(org_a)
    with pytest.raises(Conflict):
        licensing.take_seat(program(key), licence.pk, "alice")


def test_the_file_of_an_activated_machine_works_there_and_nowhere_else(org_a: Tenant) -> None:
    licence, key = issue(org_a)
    actor = program(key)
    licensing.activate(actor, licence.pk, MACHINE, "build-01")
    sign()
    assert verdict_of(org_a, licence, surroundings=machine(MACHINE)).status is Status.VALID
    assert verdict_of(org_a, licence, surroundings=machine(OTHER_MACHINE)).status is Status.OTHER_MACHINE
    licensing.activate(actor, licence.pk, MACHINE)
    with tenancy.scope(org_a.id):
        assert Machine.objects.get().name == "build-01"
    licensing.deactivate(actor, licence.pk, MACHINE)
    sign()
    assert verdict_of(org_a, licence, surroundings=machine(MACHINE)).status is Status.OTHER_MACHINE


def test_a_released_place_is_free_again(org_a: Tenant) -> None:
    licence, _ = issue(org_a, make_policy(org_a, most_machines=1))
    first, _job = licensing.activate(org_a.actor, licence.pk, MACHINE)
    with pytest.raises(NoMachineLeft):
        licensing.activate(org_a.actor, licence.pk, OTHER_MACHINE)
    licensing.release(org_a.actor, licence.pk, first.pk)
    licensing.activate(org_a.actor, licence.pk, OTHER_MACHINE)
    with pytest.raises(NoMachineLeft):
        licensing.activate(org_a.actor, licence.pk, MACHINE)


def test_a_machine_without_a_network_is_activated_by_files(org_a: Tenant) -> None:
    _licence, key = issue(org_a)
    sign()
    data = files.make_request(key, str(org_a.id), MACHINE, "island", datetime.now(UTC))
    job = licensing.activate_by_request(org_a.actor, data)
    sign()
    response = licensing.job_state(org_a.id, job.pk).file.encode()
    anchors = TrustAnchors.parse(licensing.anchors_of(org_a.id))
    found, inside = files.apply(response, files.read_request(data), anchors)
    assert inside.machines == (MACHINE,)
    assert files.verify(found.licence, anchors, surroundings=machine(MACHINE)).status is Status.VALID
    # The same file again takes no second place.
    licensing.activate_by_request(org_a.actor, data)
    with tenancy.scope(org_a.id):
        assert Machine.objects.count() == 1


def test_requests_that_the_key_has_not_made_are_refused(org_a: Tenant, org_b: Tenant) -> None:
    licence, key = issue(org_a)
    good = files.make_request(key, str(org_a.id), MACHINE, "island", datetime.now(UTC))
    other = files.make_request(files.new_key(licence.pk), str(org_a.id), MACHINE, "island", datetime.now(UTC))
    for wrong in (other, good[:-2], b"", good.replace(b"A", b"B", 1)):
        with pytest.raises(InvalidRequest):
            licensing.activate_by_request(org_a.actor, wrong)
    with pytest.raises(NotFound):
        licensing.activate_by_request(org_b.actor, good)
    with tenancy.scope(org_a.id):
        assert not Machine.objects.exists()


def test_wrong_keys_are_refused_alike_and_counted_by_address(org_a: Tenant) -> None:
    licence, key = issue(org_a)
    wrong = [files.new_key(licence.pk), files.new_key(org_a.id), "lk_x", ""]
    said = set()
    for each in wrong:
        with pytest.raises(InvalidLicenceKey) as refused:
            licensing.admit(each, "192.0.2.9")
        said.add(str(refused.value))
    assert len(said) == 1
    with pytest.raises(RateLimitExceeded):
        for _ in range(40):
            with pytest.raises(InvalidLicenceKey):
                licensing.admit("lk_x", "192.0.2.9")
    licensing.admit(key, "192.0.2.9")
