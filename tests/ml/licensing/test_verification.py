"""Copied, rolled back, revoked, in grace, expired: each is its own answer, with the network off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ml import licensing
from ml.licensing import EXIT_CODES, Artefact, NoFingerprint, Status, Surroundings, memory
from tests.ml.licensing.conftest import LICENCE, NOW, STANDARD, at, verify

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def no_network():
    def refuse(*_, **__):
        raise AssertionError("a verification used the network")

    # Given back before other fixtures end: those may need it.
    with pytest.MonkeyPatch.context() as patch:
        for name in ("socket", "create_connection", "getaddrinfo"):
            patch.setattr(f"socket.{name}", refuse)
        yield


def test_statuses_have_distinct_exit_codes_and_only_valid_is_success():
    assert set(EXIT_CODES) == set(Status)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)
    assert [status for status, code in EXIT_CODES.items() if code == 0] == [Status.VALID]
    assert not {1, 2} & set(EXIT_CODES.values())


def test_another_machine_is_refused(vendor):
    assert verify(vendor, vendor.licence(), surroundings=at(NOW, "b" * 64)).status is Status.OTHER_MACHINE
    everywhere = vendor.licence(machine_bound=False, machines=())
    assert verify(vendor, everywhere, surroundings=at(NOW, "b" * 64)).status is Status.VALID


def test_a_machine_without_an_id_is_told_so(vendor):
    def none(vendor):
        raise NoFingerprint("no id")

    verdict = verify(vendor, vendor.licence(), surroundings=Surroundings(now=lambda: NOW, fingerprint=none))
    assert (verdict.status, verdict.message) == (Status.OTHER_MACHINE, "no id")


def test_another_product_is_refused(vendor):
    assert verify(vendor, vendor.licence(), product="writer-7b").status is Status.VALID
    assert verify(vendor, vendor.licence(), product="painter").status is Status.WRONG_PRODUCT


@pytest.mark.parametrize(
    ("days", "status"),
    [(-11, Status.NOT_YET_VALID), (0, Status.VALID), (10, Status.GRACE), (23.99, Status.GRACE), (24, Status.EXPIRED)],
)
def test_a_licence_ends_with_a_grace_of_fourteen_days(vendor, days, status):
    period = {"starts": NOW - 10 * DAY, "expires": NOW + 10 * DAY, "file_expires": NOW + 30 * DAY}
    data = vendor.licence(issued=NOW - 20 * DAY, **period)
    verdict = verify(vendor, data, surroundings=at(NOW + timedelta(days=days)))
    assert verdict.status is status
    assert verdict.may_start_new == (status in {Status.VALID, Status.GRACE})
    assert verdict.allows("fine_tuning") == verdict.may_start_new
    assert not verdict.allows("resale")


def test_a_file_must_be_fetched_anew_and_has_no_grace(vendor):
    data = vendor.licence(expires=None)
    assert verify(vendor, data, surroundings=at(NOW + 29 * DAY - timedelta(seconds=1))).status is Status.VALID
    verdict = verify(vendor, data, surroundings=at(NOW + 29 * DAY))
    assert (verdict.status, verdict.may_start_new) == (Status.STALE, False)


@pytest.mark.parametrize("status", list(Status))
def test_nothing_ever_stops_what_runs_already(status):
    assert licensing.Verdict(status, "").may_continue


def test_a_revoked_licence_is_refused_also_once_the_list_is_gone(vendor, tmp_path):
    state = tmp_path / "state.json"
    data = vendor.licence()
    assert verify(vendor, data, state=state, revocations=vendor.revocations(3)).status is Status.VALID
    assert verify(vendor, data, state=state, revocations=vendor.revocations(4, LICENCE)).status is Status.REVOKED
    assert verify(vendor, data, state=state).status is Status.REVOKED
    assert verify(vendor, data, state=state, revocations=vendor.revocations(3)).status is Status.LIST_ROLLED_BACK
    reinstated = verify(vendor, data, state=state, revocations=vendor.revocations(5))
    assert reinstated.status is Status.VALID
    assert "remembered" in verify(vendor, data, state=state).warnings[0]


def test_a_forged_list_is_no_list(vendor):
    forged = vendor.revocations(4).replace(b"A", b"B", 1)
    assert verify(vendor, vendor.licence(), revocations=forged).status in {Status.MALFORMED, Status.FORGED}


def test_a_clock_that_was_set_back_is_noticed_by_what_was_seen(vendor, tmp_path):
    state = tmp_path / "state.json"
    data = vendor.licence(expires=NOW + 5 * DAY)
    late = at(NOW + 25 * DAY)
    assert verify(vendor, data, state=state, surroundings=late).status is Status.EXPIRED
    again = vendor.licence(expires=NOW + 365 * DAY)
    assert verify(vendor, again, state=state, surroundings=late).status is Status.VALID
    assert verify(vendor, again, state=state, surroundings=at(NOW)).status is Status.CLOCK_ROLLED_BACK
    slow = at(NOW + 25 * DAY - timedelta(minutes=59))
    assert verify(vendor, again, state=state, surroundings=slow).status is Status.VALID


@pytest.mark.parametrize(
    ("late", "refused", "more"),
    [
        (40, Status.EXPIRED, {}),
        (30, Status.STALE, {"expires": None}),
        (1, Status.OTHER_MACHINE, {"machines": ("c" * 64,)}),
    ],
)
def test_a_clock_that_is_set_back_after_a_refusal_is_noticed(vendor, tmp_path, late, refused, more):
    state = tmp_path / "state.json"
    data = vendor.licence(**{"expires": NOW + 5 * DAY} | more)
    assert verify(vendor, data, state=state, surroundings=at(NOW + late * DAY)).status is refused
    assert verify(vendor, vendor.licence(), state=state, surroundings=at(NOW)).status is Status.CLOCK_ROLLED_BACK


def test_a_clock_that_was_set_back_is_noticed_without_any_memory(vendor):
    before = at(STANDARD.issued - 2 * DAY)
    assert verify(vendor, vendor.licence(), surroundings=before).status is Status.CLOCK_ROLLED_BACK
    listed = vendor.revocations(1, issued=NOW + 3 * DAY)
    assert verify(vendor, vendor.licence(), revocations=listed).status is Status.CLOCK_ROLLED_BACK
    written_later = at(NOW, "a" * 64, NOW + 3 * DAY)
    assert verify(vendor, vendor.licence(), surroundings=written_later).status is Status.CLOCK_ROLLED_BACK


def test_files_witness_when_they_were_written(vendor, tmp_path):
    import os

    path = tmp_path / "licence.lic"
    path.write_bytes(vendor.licence(machine_bound=False, machines=()))
    os.utime(path, (4_000_000_000, 4_000_000_000))
    assert licensing.verify_files(path, vendor.anchors).status is Status.CLOCK_ROLLED_BACK


def test_an_older_file_of_the_same_licence_is_superseded(vendor, tmp_path):
    state = tmp_path / "state.json"
    old, new = vendor.licence(seats=100, issued=NOW - 2 * DAY), vendor.licence(seats=5, issued=NOW - DAY)
    assert verify(vendor, old, state=state).status is Status.VALID
    assert verify(vendor, new, state=state).status is Status.VALID
    assert verify(vendor, old, state=state).status is Status.SUPERSEDED


def test_a_damaged_memory_is_its_own_answer(vendor, tmp_path):
    state = tmp_path / "state.json"
    for damage in (b"", b"[]", b'{"highest": 1}'):
        state.write_bytes(damage)
        assert verify(vendor, vendor.licence(), state=state).status is Status.STATE_DAMAGED


def test_a_memory_that_cannot_be_written_warns_and_stops_nothing(vendor, tmp_path, monkeypatch):
    memory_save = memory.save
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(memory, "save", lambda path, what: memory_save(tmp_path / "file" / "state.json", what))
    verdict = verify(vendor, vendor.licence(), state=tmp_path / "state.json")
    assert (verdict.status, verdict.may_start_new) == (Status.VALID, True)
    assert "nothing will be remembered" in verdict.warnings[0]


def test_the_memory_is_for_its_owner_alone(vendor, tmp_path):
    state = tmp_path / "folder" / "state.json"
    verify(vendor, vendor.licence(), state=state)
    assert state.stat().st_mode & 0o777 == 0o600


def test_files_of_a_model_are_those_of_the_licence(vendor, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"weights")
    [artefact] = licensing.digests(tmp_path)
    licence = licensing.open_licence(
        vendor.licence(artefacts=(artefact, Artefact("config.json", "1" * 64))), vendor.anchors
    )
    assert list(map(str, licensing.differences(licence, tmp_path))) == ["config.json: missing"]
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"other weights")
    found = sorted(map(str, licensing.differences(licence, tmp_path)))
    assert found == ["config.json: changed", "weights/model.safetensors: changed"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", "", "c:\\x", "a\\b", "a/./b", "a\0b"])
def test_a_licence_names_no_file_outside_the_product(vendor, path):
    assert verify(vendor, vendor.licence(artefacts=(Artefact(path, "0" * 64),))).status is Status.MALFORMED


@pytest.mark.parametrize(
    "refused",
    [
        lambda vendor: {"data": vendor.licence().replace(b"A", b"B", 1)},
        lambda vendor: {"data": vendor.licence(), "product": "another"},
        lambda vendor: {"data": vendor.licence(), "revocations": b"no list"},
    ],
    ids=["a forged file", "another product", "a damaged list"],
)
def test_a_file_that_is_refused_was_looked_at_all_the_same(vendor, tmp_path, refused):
    state = tmp_path / "state.json"
    assert verify(vendor, vendor.licence(), state=state).status is Status.VALID
    verdict = verify(vendor, **refused(vendor), state=state, surroundings=at(NOW + 40 * DAY))
    assert not verdict.may_start_new
    assert verify(vendor, vendor.licence(), state=state).status is Status.CLOCK_ROLLED_BACK


def test_a_file_that_is_refused_first_leaves_no_memory(vendor, tmp_path):
    state = tmp_path / "state.json"
    assert not verify(vendor, b"no licence", state=state).may_start_new
    assert not state.exists()
    state.write_bytes(b"damaged")
    assert not verify(vendor, b"no licence", state=state).may_start_new
    assert state.read_bytes() == b"damaged"


@pytest.mark.parametrize("broken", [datetime(2038, 1, 19, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC)])
def test_a_broken_clock_that_ran_far_ahead_can_be_set_right(vendor, tmp_path, broken):
    state = tmp_path / "state.json"
    assert verify(vendor, vendor.licence(), state=state, surroundings=at(broken)).status is Status.EXPIRED
    assert verify(vendor, b"no licence", state=state, surroundings=at(broken)).status is Status.MALFORMED
    assert verify(vendor, vendor.licence(), state=state, surroundings=at(NOW)).status is Status.VALID
