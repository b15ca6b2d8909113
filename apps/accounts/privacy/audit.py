"""What the audit log stores."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor, ActorKind
from apps.accounts.audit.erasure import erase_person
from apps.accounts.models import User
from apps.core.datakinds import FOREVER, Basis, DataKind, Erasing, OnErasure, Retention


def erase_in_audit(erasing: Erasing) -> int:
    """The person's addresses give way to the pseudonym in every entry, and so does a name of several words.

    A single word may be anybody's, or a part of another word. The addresses are still known: the account goes last.
    """
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    person = User.objects.filter(pk=erasing.person_id).first()
    if person is None:
        return 0
    words = {person.email, *EmailAddress.objects.filter(user=person).values_list("email", flat=True)}
    if " " in person.name.strip():
        words.add(person.name.strip())
    system = Actor(erasing.organization_id, frozenset(), name=erasing.pseudonym, kind=ActorKind.SYSTEM)
    return erase_person(system, person.pk, sorted(words), erasing.pseudonym)


KINDS = (
    DataKind(
        name="audit",
        label=_("Audit log"),
        model="accounts.AuditEntry",
        what=_("Who did what to which object, when and from where, with names as they were then."),
        why=_("An organization must be able to show who had access and what was changed."),
        basis=Basis.INTEREST,
        retention=Retention(words=_("as long as the organization has chosen on the page of its audit log")),
        people=("user", "impersonator"),
        secret=("salt",),
        erasure=OnErasure.PSEUDONYM,
        erase=erase_in_audit,
    ),
    DataKind(
        name="audit_heads",
        label=_("End of the audit log"),
        model="accounts.AuditHead",
        what=_("Number and hash of the last entry."),
        why=_("A missing or changed entry is found with it."),
        basis=Basis.INTEREST,
        retention=FOREVER,
    ),
    DataKind(
        name="audit_anchors",
        label=_("Anchors of the audit log"),
        model="accounts.AuditAnchor",
        what=_("A signed hash of the log for each hour."),
        why=_("A log that was cut off or written anew is found with it."),
        basis=Basis.INTEREST,
        retention=FOREVER,
    ),
    DataKind(
        name="audit_verifications",
        label=_("Verifications of the audit log"),
        model="accounts.AuditVerification",
        what=_("When the log was looked through, and what was found."),
        why=_("A reviewer must see that it is whole."),
        basis=Basis.INTEREST,
        retention=FOREVER,
    ),
    DataKind(
        name="audit_settings",
        label=_("Settings of the audit log"),
        model="accounts.AuditSettings",
        what=_("How long the organization keeps its log."),
        why=_("It is carried out every night."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="audit_streams",
        label=_("Where the audit log is sent"),
        model="accounts.AuditStream",
        what=_("Addresses of the organization's own log servers, with a sealed secret."),
        why=_("Every entry is sent there."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
)
