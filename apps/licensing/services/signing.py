"""Asking for signatures, and making them where the keys are.

Whoever asks writes a row; what is signed is read from the rows by the signer, under the lock of the licence. So a web
process that was taken over can ask for nothing that is not in the tables and in the audit trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Organization
from apps.core import events, jobs, tenancy
from apps.core.jobs import Status
from apps.licensing.models import (
    SERVED,
    Licence,
    Machine,
    Purpose,
    Revocations,
    SigningJob,
    VerificationKey,
)
from ml.licensing import (
    FILE_LIFETIME,
    GRACE,
    Anchor,
    Artefact,
    Response,
    RevocationList,
    SigningKeys,
    TrustAnchors,
)
from ml.licensing import Licence as LicenceFile

SIGN = "licensing.sign"


class KeyMismatch(RuntimeError):
    """A key id was used for two keys; the second is never announced."""


# ---------------------------------------------------------------- asking


def ask(purpose: Purpose, licence: Licence | None = None, machine: Machine | None = None) -> SigningJob:
    """A job for the signer, in the caller's transaction, which holds the lock of what is to be signed.

    One that still waits will read what the caller has written: it is enough.
    """
    rows = SigningJob.objects.filter(purpose=purpose, licence=licence, machine=machine, status=Status.QUEUED)
    job: SigningJob | None = None if purpose == Purpose.RESPONSE else rows.first()
    if job is None:
        job = SigningJob.objects.create(
            organization_id=tenancy.current_organization(),
            purpose=purpose,
            licence=licence,
            machine=machine,
            request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
        )
    jobs.ring(SIGN)
    return job


def locked_revocations() -> Revocations:
    """The vendor's list, locked until commit; a licence's lock is taken before it."""
    organization_id = tenancy.current_organization()
    Revocations.objects.bulk_create([Revocations(organization_id=organization_id)], ignore_conflicts=True)
    row: Revocations = Revocations.objects.select_for_update().get()
    return row


def change_revocations() -> None:
    """Gives the list its next number, and has it signed."""
    row = locked_revocations()
    row.sequence += 1
    row.save(update_fields=["sequence"])
    ask(Purpose.REVOCATIONS)


def job_state(organization_id: UUID, job_id: UUID) -> SigningJob:
    """How a job stands now, for whoever waits for it."""
    with tenancy.scope(organization_id):
        job: SigningJob = SigningJob.objects.get(pk=job_id)
    return job


# ---------------------------------------------------------------- signing


def carry_out(job: SigningJob, keys: SigningKeys) -> bool:
    """Signs and stores what a claimed job asks for; False where it was somebody else's meanwhile."""
    makers = {Purpose.LICENCE: _licence, Purpose.REVOCATIONS: _revocations, Purpose.RESPONSE: _response}
    with tenancy.scope(job.organization_id):
        file = makers[Purpose(job.purpose)](job, keys)
        mine = SigningJob.objects.filter(pk=job.pk, attempt=job.attempt, status=Status.RUNNING)
        ended = mine.update(status=Status.SUCCEEDED, file=file, finished_at=Now(), lease_until=None)
        if not ended:
            transaction.set_rollback(True)
    return bool(ended)


def fail(job: SigningJob, code: str, message: str) -> bool:
    """Ends the current attempt; asking again makes a new job."""
    with tenancy.scope(job.organization_id):
        mine = SigningJob.objects.filter(pk=job.pk, attempt=job.attempt, status=Status.RUNNING)
        ended = {"status": Status.FAILED, "finished_at": Now(), "lease_until": None}
        return bool(mine.update(error_code=code, error_message=message, **ended))


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(timezone.get_default_timezone()).replace(microsecond=0)


