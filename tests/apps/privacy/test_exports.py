"""An export holds everything about its subject and nothing about anybody else, or it does not exist."""

from __future__ import annotations

import csv
import io
import os
import signal
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.access import Actor, actor_of_membership, memberships_of
from apps.accounts.models import AuditEntry, Membership, Role, User
from apps.core import jobs, tenancy
from apps.core.datakinds import kinds
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.privacy import exporting, services
from apps.privacy.models import Export, Scope
from apps.registry.models import ModelVersion
from tests.helpers.people import Tenant
from tests.helpers.privacy import acting, archive_of, exported, reread, table
from tests.helpers.studio import add_rows
from workers import privacy as worker


def actions(tenant: Tenant) -> list[str]:
    with tenancy.scope(tenant.id):
        return list(
            AuditEntry.objects.filter(action__startswith="privacy.").order_by("id").values_list("action", flat=True)
        )


# ---------------------------------------------------------------- what is in it


def test_an_organizations_export_holds_every_kind_and_no_other_organization(
    org_a: Tenant, org_b: Tenant, model: ModelVersion
) -> None:
    add_rows(org_a, model, 3, prompt="ours", created_by=org_a.member)
    add_rows(org_b, model, 2, prompt="Xylophone", created_by=org_b.member)
    export = exported(org_a.actor, Scope.ORGANIZATION)
    assert (export.status, export.downloadable) == (Status.SUCCEEDED, True)
    names = set(archive_of(export).namelist())
    for kind in kinds():
        assert (f"data/{kind.name}.json" in names) == kind.of_organizations, kind.name
    assert len(table(export, "data/generations")) == 3
    assert {row["user__email"] for row in table(export, "data/memberships")} == {
        org_a.owner.email,
        org_a.admin.email,
        org_a.member.email,
    }
    assert [row["name"] for row in table(export, "data/organization")] == [org_a.organization.name]
    for name in names:
        content = archive_of(export).read(name).decode()
        assert "Xylophone" not in content
        assert str(org_b.id) not in content
        assert org_a.api_key.digest not in content, f"{name} holds a secret"


def test_json_csv_and_index_agree(org_a: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 2, prompt="=1+1", created_by=org_a.member)
    export = exported(org_a.actor, Scope.ORGANIZATION)
    found = archive_of(export)
    sheet = list(csv.DictReader(io.StringIO(found.read("data/generations.csv").decode("utf-8-sig"))))
    rows = table(export, "data/generations")
    assert [row["id"] for row in sheet] == [row["id"] for row in rows]
    assert rows[0]["prompt"] == "=1+1"
    assert sheet[0]["prompt"] == "'=1+1", "a spreadsheet would run it"
    index = found.read("index.html").decode()
    assert org_a.organization.name in index
    assert 'href="data/generations.csv"' in index
    assert export.rows == sum(len(table(export, f"data/{kind.name}")) for kind in kinds() if kind.of_organizations)


def test_an_export_about_a_member_holds_only_what_names_them(org_a: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 2, created_by=org_a.member)
    add_rows(org_a, model, 3, created_by=org_a.admin)
    export = exported(org_a.actor, Scope.MEMBER, org_a.member)
    assert len(table(export, "data/generations")) == 2
    assert [row["user__email"] for row in table(export, "data/memberships")] == [org_a.member.email]
    assert "data/people.json" not in archive_of(export).namelist(), "the account is the person's own"


def test_ones_own_export_holds_the_account_and_every_organization(
    org_a: Tenant, org_b: Tenant, model: ModelVersion
) -> None:
    add_rows(org_a, model, 1, created_by=org_a.member)
    add_rows(org_b, model, 2, created_by=org_a.member)
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization_id=org_b.id, user=org_a.member, role=Role.MEMBER)
    export = exported(acting(org_a, org_a.member), Scope.ACCOUNT)
    assert [row["email"] for row in table(export, "account/people")] == [org_a.member.email]
    assert "password" not in table(export, "account/people")[0]
    assert len(table(export, "organizations/org-a/generations")) == 1
    assert len(table(export, "organizations/org-b/generations")) == 2
    assert org_b.owner.email not in archive_of(export).read("organizations/org-b/memberships.json").decode()


def test_what_was_made_for_an_organization_that_one_has_left_stays_there(
    org_a: Tenant, org_b: Tenant, model: ModelVersion
) -> None:
    add_rows(org_b, model, 2, created_by=org_a.member)
    export = exported(acting(org_a, org_a.member), Scope.ACCOUNT)
    assert not [name for name in archive_of(export).namelist() if "org-b" in name]


