"""The second wall: raw SQL as the application's role, as if every line of Python above it were wrong."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from apps.accounts.models import AuditEntry
from apps.core import events, tenancy
from apps.core.tenancy import Across, across_tenants
from apps.core.tenancy.migrations import APPLICATION_ROLE
from tests.helpers.people import Tenant


def run(statement: str, *parameters: object) -> int:
    """Executes and returns how many rows were read or changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)


def test_tests_run_as_the_application(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (APPLICATION_ROLE, False, False)


def test_select_shows_nothing_of_others(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id):
        assert run("SELECT * FROM accounts_apikey WHERE organization_id = %s", org_b.id) == 0
        assert run("SELECT * FROM accounts_organization WHERE id = %s", org_b.id) == 0
    assert run("SELECT * FROM accounts_apikey") == 0


def test_insert_for_others_is_refused(org_a: Tenant, org_b: Tenant) -> None:
    insert = "INSERT INTO core_eventcounter (id, organization_id, last) VALUES (%s, %s, 9)"
    with pytest.raises(ProgrammingError, match="row-level security"), tenancy.scope(org_a.id):
        run(insert, uuid4(), org_b.id)
    with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        run(insert, uuid4(), org_b.id)


def test_update_changes_nothing_of_others_and_gives_nothing_away(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id):
        assert run("UPDATE accounts_apikey SET name = 'x' WHERE organization_id = %s", org_b.id) == 0
    with pytest.raises(ProgrammingError, match="row-level security"), tenancy.scope(org_a.id):
        run("UPDATE accounts_apikey SET organization_id = %s WHERE id = %s", org_b.id, org_a.api_key.pk)


def test_delete_removes_nothing_of_others(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id):
        assert run("DELETE FROM core_eventcounter WHERE organization_id = %s", org_b.id) == 0
        assert run("DELETE FROM core_eventcounter") == 1
    with tenancy.scope(org_b.id):
        assert run("SELECT * FROM core_eventcounter") == 1


def test_looking_across_needs_the_named_scope(org_a: Tenant, org_b: Tenant) -> None:
    with across_tenants(Across.OPERATE):
        assert run("SELECT * FROM accounts_apikey") == 2
    assert run("SELECT * FROM accounts_apikey") == 0


def test_a_reference_into_another_organization_is_refused(org_a: Tenant, org_b: Tenant) -> None:
    with pytest.raises(IntegrityError, match="api_key_id_tenant_fk"), tenancy.scope(org_a.id):
        AuditEntry.objects.create(
            organization_id=org_a.id, api_key_id=org_b.api_key.pk, action="x", object_type="x", object_id=uuid4()
        )
        run("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("table", ["accounts_auditentry", "core_event", "billing_ledgerentry"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET created_at = now()", "DELETE FROM {}", "TRUNCATE {}"])
def test_a_record_of_the_past_cannot_be_changed(org_a: Tenant, table: str, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), tenancy.scope(org_a.id):
        run(statement.format(table))


def test_the_application_cannot_tear_the_wall_down(org_a: Tenant) -> None:
    for statement in (
        "ALTER TABLE accounts_apikey DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE accounts_apikey NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON accounts_apikey",
        "CREATE POLICY wide ON accounts_apikey USING (true)",
    ):
        with pytest.raises(ProgrammingError, match="must be owner"), transaction.atomic():
            run(statement)


def test_a_malformed_organization_fails_closed(org_a: Tenant) -> None:
    with pytest.raises(Exception, match="invalid input syntax"), transaction.atomic():
        run("SELECT set_config('app.org', 'nonsense', true)")
        run("SELECT * FROM accounts_apikey")


def test_events_of_two_organizations_count_apart(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id):
        before = events.record("x.happened", org_a.id, {}).position
        assert events.record("x.happened", org_a.id, {}).position == before + 1
    with tenancy.scope(org_b.id):
        assert events.record("x.happened", org_b.id, {}).position == before
