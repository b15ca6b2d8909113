"""What the privacy app itself stores."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, WITH_ACCOUNT, Basis, DataKind, Erasing, OnErasure, Retention
from apps.privacy.services.consents import erase_consents
from apps.privacy.services.erasures import erase_requests


def _erase_consents(erasing: Erasing) -> int:
    return erase_consents(erasing.person_id) if erasing.whole_account else 0


KINDS = (
    DataKind(
        name="exports",
        label=_("Exports"),
        model="privacy.Export",
        what=_("Who asked for an export, of what, and its file until it is removed."),
        why=_("Everybody may have a copy of what is stored about them."),
        basis=Basis.LAW,
        retention=Retention(words=_("the file for 7 days, the request as long as the organization exists")),
        people=("person", "requested_by"),
        erasure=OnErasure.DETACH,
        erase=erase_requests,
        where=_("PostgreSQL, and files on the server"),
    ),
    DataKind(
        name="erasures",
        label=_("Erasures"),
        model="privacy.Erasure",
        what=_("That a person was erased, when, and under which pseudonym."),
        why=_("It must be provable that an erasure was carried out."),
        basis=Basis.LAW,
        retention=FOREVER,
        people=("person", "requested_by"),
        erasure=OnErasure.DETACH,
        erase=erase_requests,
    ),
    DataKind(
        name="erased_people",
        label=_("Register of erasures"),
        model="privacy.ErasedPerson",
        what=_("Digests of the ids of erased people and of removed organizations; no name."),
        why=_("A backup that is restored must not bring them back."),
        basis=Basis.LAW,
        retention=Retention(words=_("as long as backups are kept")),
        where=_("PostgreSQL, and a file beside it"),
    ),
    DataKind(
        name="retention_rules",
        label=_("Retention"),
        model="privacy.RetentionRule",
        what=_("How long the organization has chosen to keep each kind of data."),
        why=_("It is carried out every night."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="consents",
        label=_("Consents"),
        model="privacy.Consent",
        what=_("Which version of the terms and the privacy notice a person accepted, when and from where."),
        why=_("It must be provable what was agreed to."),
        basis=Basis.LAW,
        retention=WITH_ACCOUNT,
        people=("person",),
        erasure=OnErasure.PSEUDONYM,
        erase=_erase_consents,
    ),
)