def test_many_rows_are_read_in_pages(org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PAGE_ROWS", 4)
    rows = add_rows(org_a, model, 10, created_by=org_a.member)
    export = exported(org_a.actor, Scope.ORGANIZATION)
    assert [row["id"] for row in table(export, "data/generations")] == sorted(str(row.pk) for row in rows)


# ---------------------------------------------------------------- who may


def test_a_member_may_export_only_themselves(org_a: Tenant) -> None:
    actor = acting(org_a, org_a.member)
    for scope, person in ((Scope.ORGANIZATION, None), (Scope.MEMBER, org_a.owner), (Scope.MEMBER, org_a.member)):
        with pytest.raises(PermissionDenied):
            services.request_export(actor, scope, person.pk if person else None)
    assert services.request_export(actor, Scope.ACCOUNT, org_a.owner.pk).person_id == org_a.member.pk


def test_a_stranger_is_answered_like_nobody(org_a: Tenant, org_b: Tenant, outsider: User) -> None:
    said = set()
    for id in (org_b.owner.pk, outsider.pk, uuid4()):
        with pytest.raises(NotFound) as refused:
            services.request_export(org_a.actor, Scope.MEMBER, id)
        said.add(refused.value.message)
    assert len(said) == 1


def test_staff_acting_as_somebody_cannot_take_their_account(org_a: Tenant, outsider: User) -> None:
    actor = Actor(org_a.id, org_a.actor.permissions, org_a.owner.pk, impersonator_id=outsider.pk)
    with pytest.raises(PermissionDenied):
        services.request_export(actor, Scope.ACCOUNT)


def test_exports_are_seen_by_those_they_are_for(org_a: Tenant, org_b: Tenant) -> None:
    whole = services.request_export(org_a.actor, Scope.ORGANIZATION)
    own = services.request_export(acting(org_a, org_a.member), Scope.ACCOUNT)
    assert services.get_export(acting(org_a, org_a.admin), whole.pk) == whole
    assert services.get_export(acting(org_a, org_a.member), own.pk) == own
    for actor, export in (
        (org_a.actor, own),
        (acting(org_a, org_a.member), whole),
        (org_b.actor, whole),
        (org_b.actor, own),
    ):
        with pytest.raises(NotFound):
            services.get_export(actor, export.pk)


def test_a_fourth_export_waits_for_the_others(org_a: Tenant) -> None:
    for _ in range(3):
        services.request_export(org_a.actor, Scope.ORGANIZATION)
    with pytest.raises(Conflict):
        services.request_export(org_a.actor, Scope.ORGANIZATION)
    services.request_export(acting(org_a, org_a.admin), Scope.ORGANIZATION)


# ---------------------------------------------------------------- workers that die


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "media").glob("organizations/*/exports/*"))


def claimed(model: Any = Export) -> Any:
    [job] = jobs.claim(model, worker.worker_name(), 1)
    return job


def lapse(job: Any) -> None:
    with tenancy.scope(job.organization_id):
        type(job).objects.filter(pk=job.pk).update(lease_until=timezone.now() - timezone.timedelta(seconds=1))


def die_while_writing(job: Export, told: int) -> None:
    """In a process of its own: begins the archive, says so, and waits for SIGKILL."""
    connection.close()

    def said() -> None:
        if services.part_path(job).exists():
            os.write(told, b"x")
            signal.pause()

    exporting.write(job, services.part_path(job), said)


@pytest.fixture
def killed_in_the_middle(transactional_db: None, org_a: Tenant) -> Export:
    """An export whose worker was killed by the system, half a file on the disk."""
    services.request_export(org_a.actor, Scope.ORGANIZATION)
    job: Export = claimed()
    connection.close()
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            die_while_writing(job, told)
        finally:
            os._exit(1)
    os.close(told)
    assert os.read(heard, 1) == b"x"
    os.close(heard)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    lapse(job)
    return job


def test_half_an_archive_is_offered_to_nobody(org_a: Tenant, killed_in_the_middle: Export, folders: Path) -> None:
    assert files(folders) == [f"{killed_in_the_middle.pk}.1.part"]
    assert not reread(killed_in_the_middle).downloadable
    worker.wake()
    found = reread(killed_in_the_middle)
    assert (found.status, found.attempt, found.crashes) == (Status.SUCCEEDED, 2, 1)
    assert files(folders) == [f"{found.pk}.2.zip"]
    assert archive_of(found).namelist()


