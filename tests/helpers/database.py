"""The test database: a copy of a migrated one, and emptied between tests by whoever may.

Migrating takes longer than most test files do. The embedded server keeps one migrated database for each state of
the migrations, and every test process begins with a copy of it. On a server of others nothing is left behind, so there
each process migrates for itself.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from django.test.utils import setup_databases
from psycopg import sql

# Written by migrations, so emptying them would break every test that follows.
# What is sold is there from the first migration on, and as it was after each test.
SOLD_TABLES = tuple(f"billing_{name}" for name in ("plan", "planprice", "planallowance", "planrate", "creditpack"))
KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission", "auth_group", *SOLD_TABLES}
TEMPLATES = "migrated_"
# How long threads that a closed socket left may be in their last query while tables are emptied.
PATIENCE_SECONDS = 10.0

Connection = psycopg.Connection[Any]


def owner_of(database: str) -> Connection:
    """A connection of the schema's owner, beside Django's."""
    own = settings.DATABASES["default"]
    keys = {"user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return psycopg.connect(dbname=database, autocommit=True, **{key: own[name] for key, name in keys.items()})


# ---------------------------------------------------------------- a copy of what is migrated


def create_database() -> None:
    """Makes the test database of this process, and lets Django's connection name it."""
    if not os.environ.get("TEST_SUPERUSER_URL"):
        setup_databases(verbosity=0, interactive=False, serialized_aliases=set())
        return
    name = connection.settings_dict["TEST"]["NAME"]
    with owner_of(connection.settings_dict["NAME"]) as owner:
        # The processes of one run ask at once, and one of them migrates.
        owner.execute("SELECT pg_advisory_lock(hashtext(%s))", [TEMPLATES])
        template = _template(owner)
        owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    _name(name)
    _keep_what_is_sold(name)


def drop_database(before: str) -> None:
    """Removes the test database, from which the process returns to the one `before`."""
    name = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = before
    if os.environ.get("TEST_SUPERUSER_URL"):
        # Its owner may not end a superuser's session.
        _superuser(name).close()
    with owner_of(before) as owner:
        # FORCE: threads of a test may have left connections behind.
        owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _name(database: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = database


def _template(owner: Connection) -> str:
    """The migrated database to copy; those of other states of the migrations are dropped when a new one is made."""
    template = TEMPLATES + _state_of_migrations()
    pattern = TEMPLATES.replace("_", r"\_") + "%"
    found = {name for (name,) in owner.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [pattern])}
    if template in found:
        return template
    for old in found:
        owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(old)))
    before, test = connection.settings_dict["NAME"], connection.settings_dict["TEST"]
    name, test["NAME"] = test["NAME"], f"{template}_unfinished"
    setup_databases(verbosity=0, interactive=False, serialized_aliases=set())
    _name(before)
    test["NAME"] = name
    unfinished = sql.Identifier(f"{template}_unfinished")
    owner.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(unfinished, sql.Identifier(template)))
    return template


def _state_of_migrations() -> str:
    """A digest of the migrations, of all that they import, and of the packages that bring their own."""
    root = Path(settings.BASE_DIR)
    files, waiting = {root / "requirements.txt"}, set(root.glob("apps/*/migrations/*.py"))
    while waiting:
        file = waiting.pop()
        files.add(file)
        for module in re.findall(r"^(?:from|import) (apps[\w.]*)", file.read_text(), re.MULTILINE):
            path = root.joinpath(*module.split("."))
            waiting |= (set(path.glob("*.py")) if path.is_dir() else {path.with_suffix(".py")}) - files
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


# ---------------------------------------------------------------- emptying


def empty_tables(case: TransactionTestCase) -> None:
    """What a transactional test leaves is removed by others: the application's role may not."""
    connection.close()
    name = connection.settings_dict["NAME"]
    if not os.environ.get("TEST_SUPERUSER_URL"):
        with owner_of(name) as owner:
            _truncate(owner)
        return
    superuser = _superuser(name)
    _wait_for_others(superuser)
    _empty(superuser, name)
    for table in map(sql.Identifier, SOLD_TABLES):
        changed = superuser.execute(_CHANGED.format(table=table)).fetchone()
        if changed and changed[0]:
            superuser.execute(sql.SQL("DELETE FROM {table}").format(table=table))
            superuser.execute(sql.SQL("INSERT INTO {table} SELECT * FROM sold.{table}").format(table=table))


def _empty(superuser: Connection, database: str) -> None:
    filled = superuser.execute(_filled(database)).fetchone()
    assert filled is not None
    for table in filled[0]:
        superuser.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


_CHANGED = sql.SQL(
    "SELECT (SELECT array_agg(t::text ORDER BY t::text) FROM {table} t)"
    " IS DISTINCT FROM (SELECT array_agg(t::text ORDER BY t::text) FROM sold.{table} t)"
)


def _keep_what_is_sold(database: str) -> None:
    """Beside the tables, where no test looks for any; what migrations have recorded is no test's business."""
    superuser = _superuser(database)
    _empty(superuser, database)
    superuser.execute("CREATE SCHEMA sold")
    for table in map(sql.Identifier, SOLD_TABLES):
        superuser.execute(sql.SQL("CREATE TABLE sold.{table} AS TABLE public.{table}").format(table=table))


def _tables(connected: Connection) -> list[str]:
    found = connected.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return sorted(table for (table,) in found if table not in KEPT_TABLES)


def _truncate(owner: Connection) -> None:
    # A test that leaves a transaction open must fail here and not hang.
    owner.execute(f"SET lock_timeout = '{PATIENCE_SECONDS:.0f}s'")
    # Audited tables refuse to be emptied otherwise.
    owner.execute("SET audit.may_truncate = 'on'")
    tables = sql.SQL(", ").join(map(sql.Identifier, _tables(owner)))
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            owner.execute(sql.SQL("TRUNCATE {}").format(tables))
            return
        except psycopg.errors.DeadlockDetected:
            # A thread that a closed socket left was in its last query, and has ended while this one was refused.
            if time.monotonic() > until:
                raise


@cache
def _superuser(database: str) -> Connection:
    """Kept open, and past triggers, foreign keys and row-level security."""
    url = urlsplit(os.environ["TEST_SUPERUSER_URL"])
    connected = psycopg.connect(urlunsplit(url._replace(path=f"/{database}")), autocommit=True)
    connected.execute("SET session_replication_role = 'replica'")
    return connected


@cache
def _filled(database: str) -> sql.Composed:
    """Asks which tables hold a row: to empty all of them takes half a second, and most tests fill a few."""
    one = sql.SQL("CASE WHEN EXISTS (SELECT FROM {}) THEN {} END")
    each = [one.format(sql.Identifier(table), table) for table in _tables(_superuser(database))]
    return sql.SQL("SELECT array_remove(ARRAY[{}], NULL)").format(sql.SQL(", ").join(each))


def _wait_for_others(superuser: Connection) -> None:
    """Until nobody else is in a transaction; a test that leaves one open fails here."""
    query = """
        SELECT query FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    until = time.monotonic() + PATIENCE_SECONDS
    while open_queries := superuser.execute(query).fetchall():
        assert time.monotonic() < until, f"the test leaves transactions open: {open_queries}"
        time.sleep(0.01)
