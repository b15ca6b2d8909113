"""Administrators see where members are signed in, and end it: for their own organization, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts import services
from apps.accounts.models import BrowserSession, Membership
from apps.accounts.sessions import session_handle
from apps.core import tenancy
from apps.core.errors import NotFound, PermissionDenied
from apps.sso.models import Domain
from tests.helpers.people import PASSWORD, Tenant, acting, add_person, audit_of

URL = "/settings/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"


def sign_in(user: Any) -> Client:
    client = Client(headers={"user-agent": FIREFOX}, raise_request_exception=False)
    answer = client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def key_of(client: Client) -> str:
    return client.cookies[configured.SESSION_COOKIE_NAME].value


def status_of(client: Client) -> int:
    return client.get(reverse("dashboard")).status_code


def join(tenant: Tenant, user: Any) -> None:
    with tenancy.scope(tenant.id):
        Membership.objects.create(organization=tenant.organization, user=user)


def test_the_page_says_who_is_signed_in_with_what_and_from_where(org_a: Tenant, org_b: Tenant) -> None:
    member, _stranger = sign_in(org_a.member), sign_in(org_b.member)
    page = sign_in(org_a.owner).get(URL)
    assert page.status_code == 200
    for shown in (org_a.member.email, org_a.owner.email, "Firefox on Linux", "127.0.0.1", "Password"):
        assert shown in page.text
    assert org_b.member.email not in page.text
    assert key_of(member) not in page.text


def test_only_whoever_may_manage_sessions_sees_them(org_a: Tenant, outsider: Any) -> None:
    assert sign_in(org_a.member).get(URL).status_code == 403
    assert sign_in(outsider).get(URL).status_code == 404
    with pytest.raises(PermissionDenied):
        services.end_all_sessions(acting(org_a, org_a.member), keep="")


def test_one_session_ends_for_the_organization_alone(org_a: Tenant, org_b: Tenant) -> None:
    join(org_b, org_a.member)
    ended, other = sign_in(org_a.member), sign_in(org_a.member)
    owner = sign_in(org_a.owner)
    handle = session_handle(key_of(ended))
    assert owner.post(URL, {"person": org_a.member.pk, "session": handle}).status_code == 302
    # In the first of their organizations that is left, without being asked.
    assert org_b.organization.name in ended.get(reverse("dashboard")).text
    ended.post(reverse("switch-organization"), {"organization": org_a.id})
    assert status_of(ended) == 401
    assert ended.get("/api/v1/usage").json()["error"]["code"] == "session_ended"
    assert status_of(other) == 200
    assert org_a.organization.name in other.get(reverse("dashboard")).text
    [entry] = audit_of(org_a, "sessions.ended")
    assert (entry.object_name, entry.detail["sessions"]) == (org_a.member.email, 1)
    assert "ended here" in owner.get(URL).text


def test_signing_in_again_begins_anew(org_a: Tenant) -> None:
    client = sign_in(org_a.member)
    services.end_member_sessions(org_a.actor, org_a.member.pk)
    assert status_of(client) == 401
    assert status_of(sign_in(org_a.member)) == 200


def test_of_a_domain_that_is_the_organizations_own_a_session_ends_everywhere(org_a: Tenant, org_b: Tenant) -> None:
    join(org_b, org_a.member)
    client = sign_in(org_a.member)
    with tenancy.scope(org_a.id):
        Domain.objects.create(
            organization=org_a.organization, name="org-a.example", token="t", verified_at=timezone.now()
        )
    assert services.end_member_sessions(org_b.actor, org_a.member.pk) == 1
    assert BrowserSession.objects.filter(session_key=key_of(client)).exists()
    assert services.end_member_sessions(org_a.actor, org_a.member.pk) == 1
    assert not BrowserSession.objects.filter(session_key=key_of(client)).exists()


def test_all_of_one_person_and_all_of_everybody(org_a: Tenant, org_b: Tenant) -> None:
    first, second, admin = sign_in(org_a.member), sign_in(org_a.member), sign_in(org_a.admin)
    stranger, owner = sign_in(org_b.owner), sign_in(org_a.owner)
    owner.post(URL, {"person": org_a.member.pk})
    assert [status_of(client) for client in (first, second, admin)] == [401, 401, 200]
    again = sign_in(org_a.member)
    owner.post(URL, {})
    assert [status_of(client) for client in (again, admin, owner, stranger)] == [401, 401, 200, 200]
    [entry] = audit_of(org_a, "sessions.all_ended")
    assert (entry.detail["sessions"], entry.detail["members"]) == (2, 2)


def test_an_admin_does_not_end_an_owners_session(org_a: Tenant) -> None:
    owner, admin = sign_in(org_a.owner), acting(org_a, org_a.admin)
    with pytest.raises(PermissionDenied):
        services.end_member_sessions(admin, org_a.owner.pk)
    services.end_all_sessions(admin, keep="")
    assert status_of(owner) == 200


def test_another_organizations_people_are_not_there(org_a: Tenant, org_b: Tenant, outsider: Any) -> None:
    theirs = sign_in(org_b.member)
    for user in (org_b.member, outsider):
        with pytest.raises(NotFound) as refused:
            services.end_member_sessions(org_a.actor, user.pk)
        assert refused.value.message == "There is no member with this id."
        with pytest.raises(NotFound):
            services.end_member_session(org_a.actor, user.pk, session_handle(key_of(theirs)))
    with pytest.raises(NotFound):
        services.end_member_session(org_a.actor, org_a.member.pk, session_handle(key_of(theirs)))
    services.end_all_sessions(org_a.actor, keep="")
    assert status_of(theirs) == 200


def test_the_page_asks_the_same_however_many_there_are(org_a: Tenant) -> None:
    owner = sign_in(org_a.owner)
    counts = []
    for number in (1, 6):
        for n in range(number):
            sign_in(add_person(org_a, f"p{number}-{n}"))
        with CaptureQueriesContext(connection) as queries:
            assert owner.get(URL).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_in_a_session_that_was_ended_one_still_accepts_documents_and_starts_an_organization(
    org_a: Tenant, settings: Any
) -> None:
    client = sign_in(org_a.member)
    services.end_member_sessions(org_a.actor, org_a.member.pk)
    settings.TERMS_VERSION, settings.TERMS_URL = "2026-01", "https://millrace.example/terms"
    assert client.post("/consent/", {"terms": "2026-01"}).status_code == 302
    assert client.post(reverse("organization-new"), {"name": "Their own"}).status_code == 302
    assert status_of(client) == 200
