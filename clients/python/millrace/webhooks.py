"""Webhooks checked and signed by Standard Webhooks 1.0 (https://www.standardwebhooks.com).

A secret `whsec_…` is symmetric (`v1`, HMAC-SHA256); a public key `whpk_…` belongs to signatures `v1a` (Ed25519), for
which the package `cryptography` is needed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millrace.errors import MillraceError

# How far a sender's clock may be from ours, in seconds.
TOLERANCE = 300
SECRET, PUBLIC = "whsec_", "whpk_"
LEAST_SECRET, LONGEST_STAMP = 16, 15
ED25519_LENGTH = 32


class WebhookRefused(MillraceError):
    """A webhook whose signature is wrong, too old or from the future, or that has none."""


@dataclass(frozen=True)
class Received:
    """A webhook that was really sent by who knows the secret. `id` stays the same when it is sent again."""

    id: str
    timestamp: int
    payload: Any


class Webhook:
    """Checks webhooks with a secret, or with several while one is exchanged for another.

    >>> webhook = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> webhook.sign("msg_1", 1614265330, b"{}")[:3]
    'v1,'
    """

    def __init__(self, *secrets: str, tolerance: int = TOLERANCE) -> None:
        if not secrets:
            raise ValueError("a webhook is checked with at least one secret")
        self._secrets: list[bytes] = []
        self._public: list[bytes] = []
        self.tolerance = tolerance
        for secret in secrets:
            known = self._public if secret.startswith(PUBLIC) else self._secrets
            known.append(_decoded(secret.strip().removeprefix(PUBLIC).removeprefix(SECRET)))
        if any(len(key) < LEAST_SECRET for key in self._secrets):
            raise ValueError(f"a secret has at least {LEAST_SECRET} bytes")
        if any(len(key) != ED25519_LENGTH for key in self._public):
            raise ValueError(f"a public key has {ED25519_LENGTH} bytes")

    def verify(self, body: bytes | str, headers: Mapping[str, str], *, now: float | None = None) -> Received:
        """The webhook, or WebhookRefused. `body` must be exactly what arrived, not JSON that was written anew."""
        content = body.encode() if isinstance(body, str) else body
        given = {name.lower(): value for name, value in headers.items()}
        try:
            id, stamp, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        except KeyError as missing:
            raise WebhookRefused(f"The header {missing.args[0]} is missing.") from None
        timestamp = self._fresh(stamp, time.time() if now is None else now)
        signed = f"{id}.{timestamp}.".encode() + content
        if not any(self._fits(signed, signature) for signature in signatures.split()):
            raise WebhookRefused("No signature fits.")
        try:
            return Received(id, timestamp, json.loads(content))
        except ValueError:
            raise WebhookRefused("The body is signed, and no JSON.") from None

    def sign(self, id: str, timestamp: int, body: bytes) -> str:
        """The header `webhook-signature` for a body, with the first secret; for tests of your own receiver."""
        if not self._secrets:
            raise ValueError("a public key cannot sign")
        return "v1," + base64.b64encode(_mac(self._secrets[0], f"{id}.{timestamp}.".encode() + body)).decode()

    def _fresh(self, stamp: str, now: float) -> int:
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= LONGEST_STAMP):
            raise WebhookRefused("The timestamp is no number of seconds.")
        timestamp = int(stamp)
        if timestamp < now - self.tolerance:
            raise WebhookRefused("The webhook is too old.")
        if timestamp > now + self.tolerance:
            raise WebhookRefused("The webhook is from the future.")
        return timestamp

    def _fits(self, signed: bytes, signature: str) -> bool:
        version, _, text = signature.partition(",")
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return False
        if version == "v1":
            return any(hmac.compare_digest(_mac(secret, signed), value) for secret in self._secrets)
        return version == "v1a" and _fits_a_key(self._public, signed, value)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a secret is whsec_ or whpk_ and base64") from None


def _mac(secret: bytes, signed: bytes) -> bytes:
    return hmac.new(secret, signed, hashlib.sha256).digest()


def _fits_a_key(keys: Sequence[bytes], signed: bytes, signature: bytes) -> bool:
    if not keys:
        return False
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise WebhookRefused("Signatures v1a need the package cryptography: pip install 'millrace[ed25519]'") from None
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
            return True
        except InvalidSignature:
            continue
    return False
