"""Every address of the product, attacked with another organization's ids by everyone who must not see them."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.accounts import services as accounts
from apps.accounts.models import (
    ApiKey,
    AuditStream,
    CustomRole,
    Invitation,
    Membership,
    Organization,
    ServiceAccount,
    Team,
    User,
)
from apps.billing import services as billing
from apps.billing.models import Budget, BudgetKind
from apps.billing.services import BudgetFor
from apps.core import tenancy
from apps.core.jobs import Status
from apps.privacy import downloads
from apps.privacy.models import Erasure, Export, Scope
from apps.registry.models import ModelVersion
from apps.sso import services as sso
from apps.sso.models import Connection, DirectoryGroup, DirectoryToken, DirectoryUser, Domain, GroupRule
from apps.sso.services.tokens import create_token
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.services import Outcome
from tests.helpers.people import Tenant
from tests.helpers.studio import ask, finish, spec, start
from tests.helpers.tenancy import tenant_models

MARK = "Xylophone"
SECRET_WORDS = f"A secret {MARK} for nobody else."
# /readyz says 503 while no worker runs, which is its work.
MAY_BE_UNAVAILABLE = {"readyz"}


def routes(patterns: Any = None, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every address with the name by which it is reversed: that of a namespace stands before its own."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(
                pattern.url_patterns, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            )
        else:
            yield f"{namespace}{pattern.name or ''}", pattern


ROUTES = dict(routes())
# An address with a place for an id, and which of org_a's ids goes there.
PLACES = {
    "id": "what the address is about",
    "name": "model",
    "key": "key",
    "uidb36": "user",
    "token": "a secret",
    "pk": "passkey",
    "person": "member",
    "export": "export",
    "erasure": "erasure",
    "link": "a signed link",
    "kind": "data",
    "member": "member",
    "protocol": "oidc",
    "object_id": "what a page of the staff console is about",
    "app_label": "app",
}
# A place that takes the id of something of org_a's.
OWNED = {"id", "object_id", "person", "export", "erasure", "link"}


def places_of(name: str) -> list[str]:
    """What an address has to be told, in its own part or in those before it."""
    namespace, _, own = name.rpartition(":")
    resolver = get_resolver()
    if namespace:
        _prefix, resolver = resolver.namespace_dict[namespace]
    [(_path, places), *_], *_rest = resolver.reverse_dict.getlist(own)[0]
    return list(places)


# Where people come in through a connection: open to everybody who knows its id, like the sign-in page. What comes of a
# wrong answer is in tests/apps/sso; here they get an id that is no connection's.
DOORS = {"sso-start", "sso-oidc-callback", "sso-saml-acs", "sso-saml-finish", "sso-saml-metadata"}


def test_every_route_has_a_name_of_its_own() -> None:
    names = [name for name, _route in routes()]
    assert not [name for name in names if not name or name.endswith(":")]
    assert len(names) == len(set(names))


def test_every_place_in_an_address_is_known() -> None:
    for name in ROUTES:
        places = set(places_of(name))
        assert places <= set(PLACES), f"{name}: teach this test what goes into {places}"


@pytest.fixture
def theirs(org_a: Tenant, model: ModelVersion) -> Generation:
    """A generation of org_a, finished, with words that must not leave the organization."""
    studio.request_generation(org_a.actor, spec(SECRET_WORDS))
    running = start()
    assert finish(running, Outcome(Status.SUCCEEDED, SECRET_WORDS, "stop", 10, 5))
    ask(org_a, SECRET_WORDS)
    accounts.create_team(org_a.actor, f"{MARK} team")
    accounts.create_service_account(org_a.actor, f"{MARK} robot", "member")
    accounts.create_role(org_a.actor, f"{MARK} role", ["models:read"])
    accounts.invite(org_a.actor, f"{MARK}@example.com", "member")
    accounts.add_audit_stream(org_a.actor, f"https://{MARK}.example/".lower())
    sso.claim_domain(org_a.actor, f"{MARK}.example")
    sso.create_rule(org_a.actor, f"{MARK} group", "member")
    create_token(org_a.actor)
    billing.create_budget(org_a.actor, BudgetFor(BudgetKind.DEFAULT), 10**6)
    with tenancy.scope(org_a.id):
        DirectoryUser.objects.create(organization=org_a.organization, user=org_a.member, user_name=MARK)
        DirectoryGroup.objects.create(organization=org_a.organization, name=MARK)
        Connection.objects.create(organization=org_a.organization, kind="saml", name=MARK, issuer=MARK)
    return running


def _id(name: str, org_a: Tenant, theirs: Generation) -> Any:
    """The id of org_a that belongs into the address of this name."""
    words = set(name.split("-"))
    rows = {"key": org_a.api_key, "generation": theirs, "studio": theirs}
    if name in DOORS:
        return theirs.pk
    if found := next((rows[word] for word in words if word in rows), None):
        return found.pk
    kinds: dict[str, Any] = {"member": Membership, "invitation": Invitation, "team": Team, "role": CustomRole}
    kinds |= {"audit": AuditStream, "domain": Domain, "rule": GroupRule, "sso": Connection, "service": ServiceAccount}
    kinds |= {"budget": Budget}
    kinds |= {"token": DirectoryToken, "person": DirectoryUser, "group": DirectoryGroup}
    order = (
        "audit",
        "budget",
        "service",
        "domain",
        "rule",
        "token",
        "person",
        "group",
        "sso",
        "team",
        "invitation",
        "member",
        "role",
    )
    model = next(kinds[word] for word in order if word in words)
    with tenancy.scope(org_a.id):
        return model.objects.order_by("id").last().pk


def address(name: str, org_a: Tenant, theirs: Generation) -> str:
    places = places_of(name)
    ids = {"name": "default", "key": "x-y", "uidb36": "1", "token": "x" * 43, "pk": 1, "kind": "generations"}
    ids |= {"app_label": "accounts"}
    ids |= {"protocol": "oidc"}
    ids |= _privacy_ids(org_a)
    if "member" in places:
        ids["member"] = _id("member", org_a, theirs)
    if "id" in places:
        ids["id"] = _id(name, org_a, theirs)
    if "object_id" in places:
        ids["object_id"] = _staff_id(name, org_a, theirs)
    return reverse(name, kwargs={place: ids[place] for place in places})


def _staff_id(name: str, org_a: Tenant, theirs: Generation) -> Any:
    """The row of org_a's, or of everybody's, that a page of the staff console is about."""
    app, model_name, *_ = name.removeprefix("staff:").split("_")
    rows = {Organization: org_a.organization, User: org_a.owner, ApiKey: org_a.api_key, Generation: theirs}
    model = apps.get_model(app, model_name)
    if model in rows:
        return rows[model].pk
    with tenancy.scope(org_a.id):
        return model._default_manager.first().pk


def _privacy_ids(org_a: Tenant) -> dict[str, Any]:
    """An export and an erasure of org_a's, made at first need, and a link that is org_a's owner's."""
    with tenancy.scope(org_a.id):
        about = {"organization_id": org_a.id, "requested_by": org_a.owner}
        export = Export.objects.first() or Export.objects.create(
            **about, scope=Scope.ORGANIZATION, status=Status.SUCCEEDED, path="exports/none.zip"
        )
        erasure = Erasure.objects.first() or Erasure.objects.create(
            **about, scope=Scope.MEMBER, status=Status.SUCCEEDED, pseudonym="erased-1"
        )
    link = downloads.link_to(export, org_a.actor).rpartition("/")[2]
    return {"person": org_a.member.pk, "export": export.pk, "erasure": erasure.pk, "link": link}


