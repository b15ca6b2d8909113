"""What is inside a licence and a revocation list, read strictly: no name too many, none missing, no other type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ml.licensing import times
from ml.licensing.status import Refused, Status

VERSION = 1
# How long a file is good for before it must be fetched anew: as long as a revocation may stay unknown offline.
FILE_LIFETIME = timedelta(days=30)
GRACE = timedelta(days=14)
_DIGEST = re.compile(r"[0-9a-f]{64}")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file that the licence is for: its path within the product, with forward slashes, and its SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Licence:
    """What a vendor grants. It has two clocks: `expires` is the licence's end, `file_expires` this file's.

    `machines` are fingerprints; where `machine_bound`, the file works on these only. `seats` and `most_machines` are
    limits that the vendor's server counts; None is no limit. `field_of_use` is contract text for people.
    """

    id: str
    vendor: str
    vendor_name: str
    product: str
    policy: str
    licensee: str
    email: str
    issued: datetime
    starts: datetime
    expires: datetime | None
    file_expires: datetime
    grace_days: int
    machine_bound: bool
    machines: tuple[str, ...]
    most_machines: int | None
    seats: int | None
    floating: bool
    entitlements: tuple[str, ...]
    field_of_use: str
    artefacts: tuple[Artefact, ...]

    @property
    def ends(self) -> datetime | None:
        """When nothing new may be started any more."""
        return self.expires + timedelta(days=self.grace_days) if self.expires else None

    def to_payload(self) -> dict[str, Any]:
        return {
            "v": VERSION,
            "id": self.id,
            "vendor": {"id": self.vendor, "name": self.vendor_name},
            "product": self.product,
            "policy": self.policy,
            "licensee": {"name": self.licensee, "email": self.email},
            "issued": times.write(self.issued),
            "starts": times.write(self.starts),
            "exp": times.write(self.expires) if self.expires else None,
            "file_exp": times.write(self.file_expires),
            "grace_days": self.grace_days,
            "machine_bound": self.machine_bound,
            "machines": sorted(self.machines),
            "most_machines": self.most_machines,
            "seats": self.seats,
            "floating": self.floating,
            "entitlements": sorted(self.entitlements),
            "field_of_use": self.field_of_use,
            "artefacts": [
                {"path": artefact.path, "sha256": artefact.sha256}
                for artefact in sorted(self.artefacts, key=lambda artefact: artefact.path)
            ],
        }

    @classmethod
    def from_payload(cls, found: dict[str, Any]) -> Licence:
        """Raises Refused (`malformed`) for any other shape, also of a later version."""
        try:
            licence = cls._read(found)
            # An end beyond the calendar is as wrong as none.
            same = licence.to_payload() == found and (licence.ends is None or licence.ends > licence.starts)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            same = False
        if not same:
            raise Refused(Status.MALFORMED, "The licence has a form that this program does not know.")
        return licence

    @classmethod
    def _read(cls, found: dict[str, Any]) -> Licence:
        vendor, licensee = found["vendor"], found["licensee"]
        return cls(
            id=_is(found["id"], str),
            vendor=_is(vendor["id"], str),
            vendor_name=_is(vendor["name"], str),
            product=_is(found["product"], str),
            policy=_is(found["policy"], str),
            licensee=_is(licensee["name"], str),
            email=_is(licensee["email"], str),
            issued=times.read(found["issued"]),
            starts=times.read(found["starts"]),
            expires=times.read(found["exp"]) if found["exp"] is not None else None,
            file_expires=times.read(found["file_exp"]),
            grace_days=_count(found["grace_days"]),
            machine_bound=_is(found["machine_bound"], bool),
            machines=tuple(_is(item, str) for item in _is(found["machines"], list)),
            most_machines=_limit(found["most_machines"]),
            seats=_limit(found["seats"]),
            floating=_is(found["floating"], bool),
            entitlements=tuple(_is(item, str) for item in _is(found["entitlements"], list)),
            field_of_use=_is(found["field_of_use"], str),
            artefacts=tuple(_artefact(item) for item in _is(found["artefacts"], list)),
        )


@dataclass(frozen=True, slots=True)
class RevocationList:
    """Every licence of a vendor that is revoked; a list with a higher `sequence` replaces one with a lower."""

    vendor: str
    sequence: int
    issued: datetime
    licences: frozenset[str]

    def to_payload(self) -> dict[str, Any]:
        return {
            "v": VERSION,
            "vendor": self.vendor,
            "sequence": self.sequence,
            "issued": times.write(self.issued),
            "licences": sorted(self.licences),
        }

    @classmethod
    def from_payload(cls, found: dict[str, Any]) -> RevocationList:
        """Raises Refused (`malformed`) for any other shape."""
        try:
            revocations = cls(
                vendor=_is(found["vendor"], str),
                sequence=_count(found["sequence"]),
                issued=times.read(found["issued"]),
                licences=frozenset(_is(item, str) for item in _is(found["licences"], list)),
            )
            same = revocations.to_payload() == found
        except (ValueError, TypeError, KeyError):
            same = False
        if not same:
            raise Refused(Status.MALFORMED, "The revocation list has a form that this program does not know.")
        return revocations


def _is(value: Any, kind: type[T]) -> T:
    if type(value) is not kind:
        raise ValueError(f"{value!r} is not of type {kind.__name__}")
    return value


def _count(value: Any) -> int:
    if _is(value, int) < 0:
        raise ValueError("a count is not negative")
    return int(value)


def _limit(value: Any) -> int | None:
    return None if value is None else _count(value)


def _artefact(found: Any) -> Artefact:
    path, sha256 = _is(found["path"], str), _is(found["sha256"], str)
    if not is_inside(path) or not _DIGEST.fullmatch(sha256):
        raise ValueError("an artefact is a path inside the product and a SHA-256")
    return Artefact(path, sha256)


def is_inside(path: str) -> bool:
    """Whether a path with forward slashes stays within its folder on every system."""
    parts = path.split("/")
    return all(part not in {"", ".", ".."} for part in parts) and not any(sign in path for sign in ("\\", ":", "\0"))
