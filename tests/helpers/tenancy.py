"""The proof, from PostgreSQL's own catalogue, that a table is walled between organizations."""

from collections.abc import Collection
from typing import Any

from django.db import connection, models

from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, scope

APPLICATION_ROLE = "millrace_app"


def tenant_models() -> list[type[models.Model]]:
    """Every concrete model with an organization's rows, and the organization's own."""
    from django.apps import apps

    from apps.accounts.models import Organization

    return [Organization, *(model for model in apps.get_models() if issubclass(model, TenantModel))]


def rows_of(organization_id: Any, but: Collection[type[models.Model]] = ()) -> list[Any]:
    """Every row of the organization, as PostgreSQL writes it; `but` those of these tables."""
    found: list[Any] = []
    with scope(organization_id), connection.cursor() as cursor:
        for model in (each for each in tenant_models() if each not in but):
            cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t ORDER BY 1")
            found += cursor.fetchall()
    return found


def assert_walled(model: type[models.Model]) -> None:
    """Fails, naming what is missing, unless both walls of the architecture's fourth law stand around the table."""
    table = model._meta.db_table
    key = "organization_id" if issubclass(model, TenantModel) else "id"
    _assert_policy(table, key)
    if issubclass(model, TenantModel):
        assert isinstance(model._meta.base_manager, TenantManager), f"{table}: another base manager"
        assert isinstance(model._meta.default_manager, TenantManager), f"{table}: another default manager"
        assert _column_is_not_null(table, key), f"{table}.{key} may be null"
        assert ("organization_id", "id") in _unique_columns(table), f"{table}: no unique (organization_id, id)"
        _assert_references(model)


def _rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def _assert_policy(table: str, key: str) -> None:
    [(enabled, forced, owner)] = _rows(
        "SELECT relrowsecurity, relforcerowsecurity, pg_get_userbyid(relowner) FROM pg_class WHERE oid = %s::regclass",
        table,
    )
    assert enabled, f"{table}: row-level security is off"
    assert forced, f"{table}: row-level security is not forced on the owner"
    assert owner != APPLICATION_ROLE, f"{table}: the application owns it"
    policies = _rows("SELECT permissive, cmd, roles, qual, with_check FROM pg_policies WHERE tablename = %s", table)
    assert len(policies) == 1, f"{table}: {len(policies)} policies, and each one more would widen the wall"
    permissive, command, roles, using, check = policies[0]
    assert (permissive, command, roles) == ("PERMISSIVE", "ALL", ["public"]), f"{table}: {policies[0]}"
    assert using == check, f"{table}: reads and writes are bound differently"
    # Once for each row, or once for the statement.
    mine = (f"({key} = {each}(NULLIF(current_setting('app.org'" for each in ("", "( SELECT "))
    assert any(words in using for words in mine), f"{table}: {using}"


def _column_is_not_null(table: str, column: str) -> bool:
    query = "SELECT attnotnull FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s"
    return _rows(query, table, column) == [(True,)]


def _unique_columns(table: str) -> set[tuple[str, ...]]:
    rows = _rows(
        """SELECT conname, array_agg(attname::text ORDER BY place) FROM pg_constraint
        CROSS JOIN LATERAL unnest(conkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = number
        WHERE conrelid = %s::regclass AND contype IN ('u', 'p') GROUP BY conname""",
        table,
    )
    return {tuple(columns) for _, columns in rows}


def foreign_keys(table: str) -> set[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """(columns, referenced table, referenced columns) of every foreign key."""
    rows = _rows(
        """SELECT c.oid, c.confrelid::regclass::text,
            (SELECT array_agg(attname::text ORDER BY place) FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute ON attrelid = c.conrelid AND attnum = number),
            (SELECT array_agg(attname::text ORDER BY place) FROM unnest(c.confkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute ON attrelid = c.confrelid AND attnum = number)
        FROM pg_constraint c WHERE c.conrelid = %s::regclass AND c.contype = 'f'""",
        table,
    )
    return {(tuple(mine), target, tuple(theirs)) for _, target, mine, theirs in rows}


def _assert_references(model: type[models.Model]) -> None:
    table, keys = model._meta.db_table, foreign_keys(model._meta.db_table)
    for field in model._meta.get_fields():
        if not isinstance(field, models.ForeignKey) or not issubclass(field.related_model, TenantModel):
            continue
        assert isinstance(field, TenantForeignKey), f"{table}.{field.name} is an ordinary foreign key"
        wanted = (("organization_id", field.column), field.related_model._meta.db_table, ("organization_id", "id"))
        assert wanted in keys, f"{table}.{field.column}: no composite foreign key"
    tenant_tables = {other._meta.db_table for other in tenant_models() if issubclass(other, TenantModel)}
    for columns, target, _ in keys:
        assert target not in tenant_tables or "organization_id" in columns, f"{table}: {columns} reach {target} alone"
