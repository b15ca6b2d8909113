"""Signatures of anchors and checkpoints: whoever owns the tables cannot make them without a key of FIELD_KEYS."""

from __future__ import annotations

import hashlib
import hmac
from enum import Enum, auto
from uuid import UUID

from apps.core.crypto import keyring

PURPOSE = b"millrace audit chain v1"


class Signature(Enum):
    """What a signature says; an anchor under a key that has been removed proves nothing."""

    GOOD = auto()
    WRONG = auto()
    UNKNOWN_KEY = auto()


def sign(what: str, organization_id: UUID, sequence: int, hash: str) -> str:
    """`KEY:HEX`, under the current key; `what` keeps an anchor from serving as a checkpoint."""
    ring = keyring()
    return f"{ring.current}:{_code(ring.keys[ring.current], what, organization_id, sequence, hash)}"


def check(signature: str, what: str, organization_id: UUID, sequence: int, hash: str) -> Signature:
    key, _, code = signature.partition(":")
    master = keyring().keys.get(key)
    if master is None:
        return Signature.UNKNOWN_KEY
    good = hmac.compare_digest(code, _code(master, what, organization_id, sequence, hash))
    return Signature.GOOD if good else Signature.WRONG


def _code(master: bytes, what: str, organization_id: UUID, sequence: int, hash: str) -> str:
    key = hmac.new(master, PURPOSE, hashlib.sha256).digest()
    return hmac.new(key, f"{what}\n{organization_id}\n{sequence}\n{hash}".encode(), hashlib.sha256).hexdigest()
