"""A machine without a network is activated by two files, once."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from ml import licensing
from ml.licensing import Refused, Response, Status
from tests.ml.licensing.conftest import LICENCE, MACHINE, NOW, VENDOR

KEY = licensing.new_key(UUID(LICENCE))


def request_file(key: str = KEY, fingerprint: str = MACHINE) -> bytes:
    return licensing.make_request(key, VENDOR, fingerprint, "build-01", NOW)


def answer(vendor, request: licensing.Request, licence: bytes, nonce: str | None = None) -> bytes:
    response = Response(nonce or request.nonce, NOW, licence, vendor.revocations(7))
    return vendor.keys.sign("response", response.to_payload())


def status_of(call) -> Status:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.status


def test_a_key_names_its_licence_and_nothing_else_is_one():
    assert licensing.licence_of(KEY) == LICENCE
    assert licensing.licence_of(f" {KEY}\n") == LICENCE
    for wrong in ("", "lk_", KEY[:-1], KEY + "x", KEY.upper()):
        with pytest.raises(licensing.InvalidLicenceKey):
            licensing.licence_of(wrong)


def test_only_the_licences_own_key_makes_its_requests():
    data = request_file()
    licensing.check_proof(data, licensing.key_digest(KEY))
    other = licensing.key_digest(licensing.new_key(UUID(LICENCE)))
    assert status_of(lambda: licensing.check_proof(data, other)) is Status.FORGED


def test_two_requests_of_one_machine_are_not_the_same():
    assert licensing.read_request(request_file()).nonce != licensing.read_request(request_file()).nonce


def test_every_change_of_one_byte_of_a_request_is_refused():
    data = request_file()
    digest = licensing.key_digest(KEY)
    for position, byte in enumerate(data):
        for bit in range(8):
            changed = data[:position] + bytes([byte ^ 1 << bit]) + data[position + 1 :]
            assert status_of(lambda c=changed: licensing.check_proof(c, digest)) in {Status.MALFORMED, Status.FORGED}


def test_a_response_brings_licence_and_list(vendor):
    request = licensing.read_request(request_file())
    response, licence = licensing.apply(answer(vendor, request, vendor.licence()), request, vendor.anchors)
    assert licence.id == LICENCE
    assert licensing.open_revocations(response.revocations, vendor.anchors).sequence == 7


def test_a_response_answers_one_request_only(vendor):
    first, second = (licensing.read_request(request_file()) for _ in range(2))
    response = answer(vendor, first, vendor.licence())
    assert status_of(lambda: licensing.apply(response, second, vendor.anchors)) is Status.WRONG_RESPONSE


def test_a_response_for_another_machine_or_licence_is_refused(vendor):
    elsewhere = licensing.read_request(request_file(fingerprint="b" * 64))
    response = answer(vendor, elsewhere, vendor.licence())
    assert status_of(lambda: licensing.apply(response, elsewhere, vendor.anchors)) is Status.WRONG_RESPONSE
    request = licensing.read_request(request_file())
    other = vendor.licence(id="0193b3a0-0000-7000-8000-0000000000bb")
    response = answer(vendor, request, other)
    assert status_of(lambda: licensing.apply(response, request, vendor.anchors)) is Status.WRONG_RESPONSE


def test_a_response_is_signed_and_so_is_what_is_in_it(vendor):
    request = licensing.read_request(request_file())
    stranger = licensing.SigningKeys("2026", {"2026": bytes(range(3, 35))})
    payload = Response(request.nonce, NOW, vendor.licence(), None).to_payload()
    forged = stranger.sign("response", payload)
    assert status_of(lambda: licensing.apply(forged, request, vendor.anchors)) is Status.FORGED
    inner = stranger.sign("license", licensing.open_licence(vendor.licence(), vendor.anchors).to_payload())
    around = answer(vendor, request, inner)
    assert status_of(lambda: licensing.apply(around, request, vendor.anchors)) is Status.FORGED


def test_a_request_in_another_form_is_refused():
    good = licensing.read_request(request_file())
    for wrong in (
        replace(good, fingerprint="a" * 63),
        replace(good, nonce="x"),
        replace(good, licence="x"),
        replace(good, name="n" * 121),
    ):
        data = wrong.to_bytes(licensing.key_digest(KEY))
        assert status_of(lambda d=data: licensing.read_request(d)) is Status.MALFORMED
