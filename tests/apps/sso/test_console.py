"""The console of single sign-on: who may open it, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from apps.accounts.models import AuditEntry, Role
from apps.core import tenancy
from apps.sso import services
from apps.sso.models import Connection, Domain, GroupRule
from tests.apps.sso.conftest import CLIENT_SECRET, Connect, back, confirm, verified
from tests.helpers.oidc_provider import Provider
from tests.helpers.people import Tenant
from tests.helpers.saml_provider import IdentityProvider

SignIn = Callable[[Any], Client]
OIDC = {"name": "Okta", "client_id": "millrace", "client_secret": CLIENT_SECRET, "default_role": Role.MEMBER}


def test_a_connection_is_made_tested_switched_on_and_removed(
    acme: Tenant, provider: Provider, client_of: SignIn
) -> None:
    client = client_of(acme.admin)
    made = client.post("/settings/sso/new/oidc/", OIDC | {"issuer": provider.issuer, "creates_members": "on"})
    assert made.status_code == 302, made.content.decode()
    page = client.get(made["location"]).content.decode()
    assert "/callback/" in page
    assert CLIENT_SECRET not in page
    id = made["location"].rstrip("/").rpartition("/")[2]

    url = client.post(f"/settings/sso/connections/{id}/test/").context["url"]
    provider.set_user("t", email="t@org-a.example", name="Tess", department="R&D")
    trial = back(client, provider.approve(url, "t"))
    assert trial.status_code == 200
    assert "R&amp;D" in trial.content.decode()
    assert client.session["_auth_user_id"] == str(acme.admin.pk)

    client.post(f"/settings/sso/connections/{id}/switch/", {"enabled": "1"})
    with tenancy.scope(acme.id):
        connection = Connection.objects.get(pk=id)
        assert (connection.enabled, connection.tested_at is not None) == (True, True)
    assert client.post(f"/settings/sso/connections/{id}/remove/", {"name": "wrong"}).status_code == 422
    assert client.post(f"/settings/sso/connections/{id}/remove/", {"name": "Okta"}).status_code == 302
    with tenancy.scope(acme.id):
        assert not Connection.objects.exists()


def test_changing_a_connection_keeps_its_secret_and_is_audited(
    acme: Tenant, connect_oidc: Connect, client_of: SignIn
) -> None:
    connection = connect_oidc(acme)
    client = client_of(acme.owner)
    form = OIDC | {"client_secret": "", "default_role": Role.AUDITOR, "trusts_mfa": "on"}
    assert client.post(f"/settings/sso/connections/{connection.pk}/", form).status_code == 302
    with tenancy.scope(acme.id):
        found = Connection.objects.get(pk=connection.pk)
        entry = AuditEntry.objects.get(action="sso.connection_changed")
    assert found.client_secret == connection.client_secret
    assert found.default_role == Role.AUDITOR
    assert entry.before == {"creates_members": True, "default_role": "member", "trusts_mfa": False}


def test_saml_metadata_is_pasted(acme: Tenant, idp: IdentityProvider, client_of: SignIn) -> None:
    client = client_of(acme.owner)
    form = {"name": "ADFS", "default_role": Role.MEMBER}
    assert client.post("/settings/sso/new/saml/", form).status_code == 422
    assert client.post("/settings/sso/new/saml/", form | {"metadata": "<a/>"}).status_code == 422
    made = client.post("/settings/sso/new/saml/", form | {"metadata": idp.metadata.decode()})
    assert made.status_code == 302, made.content.decode()
    assert "/acs/" in client.get(made["location"]).content.decode()


def test_a_provider_that_does_not_answer_is_said_at_the_form(acme: Tenant, client_of: SignIn) -> None:
    client = client_of(acme.owner)
    for issuer in ("http://127.0.0.1:9/", "http://169.254.169.254/", "ftp://x"):
        page = client.post("/settings/sso/new/oidc/", OIDC | {"issuer": issuer})
        assert page.status_code == 422, issuer
        assert page.context["form"].errors.keys() == {"issuer"}


def test_domains_and_rules_are_listed_added_and_removed(acme: Tenant, client_of: SignIn) -> None:
    client = client_of(acme.owner)
    assert client.post("/settings/sso/domains/", {"name": "nonsense"}).status_code == 422
    assert client.post("/settings/sso/domains/", {"name": "more.example"}).status_code == 302
    assert client.post("/settings/sso/domains/", {"name": "more.example"}).status_code == 422
    assert client.post("/settings/sso/rules/", {"group": "Finance", "role": Role.BILLING}).status_code == 302
    assert client.post("/settings/sso/rules/", {"group": "finance", "role": Role.ADMIN}).status_code == 422
    assert client.post("/settings/sso/rules/", {"group": "Bosses", "role": Role.OWNER}).status_code == 422
    page = client.get("/settings/sso/").content.decode()
    assert "_millrace-verification.more.example" in page
    assert "Finance" in page
    with tenancy.scope(acme.id):
        domain, rule = Domain.objects.get(name="more.example"), GroupRule.objects.get()
    client.post(f"/settings/sso/domains/{domain.pk}/remove/")
    client.post(f"/settings/sso/rules/{rule.pk}/remove/")
    page = client.get("/settings/sso/").content.decode()
    assert "more.example" not in page
    assert "Finance" not in page


def test_members_outside_the_domains_are_counted_before_single_sign_on_is_demanded(
    org_a: Tenant, client_of: SignIn
) -> None:
    client = client_of(org_a.owner)
    assert client.get("/settings/security/").context["outside"] == 3
    verified(org_a, "org-a.example")
    assert client.get("/settings/security/").context["outside"] == 0


PAGES = ["/settings/sso/", "/settings/sso/new/oidc/", "/settings/sso/new/saml/", "/settings/security/"]


@pytest.mark.parametrize("path", PAGES)
def test_only_owners_and_admins_open_the_console(acme: Tenant, outsider: Any, client_of: SignIn, path: str) -> None:
    assert client_of(acme.owner).get(path).status_code == 200
    assert client_of(acme.admin).get(path).status_code == 200
    assert client_of(acme.member).get(path).status_code == 403
    assert client_of(outsider).get(path).status_code == 404
    assert Client().get(path)["location"].startswith("/accounts/login/")


def test_another_organizations_ids_are_answered_like_none(
    acme: Tenant, org_b: Tenant, connect_oidc: Connect, client_of: SignIn
) -> None:
    connection = connect_oidc(acme)
    rule = services.create_rule(acme.actor, "g", Role.MEMBER)
    domain = services.claim_domain(acme.actor, "more.example")
    client = client_of(org_b.owner)

    def ask(method: str, path: str, id: Any) -> tuple[int, str]:
        answer = getattr(client, method)(path.format(id))
        return answer.status_code, answer.content.decode().replace(str(id), "ID").split("<main")[-1]

    for method, path, id in (
        ("get", "/settings/sso/connections/{}/", connection.pk),
        ("post", "/settings/sso/connections/{}/switch/", connection.pk),
        ("post", "/settings/sso/connections/{}/test/", connection.pk),
        ("post", "/settings/sso/connections/{}/remove/", connection.pk),
        ("post", "/settings/sso/domains/{}/verify/", domain.pk),
        ("post", "/settings/sso/domains/{}/remove/", domain.pk),
        ("post", "/settings/sso/rules/{}/remove/", rule.pk),
    ):
        theirs, nothing = ask(method, path, id), ask(method, path, uuid4())
        assert theirs[0] == nothing[0] == 404, path
    with tenancy.scope(acme.id):
        assert Connection.objects.get().enabled
        assert Domain.objects.filter(pk=domain.pk).exists()


def test_an_admin_gives_no_role_above_their_own(acme: Tenant, client_of: SignIn) -> None:
    confirm(acme.admin)
    client = client_of(acme.admin)
    assert client.post("/settings/sso/rules/", {"group": "g", "role": Role.ADMIN}).status_code == 302
    assert client.post("/settings/sso/rules/", {"group": "h", "role": Role.OWNER}).status_code == 422
