"""What a machine remembers from one verification to the next: the latest moment, and the newest files that it has seen.

Whoever can delete this file can make the machine forget; then only the moments inside signed files and the ages of
files remain. That is a hurdle for a clock that was set back, and no more.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ml.licensing import times
from ml.licensing.documents import Licence, RevocationList
from ml.licensing.status import Refused, Status


@dataclass(frozen=True, slots=True)
class Memory:
    """`sequence` is that of the newest revocation list of the vendor; `issued` is by licence."""

    highest: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    sequence: int = 0
    revoked: frozenset[str] = frozenset()
    issued: dict[str, datetime] = field(default_factory=dict)

    def seen(self, *moments: datetime) -> Memory:
        return replace(self, highest=max([self.highest, *map(times.whole, moments)]))

    def with_list(self, revocations: RevocationList) -> Memory:
        return replace(self, sequence=revocations.sequence, revoked=revocations.licences).seen(revocations.issued)

    def with_licence(self, licence: Licence) -> Memory:
        return replace(self, issued=self.issued | {licence.id: licence.issued}).seen(licence.issued)

    def to_bytes(self) -> bytes:
        found = {
            "v": 1,
            "highest": times.write(self.highest),
            "sequence": self.sequence,
            "revoked": sorted(self.revoked),
            "issued": {id: times.write(moment) for id, moment in sorted(self.issued.items())},
        }
        return json.dumps(found, indent=2).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Memory:
        """Raises Refused (`state_damaged`)."""
        try:
            found = json.loads(data)
            return cls(
                highest=times.read(found["highest"]),
                sequence=int(found["sequence"]),
                revoked=frozenset(map(str, found["revoked"])),
                issued={str(id): times.read(moment) for id, moment in found["issued"].items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Refused(Status.STATE_DAMAGED, "The state file is damaged; restore it, or ask the vendor.") from None


@contextlib.contextmanager
def held(path: Path | None) -> Iterator[None]:
    """Keeps other processes of this machine from writing the state meanwhile, where the system has file locks."""
    if path is None or os.name != "posix":
        yield
        return
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        # A folder that cannot be written to; `save` says so.
        yield
        return
    try:
        # Some network drives know no locks: then two that verify at once may forget what one of them saw.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def load(path: Path | None) -> Memory:
    """What is remembered; nothing where there is no file yet. Raises Refused for a damaged one."""
    if path is None:
        return Memory()
    try:
        return Memory.parse(path.read_bytes())
    except FileNotFoundError:
        return Memory()
    except OSError as error:
        raise Refused(Status.STATE_DAMAGED, f"The state file cannot be read: {error.strerror}.") from None


def save(path: Path | None, memory: Memory) -> bool:
    """Replaces the file in one step; False where it cannot be written, which stops nobody's work."""
    if path is None:
        return True
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(memory.to_bytes())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        return False
    return True
