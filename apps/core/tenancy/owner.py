"""Working as the owner of the tables for a moment: what the application's role may not do, in the few places that must.

Only pseudonymising what is append-only needs it; removing has a role of its own (`removal.py`). It works where web and
workers sign in as the owner and take on the application's role (docs/decisions/0002); where they have a login of their
own PostgreSQL refuses it, and it is a command's work, run with the owner's DATABASE_URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from django.db import connection, transaction


class AsOwner(StrEnum):
    """Every reason for which code may set the application's role aside; a test lists where each is used."""

    ERASURE = "replacing a person's name by a pseudonym where entries are never changed otherwise"


@contextmanager
def as_owner(reason: AsOwner) -> Iterator[None]:
    """For the rest of the block, the session's own login; forced row-level security still binds it to the scope.

    Needs a transaction, and leaves with it: a savepoint that is rolled back restores the role by itself.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        before = cursor.fetchone()[0]
        cursor.execute("SET LOCAL ROLE NONE")
        yield
        cursor.execute(f"SET LOCAL ROLE {connection.ops.quote_name(before)}")
