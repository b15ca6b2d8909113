"""A signed file has one spelling; anything else is refused."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import licensing
from ml.licensing import Anchor, InvalidAnchors, Refused, SigningKeys, Status, TrustAnchors, sealed
from tests.ml.licensing.conftest import NOW, STANDARD, VENDOR, at, verify

REFUSALS = {Status.MALFORMED, Status.FORGED, Status.UNKNOWN_KEY}


def test_every_change_of_one_byte_is_refused(vendor):
    good = vendor.licence()
    assert verify(vendor, good).status is Status.VALID
    tried = 0
    for position, byte in enumerate(good):
        before, after = good[:position], good[position + 1 :]
        for other in range(256):
            if other != byte:
                verdict = verify(vendor, before + bytes([other]) + after)
                assert verdict.status in REFUSALS, (position, byte, other, verdict)
                tried += 1
    assert tried == len(good) * 255


def test_every_lost_and_every_added_byte_is_refused(vendor):
    good = vendor.licence()
    for position in range(len(good) + 1):
        for extra in (b"\n", b" ", b"A", b"=", b"\0", b"\xff"):
            longer = good[:position] + extra + good[position:]
            if longer != good:
                assert verify(vendor, longer).status in REFUSALS, (position, extra)
        if position < len(good):
            assert verify(vendor, good[:position] + good[position + 1 :]).status in REFUSALS, position


def test_other_line_ends_and_other_spellings_of_the_same_content_are_refused(vendor):
    good = vendor.licence()
    body = b"".join(good.split(b"\n")[1:-2])
    spaced = base64.b64encode(json.dumps(json.loads(base64.b64decode(body)), indent=1).encode())
    for other in (
        good.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + good,
        good.rstrip(b"\n"),
        good + b"\n",
        b"-----BEGIN LICENCE-----\n" + body + b"\n-----END LICENCE-----\n",
        b"-----BEGIN LICENCE-----\n" + spaced + b"\n-----END LICENCE-----\n",
        b"",
    ):
        assert verify(vendor, other).status is Status.MALFORMED


@given(data=st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_whatever_bytes_come_the_answer_is_a_verdict(vendor, data):
    assert verify(vendor, data).status is Status.MALFORMED
    framed = b"-----BEGIN LICENCE-----\n" + base64.b64encode(data) + b"\n-----END LICENCE-----\n"
    assert verify(vendor, framed).status is Status.MALFORMED


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(name=st.sampled_from(sorted(STANDARD.to_payload())), value=VALUES, gone=st.booleans())
@settings(max_examples=400, deadline=None)
def test_a_signed_payload_of_another_shape_is_refused_and_never_an_error(vendor, name, value, gone):
    payload = STANDARD.to_payload() | {name: value}
    if gone:
        del payload[name]
    verdict = verify(vendor, vendor.keys.sign("license", payload))
    if verdict.licence is None:
        assert verdict.status in {Status.MALFORMED, Status.WRONG_VENDOR}
    else:
        assert verdict.licence.to_payload() == payload


@given(
    seats=st.none() | st.integers(0, 10**9),
    entitlements=st.sets(st.text(max_size=30), max_size=5),
    field_of_use=st.text(max_size=300),
    licensee=st.text(max_size=100),
)
@settings(max_examples=200, deadline=None)
def test_what_is_signed_is_what_is_read(vendor, seats, entitlements, field_of_use, licensee):
    data = vendor.licence(
        seats=seats, entitlements=tuple(sorted(entitlements)), field_of_use=field_of_use, licensee=licensee
    )
    found = verify(vendor, data).licence
    assert found is not None
    assert (found.seats, set(found.entitlements)) == (seats, entitlements)
    assert (found.field_of_use, found.licensee) == (field_of_use, licensee)


def test_a_field_too_many_is_refused(vendor):
    data = vendor.keys.sign("license", STANDARD.to_payload() | {"unlimited": True})
    assert verify(vendor, data).status is Status.MALFORMED


def test_another_vendors_signature_is_refused(vendor):
    thief = SigningKeys("2026", {"2026": bytes(range(2, 34))})
    assert verify(vendor, thief.sign("license", STANDARD.to_payload())).status is Status.FORGED
    stranger = SigningKeys("9999", {"9999": bytes(range(2, 34))})
    assert verify(vendor, stranger.sign("license", STANDARD.to_payload())).status is Status.UNKNOWN_KEY


def test_a_key_of_the_installation_signs_for_its_own_vendor_only(vendor):
    assert verify(vendor, vendor.licence(vendor="0193b3a0-0000-7000-8000-000000000002")).status is Status.WRONG_VENDOR


def test_one_kind_of_file_is_not_another(vendor):
    with pytest.raises(Refused) as refused:
        licensing.open_revocations(vendor.licence(), vendor.anchors)
    assert refused.value.status is Status.MALFORMED
    # Even with the label changed the signature covers the kind.
    relabelled = vendor.licence().replace(b" LICENCE-----", b" REVOCATION LIST-----")
    with pytest.raises(Refused) as refused:
        licensing.open_revocations(relabelled, vendor.anchors)
    assert refused.value.status is Status.FORGED


def test_every_key_verifies_until_it_is_retired_or_taken_out(vendor):
    old = SigningKeys("2025", vendor.keys.seeds)
    before = old.sign("license", STANDARD.to_payload())
    assert verify(vendor, before).status is Status.VALID
    public = vendor.keys.public()

    def with_old_retired(moment):
        anchors = TrustAnchors.of(VENDOR, Anchor("2026", public["2026"]), Anchor("2025", public["2025"], moment))
        return licensing.verify(before, anchors, surroundings=at())

    assert with_old_retired(STANDARD.issued).status is Status.VALID
    assert with_old_retired(STANDARD.starts).status is Status.RETIRED_KEY
    without = TrustAnchors.of(VENDOR, Anchor("2026", public["2026"]))
    assert licensing.verify(before, without).status is Status.UNKNOWN_KEY


def test_anchors_are_read_as_they_were_written_and_strictly(vendor):
    assert TrustAnchors.parse(vendor.anchors.to_bytes()) == vendor.anchors
    retired = TrustAnchors.of(VENDOR, Anchor("1", bytes(range(32)), NOW))
    assert TrustAnchors.parse(retired.to_bytes()) == retired
    for wrong in (b"", b"[]", b"{}", b'{"v": 1, "vendor": "x", "keys": [{"kid": "1"}]}', b'{"v": 1, "vendor": "x"}'):
        with pytest.raises(InvalidAnchors):
            TrustAnchors.parse(wrong)
    with pytest.raises(InvalidAnchors):
        TrustAnchors.of(VENDOR, Anchor("1", bytes(range(32))), Anchor("2", bytes(range(32))))


def test_private_keys_are_in_no_text_of_theirs(vendor):
    assert "seeds" not in repr(vendor.keys)


def test_a_file_without_end_is_not_read(vendor):
    assert verify(vendor, b"A" * (sealed.MOST_BYTES + 1)).status is Status.MALFORMED
