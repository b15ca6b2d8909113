"""Users and groups as SCIM writes them, and what is understood of what a directory sends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.errors import ScimInvalid
from apps.sso.models import DirectoryGroup, DirectoryUser

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MOST_MEMBERS = 5000


@dataclass(frozen=True, slots=True)
class UserData:
    """What a directory says of a person; `role` is the first of `roles`, as the product names it."""

    user_name: str
    email: str
    external_id: str = ""
    given_name: str = ""
    family_name: str = ""
    display_name: str = ""
    active: bool = True
    role: str = ""

    @property
    def name(self) -> str:
        return (self.display_name or f"{self.given_name} {self.family_name}").strip()[:120]


@dataclass(frozen=True, slots=True)
class GroupData:
    name: str
    external_id: str = ""
    members: frozenset[UUID] = frozenset()


def _get(body: dict[str, Any], name: str) -> Any:
    """An attribute, whatever case it is written in; one of a schema of its own counts like one of the core."""
    return next((value for key, value in body.items() if key.lower() == name.lower()), None)


def _text(value: Any, name: str, most: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise ScimInvalid(f"{name} must be a text of at most {most} characters.", scim_type="invalidValue")
    return value.strip()


def _flag(value: Any, name: str) -> bool:
    """A truth value; Entra ID sends it as a text."""
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ScimInvalid(f"{name} must be true or false.", scim_type="invalidValue")
    return value


def _email(body: dict[str, Any], user_name: str) -> str:
    given = _get(body, "emails")
    values = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    primary = [each for each in values if _get(each, "primary") in (True, "true", "True")]
    found = next((_get(each, "value") for each in [*primary, *values] if _get(each, "value")), None)
    return _text(found or user_name, "emails", 254).lower()


def read_user(body: dict[str, Any]) -> UserData:
    """A user as PUT and POST send it; ScimInvalid for what cannot be."""
    user_name = _text(_get(body, "userName"), "userName", 254)
    if not user_name:
        raise ScimInvalid("userName is needed.", scim_type="invalidValue")
    name = _get(body, "name")
    name = name if isinstance(name, dict) else {}
    parts = _get(name, "givenName") or _get(name, "familyName")
    # The parts are what providers change one by one; the formatted name then is an old one.
    shown = _get(body, "displayName") or (None if parts else _get(name, "formatted"))
    active = _get(body, "active")
    roles = _get(body, "roles")
    first = roles[0] if isinstance(roles, list) and roles else ""
    return UserData(
        user_name=user_name,
        email=_email(body, user_name),
        external_id=_text(_get(body, "externalId"), "externalId", 254),
        given_name=_text(_get(name, "givenName"), "name.givenName", 120),
        family_name=_text(_get(name, "familyName"), "name.familyName", 120),
        display_name=_text(shown, "displayName", 240),
        active=True if active is None else _flag(active, "active"),
        role=_text(_get(first, "value") if isinstance(first, dict) else first, "roles", 40).lower(),
    )


def read_group(body: dict[str, Any]) -> GroupData:
    name = _text(_get(body, "displayName"), "displayName", 200)
    if not name:
        raise ScimInvalid("displayName is needed.", scim_type="invalidValue")
    members = _get(body, "members") or []
    if not isinstance(members, list) or len(members) > MOST_MEMBERS:
        raise ScimInvalid(f"members is a list of at most {MOST_MEMBERS}.", scim_type="invalidValue")
    return GroupData(
        name,
        _text(_get(body, "externalId"), "externalId", 254),
        frozenset(_id(_get(each, "value") if isinstance(each, dict) else each) for each in members),
    )


def _id(value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise ScimInvalid("A member is named by the id of a user.", scim_type="invalidValue") from None


def write_user(user: DirectoryUser, groups: Iterable[DirectoryGroup], base: str) -> dict[str, Any]:
    name = {"givenName": user.given_name, "familyName": user.family_name}
    name["formatted"] = f"{user.given_name} {user.family_name}".strip() or user.display_name
    return {
        "schemas": [USER],
        "id": str(user.pk),
        **({"externalId": user.external_id} if user.external_id else {}),
        "userName": user.user_name,
        "name": {key: value for key, value in name.items() if value},
        **({"displayName": user.display_name} if user.display_name else {}),
        "emails": [{"value": user.user.email, "type": "work", "primary": True}],
        "active": user.active,
        **({"roles": [{"value": user.role, "primary": True}]} if user.role else {}),
        "groups": [{"value": str(group.pk), "display": group.name} for group in groups],
        "meta": _meta("User", user, f"{base}/Users/{user.pk}"),
    }


def write_group(group: DirectoryGroup, members: Iterable[DirectoryUser], base: str) -> dict[str, Any]:
    return {
        "schemas": [GROUP],
        "id": str(group.pk),
        **({"externalId": group.external_id} if group.external_id else {}),
        "displayName": group.name,
        "members": [
            {"value": str(each.pk), "display": each.user_name, "$ref": f"{base}/Users/{each.pk}"} for each in members
        ],
        "meta": _meta("Group", group, f"{base}/Groups/{group.pk}"),
    }


def _meta(kind: str, row: DirectoryUser | DirectoryGroup, location: str) -> dict[str, str]:
    return {
        "resourceType": kind,
        "created": row.created_at.isoformat(),
        "lastModified": row.changed_at.isoformat(),
        "location": location,
        "version": etag(row),
    }


def etag(row: DirectoryUser | DirectoryGroup) -> str:
    return f'W/"{row.version}"'
