"""Activation without a network: a request file goes to the vendor, a response file comes back.

The request names the machine and carries a nonce and an HMAC by the licence key, so that only whoever holds the key can
make one. The response is signed, and answers exactly one request: it cannot be used on another machine, nor twice.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ml.licensing import machine, sealed, times
from ml.licensing.documents import Licence
from ml.licensing.keys import TrustAnchors
from ml.licensing.status import Refused, Status
from ml.licensing.verification import open_licence, open_revocations

KEY_PREFIX = "lk_"
_KEY = re.compile(r"lk_([0-9a-f]{32})_[A-Za-z0-9_-]{43}")
_NONCE = re.compile(r"[0-9a-f]{32}")


class InvalidLicenceKey(ValueError):
    """It is not in the form of a licence key."""


def new_key(licence: UUID) -> str:
    """A licence key: it names its licence, and the rest is a secret of 256 bits."""
    return f"{KEY_PREFIX}{licence.hex}_{secrets.token_urlsafe(32)}"


def licence_of(key: str) -> str:
    """The id of the key's licence; raises InvalidLicenceKey."""
    found = _KEY.fullmatch(key.strip())
    if found is None:
        raise InvalidLicenceKey("This is not a licence key; one begins with lk_.")
    return str(UUID(hex=found.group(1)))


def key_digest(key: str) -> bytes:
    """What the vendor keeps of a key. It proves requests, so it is guarded like one."""
    return hashlib.sha256(f"millrace-licence-key/{key.strip()}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Request:
    """One machine's wish to be activated."""

    licence: str
    vendor: str
    fingerprint: str
    name: str
    nonce: str
    created: datetime

    def to_payload(self) -> dict[str, Any]:
        return {
            "v": 1,
            "licence": self.licence,
            "vendor": self.vendor,
            "fingerprint": self.fingerprint,
            "name": self.name,
            "nonce": self.nonce,
            "created": times.write(self.created),
        }

    def to_bytes(self, digest: bytes) -> bytes:
        """The file, with the proof by the licence key's digest."""
        payload = self.to_payload()
        return sealed.seal("request", payload, self.licence, _proof(digest, payload))

    @classmethod
    def from_payload(cls, found: dict[str, Any]) -> Request:
        try:
            request = cls(
                **{name: str(found[name]) for name in ("licence", "vendor", "fingerprint", "name", "nonce")},
                created=times.read(found["created"]),
            )
            UUID(request.licence)
            good = machine.is_fingerprint(request.fingerprint) and _NONCE.fullmatch(request.nonce)
            same = bool(good) and len(request.name) <= 120 and request.to_payload() == found
        except (ValueError, TypeError, KeyError):
            same = False
        if not same:
            raise Refused(Status.MALFORMED, "This activation request has a form that is not known.")
        return request


def make_request(key: str, vendor: str, fingerprint: str, name: str, now: datetime) -> bytes:
    """A request file; raises InvalidLicenceKey."""
    request = Request(licence_of(key), vendor, fingerprint, name[:120], secrets.token_hex(16), now)
    return request.to_bytes(key_digest(key))


def read_request(data: bytes) -> Request:
    """What a request asks for, its proof not looked at; raises Refused."""
    return Request.from_payload(_opened(data).payload)


def check_proof(data: bytes, digest: bytes) -> None:
    """Raises Refused (`forged`) unless the licence key with this digest has made the request."""
    file = _opened(data)
    if not hmac.compare_digest(file.signature, _proof(digest, file.payload)):
        raise Refused(Status.FORGED, "This request was not made with the key of its licence.")


def _opened(data: bytes) -> sealed.Sealed:
    try:
        file = sealed.unseal("request", data)
    except Refused:
        raise Refused(Status.MALFORMED, "This is not an activation request as its maker wrote it.") from None
    # The key id is outside of what the proof covers, and says again what is inside.
    if file.kid != file.payload.get("licence"):
        raise Refused(Status.MALFORMED, "This activation request names two licences.")
    return file


def _proof(digest: bytes, payload: dict[str, Any]) -> bytes:
    return hmac.new(digest, sealed.message("request", payload), hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class Response:
    """The vendor's answer: the licence file, and the revocation list of that day where there is one."""

    nonce: str
    issued: datetime
    licence: bytes
    revocations: bytes | None

    def to_payload(self) -> dict[str, Any]:
        return {
            "v": 1,
            "nonce": self.nonce,
            "issued": times.write(self.issued),
            "licence": self.licence.decode("ascii"),
            "revocations": self.revocations.decode("ascii") if self.revocations is not None else None,
        }

    @classmethod
    def from_payload(cls, found: dict[str, Any]) -> Response:
        try:
            listed = found["revocations"]
            response = cls(
                nonce=str(found["nonce"]),
                issued=times.read(found["issued"]),
                licence=found["licence"].encode("ascii"),
                revocations=listed.encode("ascii") if listed is not None else None,
            )
            same = response.to_payload() == found
        except (ValueError, TypeError, KeyError, AttributeError):
            same = False
        if not same:
            raise Refused(Status.MALFORMED, "This activation response has a form that is not known.")
        return response


def apply(data: bytes, request: Request, anchors: TrustAnchors) -> tuple[Response, Licence]:
    """What a response brings, once everything in it has been checked against the request; raises Refused."""
    file = sealed.unseal("response", data)
    anchors.check(file)
    response = Response.from_payload(file.payload)
    anchors.check_age(file.kid, response.issued)
    licence = open_licence(response.licence, anchors)
    if response.revocations is not None:
        open_revocations(response.revocations, anchors)
    if not hmac.compare_digest(response.nonce, request.nonce) or licence.id != request.licence:
        raise Refused(Status.WRONG_RESPONSE, "This response answers another request.")
    if licence.machine_bound and request.fingerprint not in licence.machines:
        raise Refused(Status.WRONG_RESPONSE, "The licence in this response is not for the machine that asked.")
    return response, licence
