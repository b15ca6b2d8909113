"""Erasing takes a name out of everything; what must stay stays under a pseudonym; a restore brings nobody back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client

from apps.accounts import audit
from apps.accounts.access import memberships_of
from apps.accounts.audit.verification import verify
from apps.accounts.models import ApiKey, AuditEntry, Invitation, Membership, Role, User
from apps.accounts.services import leave
from apps.billing.models import LedgerEntry
from apps.core import jobs, tenancy
from apps.core.datakinds import Texts
from apps.core.errors import Conflict, InvalidRequest, LastOwner, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.privacy import services
from apps.privacy.models import Consent, Document, ErasedPerson, Erasure, Scope
from apps.privacy.services import erasures
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.services import Outcome
from tests.helpers.people import Tenant, audit_of, make_user
from tests.helpers.privacy import acting, erased, exported, reread
from tests.helpers.studio import add_rows, finish, ledger, spec, start, states
from workers import privacy as worker

WORDS = "A text about tea by the member."


@pytest.fixture
def wrote(org_a: Tenant, model: ModelVersion) -> Generation:
    """A finished generation of org_a's member, with its charge in the ledger."""
    studio.request_generation(acting(org_a, org_a.member), spec(WORDS))
    running = start()
    assert finish(running, Outcome(Status.SUCCEEDED, WORDS, "stop", 10, 5))
    return running


def everything_of(*tenants: Tenant) -> str:
    """Every row that PostgreSQL holds of the organizations and of people, as text."""
    from django.apps import apps

    found = []
    for tenant in tenants:
        with tenancy.scope(tenant.id), connection.cursor() as cursor:
            for model in apps.get_models():
                cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t")
                found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


# ---------------------------------------------------------------- what is left


def test_a_member_is_erased_from_the_organization_and_keeps_the_account(
    org_a: Tenant, wrote: Generation, model: ModelVersion
) -> None:
    add_rows(org_a, model, 2, created_by=org_a.admin)
    charged = ledger(org_a)
    erasure = erased(org_a.actor, Scope.MEMBER, org_a.member)
    assert erasure.status == Status.SUCCEEDED
    assert (erasure.person_id, erasure.requested_by_id) == (None, org_a.owner.pk)
    assert erasure.counts["memberships"] == erasure.counts["generations"] == 1
    assert memberships_of(org_a.member) == []
    assert User.objects.get(pk=org_a.member.pk).email == org_a.member.email
    with tenancy.scope(org_a.id):
        row = Generation.objects.get(pk=wrote.pk)
        assert (row.created_by_id, row.text) == (None, WORDS)
        assert Generation.objects.filter(created_by=org_a.admin).count() == 2
    assert ledger(org_a) == charged


def test_the_texts_go_too_when_that_was_chosen(org_a: Tenant, wrote: Generation) -> None:
    erased(org_a.actor, Scope.MEMBER, org_a.member, Texts.ERASE)
    with tenancy.scope(org_a.id):
        row = Generation.objects.get(pk=wrote.pk)
        assert (row.text, row.prompt, row.messages, row.brief, row.created_by_id) == ("", "", [], None, None)
        assert LedgerEntry.objects.filter(job_id=wrote.pk, kind="settle").get().tokens == 15
    assert WORDS not in everything_of(org_a)


def test_an_account_is_erased_everywhere(org_a: Tenant, org_b: Tenant, wrote: Generation) -> None:
    person = org_a.member
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization_id=org_b.id, user=person, role=Role.MEMBER)
        ApiKey.objects.filter(pk=org_b.api_key.pk).update(created_by=person)
    Consent.objects.create(person=person, document=Document.TERMS, version="1", given=True, address="192.0.2.7")
    client = Client()
    client.force_login(person)
    erasure = erased(acting(org_a, person), Scope.ACCOUNT)
    assert erasure.status == Status.SUCCEEDED
    left = User.objects.get(pk=person.pk)
    assert left.email == f"{erasure.pseudonym}@erased.invalid"
    assert (left.is_active, left.has_usable_password()) == (False, False)
    assert client.get("/dashboard/").status_code == 302, "whoever was signed in is out"
    assert memberships_of(person) == []
    consent = Consent.objects.get()
    assert (consent.version, consent.address) == ("1", "")
    with tenancy.scope(org_b.id):
        assert ApiKey.objects.get(pk=org_b.api_key.pk).created_by_id is None
    for tenant in (org_a, org_b):
        assert set(jobs_naming(tenant, person)) == set()


def jobs_naming(tenant: Tenant, person: User) -> list[Any]:
    with tenancy.scope(tenant.id):
        return list(Erasure.objects.filter(person=person)) + list(Generation.objects.filter(created_by=person))


