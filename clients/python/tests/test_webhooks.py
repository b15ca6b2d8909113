"""Webhooks by Standard Webhooks 1.0, with the vector that its libraries share."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from millrace import Webhook, WebhookRefused

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 byt").decode()
BODY = b'{"test": 2432232314}'
STAMP = 1614265330
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(STAMP),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_the_shared_vector_is_accepted_and_made() -> None:
    received = Webhook(SECRET).verify(BODY, HEADERS, now=STAMP + 299)
    assert (received.id, received.timestamp, received.payload) == (HEADERS["webhook-id"], STAMP, {"test": 2432232314})
    assert Webhook(SECRET).sign(HEADERS["webhook-id"], STAMP, BODY) == HEADERS["webhook-signature"]
    # Names of headers in any case, a body as text, a secret without its prefix, and one among several of a rotation.
    shouted = {name.upper(): value for name, value in HEADERS.items()}
    shouted["WEBHOOK-SIGNATURE"] = f"v1,{'A' * 43}= v2,x {HEADERS['webhook-signature']}"
    assert Webhook(OTHER, SECRET.removeprefix("whsec_")).verify(BODY.decode(), shouted, now=STAMP - 299)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"webhook-id": "msg_other"}, "No signature fits"),
        ({"webhook-timestamp": str(STAMP + 1)}, "No signature fits"),
        ({"webhook-timestamp": "now"}, "no number"),
        ({"webhook-timestamp": f"-{STAMP}"}, "no number"),
        ({"webhook-signature": ""}, "No signature fits"),
        ({"webhook-signature": HEADERS["webhook-signature"].replace("v1,", "v1a,")}, "No signature fits"),
        ({"webhook-signature": HEADERS["webhook-signature"].replace("v1,", "v3,")}, "No signature fits"),
        ({"webhook-signature": "v1,é"}, "No signature fits"),
    ],
)
def test_whatever_was_changed_is_refused(change: dict[str, str], told: str) -> None:
    with pytest.raises(WebhookRefused, match=told):
        Webhook(SECRET).verify(BODY, HEADERS | change, now=STAMP)


def test_what_is_missing_old_or_changed_is_refused() -> None:
    webhook = Webhook(SECRET)
    for name in HEADERS:
        with pytest.raises(WebhookRefused, match=name):
            webhook.verify(BODY, {key: value for key, value in HEADERS.items() if key != name}, now=STAMP)
    for now, told in ((STAMP + 301, "too old"), (STAMP - 301, "future")):
        with pytest.raises(WebhookRefused, match=told):
            webhook.verify(BODY, HEADERS, now=now)
    with pytest.raises(WebhookRefused, match="too old"):
        webhook.verify(BODY, HEADERS)
    for body in (BODY + b" ", BODY[:-1], b""):
        with pytest.raises(WebhookRefused, match="fits"):
            webhook.verify(body, HEADERS, now=STAMP)
    with pytest.raises(WebhookRefused, match="fits"):
        Webhook(OTHER).verify(BODY, HEADERS, now=STAMP)


def test_a_public_key_checks_what_its_private_one_has_signed() -> None:
    private = Ed25519PrivateKey.generate()
    public = "whpk_" + base64.b64encode(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    value = base64.b64encode(private.sign(f"msg_1.{STAMP}.".encode() + BODY)).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(STAMP), "webhook-signature": f"v1,AAAA v1a,{value}"}
    assert Webhook(public).verify(BODY, headers, now=STAMP).id == "msg_1"
    with pytest.raises(WebhookRefused, match="fits"):
        Webhook(public).verify(BODY + b" ", headers, now=STAMP)
    with pytest.raises(WebhookRefused, match="fits"):
        Webhook(SECRET).verify(BODY, headers, now=STAMP)
    with pytest.raises(ValueError, match="cannot sign"):
        Webhook(public).sign("msg_1", STAMP, BODY)
    with pytest.raises(WebhookRefused, match="timestamp"):
        Webhook(SECRET).verify(BODY, headers | {"webhook-timestamp": "1" * 5_000}, now=STAMP)


def test_a_secret_that_is_none_is_said_so() -> None:
    for secrets in ((), ("whsec_no base64",), ("",), ("whsec_",), ("whpk_" + base64.b64encode(b"short").decode(),)):
        with pytest.raises(ValueError, match=r"secret|public key"):
            Webhook(*secrets)
