"""Every address, method and role of authorization.yaml, tried over HTTP."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, reset_queries
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import ApiKey
from apps.accounts.permissions import KEY_SCOPES, PERMISSIONS, ROLE_PERMISSIONS
from tests.architecture.conftest import World, is_api_path, undone
from tests.helpers.authorization import (
    AUDIENCES,
    METHODS,
    Route,
    Rule,
    addresses,
    needed_for,
    nobodys_ids,
    role_permissions,
    routes,
    table,
)
from tests.helpers.plain_requests import body_of, query_of
from tests.helpers.principals import Principal, key_with
from tests.helpers.tenancy import rows_of
from tests.helpers.world import NOBODYS, Side

ROUTES = routes()
LOGIN = "/accounts/login/"
# Found in an answer only because the request brought it there, or new in every answer.
PASSING = re.compile(r'req_[0-9a-f]{32}|(?<=name="csrfmiddlewaretoken" value=")\w+|(?<=data-csrf=")\w+')
# Notes of when a session and a key were last seen, which are written once a minute.
NOTES = (
    'UPDATE "accounts_browsersession" SET "seen_at"',
    'UPDATE "accounts_apikey" SET "last_used_at"',
    'UPDATE "sso_directorytoken" SET "last_used_at"',
)
CHANGING_HEADERS = {"x-request-id", "date", "expires", "set-cookie", "content-length"}


# ---------------------------------------------------------------- the file is whole


def test_every_address_has_a_name_of_its_own() -> None:
    names = [name for name, _path, _pattern in addresses()]
    assert "None" not in names
    assert len(names) == len(set(names))


def test_every_address_is_in_the_file() -> None:
    """The staff console's stand in a section of their own."""
    staff = {f"staff:{name}" for name in table()["staff"]}
    assert {name for name, _path, _pattern in addresses()} == set(ROUTES) | staff


def test_roles_hold_what_the_file_says() -> None:
    assert role_permissions() == {str(role): held for role, held in ROLE_PERMISSIONS.items()}
    assert set(table()["permissions"]) == set(PERMISSIONS)
    assert set(table()["scopes"]) == set(KEY_SCOPES)


def test_every_line_names_an_audience_or_a_permission() -> None:
    known = {*AUDIENCES, *PERMISSIONS}
    wrong = {(route.name, rule.audience) for route in ROUTES.values() for rule in route.rules.values()}
    assert {(name, audience) for name, audience in wrong if audience not in known} == set()


def test_every_place_of_an_address_is_named(world: World) -> None:
    for name, path, _pattern in addresses():
        if name.startswith("staff:"):
            continue
        places = set(re.findall(r"<(?:\w+:)?(\w+)>", path))
        assert set(ROUTES[name].places) == places, f"{name}: say what goes into {places}"
        assert set(ROUTES[name].places.values()) <= {*NOBODYS, *world.a.ids}, name


# ---------------------------------------------------------------- everybody, everywhere


def path_of(route: Route, ids: dict[str, Any]) -> str:
    return reverse(route.name, kwargs={place: (NOBODYS | ids)[what] for place, what in route.places.items()})


def owned(route: Route) -> list[str]:
    """The kinds of things of an organization's own that the address names."""
    return [what for what in route.places.values() if what not in NOBODYS]


def foreign_targets(world: World, route: Route) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """For each way to point elsewhere: what it is called, ids of the other organization, and ids that nobody has."""
    own, other, nobodys = world.a.ids, world.b.ids, nobodys_ids(world.b.ids)
    kinds = owned(route)
    if kinds:
        yield "another organization's", other, nobodys
    if len(kinds) > 1:
        for kind in kinds:
            yield f"another organization's {kind}", own | {kind: other[kind]}, own | {kind: nobodys[kind]}


