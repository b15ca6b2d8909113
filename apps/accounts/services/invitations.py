"""Invitations: offering a place to an address, and taking it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor, actor_of_membership
from apps.accounts.models import Invitation, Membership, Team, User
from apps.accounts.services import notices
from apps.accounts.services.grants import grant, require_at_most, role_facts
from apps.accounts.services.keys import digest
from apps.accounts.services.members import add_member
from apps.accounts.services.organizations import locked
from apps.accounts.services.seats import require_seat
from apps.accounts.services.teams import join
from apps.accounts.services.tokens import token_of
from apps.core import events, ratelimit, tenancy
from apps.core.errors import AddressNotYours, Conflict, DeletionPending, InvalidRequest, InvitationNotValid, NotFound
from apps.core.ids import uuid7
from apps.core.tenancy import Across, across_tenants

VALID_FOR = timedelta(days=7)
NO_INVITATION = gettext_noop("There is no open invitation with this id.")
NOT_VALID = gettext_noop(
    "This invitation is not valid: it has been used or revoked, has expired, or was replaced by a newer one."
)
# Mail goes to strangers in the product's name: nobody sends a flood of it through here.
SENT_PER_MINUTE, MOST_TEAMS = 30, 20


def invite(
    actor: Actor, email: str, role: str, custom_role_id: UUID | None = None, teams: Sequence[UUID] = ()
) -> Invitation:
    """Offers a place to an address and sends it mail; whether the address has an account makes no difference.

    Raises Conflict for a member, and for an address whose invitation is still open; an expired one is replaced.
    """
    actor.require("members:manage")
    actor.require_open()
    email = _checked_address(email)
    _charge(actor)
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        given = grant(actor, role, custom_role_id)
        _refuse_second(actor, email)
        require_seat(actor.organization_id, for_invitation=True)
        now = timezone.now()
        invitation = Invitation(
            id=uuid7(),
            organization_id=actor.organization_id,
            email=email,
            role=given.role,
            custom_role=given.custom_role,
            teams=_checked_teams(teams),
            invited_by_id=actor.user_id,
            created_at=now,
            sent_at=now,
            expires_at=now + VALID_FOR,
        )
        invitation.digest = digest(token_of(invitation))
        invitation.save(force_insert=True)
        after = given.facts | {"email": email, "teams": [str(id) for id in invitation.teams]}
        audit.record(actor, "invitation.created", invitation, after=after)
        notices.tell(notices.INVITATION, email, invitation.pk)
        events.record("invitation.created", invitation.pk, {"email": email, **given.facts})
    return invitation


def resend_invitation(actor: Actor, id: UUID) -> Invitation:
    """Sends a new link, valid as long as the first one was; the one before stops working."""
    actor.require("members:manage")
    actor.require_open()
    _charge(actor)
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        invitation = _locked_invitation(id)
        permissions = grant(actor, invitation.role, invitation.custom_role_id).permissions
        require_at_most(actor, permissions, gettext_noop("You cannot give a role that may do more than yours."))
        before = {"expires_at": invitation.expires_at.isoformat()}
        invitation.serial += 1
        invitation.digest = digest(token_of(invitation))
        invitation.sent_at = timezone.now()
        invitation.expires_at = invitation.sent_at + VALID_FOR
        invitation.save(update_fields=["serial", "digest", "sent_at", "expires_at"])
        after = {"expires_at": invitation.expires_at.isoformat()}
        audit.record(actor, "invitation.resent", invitation, before=before, after=after, email=invitation.email)
        notices.tell(notices.INVITATION, invitation.email, invitation.pk)
    return invitation


def revoke_invitation(actor: Actor, id: UUID) -> None:
    """Takes an open invitation back; its link stops working at once."""
    actor.require("members:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        invitation = _locked_invitation(id)
        _revoke(invitation)
        facts = role_facts(invitation.role, invitation.custom_role) | {"email": invitation.email}
        audit.record(actor, "invitation.revoked", invitation, before=facts, after={})
        events.record("invitation.revoked", invitation.pk, {"email": invitation.email})


def get_invitation(actor: Actor, id: UUID) -> Invitation:
    """An open invitation of the actor's organization."""
    actor.require("members:read")
    with tenancy.scope(actor.organization_id):
        invitation: Invitation | None = open_invitations().filter(pk=id).first()
    if invitation is None:
        raise NotFound(NO_INVITATION)
    return invitation


