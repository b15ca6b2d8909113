"""Trust anchors: the public keys of a vendor, by key id, and the private ones that only a signer loads.

A verifier is worth what its anchors are worth. They belong to the vendor's build: written into its program
(`TrustAnchors.parse(b"...")` over a constant), or into a file that is packed with it. They must never come from what a
licensee can set, such as an environment variable, a settings file, a database row or a debug switch: whoever chooses
the key signs licences of their own. For the same reason nothing in this package reads an environment variable.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ml.licensing import sealed, times
from ml.licensing.status import Refused, Status

KEY_BYTES = 32


class InvalidAnchors(ValueError):
    """The anchors cannot be used; a mistake of the vendor's build."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A public key. After `retired_at` it still vouches for what was issued before, and for nothing issued later.

    A key that may have been stolen is taken out of the anchors instead, for a thief can write any date.
    """

    kid: str
    public: bytes
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """Whose files are believed: one vendor's, under these keys."""

    vendor: str
    anchors: Mapping[str, Anchor]

    @classmethod
    def of(cls, vendor: str, *anchors: Anchor) -> TrustAnchors:
        by_kid = {anchor.kid: anchor for anchor in anchors}
        if len(by_kid) != len(anchors) or len({anchor.public for anchor in anchors}) != len(anchors):
            raise InvalidAnchors("a key or a key id is there twice")
        if not vendor or any(len(anchor.public) != KEY_BYTES for anchor in anchors):
            raise InvalidAnchors("anchors need a vendor, and keys of 32 bytes")
        return cls(vendor, by_kid)

    @classmethod
    def parse(cls, data: bytes) -> TrustAnchors:
        """Reads what `to_bytes` writes; raises InvalidAnchors."""
        try:
            found = json.loads(data)
            if set(found) != {"v", "vendor", "keys"} or found["v"] != 1:
                raise InvalidAnchors("these are no trust anchors of version 1")
            return cls.of(str(found["vendor"]), *(_anchor(key) for key in found["keys"]))
        except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
            raise InvalidAnchors(f"the trust anchors cannot be read: {error}") from None

    def to_bytes(self) -> bytes:
        keys = [
            {
                "kid": anchor.kid,
                "public": base64.b64encode(anchor.public).decode(),
                "retired_at": times.write(anchor.retired_at) if anchor.retired_at else None,
            }
            for anchor in self.anchors.values()
        ]
        return json.dumps({"v": 1, "vendor": self.vendor, "keys": keys}, indent=2).encode() + b"\n"

    def check(self, file: sealed.Sealed) -> None:
        """Raises Refused unless the signature is one of these keys' own, over exactly this content."""
        anchor = self.anchors.get(file.kid)
        if anchor is None:
            raise Refused(Status.UNKNOWN_KEY, f"It is signed with the key {file.kid!r}, which is not known here.")
        try:
            Ed25519PublicKey.from_public_bytes(anchor.public).verify(file.signature, file.signed)
        except InvalidSignature:
            raise Refused(Status.FORGED, "Its signature does not fit its content: it is forged or damaged.") from None

    def check_age(self, kid: str, issued: datetime) -> None:
        """Raises Refused where a retired key has signed something later than its retirement."""
        retired_at = self.anchors[kid].retired_at
        if retired_at is not None and issued > retired_at:
            raise Refused(Status.RETIRED_KEY, f"The key {kid!r} was retired before this was issued.")


def _anchor(found: dict[str, Any]) -> Anchor:
    if set(found) != {"kid", "public", "retired_at"}:
        raise InvalidAnchors("a key has kid, public and retired_at")
    retired_at = times.read(found["retired_at"]) if found["retired_at"] is not None else None
    return Anchor(str(found["kid"]), base64.b64decode(found["public"], validate=True), retired_at)


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Private keys by id, of which the first signs. They exist in the signer's process and nowhere else."""

    current: str
    seeds: Mapping[str, bytes] = field(repr=False)

    def sign(self, purpose: str, payload: Mapping[str, Any]) -> bytes:
        """The signed file."""
        key = Ed25519PrivateKey.from_private_bytes(self.seeds[self.current])
        return sealed.seal(purpose, payload, self.current, key.sign(sealed.message(purpose, payload)))

    def public(self) -> dict[str, bytes]:
        """The public half of each, for the anchors."""
        return {
            kid: Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
            for kid, seed in self.seeds.items()
        }
