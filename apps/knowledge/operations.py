"""Migration operations for pgvector."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, transaction
from django.db.migrations.operations.base import Operation

# Since 0.8 a search that filters goes on until enough has passed the filter.
OLDEST = (0, 8)


class NoVectors(RuntimeError):
    """The database server has no pgvector, or one that is too old."""


class RequireVector(Operation):
    """The extension `vector`, made if its owner may; where it cannot be had, an error that says what to do."""

    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Django's state knows nothing of extensions."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except DatabaseError as error:
            raise NoVectors(
                "PostgreSQL needs the extension pgvector, 0.8 or later: install it on the server, then run `create"
                f" extension vector` in this database as a superuser (docs/operations.md). It says: {error}"
            ) from error
        with connection.cursor() as cursor:
            cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
            version = cursor.fetchone()[0]
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            raise NoVectors(
                f"pgvector is {version}, and 0.8 or later is needed: update it on the server, then run `alter extension"
                " vector update` in this database (docs/operations.md)."
            )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Others may use it."""

    def describe(self) -> str:
        return "Require pgvector"
