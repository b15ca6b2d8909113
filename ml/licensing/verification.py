"""Whether a licence holds, here and now, without a network.

The answer is a `Verdict` and never an exception, so that a program cannot be brought down by its licence. What may
depend on it is starting something new: another seat, another job, an update. Signing in, reading, exporting and work
that runs already must not; `Verdict.may_continue` is true whatever the status.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ml.licensing import machine, memory, sealed, times
from ml.licensing.documents import Licence, RevocationList
from ml.licensing.keys import TrustAnchors
from ml.licensing.memory import Memory
from ml.licensing.status import EXIT_CODES, Refused, Status

# Clocks of machines that are kept in time differ by less; summer time does not move UTC.
CLOCK_TOLERANCE = timedelta(hours=1)
# A clock that is further ahead of everything that was signed or seen is broken: remembered, it would refuse every
# licence until then.
FARTHEST_AHEAD = timedelta(days=5 * 366)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `licence` is there whenever its signature was right, whatever else was wrong."""

    status: Status
    message: str
    licence: Licence | None = None
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]

    @property
    def may_start_new(self) -> bool:
        """Whether another seat, job or update may begin."""
        return self.status in {Status.VALID, Status.GRACE}

    @property
    def may_continue(self) -> bool:
        """Running work, sign-in, reading and export: no licence is ever in their way."""
        return True

    def allows(self, entitlement: str) -> bool:
        """Whether something new that needs the entitlement may begin."""
        return self.may_start_new and self.licence is not None and entitlement in self.licence.entitlements

    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.status.value,
            "exit_code": self.exit_code,
            "message": self.message,
            "may_start_new": self.may_start_new,
            "warnings": list(self.warnings),
            "licence": self.licence.to_payload() if self.licence else None,
        }


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a verification takes for granted; the defaults are this machine, now.

    `witnesses` are moments that have certainly passed, such as when the files that are read were written.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    fingerprint: Callable[[str], str] = machine.fingerprint
    witnesses: tuple[datetime, ...] = ()


def verify_files(
    licence: Path,
    anchors: TrustAnchors,
    *,
    product: str | None = None,
    revocations: Path | None = None,
    state: Path | None = None,
) -> Verdict:
    """Verifies files of this machine. A list that is not there yet is none; a program names its own `product`."""
    try:
        paths = [path for path in (licence, revocations, state) if path is not None and path.exists()]
        data = licence.read_bytes()
        listed = revocations.read_bytes() if revocations in paths and revocations is not None else None
        witnesses = tuple(datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in paths)
    except OSError as error:
        return Verdict(Status.UNREADABLE, f"{error.filename} cannot be read: {error.strerror}.")
    surroundings = Surroundings(witnesses=witnesses)
    return verify(data, anchors, product=product, revocations=listed, state=state, surroundings=surroundings)


def verify(
    data: bytes,
    anchors: TrustAnchors,
    *,
    product: str | None = None,
    revocations: bytes | None = None,
    state: Path | None = None,
    surroundings: Surroundings | None = None,
) -> Verdict:
    """Verifies a licence file; see `Verdict`."""
    licence: Licence | None = None
    surroundings = surroundings or Surroundings()
    try:
        licence = open_licence(data, anchors, product)
        listed = open_revocations(revocations, anchors) if revocations is not None else None
        with memory.held(state):
            known = memory.load(state)
            verdict, remembered = _judge(licence, listed, known, surroundings)
            kept = remembered == known or memory.save(state, remembered)
    except Refused as refusal:
        _remember(state, surroundings)
        return Verdict(refusal.status, refusal.message, licence)
    if kept:
        return verdict
    warning = f"{state} cannot be written: nothing will be remembered of this verification."
    return Verdict(verdict.status, verdict.message, licence, (*verdict.warnings, warning))


def open_licence(data: bytes, anchors: TrustAnchors, product: str | None = None) -> Licence:
    """The licence in a file whose signature is right; raises Refused. Says nothing of machine and time."""
    file = sealed.unseal("license", data)
    anchors.check(file)
    licence = Licence.from_payload(file.payload)
    anchors.check_age(file.kid, licence.issued)
    if licence.vendor != anchors.vendor:
        raise Refused(Status.WRONG_VENDOR, f"It is a licence of {licence.vendor_name}, another vendor.")
    if product is not None and licence.product != product:
        raise Refused(Status.WRONG_PRODUCT, f"It is a licence for {licence.product!r}, not for {product!r}.")
    return licence


