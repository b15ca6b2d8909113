"""The simulator's state in one SQLite file: every request and every timer is one transaction."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    customer TEXT, parent TEXT, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_of_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_of_customer ON objects (customer, kind, seq);
CREATE INDEX IF NOT EXISTS objects_of_parent ON objects (parent, kind, seq);
CREATE TABLE IF NOT EXISTS timers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, name TEXT NOT NULL, object TEXT NOT NULL,
    clock TEXT NOT NULL, UNIQUE (name, object)
);
CREATE INDEX IF NOT EXISTS timers_due ON timers (clock, at, seq);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, due REAL NOT NULL, place REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'waiting', answer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, digest TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, request TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path | str) -> None:
        self.lock = threading.RLock()
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else meanwhile."""
        with self.lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Inside a transaction: whatever is written in here is taken back at its end."""
        self._db.execute("SAVEPOINT preview")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK TO preview")
            self._db.execute("RELEASE preview")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a statement returns."""
        with self.lock:
            return self._db.execute(query, values).fetchall()

    def run(self, query: str, *values: Any) -> int:
        """Execute one statement; returns how many rows it has touched."""
        with self.lock:
            return self._db.execute(query, values).rowcount

    def setting(self, name: str, default: Any = None) -> Any:
        """Return what was set under a name."""
        found = self.rows("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(found[0][0]) if found else default

    def set(self, name: str, value: Any) -> None:
        """Keep a value under a name."""
        self.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, json.dumps(value))

    def clear(self) -> None:
        """Forget everything."""
        with self.transaction():
            for table in ("objects", "timers", "deliveries", "answers", "settings"):
                self.run(f"DELETE FROM {table}")

    def close(self) -> None:
        """Give the file free."""
        with self.lock:
            self._db.close()
