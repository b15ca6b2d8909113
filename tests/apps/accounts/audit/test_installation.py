"""What happens to plans and staff flags is in a chain of its own."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from apps.accounts import audit
from apps.accounts.audit import anchors
from apps.accounts.audit.verification import verify_installation
from apps.accounts.models import InstallationEntry, User
from apps.billing.models import Plan
from apps.core import tenancy
from apps.core.tenancy import AsOwner, as_owner
from tests.helpers.people import Tenant, make_user


def run_deferred() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def entries() -> list[InstallationEntry]:
    run_deferred()
    return list(InstallationEntry.objects.order_by("sequence"))


@pytest.fixture
def changed(db: None, settings: Any, tmp_path: Path) -> User:
    """A person who became staff behind the services' back, and a plan that was changed the same way."""
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchors.jsonl")
    person = make_user("ada@example.com")
    User.objects.filter(pk=person.pk).update(is_staff=True)
    Plan.objects.filter(code="free").update(max_queued=5)
    Plan.objects.filter(code="pro").update(weight=9)
    run_deferred()
    return person


def tamper(*statements: str) -> None:
    with as_owner(AsOwner.ERASURE), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_staff_flags_and_plans_are_watched(changed: User) -> None:
    flag, plan, _ = entries()
    assert (flag.action, flag.object_id, flag.before, flag.after) == (
        "database.updated",
        changed.pk,
        {"is_staff": False},
        {"is_staff": True},
    )
    assert (plan.object_type, plan.object_name, plan.after) == ("billing.plan", "free", {"max_queued": 5})
    assert plan.detail["database_role"] == "millrace_app"


def test_it_names_nobody_and_holds_no_secret(changed: User) -> None:
    changed.set_password("another long password")
    changed.save()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE e::text ~ 'ada@|md5') FROM accounts_installationentry e"
        )
        assert cursor.fetchone() == (3, 0)


def test_people_without_flags_come_and_go_unseen(db: None) -> None:
    make_user("grace@example.com")
    with tenancy.across_tenants(tenancy.Across.OPERATE):
        User.objects.all().delete()
    assert entries() == []
    User.objects.create_superuser("root@example.com", "x")
    assert [entry.action for entry in entries()] == ["database.inserted"]


def test_a_change_in_an_act_that_is_recorded_refers_to_it(org_a: Tenant) -> None:
    run_deferred()
    with tenancy.scope(org_a.id):
        act = audit.record(org_a.actor, "membership.removed", org_a.organization)
        User.objects.filter(pk=org_a.member.pk).update(is_active=False)
        run_deferred()
    entry = entries()[-1]
    assert (entry.action, entry.actor_kind, entry.actor_name) == ("row.updated", "organization", str(org_a.id))
    assert entry.detail["entry"] == str(act.pk)


def test_a_note_that_somebody_made_up_is_not_believed(changed: User, org_a: Tenant) -> None:
    run_deferred()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('audit.entry', %s, true)", [f"{org_a.id}/{org_a.id}"])
    User.objects.filter(pk=changed.pk).update(is_superuser=True)
    assert entries()[-1].action == "database.updated"


def test_the_plan_command_is_recorded_once(db: None) -> None:
    call_command("plan", "free", "--weight", "3", stdout=StringIO())
    call_command("plan", "free", "--weight", "3", stdout=StringIO())
    [entry] = entries()
    assert (entry.action, entry.actor_name, entry.before, entry.after) == (
        "plan.changed",
        "manage.py plan",
        {"weight": 1},
        {"weight": 3},
    )


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (["UPDATE accounts_installationentry SET after = '{}' WHERE sequence = 2"], "Entry 2 was edited"),
        (["UPDATE accounts_installationentry SET action = 'x.y' WHERE sequence = 1"], "Entry 1 was edited"),
        (["DELETE FROM accounts_installationentry WHERE sequence = 2"], "Entry 2 was deleted"),
        (["DELETE FROM accounts_installationentry WHERE sequence = 1"], "Entry 1 was deleted"),
        (["DELETE FROM accounts_installationentry WHERE sequence = 3"], "Entry 3 was cut off"),
        (["DELETE FROM accounts_installationentry"], "Entries 1 to 3 were cut off"),
    ],
)
def test_tampering_is_found(changed: User, statements: list[str], named: str) -> None:
    assert anchors.anchor_everything() == 1
    assert anchors.anchor_everything() == 0
    assert verify_installation() == []
    tamper(*statements)
    assert named in "\n".join(verify_installation())
    with pytest.raises(CommandError):
        call_command("audit_verify", stdout=StringIO())


def test_the_application_cannot_change_it(changed: User) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        InstallationEntry.objects.all().delete()
