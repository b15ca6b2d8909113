"""What the service says of itself: ServiceProviderConfig, ResourceTypes and Schemas (RFC 7643 sections 5 to 7)."""

from __future__ import annotations

from typing import Any

from apps.sso.scim.resources import GROUP, USER

MOST_RESULTS = 200
_CORE = "urn:ietf:params:scim:schemas:core:2.0:"


def service_provider(base: str) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_RESULTS},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "The organization's own token, from its console.",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_types(base: str) -> list[dict[str, Any]]:
    return [
        {
            "schemas": [f"{_CORE}ResourceType"],
            "id": name,
            "name": name,
            "endpoint": f"/{name}s",
            "schema": schema,
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"},
        }
        for name, schema in (("User", USER), ("Group", GROUP))
    ]


def _attribute(name: str, kind: str = "string", **given: Any) -> dict[str, Any]:
    usual = {"multiValued": False, "required": False, "caseExact": False, "mutability": "readWrite"}
    return {"name": name, "type": kind, **usual, "returned": "default", "uniqueness": "none"} | given


def schemas(base: str) -> list[dict[str, Any]]:
    value = _attribute("value")
    user = [
        _attribute("userName", required=True, uniqueness="server"),
        _attribute(
            "name",
            "complex",
            subAttributes=[_attribute(part) for part in ("givenName", "familyName", "formatted")],
        ),
        _attribute("displayName"),
        _attribute(
            "emails",
            "complex",
            multiValued=True,
            subAttributes=[value, _attribute("type"), _attribute("primary", "boolean")],
        ),
        _attribute("active", "boolean"),
        _attribute("roles", "complex", multiValued=True, subAttributes=[value]),
        _attribute(
            "groups", "complex", multiValued=True, mutability="readOnly", subAttributes=[value, _attribute("display")]
        ),
    ]
    group = [
        _attribute("displayName", required=True, uniqueness="server"),
        _attribute("members", "complex", multiValued=True, subAttributes=[value, _attribute("display")]),
    ]
    return [
        {
            "schemas": [f"{_CORE}Schema"],
            "id": schema,
            "name": name,
            "description": description,
            "attributes": attributes,
            "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{schema}"},
        }
        for schema, name, description, attributes in (
            (USER, "User", "A person whom the directory provisions", user),
            (GROUP, "Group", "A group, which is a team of the organization", group),
        )
    ]
