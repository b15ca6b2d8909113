"""Migration operations that build the second wall: roles, forced row-level security, composite foreign keys."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation

from apps.core.tenancy.models import TenantForeignKey

APPLICATION_ROLE = "millrace_app"

# Roles belong to the whole server: a second database, or a parallel test run, finds them there already.
CREATE_ROLE = f"""
DO $$ BEGIN
    CREATE ROLE {APPLICATION_ROLE} NOLOGIN NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    IF NOT pg_has_role(current_user, '{APPLICATION_ROLE}', 'SET') THEN
        EXECUTE format('GRANT {APPLICATION_ROLE} TO %I WITH SET TRUE', current_user);
    END IF;
EXCEPTION WHEN unique_violation OR SQLSTATE 'XX000' THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO {APPLICATION_ROLE};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APPLICATION_ROLE};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APPLICATION_ROLE};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APPLICATION_ROLE};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {APPLICATION_ROLE};
"""


class ApplicationRole(Operation):
    """Creates the role that web and workers take on, and grants it every table, present and future."""

    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing to say to Django's state."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(CREATE_ROLE, params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """The role may serve other databases of the server: it stays."""

    def describe(self) -> str:
        return f"Create the role {APPLICATION_ROLE}"


class TenantWall(Operation):
    """Forced row-level security and composite foreign keys for one tenant table.

    `key` is the column that holds the organization (`id` for the organization's own table). With `append_only` the
    application may insert and read, never change or remove.
    """

    reversible = True

    def __init__(self, model_name: str, key: str = "organization_id", append_only: bool = False) -> None:
        self.model_name, self.key, self.append_only = model_name, key, append_only

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Django's state knows nothing of policies."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        table = model._meta.db_table
        mine = (
            f"{self.key} = nullif(current_setting('app.org', true), '')::uuid"
            " OR (SELECT current_setting('app.across', true)) = 'on'"
        )
        statements = [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})",
        ]
        if self.key != "id":
            statements.append(f"ALTER TABLE {table} ADD CONSTRAINT {table}_tenant UNIQUE (organization_id, id)")
        statements += [self._composite_key(table, field) for field in _tenant_references(model)]
        if self.append_only:
            statements.append(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APPLICATION_ROLE}")
        for statement in statements:
            schema_editor.execute(statement)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(f"DROP POLICY tenant ON {table}")

    @staticmethod
    def _composite_key(table: str, field: Any) -> str:
        target = field.remote_field.model._meta.db_table
        return (
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{field.column}_tenant_fk"
            f" FOREIGN KEY (organization_id, {field.column}) REFERENCES {target} (organization_id, id)"
            " DEFERRABLE INITIALLY DEFERRED"
        )

    def describe(self) -> str:
        return f"Wall {self.model_name} between organizations"


def _tenant_references(model: Any) -> list[Any]:
    # Historical models rebuild fields from their deconstruction, so the class survives.
    return [field for field in model._meta.get_fields() if isinstance(field, TenantForeignKey)]
