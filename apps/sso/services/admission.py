"""Letting a person in for whom one of the organization's connections vouches."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor, ActorKind
from apps.accounts.models import Membership, User
from apps.accounts.services import security
from apps.accounts.services.members import add_member
from apps.accounts.services.organizations import locked
from apps.core import events, ratelimit, tenancy
from apps.core.errors import DeletionPending, RateLimitExceeded, SsoRefused
from apps.core.ratelimit import Bucket
from apps.sso.models import Connection, DirectoryUser, Identity, UsedAssertion
from apps.sso.saml import Answer
from apps.sso.services.domains import require_address
from apps.sso.services.rules import apply_role
from apps.sso.vouched import Vouched

REFUSALS_A_MINUTE = 10


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who came in, and whether that made them a member; `mfa` is whether the connection's word on it counts."""

    user: User
    membership: Membership
    created: bool
    mfa: bool


def spend_assertion(connection: Connection, answer: Answer) -> None:
    """Uses up a SAML assertion, or raises SsoRefused: two at the same moment meet in the unique index."""
    with tenancy.scope(connection.organization_id):
        UsedAssertion.objects.filter(expires_at__lt=timezone.now()).delete()
        try:
            with transaction.atomic():
                UsedAssertion.objects.create(
                    organization_id=connection.organization_id,
                    connection=connection,
                    digest=answer.digest,
                    expires_at=answer.expires_at,
                )
        except IntegrityError:
            raise SsoRefused("This assertion has been used before.") from None


def admit(connection: Connection, vouched: Vouched) -> Admitted:
    """The person that the provider speaks of, as a member; made one if the connection makes members.

    The provider is believed only about addresses in verified domains of its organization, so it cannot speak for
    anybody else's people. Raises SsoRefused.
    """
    directory = directory_actor(connection.organization_id, connection.name)
    with tenancy.scope(connection.organization_id):
        if not connection.enabled:
            raise SsoRefused("This connection is switched off.")
        require_address(vouched.email)
        user, identity = _person(connection, vouched)
        membership, created = _membership(connection, directory, user)
        apply_role(directory, membership, vouched.groups)
        identity.email, identity.last_at = vouched.email, timezone.now()
        identity.save()
        security.note_single_sign_on(connection.organization_id, user.pk, connection.pk)
        mfa = connection.trusts_mfa and vouched.mfa
        person = Actor(connection.organization_id, frozenset(), user_id=user.pk, name=user.email)
        audit.record(person, "sso.signed_in", connection, mfa=mfa, subject=vouched.subject[:100])
    return Admitted(user, membership, created, mfa)


def directory_actor(organization_id: UUID, name: str) -> Actor:
    """A provider or directory, as the audit trail names it."""
    return Actor(organization_id, frozenset(), name=name, kind=ActorKind.DIRECTORY)


def _person(connection: Connection, vouched: Vouched) -> tuple[User, Identity]:
    known: Identity | None = (
        Identity.objects.select_related("user").filter(connection=connection, subject=vouched.subject).first()
    )
    if known is not None:
        # Whoever has moved their account to an address elsewhere is no longer the organization's to vouch for.
        require_address(known.user.email)
        user = known.user
    else:
        user = find_or_create_person(vouched.email, vouched.name)
        known = Identity(organization_id=connection.organization_id, connection=connection, user=user)
        known.subject = vouched.subject
    if not user.is_active:
        raise SsoRefused("This account is switched off.")
    return user, known


def find_or_create_person(email: str, name: str) -> User:
    """The account with this address, which lies in a verified domain of the organization in scope; made if need be.

    An account whose address nobody has ever confirmed may be a stranger's who got there first: what they could sign
    in with is taken from it before it is anybody's.
    """
    user = User.objects.filter(email__iexact=email).first() or _new_person(email, name)
    if not EmailAddress.objects.filter(user=user, email__iexact=email, verified=True).exists():
        user.set_unusable_password()
        user.save(update_fields=["password"])
        Authenticator.objects.filter(user=user).delete()
        SocialAccount.objects.filter(user=user).delete()
        EmailAddress.objects.filter(user=user).delete()
    EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
    return user


def _new_person(email: str, name: str) -> User:
    """Two who let the same person in at the same moment meet in the unique index: the second takes the first's."""
    try:
        with transaction.atomic():
            user: User = User.objects.create_user(email, name=name)
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
            return user
    except IntegrityError:
        return User.objects.get(email__iexact=email)


def _membership(connection: Connection, directory: Actor, user: User) -> tuple[Membership, bool]:
    provisioned = DirectoryUser.objects.filter(user=user).first()
    if provisioned is not None and not provisioned.active:
        raise SsoRefused("Your organization's directory has switched your access off.")
    rows = Membership.objects.select_related("custom_role")
    membership: Membership | None = rows.filter(user=user).first()
    if membership is not None:
        return membership, False
    if not connection.creates_members:
        raise SsoRefused("You are not a member of this organization: ask its administrator for an invitation.")
    return make_member(directory, user, connection.default_role), True


def make_member(directory: Actor, user: User, role: str) -> Membership:
    """Makes a member in the name of a provider or directory; the caller is in the organization's scope."""
    if locked(directory.organization_id).deletes_at is not None:
        raise DeletionPending("This organization is about to be deleted; it takes on nobody.")
    membership = add_member(user.pk, directory.organization_id, role, None)
    audit.record(directory, "membership.created", membership, role=str(role), email=user.email)
    events.record("membership.created", membership.pk, {"user": str(user.pk), "role": str(role)})
    return membership


def note_refusal(connection: Connection, reason: str) -> None:
    """Records that a sign-in was refused and why, for the administrator; bounded, since anybody can send answers."""
    try:
        ratelimit.charge(f"sso:refusals:{connection.pk}", [Bucket("requests", REFUSALS_A_MINUTE, 1)])
    except RateLimitExceeded:
        return
    with tenancy.scope(connection.organization_id):
        nobody = Actor(connection.organization_id, frozenset(), name=connection.name, kind=ActorKind.DIRECTORY)
        audit.record(nobody, "sso.refused", connection, reason=reason[:300])
