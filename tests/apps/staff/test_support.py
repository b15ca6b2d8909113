"""Acting as a member: only where it is allowed, for half an hour, with less than the member may, and in full view."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts import impersonation, services
from apps.accounts.access import Credential
from apps.accounts.audit.sentences import sentence
from apps.accounts.models import Impersonation, Organization, SupportGrant, User
from apps.accounts.services.standing import permissions_now
from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound, PermissionDenied
from apps.registry.models import ModelVersion
from apps.staff.abilities import SUPPORT
from apps.studio.models import Generation
from tests.helpers.people import Tenant, acting, audit_of, make_tenant, member_of
from tests.helpers.staff import browser_of, make_staff
from tests.helpers.studio import ask

pytestmark = pytest.mark.django_db
WHY = "they cannot see their history, ticket 4711"


@pytest.fixture
def staff() -> User:
    return make_staff(group=SUPPORT)


@pytest.fixture
def browser(staff: User) -> Client:
    return browser_of(staff)


@pytest.fixture
def allowed(org_a: Tenant) -> Tenant:
    services.allow_support(org_a.actor, 7)
    return org_a


def begin(browser: Client, tenant: Tenant, person: User, reason: str = WHY) -> Any:
    url = reverse("staff:accounts_membership_act_as", args=[member_of(tenant, person).pk])
    return browser.post(url, {"reason": reason})


def row_of(tenant: Tenant) -> Impersonation:
    with tenancy.scope(tenant.id):
        row: Impersonation = Impersonation.objects.order_by("-started_at").first()
    return row


# ---------------------------------------------------------------- the permission
def test_without_the_organizations_permission_nobody_acts_as_a_member(browser: Client, org_a: Tenant) -> None:
    """There is no way around it, also not for a superuser."""
    for client in (browser, browser_of(make_staff("root", is_superuser=True))):
        answer = begin(client, org_a, org_a.member)
        assert answer.status_code == 422
        assert "not allowed support" in answer.text
        assert impersonation.SESSION_KEY not in client.session


def test_an_owner_allows_it_for_some_days_and_takes_it_back(org_a: Tenant, client_of: Any) -> None:
    owner = client_of(org_a.owner)
    page = reverse("organization-settings")
    assert "cannot act as a member unless" in owner.get(page).text
    assert owner.post(reverse("support-access"), {"days": "3"}).status_code == 302
    assert "Take it back" in owner.get(page).text
    with tenancy.scope(org_a.id):
        left = SupportGrant.objects.get().expires_at - timezone.now()
    assert timedelta(days=2, hours=23) < left <= timedelta(days=3)
    assert owner.post(reverse("support-access")).status_code == 302
    assert [bool(audit_of(org_a, action)) for action in ("support.allowed", "support.forbidden")] == [True, True]
    with pytest.raises(NotFound):
        services.forbid_support(org_a.actor)


def test_only_who_sets_sign_in_rules_allows_it_and_not_for_ever(org_a: Tenant, org_b: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        services.allow_support(acting(org_a, org_a.member), 1)
    for days in (0, 365, -1):
        with pytest.raises(InvalidRequest):
            services.allow_support(org_a.actor, days)
    services.allow_support(org_b.actor, 1)
    assert services.support_grant(org_a.actor) is None


# ---------------------------------------------------------------- acting
def test_staff_sees_what_the_member_sees_under_a_banner(
    browser: Client, staff: User, allowed: Tenant, org_b: Tenant, model: ModelVersion
) -> None:
    ask(allowed, "A line about Xylophones.")
    assert begin(browser, allowed, allowed.member).url == reverse("dashboard")
    for name in ("dashboard", "studio", "history"):
        page = browser.get(reverse(name))
        assert page.status_code == 200
        assert f"{staff.email} of the operator" in page.text
        assert allowed.member.email in page.text
        assert "minutes" in page.text
        assert reverse("support-end") in page.text
        assert org_b.organization.name not in page.text
    assert "Xylophones" in browser.get(reverse("history")).text


def test_every_step_stands_in_the_organizations_log(
    browser: Client, staff: User, allowed: Tenant, model: ModelVersion
) -> None:
    begin(browser, allowed, allowed.member)
    browser.get(reverse("history"))
    browser.post(reverse("support-end"))
    [started], [ended] = audit_of(allowed, "support.started"), audit_of(allowed, "support.ended")
    assert sentence(started) == f"{staff.email} began to act as {allowed.member.email}. Reason: {WHY}."
    assert started.actor_kind == ended.actor_kind == "staff"
    used = audit_of(allowed, "support.used_page")[-1]
    assert (used.user_id, used.impersonator_id) == (allowed.member.pk, staff.pk)
    assert sentence(used) == f"{staff.email}, acting as {allowed.member.email}, used the page /history/ (GET)."


def test_what_staff_starts_is_the_members_and_names_the_staff(
    browser: Client, staff: User, allowed: Tenant, model: ModelVersion
) -> None:
    begin(browser, allowed, allowed.member)
    browser.post(reverse("studio"), {"mode": "prompt", "prompt": "Tea.", "model": "default"})
    posts = [entry for entry in audit_of(allowed, "support.used_page") if entry.detail["method"] == "POST"]
    assert [entry.impersonator_id for entry in posts] == [staff.pk]
    with tenancy.scope(allowed.id):
        assert {row.created_by_id for row in Generation.objects.all()} <= {allowed.member.pk}


def test_an_owner_in_support_is_no_owner(browser: Client, allowed: Tenant) -> None:
    """Keys, sign-in rules, owners, members, money and privacy stay out of reach, whatever the member may do."""
    begin(browser, allowed, allowed.owner)
    forbidden = {
        "api-keys": {"name": "theirs", "scopes": "generations:read"},
        "organization-settings": {"name": "Renamed", "slug": "renamed", "language": "en"},
        "ownership-transfer": {"email": allowed.admin.email, "name": allowed.organization.name},
        "organization-delete": {"name": allowed.organization.name},
        "leave": {"name": allowed.organization.name},
        "invitations": {"email": "mine@operator.example", "role": "admin"},
        "support-access": {"days": "30"},
        "my-erasure": {"email": allowed.owner.email},
        "my-data": {"mail": "yes"},
        "security-policy": {"mfa_required": ""},
        "audit-settings": {"form": "retention", "retention_days": "30"},
        "role-new": {"name": "theirs", "permissions": "keys:manage"},
    }
    for name, data in forbidden.items():
        answer = browser.post(reverse(name), data)
        assert answer.status_code == 403, name
    with tenancy.scope(allowed.id):
        assert Organization.objects.get().name == allowed.organization.name
    for name in ("my-data", "membership", "security-policy", "sso-overview", "member-sessions", "service-accounts"):
        assert browser.get(reverse(name)).status_code == 403, name


def test_the_api_is_not_for_support(browser: Client, allowed: Tenant, model: ModelVersion) -> None:
    begin(browser, allowed, allowed.owner)
    for method, path in (("get", "/api/v1/generations"), ("post", "/api/v1/generations"), ("get", "/api/v1/usage")):
        answer = getattr(browser, method)(path, content_type="application/json")
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "permission_denied"


# ---------------------------------------------------------------- its end
def test_staff_is_itself_again_afterwards(browser: Client, staff: User, allowed: Tenant) -> None:
    own = make_tenant("own")
    from apps.accounts.models import Membership

    with tenancy.scope(own.id):
        Membership.objects.create(organization=own.organization, user=staff)
    begin(browser, allowed, allowed.member)
    assert browser.post(reverse("support-end")).url == reverse("staff:index")
    page = browser.get(reverse("dashboard"))
    assert own.organization.name in page.text
    assert allowed.organization.name not in page.text
    assert browser.get(reverse("staff:index")).status_code == 200
    assert row_of(allowed).ended_at is not None


@pytest.mark.parametrize("why", ["time", "permission", "membership", "staff", "ended"])
def test_it_ends_by_itself(why: str, browser: Client, staff: User, allowed: Tenant) -> None:
    begin(browser, allowed, allowed.member)
    assert browser.get(reverse("dashboard")).status_code == 200
    key = browser.session.session_key or ""
    credential = Credential(allowed.id, owner_id=allowed.member.pk, session_key=key)
    assert "generations:read" in permissions_now([credential])[credential]
    with tenancy.scope(allowed.id):
        match why:
            case "time":
                Impersonation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
            case "permission":
                services.forbid_support(allowed.actor)
            case "membership":
                services.remove_member(allowed.actor, member_of(allowed, allowed.member).pk)
            case "staff":
                User.objects.filter(pk=staff.pk).update(is_staff=False)
            case "ended":
                Impersonation.objects.update(ended_at=timezone.now())
    # What an open WebSocket or stream is asked every few seconds.
    assert credential not in permissions_now([credential])
    answer = browser.get(reverse("dashboard"))
    assert answer.status_code == 401
    assert allowed.organization.name not in answer.text
    assert browser.get(reverse("dashboard")).status_code == 404


def test_it_lasts_half_an_hour_at_most_and_no_longer_than_the_permission(browser: Client, allowed: Tenant) -> None:
    begin(browser, allowed, allowed.member)
    row = row_of(allowed)
    assert row.expires_at - row.started_at <= timedelta(minutes=30, seconds=1)
    with tenancy.scope(allowed.id):
        SupportGrant.objects.update(expires_at=timezone.now() + timedelta(minutes=5))
    begin(browser, allowed, allowed.admin)
    row = row_of(allowed)
    assert row.expires_at - row.started_at <= timedelta(minutes=5, seconds=1)


def test_the_end_by_time_is_written_as_well(browser: Client, allowed: Tenant) -> None:
    begin(browser, allowed, allowed.member)
    assert services.end_overdue_impersonations() == 0
    with tenancy.scope(allowed.id):
        Impersonation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert services.end_overdue_impersonations() == 1
    assert services.end_overdue_impersonations() == 0
    [ended] = audit_of(allowed, "support.ended")
    assert ended.detail["how"] == "the time was over"


# ---------------------------------------------------------------- who, and whom
def test_nobody_acts_as_staff(browser: Client, allowed: Tenant) -> None:
    User.objects.filter(pk=allowed.member.pk).update(is_staff=True)
    assert begin(browser, allowed, allowed.member).status_code == 422


def test_members_become_staff_only_after_it_has_begun_and_it_ends(browser: Client, allowed: Tenant) -> None:
    begin(browser, allowed, allowed.member)
    User.objects.filter(pk=allowed.member.pk).update(is_staff=True)
    assert browser.get(reverse("dashboard")).status_code == 401


def test_it_needs_a_reason_and_the_ability(browser: Client, allowed: Tenant) -> None:
    assert begin(browser, allowed, allowed.member, reason="").status_code == 422
    assert begin(browser_of(make_staff("nobody", group="")), allowed, allowed.member).status_code == 403


def test_a_customer_cannot_put_it_into_a_session(allowed: Tenant, staff: User, org_b: Tenant) -> None:
    """The row names the member of staff: whoever else holds its id is nobody."""
    row = services.begin_impersonation(staff, allowed.id, member_of(allowed, allowed.member).pk, WHY)
    client = browser_of(org_b.owner)
    session = client.session
    session[impersonation.SESSION_KEY] = str(row.pk)
    session.save()
    answer = client.get(reverse("dashboard"))
    assert answer.status_code == 401
    assert allowed.organization.name not in answer.text
