"""A migration operation that puts a table under the audit trail's watch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.migrations.operations.base import Operation

from apps.core.crypto import SealedText


class AuditedTable(Operation):
    """Whatever changes the table's rows, inside the application or behind it, leaves an entry (`audit_change`).

    `name` is the column that says what a row is called; of `user_id` the person's address is taken. `without` are
    columns whose changes are no news. Of columns that look like secrets (`audit_is_secret`) only the fact that they
    changed is kept. A table that is audited cannot be truncated by accident.
    """

    reversible = True

    def __init__(self, model_name: str, name: str = "name", without: Sequence[str] = ()) -> None:
        self.model_name, self.name, self.without = model_name, name, tuple(without)

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Django's state knows nothing of triggers."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        meta = to_state.apps.get_model(app_label, self.model_name)._meta
        # Changing a master key reseals every envelope, which is no news; a forged one does not open.
        sealed = [str(field.column) for field in meta.local_fields if isinstance(field, SealedText)]
        table, words = meta.db_table, (meta.label_lower, self.name, ",".join([*self.without, *sealed]))
        arguments = ", ".join(schema_editor.quote_value(word) for word in words)
        schema_editor.execute(
            f"CREATE CONSTRAINT TRIGGER audit_change AFTER INSERT OR UPDATE OR DELETE ON {table}"
            f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change({arguments})",
            params=None,
        )
        schema_editor.execute(
            f"CREATE TRIGGER audit_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION audit_truncate()", params=None
        )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(f"DROP TRIGGER audit_change ON {table}")
        schema_editor.execute(f"DROP TRIGGER audit_truncate ON {table}")

    def describe(self) -> str:
        return f"Audit what changes {self.model_name}"


class AuditedInstallationTable(Operation):
    """The same for a table of no organization: only the named columns are watched, and nothing else is kept of a row.

    With `only_if`, columns of which one must be true, rows come and go without an entry as long as none is.
    """

    reversible = True

    def __init__(self, model_name: str, columns: Sequence[str], name: str = "", only_if: Sequence[str] = ()) -> None:
        self.model_name, self.columns, self.name, self.only_if = model_name, tuple(columns), name, tuple(only_if)

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Django's state knows nothing of triggers."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        meta = to_state.apps.get_model(app_label, self.model_name)._meta
        words = (meta.label_lower, self.name, ",".join(self.columns), ",".join(self.only_if))
        arguments = ", ".join(schema_editor.quote_value(word) for word in words)
        schema_editor.execute(
            f"CREATE CONSTRAINT TRIGGER installation_change AFTER INSERT OR UPDATE OR DELETE ON {meta.db_table}"
            f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION installation_change({arguments})",
            params=None,
        )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(f"DROP TRIGGER installation_change ON {table}")

    def describe(self) -> str:
        return f"Audit what changes {self.model_name}, for the installation"