def everyone_else(org_b: Tenant, outsider: User) -> Iterator[tuple[str, Client, dict[str, str]]]:
    yield "anonymous", Client(raise_request_exception=False), {}
    yield "a wrong key", Client(raise_request_exception=False), {"authorization": "Bearer mr_wrong"}
    yield "org_b's key", Client(raise_request_exception=False), org_b.bearer
    for who, user in (("outsider", outsider), ("org_b's owner", org_b.owner)):
        client = Client(raise_request_exception=False)
        client.force_login(user)
        yield who, client, {}


def body_of(response: Any) -> str:
    if not response.streaming:
        return str(response.content.decode(errors="replace"))
    return ""


def assert_nothing_shown(response: Any, what: str, org_a: Tenant, name: str) -> None:
    text = body_of(response)
    assert response.status_code < 500 or name in MAY_BE_UNAVAILABLE, f"{what}: {response.status_code}"
    for secret in (MARK, org_a.organization.name, org_a.owner.email, org_a.api_key.prefix):
        assert secret not in text, f"{what} shows {secret}"
    if OWNED & set(ROUTES[name].pattern.regex.groupindex):
        assert response.status_code not in {200, 201, 202}, f"{what}: {response.status_code}"


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_nobody_else_sees_or_changes_anything(
    name: str, org_a: Tenant, org_b: Tenant, outsider: User, theirs: Generation
) -> None:
    url = address(name, org_a, theirs)
    before = _state(org_a)
    for who, client, headers in everyone_else(org_b, outsider):
        for method in ("get", "post", "put", "patch", "delete"):
            response = client.generic(method.upper(), url, b"{}", "application/json", headers=headers)
            assert_nothing_shown(response, f"{method.upper()} {url} by {who}", org_a, name)
        response = client.post(url, {"organization": str(org_a.id), "name": org_a.api_key.name}, headers=headers)
        assert_nothing_shown(response, f"a form to {url} by {who}", org_a, name)
    assert _state(org_a) == before


