"""Everybody who may turn up at an address, each with the credentials that they would bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.conf import settings
from django.test import Client

from apps.accounts import services as accounts
from apps.accounts.models import CustomRole, User
from apps.accounts.permissions import CUSTOM_ROLE_PERMISSIONS, KEY_SCOPES, Role
from apps.core import tenancy
from apps.sso.services.tokens import create_token
from tests.helpers.authorization import role_permissions, table
from tests.helpers.people import add_person, make_user
from tests.helpers.world import Side


@dataclass(frozen=True)
class Principal:
    """Who asks: `permissions` are what the file says they hold, `cookie` and `headers` how they prove who they are."""

    name: str
    permissions: frozenset[str] = frozenset()
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    is_member: bool = False
    is_key: bool = False
    is_directory: bool = False

    @property
    def is_person(self) -> bool:
        return bool(self.cookie)


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def strangers() -> list[Principal]:
    wrong = {"authorization": "Bearer mr_wrong"}
    outsider = make_user("outsider@nowhere.example")
    return [
        Principal("nobody"),
        Principal("a wrong key", headers=wrong),
        Principal("an outsider", cookie=session_of(outsider)),
    ]


def members(side: Side) -> list[Principal]:
    """One person of each role; a custom role holds nothing here."""
    found = []
    for role, permissions in role_permissions().items():
        custom = _custom_role(side, "holds nothing", []) if role == Role.CUSTOM else None
        user = add_person(side.tenant, f"{role}-of-the-matrix", role, custom)
        found.append(Principal(role, permissions, session_of(user), is_member=True))
    return found


def keys(side: Side) -> list[Principal]:
    """A key with every scope, and one with each."""
    scopes = frozenset(table()["scopes"])
    return [_key(side, "a key with every scope", scopes)] + [_key(side, key_with(s), {s}) for s in sorted(scopes)]


def key_with(scope: str) -> str:
    """What the key with this scope alone is called."""
    return f"a key with {scope}"


def service_account(side: Side) -> Principal:
    """A program with a role of its own, whose key has more scopes than the role allows."""
    account = accounts.create_service_account(side.tenant.actor, "a robot of the matrix", Role.MEMBER)
    limits = accounts.KeyLimits(service_account_id=account.pk)
    _row, secret = accounts.create_api_key(side.tenant.actor, "a robot's key", KEY_SCOPES, limits)
    held = role_permissions()[Role.MEMBER] & frozenset(table()["scopes"])
    return Principal("a service account", held, headers={"authorization": f"Bearer {secret}"}, is_key=True)


def _key(side: Side, name: str, scopes: Iterable[str]) -> Principal:
    _row, secret = accounts.create_api_key(side.tenant.actor, name, scopes)
    assert set(scopes) <= set(KEY_SCOPES)
    return Principal(name, frozenset(scopes), headers={"authorization": f"Bearer {secret}"}, is_key=True)


def directory(side: Side) -> Principal:
    """An identity provider's directory, with its own token."""
    _row, secret = create_token(side.tenant.actor)
    return Principal("a directory", headers={"authorization": f"Bearer {secret}"}, is_directory=True)


def borderline(side: Side) -> dict[str, list[Principal]]:
    """For each permission a custom role, and a key, with everything but it: no line asks for less than it says."""
    found = {name: [all_but(side, name)] for name in CUSTOM_ROLE_PERMISSIONS}
    scopes = frozenset(table()["scopes"])
    for scope in scopes:
        found.setdefault(scope, []).append(_key(side, f"a key with all but {scope}", scopes - {scope}))
    return found


def all_but(side: Side, permission: str) -> Principal:
    held = frozenset(CUSTOM_ROLE_PERMISSIONS) - {permission}
    role = _custom_role(side, f"all but {permission}", held)
    user = add_person(side.tenant, permission.replace(":", "-"), Role.CUSTOM, role)
    return Principal(role.name, held, session_of(user), is_member=True)


def _custom_role(side: Side, name: str, permissions: Iterable[str]) -> CustomRole:
    with tenancy.scope(side.id):
        role: CustomRole = CustomRole.objects.create(
            organization_id=side.id, name=name, permissions=sorted(permissions)
        )
    return role
