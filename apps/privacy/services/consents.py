"""What people have agreed to: the operator's documents in their versions, and what is optional."""

from __future__ import annotations

from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import ConsentRequired, InvalidRequest
from apps.privacy.models import Consent, Document


def required() -> dict[Document, str]:
    """The versions that everybody must have accepted; empty when the operator has published none."""
    versions = {Document.TERMS: settings.TERMS_VERSION, Document.PRIVACY: settings.PRIVACY_VERSION}
    return {document: version for document, version in versions.items() if version}


def pending(person_id: UUID) -> dict[Document, str]:
    """What the person has not accepted in its present version."""
    wanted = required()
    if not wanted:
        return {}
    given = set(
        Consent.objects.filter(person_id=person_id, document__in=wanted, given=True).values_list("document", "version")
    )
    return {document: version for document, version in wanted.items() if (document.value, version) not in given}


def require_accepted(person_id: UUID) -> None:
    """Raises ConsentRequired while something is not accepted in its present version."""
    if pending(person_id):
        raise ConsentRequired("Accept the present terms and privacy notice first: the page /consent/ shows them.")


def wants_mail(person_id: UUID) -> bool:
    """The last word on optional mail; silence is no."""
    latest = Consent.objects.filter(person_id=person_id, document=Document.MAIL).order_by("-id").first()
    return bool(latest and latest.given)


def accept(person_id: UUID, accepted: dict[Document, str], actor: Actor | None) -> None:
    """Records that the person has accepted these versions.

    Raises InvalidRequest when a version is not the present one: what was on the page was replaced meanwhile.
    """
    wanted = required()
    if any(wanted.get(document) != version for document, version in accepted.items()):
        raise InvalidRequest("This version was replaced while you were reading; read the new one.", param="version")
    with transaction.atomic():
        for document, version in accepted.items():
            _record(person_id, document, version, True, actor)


def choose_mail(person_id: UUID, wanted: bool, actor: Actor | None) -> None:
    """Gives or withdraws the optional consent; saying again what holds already records nothing."""
    if wants_mail(person_id) != wanted:
        with transaction.atomic():
            _record(person_id, Document.MAIL, "", wanted, actor)


def _record(person_id: UUID, document: Document, version: str, given: bool, actor: Actor | None) -> None:
    context = structlog.contextvars.get_contextvars()
    consent = Consent.objects.create(
        person_id=person_id,
        document=document,
        version=version,
        given=given,
        address=context.get("address", "")[:45],
        agent=context.get("agent", "")[:300],
    )
    if actor is not None:
        with tenancy.scope(actor.organization_id):
            action = "privacy.consent_given" if given else "privacy.consent_withdrawn"
            audit.record(actor, action, consent, document=document, version=version)


def erase_consents(person_id: UUID) -> int:
    """Keeps what was agreed to and when, which must be provable; from where it came is erased."""
    return Consent.objects.filter(person_id=person_id).update(address="", agent="")
