"""Questions that are put together once give what Django's own query gives, whoever asks and wherever."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL

from apps.accounts.models import ApiKey, Membership, User
from apps.accounts.services.keys import admissible, digest, find_api_key
from apps.core import tenancy
from apps.core.statements import Statement, TenantStatement, insert, prepared_cursor, rows_of, update
from apps.core.tenancy import Across, ScopeMissing, across_tenants
from apps.core.tenancy.migrations import APPLICATION_ROLE
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from apps.support.models import Contact
from tests.helpers.people import Tenant
from tests.helpers.studio import row
from tests.helpers.threads import together


def columns(row: models.Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def prepared() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE NOT from_sql")
        return [row[0] for row in cursor.fetchall()]


def test_it_gives_the_rows_of_the_query_with_all_that_it_joins(org_a: Tenant, org_b: Tenant) -> None:
    by_digest: Statement[ApiKey] = Statement(lambda wanted: admissible().filter(digest=wanted))
    for tenant in (org_a, org_b):
        with across_tenants(Across.OPERATE):
            [found] = by_digest.ask(digest(tenant.key))
            usual = admissible().get(digest=digest(tenant.key))
        assert columns(found) == columns(usual)
        assert found.maker_stays_away == usual.maker_stays_away
        for name in ("organization", "member"):
            assert found._state.fields_cache[name] == usual._state.fields_cache[name]
            assert columns(getattr(found, name)) == columns(getattr(usual, name))
        assert found.member.user.email == usual.member.user.email
        assert found.permissions == usual.permissions


def test_what_is_not_there_is_not_found(org_a: Tenant) -> None:
    assert find_api_key("mr_nothing") is None


def test_it_sees_what_has_changed_since(org_a: Tenant) -> None:
    assert find_api_key(org_a.key)
    with across_tenants(Across.OPERATE):
        User.objects.filter(pk__in=Membership.objects.values("user")).update(is_active=False)
    assert find_api_key(org_a.key) is None


def test_it_is_planned_once_by_each_session(org_a: Tenant) -> None:
    with transaction.atomic():
        for _ in range(3):
            find_api_key(org_a.key)
        assert len([text for text in prepared() if 'FROM "accounts_apikey"' in text]) == 1


@pytest.mark.django_db(transaction=True)
def test_several_threads_may_ask_at_once(org_a: Tenant) -> None:
    found = together([lambda: find_api_key(org_a.key)] * 4)
    assert [key.digest for key in found if key] == [digest(org_a.key)] * 4


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_no_longer_fits_the_table_fails_one_transaction_at_most(owner_connection: Any) -> None:
    owner_connection.autocommit = True
    owner_connection.execute("CREATE TABLE shifting (value varchar(5)); GRANT SELECT ON shifting TO PUBLIC")
    try:

        def ask() -> int:
            with transaction.atomic(), prepared_cursor() as cursor:
                cursor.execute("SELECT value FROM shifting")
                return len(cursor.fetchall())

        assert ask() == 0
        owner_connection.execute("ALTER TABLE shifting ALTER value TYPE text")
        with pytest.raises(Exception, match="cached plan must not change result type"):
            ask()
        assert ask() == 0
    finally:
        owner_connection.execute("DROP TABLE shifting")


def test_a_query_that_does_not_take_the_text_is_refused(org_a: Tenant) -> None:
    with across_tenants(Across.OPERATE), pytest.raises(ValueError, match="must be one of its parameters"):
        Statement(lambda wanted: ApiKey.objects.all()).ask("anything")


def test_asking_within_one_organization_or_none_is_refused(org_a: Tenant) -> None:
    by_digest: Statement[ApiKey] = Statement(lambda wanted: ApiKey.objects.filter(digest=wanted))
    with pytest.raises(ScopeMissing):
        by_digest.ask("anything")
    with tenancy.scope(org_a.id), pytest.raises(ScopeMissing):
        by_digest.ask("anything")


# ---------------------------------------------------------------- within one organization
def _named(tenant: Tenant, *names: str) -> list[Contact]:
    with tenancy.scope(tenant.id):
        return [Contact.objects.create(organization_id=tenant.id, name=name) for name in names]


def test_within_an_organization_it_gives_that_organizations_rows_alone(org_a: Tenant, org_b: Tenant) -> None:
    by_name: TenantStatement[Contact] = TenantStatement(
        lambda name: Contact.objects.filter(name=name).select_related("organization"), str
    )
    theirs = [_named(org_a, "Ines"), _named(org_b, "Ines")]
    # Put together for the first, asked by both.
    for tenant, [one] in zip((org_a, org_b), theirs, strict=True):
        with tenancy.scope(tenant.id):
            [found] = by_name.ask("Ines")
            assert columns(found) == columns(Contact.objects.get(pk=one.pk))
            assert found._state.fields_cache["organization"].pk == tenant.id
            assert by_name.first("nobody") is None


def test_another_organizations_row_is_not_given_for_its_id(org_a: Tenant, org_b: Tenant) -> None:
    by_id: TenantStatement[Contact] = TenantStatement(lambda id: Contact.objects.filter(pk=id), UUID)
    [theirs] = _named(org_b, "Ines")
    with tenancy.scope(org_b.id):
        assert by_id.first(theirs.pk) == theirs
    with tenancy.scope(org_a.id):
        assert by_id.ask(theirs.pk) == []


def test_the_wall_of_postgresql_stands_behind_it(org_a: Tenant, org_b: Tenant) -> None:
    """Were the organization put in a wrong one, PostgreSQL would show nothing."""
    everybody: TenantStatement[Contact] = TenantStatement(lambda: Contact.objects.all())
    _named(org_a, "Ines"), _named(org_b, "Ines")
    with tenancy.scope(org_a.id):
        assert len(everybody.ask()) == 1
        assert everybody._ready is not None
        compiler, iterable, slots = everybody._ready
        everybody._ready = compiler, iterable, tuple(lambda organization, values: org_b.id for _ in slots)
        assert everybody.ask() == []


def test_it_may_give_values_in_order(org_a: Tenant) -> None:
    _named(org_a, "Ines", "Bo", "Ada")
    after: TenantStatement[str] = TenantStatement(
        lambda name: Contact.objects.filter(name__gt=name).order_by("name").values_list("name", flat=True)[:2], str
    )
    pairs: TenantStatement[tuple[str, str]] = TenantStatement(
        lambda: Contact.objects.order_by("name").values_list("name", "email")
    )
    with tenancy.scope(org_a.id):
        assert after.ask("") == ["Ada", "Bo"]
        assert after.ask("Bo") == ["Ines"]
        assert pairs.ask() == [("Ada", ""), ("Bo", ""), ("Ines", "")]


def test_within_an_organization_it_is_planned_once_by_each_session(org_a: Tenant) -> None:
    by_name: TenantStatement[Contact] = TenantStatement(lambda name: Contact.objects.filter(name=name), str)
    with tenancy.scope(org_a.id):
        for name in ("Ada", "Bo", "Ines"):
            by_name.ask(name)
        assert len([text for text in prepared() if 'FROM "support_contact"' in text]) == 1


def test_within_no_organization_or_all_of_them_it_is_refused(org_a: Tenant) -> None:
    everybody: TenantStatement[Contact] = TenantStatement(lambda: Contact.objects.all())
    with pytest.raises(ScopeMissing):
        everybody.ask()
    with across_tenants(Across.OPERATE), pytest.raises(ScopeMissing):
        everybody.ask()


def test_a_query_that_leaves_out_a_value_or_the_organization_is_refused(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        with pytest.raises(ValueError, match="each value"):
            TenantStatement(lambda name: Contact.objects.all(), str).ask("Ada")
        with pytest.raises(ValueError, match="must name the organization"):
            TenantStatement(lambda id: User.objects.filter(pk=id), UUID).ask(org_a.id)


# ---------------------------------------------------------------- rows by a statement of SQL
def test_rows_of_a_statement_are_those_of_the_model(org_a: Tenant) -> None:
    question, wanted = "SELECT :columns FROM accounts_apikey WHERE id = %(id)s", {"id": org_a.api_key.pk}
    with tenancy.scope(org_a.id):
        [found] = rows_of(ApiKey, question, wanted)
        assert columns(found) == columns(ApiKey.objects.get(pk=org_a.api_key.pk))
    with pytest.raises(ScopeMissing):
        rows_of(ApiKey, question, wanted)


def test_a_column_that_is_added_meanwhile_fails_nothing(org_a: Tenant) -> None:
    """As it would a prepared `*`: "cached plan must not change result type"."""
    question, wanted = "SELECT :columns FROM accounts_apikey WHERE id = %(id)s", {"id": org_a.api_key.pk}
    with tenancy.scope(org_a.id):
        assert rows_of(ApiKey, question, wanted)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET LOCAL ROLE NONE")
            cursor.execute("ALTER TABLE accounts_apikey ADD COLUMN another int")
            cursor.execute(f"SET LOCAL ROLE {APPLICATION_ROLE}")
        assert rows_of(ApiKey, question, wanted)


def test_a_row_is_written_as_the_model_writes_it(org_a: Tenant, model: ModelVersion) -> None:
    ends = RawSQL("clock_timestamp() + %s", [timedelta(seconds=9)], output_field=models.DateTimeField())
    written = row(org_a, model, deadline_at=ends, brief={"product": "Tea"}, stop=["."], passages=[org_a.id])
    usual = row(org_a, model, deadline_at=None, brief={"product": "Tea"}, stop=["."], passages=[org_a.id])
    with tenancy.scope(org_a.id):
        usual.save(force_insert=True)
        before = insert(written, "SELECT count(*) FROM studio_generation")
        assert before == 1
        stored = Generation.objects.get(pk=written.pk)
        assert columns(stored) == columns(written)
        differ = {"id", "created_at", "deadline_at"}
        same = columns(Generation.objects.get(pk=usual.pk))
        assert {name: value for name, value in columns(stored).items() if name not in differ} == {
            name: value for name, value in same.items() if name not in differ
        }
        update(stored, {"text": "Tea, at last.", "findings": {"prompt": []}, "finished_at": RawSQL("now()", [])})
        changed = Generation.objects.get(pk=written.pk)
        assert (changed.text, changed.findings, changed.finished_at is not None) == (
            "Tea, at last.",
            {"prompt": []},
            True,
        )
        assert Generation.objects.get(pk=usual.pk).text == ""