def test_the_second_lost_worker_fails_it_visibly(org_a: Tenant, killed_in_the_middle: Export, folders: Path) -> None:
    worker.reap()
    lapse(claimed())
    worker.reap()
    found = reread(killed_in_the_middle)
    assert (found.status, found.error_code, found.path) == (Status.FAILED, "worker_lost", "")
    assert files(folders) == []


def test_a_slow_worker_cannot_offer_what_was_given_to_another(
    org_a: Tenant, killed_in_the_middle: Export, folders: Path
) -> None:
    slow = killed_in_the_middle
    worker.reap()
    quick = claimed()
    assert quick.attempt == slow.attempt + 1
    written = exporting.write(quick, services.part_path(quick), lambda: None)
    assert not services.finish_export(slow, written)
    assert services.finish_export(quick, written)
    assert files(folders) == [f"{quick.pk}.2.zip"]


def test_a_failure_leaves_no_file(org_a: Tenant, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "parts_of", lambda export: 1 / 0)
    export = exported(org_a.actor, Scope.ORGANIZATION)
    assert (export.status, export.error_code) == (Status.FAILED, "privacy_job_failed")
    assert files(folders) == []


def test_a_lost_lease_breaks_the_writing_off(org_a: Tenant, folders: Path) -> None:
    services.request_export(org_a.actor, Scope.ORGANIZATION)
    job = claimed()
    lease = worker.Lease(job)
    lease._lost.set()
    with pytest.raises(worker.LeaseLost):
        exporting.write(job, services.part_path(job), lease.keep)
    assert files(folders) == []


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_while_it_runs_and_lost_when_taken(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 0.02)
    services.request_export(org_a.actor, Scope.ORGANIZATION)
    job = claimed()
    renewed = threading.Event()
    honest = jobs.renew

    def watched(*args: Any) -> Any:
        kept = honest(*args)
        if kept:
            renewed.set()
        return kept

    monkeypatch.setattr(jobs, "renew", watched)
    with worker.Lease(job) as lease:
        assert renewed.wait(10)
        lease.keep()
        with tenancy.scope(org_a.id):
            Export.objects.filter(pk=job.pk).update(worker="another")
        assert lease._lost.wait(10)
        with pytest.raises(worker.LeaseLost):
            lease.keep()


# ---------------------------------------------------------------- the end of a file


def test_a_file_is_removed_after_its_days_and_audited(org_a: Tenant, folders: Path, settings: Any) -> None:
    export = exported(org_a.actor, Scope.ORGANIZATION)
    assert (export.expires_at - timezone.now()).days == settings.EXPORT_DAYS - 1
    assert services.remove_expired_exports() == 0
    with tenancy.scope(org_a.id):
        Export.objects.update(expires_at=Now())
    assert services.remove_expired_exports() == 1
    assert not reread(export).downloadable
    assert files(folders) == []
    assert actions(org_a) == ["privacy.export_requested", "privacy.export_removed"]


def test_strays_go_after_a_day(org_a: Tenant, folders: Path) -> None:
    export = exported(org_a.actor, Scope.ORGANIZATION)
    kept, stray = services.file_of(export), services.file_of(export).with_name("x.1.part")
    stray.touch()
    for path in (kept, stray):
        os.utime(path, (1, 1))
    services.remove_expired_exports()
    assert files(folders) == [kept.name]


def test_every_waiting_job_is_done_by_one_bell(org_a: Tenant, org_b: Tenant) -> None:
    asked = [services.request_export(tenant.actor, Scope.ORGANIZATION) for tenant in (org_a, org_b)]
    worker.wake()
    assert [reread(export).status for export in asked] == [Status.SUCCEEDED] * 2


def test_asking_rings_the_bell(capture_doorbells: list[str], org_a: Tenant) -> None:
    services.request_export(org_a.actor, Scope.ORGANIZATION)
    assert "privacy.wake" in capture_doorbells


def test_a_person_in_two_organizations_acts_in_the_one_they_chose(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization_id=org_b.id, user=org_a.owner, role=Role.MEMBER)
    [_, other] = memberships_of(org_a.owner)
    with pytest.raises(PermissionDenied):
        services.request_export(actor_of_membership(other, org_a.owner), Scope.ORGANIZATION)