def open_revocations(data: bytes, anchors: TrustAnchors) -> RevocationList:
    """The list in a file whose signature is right; raises Refused."""
    file = sealed.unseal("revocations", data)
    anchors.check(file)
    revocations = RevocationList.from_payload(file.payload)
    anchors.check_age(file.kid, revocations.issued)
    if revocations.vendor != anchors.vendor:
        raise Refused(Status.WRONG_VENDOR, "It is the revocation list of another vendor.")
    return revocations


def _judge(
    licence: Licence, listed: RevocationList | None, known: Memory, surroundings: Surroundings
) -> tuple[Verdict, Memory]:
    """The verdict, and what to remember, which is never less than before."""
    now = surroundings.now()
    remembered = known
    warnings: tuple[str, ...] = ()
    try:
        if listed is not None:
            remembered = _taken_in(listed, known)
        elif known.sequence:
            warnings = ("No revocation list was given; what the last one said is remembered.",)
        remembered = _not_older(licence, remembered)
        if licence.id in remembered.revoked:
            raise Refused(Status.REVOKED, "The vendor has revoked this licence.")
        _check_machine(licence, surroundings)
        _check_clock(now, remembered.seen(*surroundings.witnesses).highest)
        status, message = _by_time(licence, now)
    except Refused as refusal:
        # It was this late all the same: a clock that is set back after a refusal is one that was set back.
        return Verdict(refusal.status, refusal.message, licence, warnings), _passed(remembered, surroundings, now)
    return Verdict(status, message, licence, warnings), _passed(remembered, surroundings, now)


def _remember(state: Path | None, surroundings: Surroundings) -> None:
    """A file that is refused says nothing but that it was this late."""
    with contextlib.suppress(Refused), memory.held(state):
        known = memory.load(state)
        later = _passed(known, surroundings, surroundings.now())
        if later != known:
            memory.save(state, later)


def _passed(known: Memory, surroundings: Surroundings, now: datetime) -> Memory:
    """What is remembered with this moment, unless it is far from everything that was signed or seen."""
    witnessed = known.seen(*surroundings.witnesses).highest
    return known.seen(now) if now - witnessed <= FARTHEST_AHEAD else known


def _taken_in(listed: RevocationList, known: Memory) -> Memory:
    if listed.sequence < known.sequence:
        raise Refused(
            Status.LIST_ROLLED_BACK,
            f"The revocation list number {listed.sequence} is older than number {known.sequence}, which was seen here.",
        )
    return known.with_list(listed)


def _not_older(licence: Licence, known: Memory) -> Memory:
    seen = known.issued.get(licence.id)
    if seen is not None and licence.issued < seen:
        raise Refused(Status.SUPERSEDED, f"A newer file of this licence, of {times.write(seen)}, was seen here.")
    return known.with_licence(licence)


def _check_machine(licence: Licence, surroundings: Surroundings) -> None:
    if not licence.machine_bound:
        return
    try:
        own = surroundings.fingerprint(licence.vendor)
    except machine.NoFingerprint as error:
        raise Refused(Status.OTHER_MACHINE, str(error)) from None
    if own not in licence.machines:
        raise Refused(Status.OTHER_MACHINE, "The licence was not activated for this machine: it was copied here.")


def _check_clock(now: datetime, highest: datetime) -> None:
    if now < highest - CLOCK_TOLERANCE:
        raise Refused(
            Status.CLOCK_ROLLED_BACK,
            f"This machine's clock says {times.write(now)}, but it was {times.write(highest)} already: set it right.",
        )


def _by_time(licence: Licence, now: datetime) -> tuple[Status, str]:
    if now < licence.starts - CLOCK_TOLERANCE:
        raise Refused(Status.NOT_YET_VALID, f"The licence begins at {times.write(licence.starts)}.")
    if licence.ends is not None and licence.expires is not None and now >= licence.ends:
        raise Refused(Status.EXPIRED, f"The licence ended at {times.write(licence.expires)}, its grace too.")
    if now >= licence.file_expires:
        raise Refused(
            Status.STALE,
            f"This file was good until {times.write(licence.file_expires)}; fetch a new one from the vendor.",
        )
    if licence.expires is not None and now >= licence.expires:
        return (
            Status.GRACE,
            f"The licence ended at {times.write(licence.expires)}; it goes on until {_ends(licence)} in grace.",
        )
    return Status.VALID, f"The licence holds; this file is good until {times.write(licence.file_expires)}."


def _ends(licence: Licence) -> str:
    moments: Iterable[datetime] = (moment for moment in (licence.ends, licence.file_expires) if moment is not None)
    return times.write(min(moments))
