"""tests/architecture/authorization.yaml as Python, with what everybody gets according to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from django.urls import URLPattern, URLResolver, get_resolver

FILE = Path(__file__).resolve().parents[1] / "architecture" / "authorization.yaml"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
AUDIENCES = ("everyone", "person", "member", "owner", "caller", "directory")


@dataclass(frozen=True)
class Rule:
    """Who may use one method of an address, and what comes to them where that is not success.

    `over` is a role of which they must hold all that it does, or another permission.
    """

    audience: str
    over: str
    answer: int | None


@dataclass(frozen=True)
class Route:
    """An address: what stands in its places, and a rule for each of its methods.

    `without` is the status for whoever lacks the permission: 403, or 404 where even the organization's own rows are
    not shown to exist.
    """

    name: str
    places: dict[str, str]
    rules: dict[str, Rule]
    without: int = 403


@cache
def table() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def routes() -> dict[str, Route]:
    return {name: _route(name, line) for name, line in table()["routes"].items()}


def _route(name: str, line: dict[str, Any]) -> Route:
    places, rules = {}, {}
    for key, value in line.items():
        if key.split()[0] in METHODS:
            rules |= dict.fromkeys(key.split(), _rule(value))
        elif key != "without":
            places[key] = value
    return Route(name, places, rules, line.get("without", 403))


def _rule(text: str) -> Rule:
    who, _, answer = text.partition("->")
    audience, _, over = who.partition("+")
    return Rule(audience.strip(), over.strip(), int(answer) if answer else None)


def role_permissions() -> dict[str, frozenset[str]]:
    """What the file says that each role holds."""
    everything = frozenset(table()["permissions"])
    found = {}
    for role, line in table()["roles"].items():
        if isinstance(line, dict):
            [(_everything_but, left_out)] = line.items()
            found[role] = everything - frozenset(left_out)
        else:
            found[role] = everything if line == "everything" else frozenset(line)
    return found


def needed_for(rule: Rule) -> frozenset[str]:
    """Every permission that a rule for permissions asks for."""
    over = role_permissions().get(rule.over, frozenset({rule.over}) if rule.over else frozenset())
    return over | {rule.audience}


def addresses(resolver: Any = None, namespace: str = "", path: str = "") -> Iterator[tuple[str, str, URLPattern]]:
    """(name with its namespaces, path, pattern) of every address that Django routes."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from addresses(pattern, inner, path + str(pattern.pattern))
        else:
            yield f"{namespace}{pattern.name}", path + str(pattern.pattern), pattern


def nobodys_ids(ids: dict[str, Any]) -> dict[str, Any]:
    """For each kind an id of its form that no row has."""
    return {name: _nobodys(str(id)) for name, id in ids.items()}


def _nobodys(id: str) -> Any:
    prefix = next((each for each in ("file-", "batch_") if id.startswith(each)), "")
    return prefix + uuid4().hex if prefix else uuid4()
