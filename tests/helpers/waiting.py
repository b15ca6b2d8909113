"""Waiting for what another connection does, without guessing how long it takes."""

from __future__ import annotations

import time

from django.db import connection


def wait_until_somebody_waits() -> None:
    """Until a session of this database waits for a lock of another one."""
    until = time.monotonic() + 60
    # Waits for rows name no database, so that what else the session has locked says which it is in.
    asked = """
        SELECT count(*) FROM pg_locks waits WHERE NOT granted AND EXISTS (SELECT 1 FROM pg_locks has
            WHERE has.pid = waits.pid
            AND has.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    """
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(asked)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("Nobody waits.")
