"""Counting what a page asks the database."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

# No page may ask more than this.
MOST = 12
# In a test a transaction is a savepoint; neither that nor telling PostgreSQL whose rows to show is a question.
_CONTROL = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT", "SELECT set_config")


def questions_of(client: Client, path: str) -> int:
    """How many queries the page takes, which must come with success."""
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200, path
    return questions_in(asked)


def questions_in(asked: CaptureQueriesContext) -> int:
    return len([query for query in asked if not query["sql"].startswith(_CONTROL)])
