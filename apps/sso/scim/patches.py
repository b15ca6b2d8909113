"""PATCH of RFC 7644 section 3.5.2, on representations: what comes out is then stored as by PUT.

Providers differ from the RFC and from each other; what Okta and Entra ID send is taken as it is meant: operations in
any case, `"False"` for false, dotted names in a value without a path, a remove that names its members in `value`.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from apps.core.errors import ScimInvalid
from apps.sso.scim.filters import Compare, Path, fits, parse_path, plain

MOST_OPERATIONS = 1000
MULTIPLE = {"emails", "members", "roles", "groups", "phonenumbers", "addresses", "photos", "ims", "entitlements"}
Resource = dict[str, Any]


def apply(resource: Resource, operations: Any) -> Resource:
    """A new representation with every operation carried out in order; ScimInvalid if one makes no sense."""
    if not isinstance(operations, list) or not 1 <= len(operations) <= MOST_OPERATIONS:
        raise ScimInvalid("A patch needs 1 to 1000 Operations.", scim_type="invalidSyntax")
    result = deepcopy(resource)
    for operation in operations:
        if not isinstance(operation, dict):
            raise ScimInvalid("An operation is an object.", scim_type="invalidSyntax")
        op = str(operation.get("op", "")).lower()
        if op not in {"add", "replace", "remove"}:
            raise ScimInvalid("An operation is add, replace or remove.", scim_type="invalidSyntax")
        _one(result, op, operation.get("path"), operation.get("value"))
    return result


def _one(resource: Resource, op: str, path: Any, value: Any) -> None:
    if path is None or path == "":
        if op == "remove":
            raise ScimInvalid("A remove needs a path.", scim_type="noTarget")
        if not isinstance(value, dict):
            raise ScimInvalid("Without a path the value is an object.", scim_type="invalidValue")
        for name, inner in value.items():
            if name.lower().startswith("urn:") and isinstance(inner, dict):
                _one(resource, op, None, inner)
            else:
                _one(resource, op, name, inner)
        return
    if not isinstance(path, str):
        raise ScimInvalid("A path is a text.", scim_type="invalidPath")
    found = parse_path(path)
    name = _name_in(resource, found.attribute)
    if found.inner is not None:
        _in_values(resource, op, name, found, value)
    elif found.sub:
        _in_part(resource, op, name, found.sub, value)
    else:
        _whole(resource, op, name, value)


def _name_in(resource: Resource, name: str) -> str:
    """The attribute's own spelling: names do not depend on case."""
    return next((key for key in resource if key.lower() == name.lower()), plain(name))


def _whole(resource: Resource, op: str, name: str, value: Any) -> None:
    if name.lower() in MULTIPLE:
        values = [] if value is None else value if isinstance(value, list) else [value]
        kept = list(resource.get(name) or [])
        if op == "remove":
            gone = {_key(each) for each in values}
            resource[name] = [each for each in kept if _key(each) not in gone] if values else []
        elif op == "add":
            known = {_key(each) for each in kept}
            resource[name] = kept + [each for each in values if _key(each) not in known]
        else:
            resource[name] = values
    elif op == "remove":
        resource.pop(name, None)
    elif isinstance(value, dict) and isinstance(resource.get(name), dict):
        resource[name] = resource[name] | value
    else:
        resource[name] = value


def _key(value: Any) -> str:
    return str(value.get("value", "")).lower() if isinstance(value, dict) else str(value).lower()


def _in_part(resource: Resource, op: str, name: str, sub: str, value: Any) -> None:
    if name.lower() in MULTIPLE:
        for each in resource.get(name) or []:
            if isinstance(each, dict):
                _whole(each, op, _name_in(each, sub), value)
        return
    part = resource.get(name)
    part = dict(part) if isinstance(part, dict) else {}
    _whole(part, op, _name_in(part, sub), value)
    resource[name] = part


def _in_values(resource: Resource, op: str, name: str, path: Path, value: Any) -> None:
    inner = path.inner
    if inner is None:
        return
    values = [each if isinstance(each, dict) else {"value": each} for each in resource.get(name) or []]
    chosen = [each for each in values if fits(inner, each)]
    if op == "remove":
        if path.sub:
            for each in chosen:
                each.pop(_name_in(each, path.sub), None)
        else:
            values = [each for each in values if each not in chosen]
    elif chosen:
        for each in chosen:
            if path.sub:
                each[_name_in(each, path.sub)] = value
            elif isinstance(value, dict):
                each |= value
    elif isinstance(inner, Compare) and inner.operator == "eq" and path.sub:
        # `emails[type eq "work"].value` of somebody who has none yet makes one.
        values.append({inner.attribute: inner.value, path.sub: value})
    else:
        raise ScimInvalid("Nothing fits this path.", scim_type="noTarget")
    resource[name] = values