def _state(tenant: Tenant) -> list[Any]:
    """Every row of the organization, as PostgreSQL writes it."""
    found: list[Any] = []
    with tenancy.scope(tenant.id), connection.cursor() as cursor:
        for model in tenant_models():
            cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t ORDER BY 1")
            found += cursor.fetchall()
    return found


@pytest.mark.parametrize("name", sorted(name for name in ROUTES if name.startswith(("api-", "openai-"))))
def test_the_organization_itself_is_answered(name: str, org_a: Tenant, theirs: Generation) -> None:
    """Without this, an address that refuses everybody would pass the attack."""
    # Keys have no scope for privacy, the audit log, the organization, its budgets and invitations to people.
    by_session = ("api-privacy", "api-audit", "api-organization", "api-budget", "api-invitation")
    if name in {"api-keys", "api-key-revoke", "api-key-rotate"} or name.startswith(by_session):
        client, headers = Client(), {}
        client.force_login(org_a.owner)
    else:
        client, headers = Client(), org_a.bearer
    query = {"person": str(org_a.member.pk), "days": "30"} if name.startswith("api-privacy") else {}
    response = client.get(address(name, org_a, theirs), query, headers=headers)
    assert response.status_code in {200, 405}
    if response.status_code == 405:
        assert {"POST", "PUT"} & set(response["allow"].split(", "))


PAGES = ["dashboard", "studio", "studio-generation", "history", "api-keys", "api-key-revoke", "api-key-rotate"]
PAGES += ["audit-log", "audit-settings"]
PAGES += ["membership", "leave", "members", "member", "member-remove", "invitations", "teams", "team", "roles", "role"]
PAGES += ["role-new", "organization-settings", "ownership-transfer", "organization-delete"]
PAGES += ["service-accounts", "service-account", "member-sessions"]
PAGES += ["usage", "usage-ledger", "budgets", "budget"]
PAGES += ["privacy", "my-data"]
PAGES += ["sso-overview", "sso-new", "sso-connection", "sso-remove", "security-policy", "sso-directory"]


@pytest.mark.parametrize("name", PAGES)
def test_members_see_their_own_pages(name: str, org_a: Tenant, theirs: Generation) -> None:
    client = Client()
    client.force_login(org_a.owner)
    response = client.get(address(name, org_a, theirs))
    assert response.status_code == 200
    assert org_a.organization.name in body_of(response)


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/v1/nothing", "/studio/not-a-uuid/", "/api/v1/generations/x"]
)
def test_a_missing_address_is_404_in_its_own_convention(path: str, org_a: Tenant) -> None:
    response = Client(raise_request_exception=False).get(path, headers=org_a.bearer)
    assert response.status_code == 404
    is_json = response["content-type"].startswith("application/json")
    assert is_json == path.startswith(("/api/", "/v1/"))
    if is_json:
        assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("name", ["home", "account_login", "account_signup", "api-docs"])
def test_pages_hold_to_the_policy(name: str, db: None) -> None:
    response = Client().get(reverse(name))
    assert response.status_code == 200
    policy = response["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self'" in policy
    assert response["x-frame-options"] == "DENY"