def open_invitations() -> Any:
    """With what a list shows of each, newest first; in the scope of the caller."""
    return Invitation.objects.open().select_related("custom_role", "invited_by").order_by("-id")


def find_invitation(token: str) -> Invitation:
    """The pending invitation with this token, and its organization; InvitationNotValid for anything else."""
    with across_tenants(Across.SIGN_IN):
        rows = Invitation.objects.open().select_related("organization", "custom_role")
        found: Invitation | None = rows.filter(digest=digest(token)).first()
    if found is None or found.status != "pending":
        raise InvitationNotValid(NOT_VALID)
    return found


def owns_address(user: User, email: str) -> bool:
    """Whether the person has shown that they read this address's mail."""
    return bool(EmailAddress.objects.filter(user_id=user.pk, email__iexact=email, verified=True).exists())


def accept_invitation(user: User, token: str) -> Membership:
    """Makes the person a member; of several who try, or one who tries twice, the first succeeds.

    Raises InvitationNotValid, AddressNotYours, DeletionPending, or Conflict for a member.
    """
    organization_id, id = (found := find_invitation(token)).organization_id, found.pk
    with tenancy.scope(organization_id):
        organization = locked(organization_id)
        rows = Invitation.objects.select_for_update(of=("self",)).select_related("custom_role")
        invitation: Invitation | None = rows.filter(pk=id, digest=digest(token)).first()
        if invitation is None or invitation.status != "pending":
            raise InvitationNotValid(NOT_VALID)
        if not owns_address(user, invitation.email):
            raise AddressNotYours("This invitation is for another address, or for one that you have not confirmed yet.")
        if organization.deletes_at is not None:
            raise DeletionPending("This organization is about to be deleted; it takes on nobody.")
        member = add_member(user.pk, organization_id, invitation.role, invitation.custom_role_id)
        member.organization, member.custom_role, member.user = organization, invitation.custom_role, user
        invitation.accepted_at, invitation.accepted_by = timezone.now(), user
        invitation.save(update_fields=["accepted_at", "accepted_by"])
        facts = role_facts(member.role, member.custom_role)
        actor = actor_of_membership(member, user)
        audit.record(actor, "invitation.accepted", invitation, after=facts, email=invitation.email)
        audit.record(actor, "membership.created", member, role=member.role, after=facts)
        events.record("membership.created", member.pk, {"user": str(user.pk), **facts})
        for team in Team.objects.filter(pk__in=invitation.teams):
            join(actor, team, member)
    return member


def _checked_address(email: str) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidRequest("This is not an e-mail address.", param="email") from None
    return email


def _checked_teams(ids: Sequence[UUID]) -> list[UUID]:
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > MOST_TEAMS:
        raise InvalidRequest("An invitation names at most %(most)s teams.", values={"most": MOST_TEAMS}, param="teams")
    if Team.objects.filter(pk__in=wanted).count() != len(wanted):
        raise NotFound("There is no team with this id.", param="teams")
    return wanted


def _refuse_second(actor: Actor, email: str) -> None:
    if Membership.objects.filter(user__email=email).exists():
        raise Conflict("This person is a member already.", param="email")
    earlier: Invitation | None = Invitation.objects.open().filter(email=email).first()
    if earlier is None:
        return
    if earlier.status == "pending":
        raise Conflict("This address has been invited already: send that invitation again.", param="email")
    _revoke(earlier)
    audit.record(actor, "invitation.replaced", earlier, before={"expires_at": earlier.expires_at.isoformat()}, after={})


def _revoke(invitation: Invitation) -> None:
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at"])


def _locked_invitation(id: UUID) -> Invitation:
    rows = Invitation.objects.open().select_for_update(of=("self",)).select_related("custom_role")
    invitation: Invitation | None = rows.filter(pk=id).first()
    if invitation is None:
        raise NotFound(NO_INVITATION)
    return invitation


def _charge(actor: Actor) -> None:
    ratelimit.charge(f"invitations:{actor.organization_id}", [ratelimit.Bucket("requests", SENT_PER_MINUTE, 1)])
