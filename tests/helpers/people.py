"""The people of every test: two organizations of three, and whoever else a test needs."""

from dataclasses import dataclass
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.core.context import request_context
from allauth.mfa.totp.internal import auth as totp
from django.http import HttpRequest

from apps.accounts import services
from apps.accounts.access import Actor, actor_of_membership, memberships_of
from apps.accounts.models import ApiKey, AuditEntry, CustomRole, Membership, Organization, Role, User
from apps.core import tenancy
from apps.core.models import Event

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Tenant:
    """An organization with its people; `actor` is the owner acting, `key` a usable API key's secret."""

    organization: Organization
    owner: User
    admin: User
    member: User
    actor: Actor
    key: str
    api_key: ApiKey

    @property
    def id(self) -> UUID:
        return self.organization.pk

    @property
    def bearer(self) -> dict[str, str]:
        """Headers for a request as this organization's program."""
        return {"authorization": f"Bearer {self.key}"}


def bearer_with(tenant: Tenant, *scopes: str) -> dict[str, str]:
    """Headers for a request with a key of the organization that has these scopes, and is called after them."""
    known = (tenant.id, scopes)
    if known not in _keys:
        _keys[known] = services.create_api_key(tenant.actor, " ".join(scopes), list(scopes))[1]
    return {"authorization": f"Bearer {_keys[known]}"}


# The secrets of keys that tests have asked for; the organization's id is another one in each test.
_keys: dict[tuple[UUID, tuple[str, ...]], str] = {}


def make_user(email: str) -> User:
    return User.objects.create_user(email, PASSWORD)


def actor_of(user: User) -> Actor:
    """The user acting in their first organization."""
    return actor_of_membership(memberships_of(user)[0], user)


def make_tenant(name: str) -> Tenant:
    people = {role: make_user(f"{role}@{name}.example") for role in (Role.OWNER, Role.ADMIN, Role.MEMBER)}
    organization = services.create_organization(people[Role.OWNER], name.title(), slug=name)
    with tenancy.scope(organization.pk):
        for role in (Role.ADMIN, Role.MEMBER):
            Membership.objects.create(organization=organization, user=people[role], role=role)
    actor = actor_of(people[Role.OWNER])
    api_key, secret = services.create_api_key(actor, "test key")
    return Tenant(organization, people[Role.OWNER], people[Role.ADMIN], people[Role.MEMBER], actor, secret, api_key)


def add_app(user: User) -> None:
    """Gives the person an authenticator app, as if they were signed in."""
    request = HttpRequest()
    request.user = user
    with request_context(request):
        totp.TOTP.activate(user, totp.generate_totp_secret())


def verify(user: User, email: str = "") -> User:
    """As if the person had opened the link in a mail to the address."""
    EmailAddress.objects.update_or_create(user=user, email=email or user.email, defaults={"verified": True})
    return user


def add_person(tenant: Tenant, name: str, role: str = Role.MEMBER, custom_role: CustomRole | None = None) -> User:
    """One more member of the organization."""
    user = make_user(f"{name}@{tenant.organization.slug}.example")
    with tenancy.scope(tenant.id):
        Membership.objects.create(organization=tenant.organization, user=user, role=role, custom_role=custom_role)
    return user


def member_of(tenant: Tenant, user: User) -> Membership:
    """The person's membership, with what pages show of it."""
    with tenancy.scope(tenant.id):
        membership: Membership = Membership.objects.for_pages().select_related("organization").get(user=user)
    return membership


def acting(tenant: Tenant, user: User) -> Actor:
    """The person acting in this organization, with what they may do now."""
    return actor_of_membership(member_of(tenant, user), user)


def audit_of(tenant: Tenant, action: str) -> list[AuditEntry]:
    """The organization's entries of one kind, oldest first."""
    with tenancy.scope(tenant.id):
        return list(AuditEntry.objects.filter(action=action).order_by("created_at", "id"))


def events_of(tenant: Tenant) -> list[str]:
    """The kinds of the organization's events, in their order."""
    with tenancy.scope(tenant.id):
        return list(Event.objects.order_by("position").values_list("type", flat=True))
