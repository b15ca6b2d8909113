"""Reading the log: filters, pages, exports; for those who may, and only their own."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts import audit, services
from apps.accounts.access import Actor
from apps.accounts.audit.search import Filters, filters_of, matching, page_of
from apps.accounts.audit.verification import verify
from apps.accounts.models import AuditEntry, AuditStream, Membership, Role
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.core.sheets import safe
from tests.helpers.people import Tenant

SignIn = Callable[[Any], Client]


def do(tenant: Tenant, times: int = 1, **detail: Any) -> None:
    with tenancy.scope(tenant.id):
        for number in range(times):
            audit.record(tenant.actor, "api_key.revoked", tenant.api_key, number=number, **detail)


def found(tenant: Tenant, **filters: Any) -> list[AuditEntry]:
    with tenancy.scope(tenant.id):
        return list(matching(filters_of({name: str(value) for name, value in filters.items()})))


def make(tenant: Tenant, role: str, user: Any) -> None:
    with tenancy.scope(tenant.id):
        Membership.objects.filter(user=user).update(role=role)


def test_the_page_says_what_happened_in_a_sentence(org_a: Tenant, client_of: SignIn) -> None:
    page = client_of(org_a.owner).get(reverse("audit-log")).content.decode()
    assert "owner@org-a.example created the API key “test key" in page
    assert "has not been yet" in page
    verify(org_a.id)
    assert "are whole and unchanged" in client_of(org_a.owner).get(reverse("audit-log")).content.decode()


def test_a_broken_chain_is_told_in_red(org_a: Tenant, client_of: SignIn) -> None:
    with tenancy.scope(org_a.id), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_audithead SET sequence = sequence + 5")
    verify(org_a.id)
    page = client_of(org_a.owner).get(reverse("audit-log")).content.decode()
    assert "notice-error" in page
    assert "cut off" in page


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.OWNER, 200), (Role.ADMIN, 200), (Role.AUDITOR, 200), (Role.MEMBER, 403), (Role.BILLING, 403)],
)
def test_only_those_who_may_read_it_do(org_a: Tenant, client_of: SignIn, role: str, status: int) -> None:
    make(org_a, role, org_a.member)
    client = client_of(org_a.member)
    assert client.get(reverse("audit-log")).status_code == status
    assert client.get(reverse("api-audit")).status_code == status
    managing = 200 if role in {Role.OWNER, Role.ADMIN} else 403
    assert client.get(reverse("audit-settings")).status_code == managing
    if status == 403:
        assert client.post(reverse("audit-export"), {"format": "csv"}).status_code == 403


def test_another_organization_sees_its_own_only(org_a: Tenant, org_b: Tenant, client_of: SignIn, outsider: Any) -> None:
    do(org_a, note="xylophone")
    for url in (reverse("audit-log"), reverse("api-audit")):
        answer = client_of(org_b.owner).get(url, {"text": "xylophone"})
        assert answer.status_code == 200
        assert b"org-a.example" not in answer.content
    assert client_of(outsider).get(reverse("audit-log")).status_code == 404


def test_filters_find_by_everything(org_a: Tenant) -> None:
    do(org_a, note="a needle in the hay")
    with tenancy.scope(org_a.id):
        robot = Actor(org_a.id, frozenset(), api_key_id=org_a.api_key.pk, name="Robot")
        audit.record(robot, "team.created", org_a.organization)
    assert [entry.actor_name for entry in found(org_a, actor="robot")] == ["Robot"]
    assert len(found(org_a, actor=org_a.api_key.pk)) == 1
    assert {entry.user_id for entry in found(org_a, actor=org_a.owner.pk)} == {org_a.owner.pk}
    assert {entry.action for entry in found(org_a, action="api_key")} == {"api_key.created", "api_key.revoked"}
    assert len(found(org_a, action="api_key.revoked")) == 1
    assert len(found(org_a, target=org_a.api_key.pk)) == 2
    assert {entry.object_type for entry in found(org_a, target="accounts.organization")} == {"accounts.organization"}
    assert len(found(org_a, text="NEEDLE in")) == 1
    assert found(org_a, text="100%") == found(org_a, address="192.0.2.1") == []
    everything = len(found(org_a))
    tomorrow = (timezone.now() + timedelta(days=1)).date()
    assert len(found(org_a, since=timezone.now().date(), until=timezone.now().date())) == everything
    assert found(org_a, since=tomorrow) == []


@pytest.mark.parametrize("given", ["yesterday", "2026-13-01", "2026-02-30T00:00:00Z"])
def test_a_time_that_is_none_is_refused(org_a: Tenant, client_of: SignIn, given: str) -> None:
    with pytest.raises(InvalidRequest):
        filters_of({"since": given})
    assert client_of(org_a.owner).get(reverse("audit-log"), {"since": given}).status_code == 422
    assert client_of(org_a.owner).get(reverse("api-audit"), {"since": given}).status_code == 400


def test_pages_go_through_everything_once_in_both_directions(org_a: Tenant) -> None:
    do(org_a, 12)
    with tenancy.scope(org_a.id):
        everything = [entry.sequence for entry in matching(Filters())]
        seen: list[int] = []
        page = page_of(Filters(), size=5)
        while True:
            seen += [entry.sequence for entry in page.rows]
            if page.older is None:
                break
            page = page_of(Filters(), before=page.older, size=5)
        back = page_of(Filters(), after=page.newer, size=5)
    assert seen == everything
    assert [entry.sequence for entry in back.rows] == everything[-len(page.rows) - 5 : -len(page.rows)]


def test_queries_do_not_grow_with_rows(org_a: Tenant, client_of: SignIn) -> None:
    client, url = client_of(org_a.owner), reverse("audit-log")
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    do(org_a, 120)
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few)


def test_the_api_walks_by_cursor(org_a: Tenant, client_of: SignIn) -> None:
    do(org_a, 5)
    client = client_of(org_a.owner)
    first = client.get(reverse("api-audit"), {"limit": 3}).json()
    assert (first["object"], len(first["data"]), first["has_more"]) == ("list", 3, True)
    second = client.get(first["next"]).json()
    numbers = [entry["sequence"] for entry in first["data"] + second["data"]]
    assert numbers == list(range(numbers[0], numbers[0] - 6, -1))
    assert first["data"][0]["actor"]["name"] == org_a.owner.email
    assert client.get(reverse("api-audit"), {"cursor": "x"}).status_code == 404
    assert client.get(reverse("api-audit"), {"limit": "0"}).status_code == 400


async def exported(tenant: Tenant, **form: str) -> tuple[Any, bytes]:
    client = AsyncClient()
    await client.aforce_login(tenant.owner)
    answer = await client.post(reverse("audit-export"), form)
    return answer, b"".join([part async for part in answer.streaming_content])


@pytest.mark.django_db(transaction=True)
async def test_an_export_holds_every_entry_and_is_recorded_itself(org_a: Tenant) -> None:
    from asgiref.sync import sync_to_async

    await sync_to_async(do)(org_a, 5)
    answer, body = await exported(org_a, format="jsonl")
    lines = [json.loads(line) for line in body.decode().splitlines()]
    assert answer["content-disposition"].startswith('attachment; filename="audit-org-a-')
    assert [line["sequence"] for line in lines] == list(range(len(lines), 0, -1))
    assert (lines[0]["action"], lines[0]["detail"]["format"]) == ("audit.exported", "jsonl")


@pytest.mark.django_db(transaction=True)
async def test_a_spreadsheet_runs_nothing_of_an_export(org_a: Tenant) -> None:
    from asgiref.sync import sync_to_async

    def attack() -> None:
        with tenancy.scope(org_a.id):
            evil = Actor(org_a.id, frozenset(), name='=HYPERLINK("http://evil.example")')
            audit.record(evil, "team.created", org_a.organization)

    await sync_to_async(attack)()
    _, body = await exported(org_a, format="csv", action="team.created")
    assert body.startswith(b"\xef\xbb\xbfsequence,")
    [row] = csv.DictReader(io.StringIO(body.decode("utf-8-sig")))
    assert row["actor_name"] == '\'=HYPERLINK("http://evil.example")'
    assert row["sentence"].startswith("'=")


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\r=1", "  =1", "\n=1"])
def test_every_beginning_of_a_formula_is_made_text(cell: str) -> None:
    assert safe(cell) == f"'{cell}"
    assert safe("plain") == "plain"


def test_an_unknown_format_is_refused(org_a: Tenant, client_of: SignIn) -> None:
    assert client_of(org_a.owner).post(reverse("audit-export"), {"format": "xlsx"}).status_code == 400


def test_settings_are_changed_on_the_page(org_a: Tenant, client_of: SignIn) -> None:
    client, url = client_of(org_a.owner), reverse("audit-settings")
    page = client.post(url, {"form": "stream", "url": "https://siem.example/x"}).content.decode()
    assert "whsec_" in page
    assert "whsec_" not in client.get(url).content.decode()
    assert client.post(url, {"form": "stream", "url": "https://siem.example/x"}).status_code == 422
    assert client.post(url, {"form": "retention", "retention_days": "365"}).status_code == 302
    assert client.post(url, {"form": "retention", "retention_days": "5"}).status_code == 422
    assert 'value="365"' in client.get(url).content.decode()
    with tenancy.scope(org_a.id):
        stream = AuditStream.objects.get()
    client.post(reverse("audit-stream-switch", args=[stream.pk]), {"enabled": "0"})
    assert "Paused" in client.get(url).content.decode()
    client.post(reverse("audit-stream-remove", args=[stream.pk]))
    assert "Sent nowhere yet" in client.get(url).content.decode()
    actions = [entry.action for entry in found(org_a, action="audit")]
    assert actions == [
        "audit.stream_removed",
        "audit.stream_changed",
        "audit.retention_changed",
        "audit.stream_added",
    ]


def test_streams_of_others_are_not_there(org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    stream, _ = services.add_audit_stream(org_a.actor, "https://siem.example/")
    for name in ("audit-stream-switch", "audit-stream-remove"):
        assert client_of(org_b.owner).post(reverse(name, args=[stream.pk])).status_code == 404
