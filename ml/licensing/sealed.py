"""The form of every signed file: armour around canonical JSON `{alg, enc, kid, sig}`.

A file has exactly one spelling. What was read is written again and compared byte for byte, so that a changed byte
anywhere, also in the armour, a line break or the unused bits of base64, is refused before any content is looked at.
The signature is Ed25519 (RFC 8032) over `PURPOSE/` and `enc`, where the purpose is the kind of file: a signed
revocation list cannot be passed off as a licence. An activation request, which a licensee makes, carries the licence
key's HMAC instead.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml.licensing.status import Refused, Status

ALGORITHMS = {"license": "ed25519", "revocations": "ed25519", "response": "ed25519", "request": "hmac-sha256"}
LINE = 64
# A licence with ten thousand digests stays below; anything longer is not read.
MOST_BYTES = 4 * 1024 * 1024
LABELS = {
    "license": "LICENCE",
    "revocations": "REVOCATION LIST",
    "request": "ACTIVATION REQUEST",
    "response": "ACTIVATION RESPONSE",
}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file taken apart; `payload` is not to be believed before the signature has been checked."""

    purpose: str
    kid: str
    payload: dict[str, Any]
    signed: bytes
    signature: bytes


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one spelling of an object: sorted names, no spaces, UTF-8, no floating point."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def message(purpose: str, payload: Mapping[str, Any]) -> bytes:
    """The bytes that a signature covers."""
    return f"{purpose}/".encode() + base64.b64encode(canonical(payload))


def seal(purpose: str, payload: Mapping[str, Any], kid: str, signature: bytes) -> bytes:
    """The file; its last line ends with a line feed."""
    outer = {
        "alg": ALGORITHMS[purpose],
        "enc": base64.b64encode(canonical(payload)).decode(),
        "kid": kid,
        "sig": base64.b64encode(signature).decode(),
    }
    body = base64.b64encode(canonical(outer)).decode()
    lines = [body[start : start + LINE] for start in range(0, len(body), LINE)]
    label = LABELS[purpose]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def unseal(purpose: str, data: bytes) -> Sealed:
    """Takes a file apart; raises Refused (`malformed`) for anything that `seal` does not write."""
    if len(data) > MOST_BYTES:
        raise _malformed(purpose)
    try:
        lines = data.decode("ascii").split("\n")
        outer = _object(base64.b64decode("".join(lines[1:-2]), validate=True))
        if set(outer) != {"alg", "enc", "kid", "sig"} or not all(isinstance(value, str) for value in outer.values()):
            raise _malformed(purpose)
        payload = _object(base64.b64decode(outer["enc"], validate=True))
        signature = base64.b64decode(outer["sig"], validate=True)
        again = seal(purpose, payload, outer["kid"], signature)
    except (ValueError, binascii.Error, RecursionError):
        raise _malformed(purpose) from None
    if again != data:
        raise _malformed(purpose)
    return Sealed(purpose, outer["kid"], payload, message(purpose, payload), signature)


def _malformed(purpose: str) -> Refused:
    return Refused(Status.MALFORMED, f"This is not a {LABELS[purpose].lower()} as its maker wrote it.")


def _object(data: bytes) -> dict[str, Any]:
    found = json.loads(data, object_pairs_hook=_once, parse_float=_no_number, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no integer")