def _licence(job: SigningJob, keys: SigningKeys) -> str:
    """Stores the licence's file with the licence; one that is not served any more is left as it is."""
    rows = Licence.objects.with_state().select_for_update(of=("self",)).select_related("policy__product")
    licence: Licence = rows.get(pk=job.licence_id)
    if licence.state not in SERVED:  # type: ignore[attr-defined]  # annotated by the query
        return ""
    now = database_now()
    until = now + FILE_LIFETIME
    licence.file_expires_at = min(until, licence.ends_at) if licence.ends_at else until
    licence.file_issued_at, licence.signed_version = now, licence.version
    licence.file = keys.sign("license", _content(licence).to_payload()).decode()
    licence.save(update_fields=["file", "file_issued_at", "file_expires_at", "signed_version"])
    audit.record(
        audit.system(job.organization_id), "licence.signed", licence, version=licence.version, key=keys.current
    )
    events.record("licence.signed", licence.pk, {"version": licence.version, "key": keys.current})
    return ""


def _content(licence: Licence) -> LicenceFile:
    vendor = Organization.objects.get(pk=licence.organization_id)
    machines = Machine.objects.filter(licence=licence, released_at__isnull=True).values_list("fingerprint", flat=True)
    return LicenceFile(
        id=str(licence.pk),
        vendor=str(vendor.pk),
        vendor_name=vendor.name,
        product=licence.policy.product.code,
        policy=licence.policy.name,
        licensee=licence.licensee,
        email=licence.email,
        issued=licence.file_issued_at,  # type: ignore[arg-type]  # set by the caller
        starts=licence.starts_at,
        expires=licence.expires_at,
        file_expires=licence.file_expires_at,  # type: ignore[arg-type]
        grace_days=GRACE.days,
        machine_bound=licence.machine_bound,
        machines=tuple(machines) if licence.machine_bound else (),
        most_machines=licence.most_machines,
        seats=licence.seats,
        floating=licence.floating,
        entitlements=tuple(licence.entitlements),
        field_of_use=licence.field_of_use,
        artefacts=tuple(Artefact(each["path"], each["sha256"]) for each in licence.artefacts),
    )


def _revocations(job: SigningJob, keys: SigningKeys) -> str:
    """Stores the list of its present number. A licence that has ended by itself needs no line any more."""
    row = locked_revocations()
    now = database_now()
    revoked = Licence.objects.with_state().filter(revoked_at__isnull=False)
    living = revoked.exclude(expires_at__lte=now - GRACE - FILE_LIFETIME)
    listed = RevocationList(
        str(job.organization_id), row.sequence, now, frozenset(map(str, living.values_list("pk", flat=True)))
    )
    row.file = keys.sign("revocations", listed.to_payload()).decode()
    row.signed_sequence, row.issued_at = row.sequence, now
    row.save(update_fields=["file", "signed_sequence", "issued_at"])
    return ""


def _response(job: SigningJob, keys: SigningKeys) -> str:
    """The answer to an activation request, with the licence as it is now."""
    _licence(job, keys)
    licence = Licence.objects.get(pk=job.licence_id)
    machine: Machine = Machine.objects.get(pk=job.machine_id)
    listed = Revocations.objects.exclude(file="").first()
    response = Response(
        nonce=machine.nonce,
        issued=database_now(),
        licence=licence.file.encode("ascii"),
        revocations=listed.file.encode("ascii") if listed else None,
    )
    return keys.sign("response", response.to_payload()).decode()


# ---------------------------------------------------------------- keys


def announce(public: Mapping[str, bytes]) -> None:
    """Tells the installation which keys sign now; those that do no longer are retired."""
    with transaction.atomic():
        known = {key.kid: key for key in VerificationKey.objects.select_for_update()}
        for kid, value in public.items():
            key = known.get(kid)
            if key is None:
                VerificationKey.objects.create(kid=kid, public=value)
            elif bytes(key.public) != value:
                raise KeyMismatch(f"The key id {kid} belongs to another key already.")
            elif key.retired_at is not None:
                VerificationKey.objects.filter(pk=key.pk).update(retired_at=None)
        gone = VerificationKey.objects.exclude(kid__in=public).filter(retired_at__isnull=True)
        gone.update(retired_at=Now())


def anchors_of(organization_id: UUID) -> bytes:
    """The vendor's trust anchors, to be built into what it sells; empty of keys before the signer has run."""
    keys = VerificationKey.objects.order_by("-created_at", "kid")
    anchors = (Anchor(key.kid, bytes(key.public), key.retired_at) for key in keys)
    return TrustAnchors.of(str(organization_id), *anchors).to_bytes()
