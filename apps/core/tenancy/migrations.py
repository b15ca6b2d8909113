"""Migration operations that build the second wall: roles, forced row-level security, composite foreign keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.migrations.operations.base import Operation

from apps.core.tenancy.models import TenantForeignKey

APPLICATION_ROLE = "millrace_app"
# May read and remove an organization's rows, also those that the application may only add; nothing else.
REMOVAL_ROLE = "millrace_removal"


def create_role(name: str) -> str:
    """A role without login that whoever migrates may take on.

    Roles belong to the whole server: a second database, or a parallel test run, finds them there already.
    """
    return f"""
DO $$ BEGIN
    CREATE ROLE {name} NOLOGIN NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    IF NOT pg_has_role(current_user, '{name}', 'SET') THEN
        EXECUTE format('GRANT {name} TO %I WITH SET TRUE', current_user);
    END IF;
EXCEPTION WHEN unique_violation OR SQLSTATE 'XX000' THEN NULL;
END $$;
"""


APPLICATION_GRANTS = f"""
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
        schema_editor.execute(create_role(APPLICATION_ROLE) + APPLICATION_GRANTS, params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """The role may serve other databases of the server: it stays."""

    def describe(self) -> str:
        return f"Create the role {APPLICATION_ROLE}"


class RemovalRole(Operation):
    """Creates the role that removes organizations and old entries, and grants it the tenant tables there are.

    Tables that are walled later grant it themselves.
    """

    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing to say to Django's state."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        grants = f"""
GRANT USAGE ON SCHEMA public TO {REMOVAL_ROLE};
DO $$ DECLARE walled text; BEGIN
    FOR walled IN SELECT oid::regclass::text FROM pg_class
        WHERE relrowsecurity AND relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('GRANT SELECT, DELETE ON %s TO {REMOVAL_ROLE}', walled);
    END LOOP;
END $$;
"""
        schema_editor.execute(create_role(REMOVAL_ROLE) + grants, params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """The role may serve other databases of the server: it stays."""

    def describe(self) -> str:
        return f"Create the role {REMOVAL_ROLE}"


class TenantWall(Operation):
    """Forced row-level security and composite foreign keys for one tenant table.

    `key` is the column that holds the organization (`id` for the organization's own table). With `append_only` the
    application may insert and read, never change or remove. References named in `later` are left to a
    `TenantReference`: those to a table that is walled only after this one.
    """

    reversible = True

    def __init__(
        self, model_name: str, key: str = "organization_id", append_only: bool = False, later: Sequence[str] = ()
    ) -> None:
        self.model_name, self.key, self.append_only, self.later = model_name, key, append_only, tuple(later)

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
        statements += [
            _composite_key(table, field) for field in _tenant_references(model) if field.name not in self.later
        ]
        if self.append_only:
            statements.append(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APPLICATION_ROLE}")
        statements.append(
            f"DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{REMOVAL_ROLE}') THEN"
            f" GRANT SELECT, DELETE ON {table} TO {REMOVAL_ROLE}; END IF; END $$"
        )
        for statement in statements:
            schema_editor.execute(statement)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(f"DROP POLICY tenant ON {table}")

    def describe(self) -> str:
        return f"Wall {self.model_name} between organizations"


def _tenant_references(model: Any) -> list[Any]:
    # Historical models rebuild fields from their deconstruction, so the class survives.
    return [field for field in model._meta.get_fields() if isinstance(field, TenantForeignKey)]


class TenantReference(Operation):
    """The composite foreign key of a `TenantForeignKey` that came to a walled table, or that its wall has left out."""

    reversible = True

    def __init__(self, model_name: str, field_name: str) -> None:
        self.model_name, self.field_name = model_name, field_name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Django's state holds the field."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.execute(_composite_key(model._meta.db_table, model._meta.get_field(self.field_name)))

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        table, column = model._meta.db_table, model._meta.get_field(self.field_name).column
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_tenant_fk")

    def describe(self) -> str:
        return f"Bind {self.model_name}.{self.field_name} to its own organization"


def _composite_key(table: str, field: Any) -> str:
    target = field.remote_field.model._meta.db_table
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_{field.column}_tenant_fk"
        f" FOREIGN KEY (organization_id, {field.column}) REFERENCES {target} (organization_id, id)"
        " DEFERRABLE INITIALLY DEFERRED"
    )
