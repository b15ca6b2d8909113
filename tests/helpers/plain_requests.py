"""A plain request for each address that wants one: what whoever may do it is answered with success."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.helpers.world import NOBODYS, Side

Body = dict[str, Any]

_SCIM = "urn:ietf:params:scim:schemas:core:2.0"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_RENAME = {"op": "replace", "path": "displayName", "value": "Renamed"}
_ACCOUNT = {"name": "New robot", "role": "member"}
_TOKENS = {"monthly_tokens": 9_000_000}
_TEAM = {"name": "New team"}
_ROLE = {"name": "New role", "permissions": ["models:read"]}
_INVITATION = {"email": "somebody.new@example.com", "role": "member"}
_BRIEF = {
    "kind": "brief",
    "content_type": "product_description",
    "product": "Kettle",
    "model": "default",
    "max_tokens": "60",
    "temperature": "0.8",
    "top_p": "0.95",
    "top_k": "0",
    "repetition_penalty": "1",
}
# By method and the address's name; what is not here is sent empty.
_REQUESTS: dict[str, Callable[[Side], Body]] = {
    "POST studio": lambda side: _BRIEF,
    "POST api-generations": lambda side: {"prompt": "Tea."},
    "POST member": lambda side: {"role": "member"},
    "POST member-remove": lambda side: {"name": side.target.email},
    "POST invitations": lambda side: _INVITATION,
    "POST teams": lambda side: _TEAM,
    "POST team": lambda side: _TEAM,
    "POST team-members": lambda side: {"email": side.target.email},
    "POST role-new": lambda side: _ROLE,
    "POST role": lambda side: _ROLE,
    "POST api-keys": lambda side: {"name": "New key", "scopes": ["models:read"]},
    "POST api-key-revoke": lambda side: {"name": f"{side.mark} key"},
    "POST api-key-rotate": lambda side: {"overlap": "24"},
    "POST service-accounts": lambda side: _ACCOUNT,
    "POST service-account": lambda side: _ACCOUNT,
    "POST api-organization-keys": lambda side: {"name": "New key", "scopes": ["models:read"]},
    "POST api-organization-service-accounts": lambda side: _ACCOUNT,
    "PATCH api-organization-service-account": lambda side: _ACCOUNT,
    "POST organization-settings": lambda side: {"name": side.mark, "slug": side.mark.lower(), "language": "en"},
    "POST ownership-transfer": lambda side: {"email": side.target.email, "name": side.tenant.organization.name},
    "POST organization-delete": lambda side: {"name": side.tenant.organization.name},
    "POST organization-new": lambda side: {"name": "Another"},
    "POST support-access": lambda side: {"days": "1"},
    "POST api-invitation-accept": lambda side: {"token": NOBODYS["a secret"]},
    "POST budgets": lambda side: {"kind": "member", "email": side.target.email, **_TOKENS},
    "POST budget": lambda side: _TOKENS,
    "POST api-budgets": lambda side: {"kind": "member", "owner": str(side.ids["member"]), **_TOKENS},
    "PATCH api-budget": lambda side: _TOKENS,
    "POST leave": lambda side: {"name": side.tenant.organization.name},
    "PATCH api-organization": lambda side: {"language": "en"},
    "PATCH api-organization-member": lambda side: {"role": "member"},
    "POST api-organization-invitations": lambda side: _INVITATION,
    "POST api-organization-teams": lambda side: _TEAM,
    "PATCH api-organization-team": lambda side: _TEAM,
    "POST api-organization-roles": lambda side: _ROLE,
    "PATCH api-organization-role": lambda side: _ROLE,
    "POST sso-remove": lambda side: {"name": side.mark},
    "POST sso-connection": lambda side: {"name": side.mark, "default_role": "member"},
    "POST sso-domain-add": lambda side: {"name": "another.example"},
    "POST sso-rule-add": lambda side: {"group": "Staff", "role": "member"},
    "POST security-policy": lambda side: {"grace_days": "0", "sso_session_hours": "12"},
    "POST audit-export": lambda side: {"format": "csv"},
    "POST privacy-term": lambda side: {"kind": "generations", "days": "30"},
    "POST privacy-erase": lambda side: {"email": side.target.email, "texts": "keep"},
    "POST api-privacy-erasures": lambda side: {"scope": "member", "person": str(side.target.pk)},
    "POST scim-users": lambda side: {"schemas": [_SCIM + ":User"], "userName": f"new@{side.mark}.example".lower()},
    "PUT scim-person": lambda side: {"schemas": [_SCIM + ":User"], "userName": side.target.email},
    "PATCH scim-person": lambda side: {"schemas": [_PATCH], "Operations": [_RENAME]},
    "POST scim-groups": lambda side: {"schemas": [_SCIM + ":Group"], "displayName": "New group"},
    "PUT scim-group": lambda side: {"schemas": [_SCIM + ":Group"], "displayName": "Renamed"},
    "PATCH scim-group": lambda side: {"schemas": [_PATCH], "Operations": [_RENAME]},
    "PUT api-privacy-term": lambda side: {"days": 30},
}
_QUERIES: dict[str, Callable[[Side], str]] = {
    "GET api-privacy-preview": lambda side: f"?person={side.target.pk}",
    "GET api-privacy-term": lambda side: "?days=30",
}


def body_of(method: str, name: str, side: Side) -> Body:
    return _REQUESTS.get(f"{method} {name}", lambda _side: {})(side)


def query_of(method: str, name: str, side: Side) -> str:
    return _QUERIES.get(f"{method} {name}", lambda _side: "")(side)
