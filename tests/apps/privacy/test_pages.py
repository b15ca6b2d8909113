"""The pages: what is stored, terms, exports and their links, erasing, one's own data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core import signing
from django.test import AsyncClient, Client

from apps.accounts.access import memberships_of
from apps.accounts.models import AuditEntry, Membership, Role, User
from apps.core import tenancy
from apps.core.datakinds import kinds
from apps.core.jobs import Status
from apps.privacy import downloads, services
from apps.privacy.models import Erasure, Export, RetentionRule, Scope
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.registry.services import ModelDefinition
from tests.helpers.people import Tenant, actor_of
from tests.helpers.privacy import acting, archive_of, exported, reread
from workers import privacy as worker

SignIn = Callable[[Any], Client]


def test_everybody_may_read_what_is_stored_and_no_customer_is_named(org_a: Tenant) -> None:
    page = Client().get("/privacy/")
    assert page.status_code == 200
    for kind in kinds():
        assert str(kind.label) in page.text.replace("&#x27;", "'")
    assert org_a.organization.name not in page.text
    assert "no data leaves the installation" in page.text


def test_remote_models_and_the_mail_server_are_named_as_recipients(db: None, settings: Any) -> None:
    registry.register_model(
        ModelDefinition(name="far", remote_url="https://models.example/v1", remote_model="far", context_length=100)
    )
    settings.EMAIL_URL_HOST = "mail.example"
    page = Client().get("/privacy/").text
    assert "models.example" in page
    assert "mail.example" in page
    ModelVersion.objects.filter(name="far").update(enabled=False)
    assert "models.example" not in Client().get("/privacy/").text


def test_an_operator_says_who_they_are(db: None, settings: Any) -> None:
    settings.OPERATOR_NAME, settings.OPERATOR_CONTACT = "Ada <b>GmbH", "privacy@ada.example"
    page = Client().get("/privacy/").text
    assert "Ada &lt;b&gt;GmbH" in page
    assert "privacy@ada.example" in page


def test_the_organizations_page_is_for_those_who_may_read_it(org_a: Tenant, client_of: SignIn) -> None:
    assert client_of(org_a.owner).get("/settings/privacy/").status_code == 200
    assert client_of(org_a.member).get("/settings/privacy/").status_code == 403
    assert client_of(org_a.member).get("/settings/privacy/requests/").status_code == 403


def test_an_auditor_reads_and_changes_nothing(org_a: Tenant, client_of: SignIn) -> None:
    with tenancy.scope(org_a.id):
        [membership] = memberships_of(org_a.member)
        membership.role = Role.AUDITOR
        membership.save()
    client = client_of(org_a.member)
    page = client.get("/settings/privacy/")
    assert page.status_code == 200
    assert 'action="/settings/privacy/term/"' not in page.text or "Save" not in page.text
    assert client.post("/settings/privacy/term/", {"kind": "generations", "days": "30"}).status_code == 403
    assert client.post("/settings/privacy/export/", {}).status_code == 403


def test_a_term_is_previewed_then_chosen(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    path, form = "/settings/privacy/term/", {"kind": "generations", "days": "30"}
    assert "0 rows would be removed tonight." in client.post(path, form | {"preview": "1"}, follow=True).text
    with tenancy.scope(org_a.id):
        assert not RetentionRule.objects.exists()
    assert "removed 30 days after their end" in client.post(path, form, follow=True).text
    assert client.post(path, form | {"days": ""}).url == "/settings/privacy/"
    assert "kept without a limit" in client.get("/settings/privacy/").text
    for wrong, status in (
        ({"days": "0"}, 400),
        ({"days": "x"}, 400),
        ({"kind": "ledger"}, 404),
        ({"kind": "none"}, 404),
    ):
        assert client.post(path, form | wrong).status_code == status


# ---------------------------------------------------------------- files


def link_in(page: str) -> str:
    return page.partition('href="/privacy/files/')[2].partition('"')[0]


async def read(client: AsyncClient, link: str) -> tuple[int, bytes]:
    response = await client.get((await client.get(link)).headers["location"])
    return response.status_code, b"".join([piece async for piece in response])  # type: ignore[attr-defined]


def test_asking_waiting_and_downloading(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    assert client.post("/settings/privacy/export/", {}).url == "/settings/privacy/requests/"
    waiting = client.get("/settings/privacy/requests/")
    assert not link_in(waiting.text)
    assert "no-store" in waiting.headers["cache-control"]
    worker.wake()
    link = "/privacy/files/" + link_in(client.get("/settings/privacy/requests/").text)
    response = client.get(link, follow=True)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/zip"
    assert "no-store" in response.headers["cache-control"]
    assert "attachment" in response.headers["content-disposition"]
    with tenancy.scope(org_a.id):
        entry = AuditEntry.objects.get(action="privacy.export_downloaded")
        assert entry.user_id == org_a.owner.pk


@pytest.mark.django_db(transaction=True)
async def test_the_file_comes_whole(org_a: Tenant) -> None:
    from asgiref.sync import sync_to_async

    export = await sync_to_async(exported)(org_a.actor, Scope.ORGANIZATION)
    client = AsyncClient()
    await client.aforce_login(org_a.owner)
    status, content = await read(client, downloads.link_to(export, org_a.actor))
    assert status == 200
    assert content == await sync_to_async(services.file_of(export).read_bytes)()


def test_a_link_ends_with_what_its_owner_may_do(org_a: Tenant, client_of: SignIn) -> None:
    client, link = client_of(org_a.owner), downloads.link_to(exported(org_a.actor, Scope.ORGANIZATION), org_a.actor)
    own = downloads.link_to(exported(org_a.actor, Scope.ACCOUNT), org_a.actor)
    assert client.get(link).status_code == 302
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.owner).update(role=Role.MEMBER)
    assert client.get(link).status_code == 404
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.owner).delete()
    assert client.get(link).status_code == 404
    assert client.get(own).status_code == 302


@pytest.mark.parametrize("path", ["term/", "audit"])
def test_rules_on_what_is_kept_want_a_fresh_proof(path: str, org_a: Tenant, client_of: SignIn, settings: Any) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    client = client_of(org_a.owner)
    if path == "audit":
        answer = client.post("/settings/audit/settings/", {"form": "retention", "retention_days": "400"})
    else:
        answer = client.post("/settings/privacy/term/", {"kind": "generations", "days": "30"})
        put = client.put("/api/v1/privacy/retention/generations", {"days": 30}, content_type="application/json")
        assert (put.status_code, put.json()["error"]["code"]) == (403, "reauthentication_required")
    assert "/accounts/reauthenticate/" in answer.url
    with tenancy.scope(org_a.id):
        assert not AuditEntry.objects.filter(action__endswith="retention_changed").exists()


def test_a_link_is_its_owners_alone(org_a: Tenant, org_b: Tenant, client_of: SignIn, outsider: User) -> None:
    link = downloads.link_to(exported(org_a.actor, Scope.ORGANIZATION), org_a.actor)
    for user in (org_a.admin, org_b.owner, outsider):
        assert client_of(user).get(link).status_code == 404
    assert Client().get(link).status_code == 404
    assert client_of(org_a.owner).get(link, follow=True).status_code == 200


def test_a_link_ends_after_a_quarter_of_an_hour(
    org_a: Tenant, client_of: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = downloads.link_to(exported(org_a.actor, Scope.ORGANIZATION), org_a.actor)
    real = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: real + downloads.LINK_SECONDS + 2)
    assert downloads_refused(client_of(org_a.owner), link)


def downloads_refused(client: Client, link: str) -> bool:
    return client.get(link).status_code == 404


def test_a_forged_link_leads_nowhere(org_a: Tenant, client_of: SignIn) -> None:
    link = downloads.link_to(exported(org_a.actor, Scope.ORGANIZATION), org_a.actor)
    client = client_of(org_a.owner)
    other = signing.dumps(["x"], salt="another")
    for forged in (link[:-1] + ("A" if link[-1] != "A" else "B"), f"/privacy/files/{other}", "/privacy/files/x"):
        assert client.get(forged).status_code == 404


def test_a_removed_file_is_gone_for_old_links_too(org_a: Tenant, client_of: SignIn) -> None:
    export = exported(org_a.actor, Scope.ORGANIZATION)
    link = downloads.link_to(export, org_a.actor)
    services.file_of(export).unlink()
    assert client_of(org_a.owner).get(link).status_code == 404
    with tenancy.scope(org_a.id):
        Export.objects.filter(pk=export.pk).update(removed_at=export.finished_at)
    assert client_of(org_a.owner).get(link).status_code == 404


def test_a_member_takes_their_own_data(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.member)
    assert client.post("/settings/privacy/export/", {"scope": "account"}).url == "/settings/my-data/"
    worker.wake()
    link = "/privacy/files/" + link_in(client.get("/settings/my-data/").text)
    assert client.get(link, follow=True).status_code == 200
    assert not link_in(client_of(org_a.owner).get("/settings/privacy/requests/").text), "not the organization's"
    assert not link_in(client_of(org_a.owner).get("/settings/my-data/").text)
    with tenancy.scope(org_a.id):
        [export] = Export.objects.all()
    assert "account/people.json" in archive_of(export).namelist()


# ---------------------------------------------------------------- erasing


def test_erasing_a_member_shows_what_it_does_and_asks_for_the_address(org_a: Tenant, client_of: SignIn) -> None:
    client, path = client_of(org_a.owner), f"/settings/privacy/erase/{org_a.member.pk}/"
    page = client.get(path).text
    assert org_a.member.email in page
    assert "Members" in page
    assert client.post(path, {"texts": "keep", "email": "other@x.example"}).status_code == 422
    assert client.post(path, {"texts": "burn", "email": org_a.member.email}).status_code == 422
    assert len(memberships_of(org_a.member)) == 1
    assert client.post(path, {"texts": "erase", "email": org_a.member.email.upper()}).status_code == 302
    worker.wake()
    assert memberships_of(org_a.member) == []
    page = client.get("/settings/privacy/requests/").text
    with tenancy.scope(org_a.id):
        assert Erasure.objects.get().pseudonym in page
    assert org_a.member.email not in page


def test_another_organizations_member_cannot_be_erased(org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    path = f"/settings/privacy/erase/{org_b.member.pk}/"
    for response in (client.get(path), client.post(path, {"texts": "keep", "email": org_b.member.email})):
        assert response.status_code == 404
        assert org_b.member.email not in response.text
    assert client.post("/settings/privacy/export/", {"person": str(org_b.member.pk)}).status_code == 404
    assert client.post("/settings/privacy/export/", {"person": "nonsense"}).status_code == 404


def test_erasing_oneself_signs_out(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.member)
    assert "signed out everywhere" in client.get("/settings/my-data/erase/").text
    assert client.post("/settings/my-data/erase/", {"texts": "keep", "email": org_a.member.email}).url == "/"
    assert client.get("/settings/my-data/").status_code == 302
    worker.wake()
    with tenancy.scope(org_a.id):
        assert reread(Erasure.objects.get()).status == Status.SUCCEEDED
    assert User.objects.get(pk=org_a.member.pk).email.endswith("@erased.invalid")


def test_the_only_owner_reads_why_not(org_a: Tenant, client_of: SignIn) -> None:
    page = client_of(org_a.owner).get("/settings/my-data/erase/")
    assert page.status_code == 409
    assert "only owner" in page.text


def test_the_console_shows_the_tab_to_those_who_may(org_a: Tenant, client_of: SignIn) -> None:
    tab = 'href="/settings/privacy/"'
    assert tab in client_of(org_a.owner).get("/keys/").text
    assert tab not in client_of(org_a.member).get("/keys/").text
    assert acting(org_a, org_a.owner) == actor_of(org_a.owner)