def test_work_that_still_runs_is_stopped_first(
    org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.request_generation(acting(org_a, org_a.member), spec("waits"))
    running = start()
    studio.request_generation(acting(org_a, org_a.member), spec("waits too"))

    def let_it_end(seconds: float) -> None:
        with tenancy.scope(org_a.id):
            assert Generation.objects.get(pk=running.pk).cancel_requested_at
        finish(running, Outcome(Status.CANCELLED, "half", "cancelled", 5, 1))

    monkeypatch.setattr(erasures.time, "sleep", let_it_end)
    erasure = erased(org_a.actor, Scope.MEMBER, org_a.member, Texts.ERASE)
    assert erasure.status == Status.SUCCEEDED
    assert states(org_a) == {"cancelled": 2}
    with tenancy.scope(org_a.id):
        assert set(Generation.objects.values_list("text", "created_by")) == {("", None)}


def test_an_erasure_that_cannot_end_fails_visibly_and_may_be_asked_again(
    org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.request_generation(acting(org_a, org_a.member), spec("never ends"))
    running = start()
    monkeypatch.setattr(erasures, "PATIENCE_SECONDS", 0.0)
    erasure = erased(org_a.actor, Scope.MEMBER, org_a.member)
    assert (erasure.status, erasure.error_code) == (Status.FAILED, "privacy_job_failed")
    assert memberships_of(org_a.member) == [], "access ends first"
    finish(running)
    assert erased(org_a.actor, Scope.MEMBER, org_a.member).status == Status.SUCCEEDED


def test_a_lost_worker_costs_nothing(org_a: Tenant, wrote: Generation) -> None:
    erasure = services.request_erasure(org_a.actor, Scope.MEMBER, org_a.member.pk, Texts.KEEP)
    [job] = jobs.claim(Erasure, "lost", 1)
    services.carry_out(job, lambda: None)
    with tenancy.scope(org_a.id), connection.cursor() as cursor:
        cursor.execute("UPDATE privacy_erasure SET lease_until = now() - interval '1 second'")
    worker.wake()
    assert reread(erasure).status == Status.SUCCEEDED
    assert not services.finish_erasure(job, {}), "the lost worker is fenced off"
    assert ErasedPerson.objects.count() == 1


def test_exports_about_the_person_go_at_once(org_a: Tenant) -> None:
    about = exported(org_a.actor, Scope.MEMBER, org_a.member)
    waiting = services.request_export(acting(org_a, org_a.member), Scope.ACCOUNT)
    services.request_erasure(org_a.actor, Scope.MEMBER, org_a.member.pk, Texts.KEEP)
    worker.wake()
    services.remove_expired_exports()
    assert not reread(about).downloadable
    assert not services.file_of(about).exists()
    assert reread(waiting).status == Status.CANCELLED


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.MEMBER])
def test_the_audit_log_names_a_pseudonym_and_still_verifies(
    transactional_db: None, org_a: Tenant, model: ModelVersion, scope: Scope
) -> None:
    person = org_a.member
    User.objects.filter(pk=person.pk).update(name="Grace Hopper")
    with structlog.contextvars.bound_contextvars(address="192.0.2.77", agent="Firefox of Grace"):
        services.choose_mail(person.pk, True, acting(org_a, person))
    with tenancy.scope(org_a.id):
        audit.record(org_a.actor, "x.noted", org_a.organization, note=f"Grace Hopper <{person.email}> said so")
        Invitation.objects.create(
            organization_id=org_a.id, email=person.email, digest="d", sent_at=Now(), expires_at=Now()
        )
    before = count_entries(org_a)
    erasure = erased(org_a.actor if scope == Scope.MEMBER else acting(org_a, person), scope, person)
    assert erasure.status == Status.SUCCEEDED
    left = everything_of(org_a) if scope == Scope.ACCOUNT else audit_text(org_a)
    for word in (person.email, "Grace Hopper"):
        assert word.lower() not in left.lower(), word
    assert "192.0.2.77" not in audit_text(org_a)
    assert "Firefox" not in audit_text(org_a)
    assert erasure.pseudonym in left
    assert count_entries(org_a) > before, "nothing is removed from the log"
    assert verify(org_a.id).findings == []


def count_entries(tenant: Tenant) -> int:
    with tenancy.scope(tenant.id):
        return int(AuditEntry.objects.count())


def audit_text(tenant: Tenant) -> str:
    with tenancy.scope(tenant.id), connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_auditentry t")
        return "\n".join(row[0] for row in cursor.fetchall())