def expected(who: Principal, route: Route, rule: Rule, path: str) -> int | str:
    """The status for the organization's own things; "sign in", or "reached" for whoever may."""
    api = is_api_path(path)
    if rule.audience == "everyone":
        return "reached"
    if rule.audience == "directory" or who.is_directory:
        allowed = rule.audience == "directory" and who.is_directory
        return "reached" if allowed else 401 if api else "sign in"
    if not (who.is_person or (who.is_key and api)):
        return 401 if api else "sign in"
    if rule.audience == "person":
        return "reached" if who.is_person else 401
    if not (who.is_member or who.is_key):
        return 401 if api else 404
    if rule.audience == "caller" or (rule.audience == "member" and who.is_member):
        return "reached"
    if rule.audience == "owner":
        return "reached" if who.name == "owner" else route.without
    return "reached" if needed_for(rule) <= who.permissions else route.without


def outcome(response: Any, rule: Rule, method: str) -> int | str:
    """What came, in the same words."""
    status = int(response.status_code)
    if status == 302 and urlsplit(response["location"]).path == LOGIN and rule.audience != "everyone":
        return "sign in"
    if rule.answer is not None:
        return "reached" if status == rule.answer else status
    good = {200, 400, 422} if rule.audience in {"everyone", "person"} else {200}
    moved = {201, 202, 204, 302, 303}
    if rule.audience in {"everyone", "person"} or method != "GET":
        good |= moved
    return "reached" if status in good else status


def everybody(world: World, rule: Rule, path: str) -> list[Principal]:
    """Everybody; of the keys with one scope that of the rule, and one that is for nothing here.

    Which other scopes a key lacks makes no difference beside one that has all but the rule's.
    """
    narrow = {key_with(scope) for scope in needed_for(rule) | {"models:read"}} if is_api_path(path) else set()
    single = {key_with(scope) for scope in KEY_SCOPES}
    asking = [who for who in world.everybody if who.name not in single or who.name in narrow]
    return asking + [who for who in world.borderline.get(rule.audience, []) if is_api_path(path) or not who.is_key]


def one_of_each(asking: list[Principal], route: Route, rule: Rule, path: str) -> list[Principal]:
    """The first of each kind of caller that one's own things answer alike; that they do is tried of everybody above."""
    kinds = {(who.is_person, who.is_member, who.is_key, expected(who, route, rule, path)): who for who in asking[::-1]}
    return [who for who in asking if who in kinds.values()]


def assert_silent(response: Any, side: Side, what: str) -> None:
    text = "" if response.streaming else response.content.decode(errors="replace")
    shown = [secret for secret in side.secrets if secret in text]
    assert not shown, f"{what} shows {shown}"


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_everybody_gets_what_the_file_says(name: str, world: World) -> None:
    """The organization's own things."""
    route, wrong = ROUTES[name], []
    for method, rule in route.rules.items():
        path = path_of(route, world.a.ids)
        for who in everybody(world, rule, path):
            wanted = expected(who, route, rule, path)
            # Whoever lacks the second of two permissions is told before anything is done (a use of the key is noted).
            watched = bool(rule.over) and wanted == 403 and rule.audience in who.permissions
            with undone():
                before = rows_of(world.a.id, {ApiKey}) if watched else []
                address = path + query_of(method, name, world.a)
                response = world.ask(who, method, address, body_of(method, name, world.a))
                found = outcome(response, rule, method)
                if watched and rows_of(world.a.id, {ApiKey}) != before:
                    wrong.append(f"{method} by {who.name}: {found}, and done nevertheless")
            assert_silent(response, world.b, f"{method} {path} by {who.name}")
            if found not in {wanted, "reached" if wanted == rule.answer else wanted}:
                wrong.append(f"{method} by {who.name}: {found}, not {wanted}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", sorted(name for name, route in ROUTES.items() if owned(route)))
