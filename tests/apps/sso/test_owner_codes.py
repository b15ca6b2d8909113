"""Who may demand single sign-on, and the codes that let an owner in when it is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import AuditEntry, OwnerCode
from apps.accounts.services import security
from apps.accounts.services.security import Demands
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, PermissionDenied
from apps.sso import services
from apps.sso.models import Connection
from tests.apps.sso.conftest import through_oidc
from tests.apps.sso.policies import assert_inside, assert_outside, by_password, by_password_of, demand
from tests.helpers.oidc_provider import Provider
from tests.helpers.people import Tenant, actor_of

SignIn = Callable[[Any], Client]


def test_who_has_not_come_by_single_sign_on_cannot_demand_it(acme: Tenant, connection: Connection) -> None:
    with pytest.raises(InvalidRequest):
        demand(acme, sso_required=True, vouched=False)


def test_it_cannot_be_demanded_without_a_connection(acme: Tenant) -> None:
    with pytest.raises(InvalidRequest):
        demand(acme, sso_required=True)


def test_the_last_connection_cannot_go_while_it_is_demanded(strict: Tenant, connection: Connection) -> None:
    for act in (
        lambda: services.switch_connection(strict.actor, connection.pk, False),
        lambda: services.delete_connection(strict.actor, connection.pk),
    ):
        with pytest.raises(Conflict):
            act()


def test_a_member_sets_no_policy(acme: Tenant, client_of: SignIn) -> None:
    assert client_of(acme.member).get("/settings/security/").status_code == 403
    with pytest.raises(PermissionDenied):
        security.set_policy(actor_of(acme.member), Demands(False, True, 0, 24, None), vouched=True)


def test_a_change_is_audited_before_and_after(strict: Tenant) -> None:
    with tenancy.scope(strict.id):
        entry = AuditEntry.objects.get(action="security.policy_changed")
    assert entry.before["sso_required_from"] is None
    assert entry.after["sso_required_from"]


def test_the_page_sets_the_policy_and_shows_the_codes_once(
    acme: Tenant, connection: Connection, provider: Provider, client: Client
) -> None:
    through_oidc(client, provider, connection, "o", email=acme.owner.email)
    form = {"sso_required": "on", "grace_days": "0", "sso_session_hours": "8"}
    page = client.post("/settings/security/", form)
    codes = page.context["codes"]
    assert len(codes) == security.OWNER_CODES
    assert codes[0] in page.content.decode()
    assert codes[0] not in client.get("/settings/security/").content.decode()
    assert_inside(client)


def test_an_owner_code_lets_an_owner_in_once(acme: Tenant, connection: Connection) -> None:
    codes = demand(acme, sso_required=True)
    client = by_password(acme.owner)
    assert "Owner code" in client.get("/sso/step-up/").content.decode()
    assert client.post("/sso/owner-code/", {"code": codes[0].upper()}).status_code == 302
    assert_inside(client)
    again = by_password(acme.owner)
    assert again.post("/sso/owner-code/", {"code": codes[0]}).status_code == 403
    assert_outside(again)
    with tenancy.scope(acme.id):
        actions = list(AuditEntry.objects.values_list("action", flat=True))
        assert OwnerCode.objects.filter(used_at__isnull=False).count() == 1
    assert "security.owner_code_used" in actions
    assert "security.owner_code_refused" in actions


def test_an_owner_code_is_for_owners_of_its_organization(
    acme: Tenant, org_b: Tenant, connection: Connection, provider: Provider
) -> None:
    [code, *_] = demand(acme, sso_required=True)
    for user in (acme.admin, acme.member):
        client = by_password(user)
        assert client.post("/sso/owner-code/", {"code": code}).status_code == 403
        assert_outside(client)
    theirs = by_password_of(org_b.owner)
    assert theirs.post("/sso/owner-code/", {"code": code}).status_code == 403


def test_owner_codes_cannot_be_guessed_quickly(acme: Tenant, connection: Connection) -> None:
    demand(acme, sso_required=True)
    client = by_password(acme.owner)
    answers = [client.post("/sso/owner-code/", {"code": f"{n:020x}"}).status_code for n in range(8)]
    assert 429 in answers


def test_an_owner_code_does_not_replace_a_second_factor(acme: Tenant, connection: Connection) -> None:
    [code, *_] = demand(acme, sso_required=True, mfa_required=True)
    client = by_password(acme.owner)
    client.post("/sso/owner-code/", {"code": code})
    assert_outside(client, "mfa_required")