def test_requests_and_their_ends_are_audited(org_a: Tenant) -> None:
    erased(org_a.actor, Scope.MEMBER, org_a.member)
    with tenancy.scope(org_a.id):
        found = AuditEntry.objects.filter(action__startswith="privacy.").order_by("id")
        assert [(entry.action, entry.actor_kind) for entry in found] == [
            ("privacy.erasure_requested", "user"),
            ("privacy.person_erased", "system"),
        ]


# ---------------------------------------------------------------- who may


def test_members_erase_themselves_and_nobody_else(org_a: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        services.request_erasure(acting(org_a, org_a.member), Scope.MEMBER, org_a.admin.pk, Texts.KEEP)
    erasure = services.request_erasure(acting(org_a, org_a.member), Scope.ACCOUNT, org_a.owner.pk, Texts.KEEP)
    assert erasure.person_id == org_a.member.pk


def test_only_owners_erase_owners(org_a: Tenant) -> None:
    other = make_user("second@org-a.example")
    with tenancy.scope(org_a.id):
        Membership.objects.create(organization_id=org_a.id, user=other, role=Role.OWNER)
    with pytest.raises(PermissionDenied):
        services.request_erasure(acting(org_a, org_a.admin), Scope.MEMBER, other.pk, Texts.KEEP)
    assert erased(org_a.actor, Scope.MEMBER, other).status == Status.SUCCEEDED


def test_the_only_owner_is_told_to_hand_over_first(org_a: Tenant) -> None:
    with pytest.raises(Conflict, match=org_a.organization.name):
        services.request_erasure(org_a.actor, Scope.ACCOUNT, None, Texts.KEEP)
    with pytest.raises(InvalidRequest):
        services.request_erasure(org_a.actor, Scope.MEMBER, org_a.owner.pk, Texts.KEEP)
    with pytest.raises(InvalidRequest):
        services.request_erasure(org_a.actor, Scope.ORGANIZATION, None, Texts.KEEP)


def test_whoever_has_become_the_only_owner_meanwhile_is_not_erased(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.admin).update(role=Role.OWNER)
    erasure = services.request_erasure(org_a.actor, Scope.ACCOUNT, None, Texts.KEEP)
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.admin).update(role=Role.MEMBER)
    worker.wake()
    assert reread(erasure).status == Status.FAILED
    with tenancy.scope(org_a.id):
        assert Membership.objects.filter(user=org_a.owner, role=Role.OWNER).exists()
    assert not ErasedPerson.objects.exists()


