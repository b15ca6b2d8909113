"""Deleting an organization: a week's notice, no new work, called off until the end, and then nothing is left."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts import services
from apps.accounts.models import AuditEntry, Organization, Role
from apps.core import tenancy
from apps.core.errors import Conflict, DeletionPending, InvalidRequest, NotFound, PermissionDenied
from apps.core.mail import deliver_due
from apps.core.tenancy.removal import children_first, remove_rows, removing
from apps.privacy.services import note_removal
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.services import Outcome
from tests.helpers.people import Tenant, acting, actor_of, add_person, audit_of, events_of
from tests.helpers.studio import ask, finish, spec, start
from tests.helpers.tenancy import tenant_models


def schedule(tenant: Tenant) -> None:
    services.schedule_deletion(actor_of(tenant.owner), tenant.organization.name)


def fall_due(tenant: Tenant) -> None:
    with tenancy.scope(tenant.id):
        Organization.objects.filter(pk=tenant.id).update(deletes_at=timezone.now() - timedelta(seconds=1))


def rows_of(tenant: Tenant) -> dict[str, int]:
    """How many rows of each tenant table the organization has, seen past every wall but its own."""
    found = dict[str, int]()
    with tenancy.scope(tenant.id), connection.cursor() as cursor:
        for model in tenant_models():
            cursor.execute(f"SELECT count(*) FROM {model._meta.db_table}")
            found[model._meta.label] = cursor.fetchone()[0]
    return {label: count for label, count in found.items() if count}


@pytest.fixture(autouse=True)
def register(tmp_path: Path, settings: Any) -> Path:
    settings.ERASURE_REGISTER = tmp_path / "erasures.jsonl"
    return tmp_path / "erasures.jsonl"


@pytest.fixture
def lived_in(transactional_db: None, org_a: Tenant, model: ModelVersion) -> Tenant:
    """An organization with rows in many tables, those that only grow among them."""
    role = services.create_role(org_a.actor, "Reader", ["models:read"])
    team = services.create_team(org_a.actor, "Support")
    person = add_person(org_a, "reader", Role.CUSTOM, role)
    with tenancy.scope(org_a.id):
        services.add_to_team(org_a.actor, team.pk, _membership_id(person))
    services.invite(org_a.actor, "ada@example.com", Role.MEMBER, teams=[team.pk])
    services.offer_ownership(org_a.actor, _membership_id(org_a.admin, org_a), org_a.organization.name)
    studio.request_generation(org_a.actor, spec("Words."))
    assert finish(start(), Outcome("succeeded", "More words.", "stop", 10, 5))
    ask(org_a, "Waiting words.")
    return org_a


def _membership_id(user: Any, tenant: Tenant | None = None) -> Any:
    from apps.accounts.models import Membership

    if tenant is None:
        return Membership.objects.get(user=user).pk
    with tenancy.scope(tenant.id):
        return Membership.objects.get(user=user).pk


def test_when_the_week_is_over_every_row_is_gone_and_nobody_elses(lived_in: Tenant, org_b: Tenant) -> None:
    theirs = rows_of(org_b)
    before = rows_of(lived_in)
    for label in ("accounts.AuditEntry", "billing.LedgerEntry", "core.Event", "accounts.TeamMembership"):
        assert before[label], label
    schedule(lived_in)
    fall_due(lived_in)
    assert services.remove_due(note_removal) == 1
    assert rows_of(lived_in) == {}
    assert rows_of(org_b) == theirs
    assert services.find_api_key(lived_in.key) is None
    client = Client()
    client.force_login(lived_in.owner)
    assert client.get("/dashboard/").status_code == 404


def test_a_removal_in_small_batches_leaves_nothing_either(lived_in: Tenant) -> None:
    counts = remove_rows(lived_in.id, batch=1)
    assert counts["accounts.AuditEntry"] > 1
    assert rows_of(lived_in) == {}


def test_a_removal_that_broke_off_is_taken_up_again(lived_in: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.core.tenancy import removal

    schedule(lived_in)
    fall_due(lived_in)
    real, left = removal._remove_batch, [3]

    def breaks(*arguments: Any) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("the worker is gone")
        return real(*arguments)

    monkeypatch.setattr(removal, "_remove_batch", breaks)
    with pytest.raises(OSError, match="gone"):
        services.remove_due(note_removal)
    monkeypatch.setattr(removal, "_remove_batch", real)
    assert rows_of(lived_in)
    with pytest.raises(Conflict):
        services.cancel_deletion(actor_of(lived_in.owner))
    assert services.remove_due(note_removal) == 1
    assert rows_of(lived_in) == {}


def test_before_its_time_nothing_is_removed(org_a: Tenant) -> None:
    schedule(org_a)
    assert services.remove_due(note_removal) == 0
    with tenancy.scope(org_a.id):
        left = Organization.objects.get(pk=org_a.id).deletes_at - timezone.now()  # type: ignore[operator]
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


def test_it_can_be_called_off_until_the_end(org_a: Tenant) -> None:
    schedule(org_a)
    fall_due(org_a)
    services.cancel_deletion(actor_of(org_a.owner))
    assert services.remove_due(note_removal) == 0
    assert not actor_of(org_a.owner).closing
    assert events_of(org_a)[-2:] == ["organization.deletion_scheduled", "organization.deletion_cancelled"]
    [entry] = audit_of(org_a, "organization.deletion_cancelled")
    assert entry.after == {"deletes_at": None}
    with pytest.raises(NotFound):
        services.cancel_deletion(actor_of(org_a.owner))


def test_only_an_owner_who_types_the_name_deletes(org_a: Tenant, org_b: Tenant) -> None:
    for user in (org_a.admin, org_a.member):
        with pytest.raises(PermissionDenied):
            services.schedule_deletion(acting(org_a, user), org_a.organization.name)
    with pytest.raises(InvalidRequest):
        services.schedule_deletion(org_a.actor, org_b.organization.name)
    schedule(org_a)
    with pytest.raises(Conflict):
        schedule(org_a)
    with pytest.raises(PermissionDenied):
        services.cancel_deletion(acting(org_a, org_a.admin))


def test_the_owners_are_told_by_mail(org_a: Tenant) -> None:
    second = add_person(org_a, "second", Role.OWNER)
    schedule(org_a)
    deliver_due()
    assert {message.to[0] for message in mail.outbox} == {org_a.owner.email, second.email}
    assert "/settings/organization/" in mail.outbox[0].body


def test_while_it_waits_new_work_is_refused_and_old_can_be_read(
    org_a: Tenant, model: ModelVersion, client_of: Callable[[Any], Client]
) -> None:
    ask(org_a, "Before.")
    schedule(org_a)
    body = {"prompt": "After.", "max_tokens": 5}
    refused = Client().post("/api/v1/generations", body, content_type="application/json", headers=org_a.bearer)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "deletion_pending")
    assert Client().get("/api/v1/generations", headers=org_a.bearer).json()["data"]
    for act in (
        lambda: services.create_api_key(actor_of(org_a.owner), "new"),
        lambda: services.create_team(actor_of(org_a.owner), "new"),
        lambda: studio.request_generation(actor_of(org_a.owner), spec("After.")),
    ):
        with pytest.raises(DeletionPending):
            act()


@pytest.mark.parametrize("path", ["/dashboard/", "/studio/", "/history/", "/keys/", "/settings/membership/", "/"])
def test_every_page_says_so(org_a: Tenant, client_of: Callable[[Any], Client], model: ModelVersion, path: str) -> None:
    client = client_of(org_a.owner)
    words = "Until then nothing new can be started here."
    assert words not in client.get(path).text
    schedule(org_a)
    assert words in client.get(path).text
    assert words not in Client().get("/").text


def test_the_application_itself_cannot_remove_what_only_grows(org_a: Tenant, org_b: Tenant) -> None:
    """Outside `removing` the role is the application's; inside it the wall still stands, and nothing can be written."""
    from django.db import ProgrammingError, transaction

    with tenancy.scope(org_a.id), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        AuditEntry.objects.all()._raw_delete("default")
    with removing(org_a.id), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_auditentry")
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            cursor.execute("UPDATE accounts_organization SET name = 'x'")
    with tenancy.scope(org_b.id):
        assert AuditEntry.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone()[0] == "millrace_app"


def test_a_table_comes_before_those_it_refers_to() -> None:
    order = [model._meta.label for model in children_first()]
    assert order.index("accounts.TeamMembership") < order.index("accounts.Membership")
    assert order.index("accounts.Membership") < order.index("accounts.CustomRole")
    assert order.index("accounts.AuditEntry") < order.index("accounts.ApiKey")