def test_ids_of_others_answer_like_ids_of_nobody(name: str, world: World) -> None:
    """Same status, body and headers, and as many queries of the same shape, so that not even time tells them apart."""
    route, wrong = ROUTES[name], []
    for method, rule in route.rules.items():
        for place, (which, other, nobodys) in enumerate(foreign_targets(world, route)):
            path = path_of(route, other)
            for who in one_of_each(everybody(world, rule, path), route, rule, path):
                # Who is sent away at the door is so wherever the address leads.
                if place and expected(who, route, rule, path) != "reached":
                    continue
                theirs, none = (answer(world, who, route, method, ids) for ids in (other, nobodys))
                what = f"{method} {which} by {who.name}"
                # What is not there is not there, before anybody compares what one may do with what it could.
                role = rule.over in role_permissions()
                wanted = expected(who, route, replace(rule, over="") if role else rule, path)
                # Where 404 is also what comes of one's own, it counts as reached.
                wanted = 404 if wanted == "reached" and rule.answer != 404 else wanted
                if theirs[0] != wanted:
                    wrong.append(f"{what}: {theirs[0]}, not {wanted}")
                if theirs != none:
                    wrong.append(f"{what}: {difference(theirs, none)}")
    assert not wrong, "\n".join(wrong)


Answer = tuple[int | str, str, dict[str, str], list[str]]


def answer(world: World, who: Principal, route: Route, method: str, ids: dict[str, Any]) -> Answer:
    """What comes for these ids, without what must differ: ids and tokens."""
    path = path_of(route, ids) + query_of(method, route.name, world.a)
    # The log holds a few thousand queries, and what is captured is counted from its end.
    reset_queries()
    # Read where it could matter: of those who may do it to their own.
    watched = method != "GET" and who.name in {"owner", "a key with every scope", "a directory"}
    with undone():
        before = rows_of(world.b.id) if watched else []
        with CaptureQueriesContext(connection) as asked:
            response = world.ask(who, method, path, body_of(method, route.name, world.a))
        status = outcome(response, route.rules[method], method)
        assert not watched or rows_of(world.b.id) == before, f"{method} {path} by {who.name} changed something"
    assert_silent_but(response, world.b, ids, f"{method} {path} by {who.name}")
    body = "" if response.streaming else plain(response.content.decode(errors="replace"), ids)
    headers = {k.lower(): plain(v, ids) for k, v in response.headers.items() if k.lower() not in CHANGING_HEADERS}
    return status, body, headers, [shape_of(query["sql"]) for query in asked if not query["sql"].startswith(NOTES)]


def assert_silent_but(response: Any, side: Side, ids: dict[str, Any], what: str) -> None:
    """An id that stood in the address may come back in the page's links to itself; nothing else may."""
    text = "" if response.streaming else plain(response.content.decode(errors="replace"), ids)
    shown = [secret for secret in side.secrets if secret in text]
    assert not shown, f"{what} shows {shown}"


def plain(text: str, ids: dict[str, Any]) -> str:
    for id in ids.values():
        text = text.replace(str(id), "ID")
    return PASSING.sub("…", text)


def shape_of(sql: str) -> str:
    """A query without its values, and without the numbers that Django gives to savepoints."""
    return re.sub(r"'(?:[^']|'')*'|\b\d+\b|\bs\d+_x\d+\b", "?", sql)


def difference(theirs: Answer, none: Answer) -> str:
    parts = ("status", "body", "headers", "queries")
    pairs = [(part, str(a), str(b)) for part, a, b in zip(parts, theirs, none, strict=True) if a != b]
    return ", ".join(f"{part} {around_change(a, b)!r} and {around_change(b, a)!r}" for part, a, b in pairs)


def around_change(text: str, other: str) -> str:
    start = next((place for place, pair in enumerate(zip(text, other, strict=False)) if len(set(pair)) > 1), 0)
    return text[max(0, start - 40) : start + 80]


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_methods_that_are_not_listed_are_refused_as_such(name: str, world: World) -> None:
    route = ROUTES[name]
    path = path_of(route, world.a.ids)
    # The APIs ask first who it is, and some of allauth's pages lead away whoever is, or is not, signed in.
    refused = {401, 405} if is_api_path(path) else {302, 405}
    members = ["a directory"] if name.startswith("scim-") else ["a key with every scope"] if is_api_path(path) else []
    for method in set(METHODS) - set(route.rules):
        found: dict[str, int] = {}
        for who in ("nobody", *members, "owner"):
            if 405 not in found.values():
                with undone():
                    found[who] = world.ask(world.named(who), method, path).status_code
        assert set(found.values()) <= refused, f"{method} {path}: {found}"
        assert 405 in found.values(), f"{method} {path}: {found}"