def test_the_other_owner_cannot_leave_once_an_erasure_has_begun(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leaves in between, before the first row goes, must meet an organization with one owner."""
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.admin).update(role=Role.OWNER)
    leaving = acting(org_a, org_a.admin)
    note = erasures.register.note

    def leave_first(line: Any) -> None:
        with pytest.raises(LastOwner):
            leave(leaving)
        note(line)

    monkeypatch.setattr(erasures.register, "note", leave_first)
    assert erased(org_a.actor, Scope.ACCOUNT, org_a.owner).status == Status.SUCCEEDED
    with tenancy.scope(org_a.id):
        assert list(Membership.objects.filter(role=Role.OWNER).values_list("user", flat=True)) == [org_a.admin.pk]
    [entry] = audit_of(org_a, "membership.role_changed")
    assert entry.after == {"role": "member"}


def test_a_stranger_is_answered_like_nobody(org_a: Tenant, org_b: Tenant, outsider: User) -> None:
    for id in (org_b.member.pk, outsider.pk, uuid4()):
        with pytest.raises(NotFound):
            services.request_erasure(org_a.actor, Scope.MEMBER, id, Texts.ERASE)
        with pytest.raises(NotFound):
            services.preview(org_a.actor, Scope.MEMBER, id)
    assert len(memberships_of(org_b.member)) == 1


def test_an_erasure_stays_within_the_organization_that_asked(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization_id=org_b.id, user=org_a.member, role=Role.MEMBER)
    add_rows(org_b, model, 2, prompt="of org_b", created_by=org_a.member, status=Status.SUCCEEDED)
    erased(org_a.actor, Scope.MEMBER, org_a.member, Texts.ERASE)
    assert [membership.organization_id for membership in memberships_of(org_a.member)] == [org_b.id]
    with tenancy.scope(org_b.id):
        assert Generation.objects.filter(created_by=org_a.member, prompt="of org_b").count() == 2


def test_one_at_a_time(org_a: Tenant) -> None:
    first = services.request_erasure(org_a.actor, Scope.MEMBER, org_a.member.pk, Texts.KEEP)
    with pytest.raises(Conflict):
        services.request_erasure(acting(org_a, org_a.admin), Scope.MEMBER, org_a.member.pk, Texts.KEEP)
    with pytest.raises(NotFound):
        services.get_erasure(acting(org_a, org_a.member), first.pk)
    assert services.get_erasure(acting(org_a, org_a.admin), first.pk) == first


def test_the_preview_counts_and_changes_nothing(org_a: Tenant, wrote: Generation) -> None:
    before = everything_of(org_a)
    fates = {fate.kind.name: fate.rows for fate in services.preview(org_a.actor, Scope.MEMBER, org_a.member.pk)}
    assert fates == {"memberships": 1, "spenders": 1, "generations": 1}
    own = {fate.kind.name for fate in services.preview(acting(org_a, org_a.member), Scope.ACCOUNT, None)}
    assert {"people", "memberships", "generations"} <= own
    assert everything_of(org_a) == before


# ---------------------------------------------------------------- after a restore


def test_the_register_names_nobody(org_a: Tenant, folders: Path) -> None:
    erasure = erased(acting(org_a, org_a.member), Scope.ACCOUNT)
    text = (folders / "erasures.jsonl").read_text()
    [line] = [json.loads(line) for line in text.splitlines()]
    assert line["pseudonym"] == erasure.pseudonym
    for secret in (org_a.member.email, str(org_a.member.pk), org_a.member.pk.hex, str(org_a.id)):
        assert secret not in text
    assert (folders / "erasures.jsonl").stat().st_mode & 0o777 == 0o600


def restore(person: User, tenant: Tenant, wrote: Generation) -> None:
    """What an older backup brings back, and what it does not know yet."""
    User.objects.filter(pk=person.pk).update(email=person.email, is_active=True, password=person.password)
    with tenancy.scope(tenant.id):
        old = Membership.objects.create(organization_id=tenant.id, user=person, role=Role.MEMBER)
        Membership.objects.filter(pk=old.pk).update(created_at=wrote.created_at)
        Generation.objects.filter(pk=wrote.pk).update(created_by=person, text=WORDS)


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.MEMBER])
def test_who_comes_back_with_a_backup_is_erased_again(
    org_a: Tenant, wrote: Generation, owner_connection: Any, scope: Scope, transactional_db: None
) -> None:
    actor = org_a.actor if scope == Scope.MEMBER else acting(org_a, org_a.member)
    erasure = erased(actor, scope, org_a.member, Texts.ERASE)
    restore(org_a.member, org_a, wrote)
    owner_connection.execute("TRUNCATE privacy_erasedperson")
    assert services.reapply() == 1
    assert memberships_of(org_a.member) == []
    with tenancy.scope(org_a.id):
        row = Generation.objects.get(pk=wrote.pk)
        assert (row.created_by_id, row.text) == (None, "")
    if scope == Scope.ACCOUNT:
        assert User.objects.get(pk=org_a.member.pk).email == f"{erasure.pseudonym}@erased.invalid"
    assert ErasedPerson.objects.get().pseudonym == erasure.pseudonym, "the table has it again"
    assert services.reapply() == 0


def test_the_table_knows_when_the_file_is_lost(org_a: Tenant, wrote: Generation, folders: Path) -> None:
    erased(org_a.actor, Scope.MEMBER, org_a.member)
    (folders / "erasures.jsonl").unlink()
    restore(org_a.member, org_a, wrote)
    assert services.reapply() == 1
    assert (folders / "erasures.jsonl").read_text().count("\n") == 1


def test_whoever_was_invited_anew_stays(org_a: Tenant) -> None:
    erased(org_a.actor, Scope.MEMBER, org_a.member)
    with tenancy.scope(org_a.id):
        Membership.objects.create(organization_id=org_a.id, user=org_a.member, role=Role.MEMBER)
    assert services.reapply() == 0
    assert len(memberships_of(org_a.member)) == 1


def test_the_command_says_who_was_back(org_a: Tenant, wrote: Generation, capsys: Any) -> None:
    erasure = erased(org_a.actor, Scope.MEMBER, org_a.member)
    call_command("reapply_erasures")
    assert capsys.readouterr().out == ""
    restore(org_a.member, org_a, wrote)
    call_command("reapply_erasures")
    assert f"erased again: {erasure.pseudonym}" in capsys.readouterr().out


def test_a_register_of_another_installation_touches_nobody(org_a: Tenant, folders: Path) -> None:
    erased(org_a.actor, Scope.MEMBER, org_a.member)
    text = (folders / "erasures.jsonl").read_text()
    line = json.loads(text) | {"person": "0" * 64}
    (folders / "erasures.jsonl").write_text(json.dumps(line) + "\n")
    assert services.reapply() == 0
