"""The people of every test: two organizations of three, and whoever else a test needs."""

from dataclasses import dataclass
from uuid import UUID

from apps.accounts import services
from apps.accounts.access import Actor, actor_of_membership, memberships_of
from apps.accounts.models import ApiKey, Membership, Organization, Role, User
from apps.core import tenancy

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
