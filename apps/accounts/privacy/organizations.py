"""What is stored of organizations and who belongs to them."""

from __future__ import annotations

from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Invitation, Membership, User
from apps.accounts.privacy.people import ERASED_DOMAIN
from apps.accounts.services.organizations import locked
from apps.core import revocation, tenancy
from apps.core.datakinds import FOREVER, Basis, DataKind, Erasing, OnErasure, Retention


def erase_memberships(erasing: Erasing) -> int:
    """Ends the membership and, once that is committed, whatever the person has open."""
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    with tenancy.scope(erasing.organization_id):
        count: int = Membership.objects.filter(user_id=erasing.person_id).count()
        if count:
            locked(erasing.organization_id)
            Membership.objects.filter(user_id=erasing.person_id).delete()
            revocation.announce(erasing.organization_id, erasing.person_id)
    return count


def erase_invitations(erasing: Erasing) -> int:
    """Open ones to the person are revoked with their address; that somebody was invited once stays, without it."""
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    person = User.objects.filter(pk=erasing.person_id).first()
    with tenancy.scope(erasing.organization_id):
        mine = Invitation.objects.filter(email__iexact=person.email) if person else Invitation.objects.none()
        changed: int = mine.update(email=f"{erasing.pseudonym}@{ERASED_DOMAIN}", revoked_at=Now())
        changed += Invitation.objects.filter(accepted_by=erasing.person_id).update(accepted_by=None)
        changed += Invitation.objects.filter(invited_by=erasing.person_id).update(invited_by=None)
    return changed


KINDS = (
    DataKind(
        name="organization",
        label=_("Organization"),
        model="accounts.Organization",
        what=_("Its name, its short name and when it was created."),
        why=_("Everything else belongs to it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="memberships",
        label=_("Members"),
        model="accounts.Membership",
        what=_("Who belongs to the organization, with which role, and since when."),
        why=_("It says what a person may see and do."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        people=("user",),
        secret=("search",),
        also=("user__email", "user__name"),
        erasure=OnErasure.DELETE,
        erase=erase_memberships,
    ),
    DataKind(
        name="api_keys",
        label=_("API keys"),
        model="accounts.ApiKey",
        what=_(
            "Name, scopes, limits, first letters, a hash of the secret, who made it, when and where it was last used."
        ),
        why=_("Programs act for the organization with them."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        people=("created_by",),
        secret=("digest",),
        erasure=OnErasure.DETACH,
    ),
    DataKind(
        name="closed_sessions",
        label=_("Ended sessions"),
        model="accounts.ClosedSession",
        what=_("That an administrator has ended a member's session for the organization."),
        why=_("It stays ended until the person signs in again."),
        basis=Basis.INTEREST,
        retention=Retention(words=_("90 days"), days=90, since="closed_at"),
        people=("user",),
        erasure=OnErasure.DELETE,
    ),
    DataKind(
        name="service_accounts",
        label=_("Service accounts"),
        model="accounts.ServiceAccount",
        what=_("Names and roles of programs, and who created them."),
        why=_("Programs act for the organization as them."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        people=("created_by",),
        erasure=OnErasure.DETACH,
    ),
    DataKind(
        name="roles",
        label=_("Custom roles"),
        model="accounts.CustomRole",
        what=_("Names and permissions of the organization's own roles."),
        why=_("Members hold them."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="teams",
        label=_("Teams"),
        model="accounts.Team",
        what=_("Names and descriptions of teams."),
        why=_("Members work in them."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="team_members",
        label=_("Members of teams"),
        model="accounts.TeamMembership",
        what=_("Which member is in which team, and since when."),
        why=_("Members work in them."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        people=("membership__user",),
        erasure=OnErasure.DELETE,
    ),
    DataKind(
        name="support_grants",
        label=_("Permission for support"),
        model="accounts.SupportGrant",
        what=_("Until when the operator's staff may act as a member, and who allowed it."),
        why=_("Nobody acts as a member without it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        people=("granted_by",),
        erasure=OnErasure.DETACH,
    ),
    DataKind(
        name="impersonations",
        label=_("Support sessions"),
        model="accounts.Impersonation",
        what=_("Who of the operator's staff acted as which member, when and why."),
        why=_("It must be traceable."),
        basis=Basis.INTEREST,
        retention=FOREVER,
        people=("staff", "user"),
        erasure=OnErasure.DETACH,
    ),
    DataKind(
        name="invitations",
        label=_("Invitations"),
        model="accounts.Invitation",
        what=_("Which address was invited by whom, as what, and what became of it."),
        why=_("Only whoever was invited can become a member."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        people=("invited_by", "accepted_by"),
        addresses=("email",),
        secret=("digest",),
        erasure=OnErasure.PSEUDONYM,
        erase=erase_invitations,
    ),
    DataKind(
        name="transfers",
        label=_("Changes of ownership"),
        model="accounts.OwnershipTransfer",
        what=_("Who offered the organization to which member, and how it ended."),
        why=_("An organization is handed over only with both sides' consent."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        people=("offered_by", "member__user"),
        erasure=OnErasure.DELETE,
    ),
)
