"""Nobody goes on before they have accepted the present version, once; what is optional is given and withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from apps.accounts.models import AuditEntry, SecurityPolicy, User
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.privacy import services
from apps.privacy.models import Consent, Document
from tests.helpers.people import PASSWORD, Tenant
from tests.helpers.privacy import acting

SignIn = Callable[[Any], Client]


@pytest.fixture
def terms(settings: Any) -> None:
    settings.TERMS_VERSION, settings.TERMS_URL = "2026-01", "https://millrace.example/terms"


def given(person: User) -> list[tuple[str, str, bool]]:
    return list(Consent.objects.filter(person=person).order_by("id").values_list("document", "version", "given"))


def test_without_published_versions_nobody_is_asked(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    assert client.get("/dashboard/").status_code == 200
    assert client.get("/consent/").url == "/dashboard/"
    assert given(org_a.owner) == []


def test_a_published_version_is_asked_for_before_anything_else(
    org_a: Tenant, client_of: SignIn, terms: None, settings: Any
) -> None:
    client = client_of(org_a.owner)
    page = client.get("/history/?status=failed")
    assert page.url == "/consent/?next=%2Fhistory%2F%3Fstatus%3Dfailed"
    assert "https://millrace.example/terms" in client.get(page.url).text
    assert client.post("/studio/", {}).url.startswith("/consent/"), "not by POST either"
    form = {"next": "/history/?status=failed"}
    assert client.post("/consent/", form).status_code == 422
    answer = client.post("/consent/", form | {"terms": "2026-01"}, headers={"user-agent": "Firefox"})
    assert answer.url == "/history/?status=failed"
    assert client.get("/history/").status_code == 200
    [consent] = Consent.objects.all()
    assert (consent.version, consent.given, consent.address, consent.agent) == (
        "2026-01",
        True,
        "127.0.0.1",
        "Firefox",
    )
    settings.PRIVACY_VERSION = "7"
    assert client.get("/history/").status_code == 302, "a new document is asked for in the same session"
    assert client.post("/consent/", {"privacy": "7", "mail": "yes"}).url == "/dashboard/"
    assert given(org_a.owner) == [("terms", "2026-01", True), ("privacy", "7", True), ("mail", "", True)]


def test_a_new_version_is_asked_for_once_more(org_a: Tenant, client_of: SignIn, terms: None, settings: Any) -> None:
    client = client_of(org_a.owner)
    client.post("/consent/", {"terms": "2026-01"})
    settings.TERMS_VERSION = "2027-01"
    assert client.get("/dashboard/").status_code == 302
    assert client.post("/consent/", {"terms": "2026-01"}).status_code == 400, "the page was of the old version"
    client.post("/consent/", {"terms": "2027-01"})
    assert client.get("/dashboard/").status_code == 200
    assert client_of(org_a.owner).get("/dashboard/").status_code == 200, "another browser is not asked again"


def test_whoever_signs_up_accepts_first(db: None, terms: None) -> None:
    client = Client()
    client.post("/accounts/signup/", {"email": "ada@example.com", "password1": PASSWORD, "password2": PASSWORD})
    assert client.get("/dashboard/").url.startswith("/consent/")
    client.post("/consent/", {"terms": "2026-01"})
    assert client.get("/dashboard/").status_code == 200
    assert given(User.objects.get()) == [("terms", "2026-01", True)]


def test_what_needs_no_consent_stays_open(org_a: Tenant, client_of: SignIn, terms: None) -> None:
    client = client_of(org_a.owner)
    for path in ("/privacy/", "/healthz", "/accounts/logout/"):
        assert client.get(path).status_code == 200, path
    assert Client().get("/").status_code == 200, "strangers are not asked"
    assert client.get("/settings/my-data/").status_code == 200, "whoever refuses may still take or erase their data"
    assert client.get("/sso/step-up/").status_code == 302, "what the organization demands is told as ever"


def test_a_session_is_asked_over_the_api_too_and_a_key_is_not(org_a: Tenant, client_of: SignIn, terms: None) -> None:
    client = client_of(org_a.owner)
    refused = client.get("/api/v1/models")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "consent_required")
    assert Client(headers=org_a.bearer).get("/api/v1/models").status_code == 200
    client.post("/consent/", {"terms": "2026-01"})
    assert client.get("/api/v1/models").status_code == 200


def test_the_gate_answers_503_when_the_database_does_not(
    org_a: Tenant, client_of: SignIn, terms: None, settings: Any
) -> None:
    client = client_of(org_a.owner)
    with connection.execute_wrapper(unreachable):
        assert client.get("/history/").status_code == 503
        assert client.get("/api/v1/models").json()["error"]["code"] == "service_unavailable"


def unreachable(*_: Any) -> Any:
    raise OperationalError("the server closed the connection unexpectedly")


def test_accepting_does_not_wait_for_what_an_organization_demands(
    org_a: Tenant, client_of: SignIn, terms: None
) -> None:
    with tenancy.scope(org_a.id):
        SecurityPolicy.objects.create(organization_id=org_a.id, mfa_required_from=timezone.now())
    client = client_of(org_a.owner)
    assert client.post("/consent/", {"terms": "2026-01"}).status_code == 302
    assert given(org_a.owner) == [("terms", "2026-01", True)]
    assert client.get("/dashboard/").url.startswith("/sso/step-up/")


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(org_a: Tenant, client_of: SignIn, terms: None, wanted: str) -> None:
    assert client_of(org_a.owner).post("/consent/", {"terms": "2026-01", "next": wanted}).url == "/dashboard/"


def test_the_outsider_is_asked_too_and_leaves_no_audit(outsider: User, client_of: SignIn, terms: None) -> None:
    client = client_of(outsider)
    assert client.post("/consent/", {"terms": "2026-01"}).status_code == 302
    assert given(outsider) == [("terms", "2026-01", True)]


def test_optional_mail_is_given_and_withdrawn_and_audited(org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.member)
    for word in ("yes", "yes", "no"):
        assert client.post("/settings/my-data/", {"mail": word}).status_code == 302
    assert given(org_a.member) == [("mail", "", True), ("mail", "", False)]
    assert not services.wants_mail(org_a.member.pk)
    assert "withdrawn" in client.get("/settings/my-data/").text
    assert "withdrawn" not in client_of(org_a.owner).get("/settings/my-data/").text
    with tenancy.scope(org_a.id):
        found = AuditEntry.objects.filter(action__startswith="privacy.consent").order_by("id")
        assert [entry.action for entry in found] == ["privacy.consent_given", "privacy.consent_withdrawn"]
    with tenancy.scope(org_b.id):
        assert not AuditEntry.objects.filter(action__startswith="privacy.consent").exists()


def test_only_the_present_version_can_be_accepted(org_a: Tenant, terms: None) -> None:
    for accepted in ({Document.TERMS: "2025-01"}, {Document.PRIVACY: "1"}, {Document.MAIL: "1"}):
        with pytest.raises(InvalidRequest):
            services.accept(org_a.owner.pk, accepted, acting(org_a, org_a.owner))
    assert given(org_a.owner) == []
