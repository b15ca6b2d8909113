"""What licensing stores. Licensees are companies, with an address to write to; none of them is an account here."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, Basis, DataKind, Retention

CONTRACTS = Retention(words=_("as long as the organization exists; a licence is a contract and its own proof"))


def _kind(name: str, label: object, model: str, what: object, why: object, **more: object) -> DataKind:
    usual = {"basis": Basis.CONTRACT, "retention": FOREVER}
    return DataKind(name=name, label=label, model=f"licensing.{model}", what=what, why=why, **usual | more)  # type: ignore[arg-type]


KINDS = (
    _kind(
        "licence_products",
        _("Licensed products"),
        "Product",
        _("Models and programs that the organization licenses to others."),
        _("Licences are granted for them."),
    ),
    _kind(
        "licence_policies",
        _("Licence policies"),
        "Policy",
        _("What a licence grants by default, and what it costs."),
        _("Licences are issued by them."),
    ),
    _kind(
        "licences",
        _("Licences"),
        "Licence",
        _("Licensees with an address to write to, what they were granted, and the signed file."),
        _("They prove what was granted to whom."),
        retention=CONTRACTS,
        secret=("key_digest",),
    ),
    _kind(
        "licence_machines",
        _("Activated machines"),
        "Machine",
        _("Digests and names of machines on which a licence was activated."),
        _("Licences are limited to a number of machines."),
        retention=CONTRACTS,
    ),
    _kind(
        "licence_seats",
        _("Seats in use"),
        "SeatLease",
        _("What a licensee's program calls whoever holds a floating seat."),
        _("Licences are limited to a number of seats."),
        retention=Retention(words=_("ten minutes after the last sign of life")),
    ),
    _kind(
        "licence_revocations",
        _("Revocation list"),
        "Revocations",
        _("The number and the signed text of the list of revoked licences."),
        _("Programs ask it whether a licence still counts."),
    ),
    _kind(
        "licence_signatures",
        _("Signatures"),
        "SigningJob",
        _("What was signed, and when."),
        _("Only one process has the keys; it works from these rows."),
    ),
    _kind(
        "held_licences",
        _("Licences held"),
        "HeldLicence",
        _("Licences that the organization has bought from others."),
        _("It finds its files and keys there."),
    ),
)
