"""Looking for words in an index whose wall holds what is looked for (decision 34)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection

# Of rows that all but a search would show, the planner takes nearly all to match a common word. It would then read the
# table and read the query again for each of its rows, where the index has the answer.
_LOOK_FOR = """
SELECT set_config('app.search', ({query})::text, true), set_config('enable_seqscan', 'off', true)
"""
_LOOK_AT_ALL = "SELECT set_config('app.search', '', true), set_config('enable_seqscan', 'on', true)"


@contextmanager
def looking_for(query: str, values: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """A cursor that sees, of indexes with such a wall, only what matches, and the `tsquery` that it is as text.

    `query` is an expression of the types text or `tsquery`; where it is NULL nothing is to be found, and the text is
    empty. Afterwards the index is whole for whoever is next in the transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_FOR.format(query=query), values)
        found = cursor.fetchone()[0] or ""
        try:
            yield cursor, found
        except DatabaseError:
            # The transaction is broken, and what is undone with it are these settings as well.
            raise
        except BaseException:
            cursor.execute(_LOOK_AT_ALL)
            raise
        cursor.execute(_LOOK_AT_ALL)
