"""Standard Webhooks 1.0: how messages are signed, and how a signature is checked.

Signed is `id.timestamp.body`: with `v1` by HMAC-SHA256 under a secret that both sides know, with `v1a` by Ed25519. A
header may hold several signatures, with blanks between, so that a secret can be replaced without a gap.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = 32
# A message that is older or newer than this is a repeated one, or its sender's clock is wrong.
TOLERANCE_SECONDS = 300


class WrongSignature(Exception):
    """The message is not from who it says, or not of this moment; nothing more is told."""


def new_secret() -> str:
    return SECRET + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_key() -> tuple[str, str]:
    """An Ed25519 key: the half that signs, and the half that checks."""
    key = Ed25519PrivateKey.generate()
    private, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    return PRIVATE + base64.b64encode(private).decode(), PUBLIC + base64.b64encode(public).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret, with or without its prefix; raises ValueError for what is none."""
    try:
        return base64.b64decode(secret.removeprefix(SECRET).removeprefix(PRIVATE), validate=True)
    except binascii.Error as error:
        raise ValueError("not a secret") from error


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """One signature, `v1,…` or `v1a,…` as the secret's prefix says."""
    signed = f"{id}.{timestamp}.".encode() + body
    if secret.startswith(PRIVATE):
        found = Ed25519PrivateKey.from_private_bytes(key_of(secret)).sign(signed)
        return "v1a," + base64.b64encode(found).decode()
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()


def headers(id: str, timestamp: int, body: bytes, signing: Sequence[str]) -> dict[str, str]:
    """The headers of a message that all these secrets sign."""
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, id, timestamp, body) for secret in signing),
    }


def verify(found: Mapping[str, str], body: bytes, accepted: Sequence[str], now: float) -> str:
    """The message's id, where one of the secrets has signed it within the last minutes; else WrongSignature."""
    id, moment = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    check_moment(moment, now)
    if not id:
        raise WrongSignature
    given = found.get("webhook-signature", "").split(" ")[:10]
    for secret in accepted:
        wanted = signature(secret, id, int(moment), body)
        if any(same(wanted, each) for each in given):
            return id
    raise WrongSignature


def check_moment(text: str, now: float) -> None:
    """Seconds since 1970, near enough to now in both directions."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 12) or abs(now - int(text)) > TOLERANCE_SECONDS:
        raise WrongSignature


def same(wanted: str, given: str) -> bool:
    return hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogateescape"))
