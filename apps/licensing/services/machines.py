"""Machines: activated online or by a request file, released by the licensee or the vendor.

They are counted under the lock of the licence, so that no two activations take the last place.
"""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.licensing.errors import NoMachineLeft
from apps.licensing.models import Licence, Machine, Purpose, SigningJob
from apps.licensing.services.licences import locked, require_served
from apps.licensing.services.products import MANAGE
from apps.licensing.services.signing import ask, database_now
from ml.licensing import Refused, check_proof, is_fingerprint, read_request

# Many times what a request file takes.
MOST_REQUEST_BYTES = 20_000
NO_MACHINE = gettext_noop("There is no machine with this id.")


def activate(actor: Actor, licence_id: UUID, fingerprint: str, name: str = "") -> tuple[Machine, SigningJob]:
    """Activates a machine by the licence's key; one that is active already stays so, and gets a new file.

    Raises NoMachineLeft and LicenceNotServed.
    """
    if not is_fingerprint(fingerprint):
        raise InvalidRequest("A fingerprint has 64 hexadecimal digits.", param="fingerprint")
    with tenancy.scope(actor.organization_id):
        licence = locked(licence_id)
        machine = _active(actor, licence, fingerprint, name)
        return machine, ask(Purpose.LICENCE, licence)


def activate_by_request(actor: Actor, data: bytes) -> SigningJob:
    """Answers a request file that a licensee has sent: the job's `file` becomes the response.

    The same file again is answered again. Raises InvalidRequest for a file that the licence's key has not made.
    """
    actor.require(MANAGE)
    try:
        request = read_request(data)
    except Refused as refusal:
        raise InvalidRequest(refusal.message, param="request") from None
    with tenancy.scope(actor.organization_id):
        if request.vendor != str(actor.organization_id):
            raise NotFound("This request is not for a licence of yours.", param="request")
        licence = locked(UUID(request.licence))
        try:
            check_proof(data, bytes(licence.key_digest))
        except Refused as refusal:
            raise InvalidRequest(refusal.message, param="request") from None
        machine = _active(actor, licence, request.fingerprint, request.name)
        machine.nonce = request.nonce
        machine.save(update_fields=["nonce"])
        return ask(Purpose.RESPONSE, licence, machine)


def deactivate(actor: Actor, licence_id: UUID, fingerprint: str) -> None:
    """Gives a machine's place back, by the licence's key; one that is not active stays so."""
    with tenancy.scope(actor.organization_id):
        licence = locked(licence_id)
        machine = Machine.objects.filter(licence=licence, fingerprint=fingerprint).first()
        if machine is not None:
            _release(actor, licence, machine)


def release(actor: Actor, licence_id: UUID, machine_id: UUID) -> None:
    """The same by the vendor. The machine's present file works until it must be fetched anew."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        licence = locked(licence_id)
        machine = Machine.objects.filter(licence=licence, pk=machine_id).first()
        if machine is None:
            raise NotFound(NO_MACHINE)
        _release(actor, licence, machine)


def _active(actor: Actor, licence: Licence, fingerprint: str, name: str) -> Machine:
    require_served(licence)
    known: Machine | None = Machine.objects.filter(licence=licence, fingerprint=fingerprint).first()
    if known is not None and known.released_at is None:
        return known
    taken = Machine.objects.filter(licence=licence, released_at__isnull=True).count()
    if licence.most_machines is not None and taken >= licence.most_machines:
        raise NoMachineLeft(
            "This licence is active on %(taken)s machines, which is as many as it may be.", values={"taken": taken}
        )
    machine = known or Machine(organization_id=licence.organization_id, licence=licence, fingerprint=fingerprint)
    machine.name, machine.released_at, machine.activated_at = name.strip()[:120], None, database_now()
    machine.save()
    licence.version += 1
    licence.save(update_fields=["version"])
    audit.record(actor, "licence.activated", machine, licensee=licence.licensee)
    events.record("licence.activated", licence.pk, {"machine": str(machine.pk), "fingerprint": fingerprint})
    return machine


def _release(actor: Actor, licence: Licence, machine: Machine) -> None:
    if machine.released_at is not None:
        return
    machine.released_at = database_now()
    machine.save(update_fields=["released_at"])
    licence.version += 1
    licence.save(update_fields=["version"])
    ask(Purpose.LICENCE, licence)
    audit.record(actor, "licence.deactivated", machine, licensee=licence.licensee)
    events.record("licence.deactivated", licence.pk, {"machine": str(machine.pk), "fingerprint": machine.fingerprint})
