"""Writing a ZIP of many rows with little memory: each table as JSON and as CSV, with an index that people can read."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from apps.core.sheets import safe

COPY_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One table in the archive."""

    name: str
    rows: int


class Archive:
    """A ZIP under way, at `path`; nothing else than `close` makes it whole."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.entries: list[Entry] = []
        # Readable by the product alone: it holds everything about somebody.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED)

    def table(self, name: str, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> int:
        """Adds `name`.json and `name`.csv; the CSV waits on disk while the JSON is written. Returns the row count."""
        count = 0
        with TemporaryFile("w+", encoding="utf-8", newline="", dir=self.path.parent) as spool:
            sheet = csv.writer(spool)
            sheet.writerow(columns)
            with self._open(f"{name}.json") as entry:
                entry.write(b"[")
                for row in rows:
                    entry.write(b",\n" if count else b"\n")
                    entry.write(as_json(row).encode())
                    sheet.writerow([_cell(row[column]) for column in columns])
                    count += 1
                entry.write(b"\n]\n")
            spool.flush()
            spool.seek(0)
            with self._open(f"{name}.csv") as entry:
                # With this mark spreadsheets read UTF-8.
                entry.write(b"\xef\xbb\xbf")
                while chunk := spool.read(COPY_BYTES):
                    entry.write(chunk.encode())
        self.entries.append(Entry(name, count))
        return count

    def text(self, name: str, content: str) -> None:
        with self._open(name) as entry:
            entry.write(content.encode())

    def _open(self, name: str) -> Any:
        return io.BufferedWriter(self._zip.open(name, "w", force_zip64=True), COPY_BYTES)

    def close(self) -> tuple[int, str]:
        """Completes the file and waits until the disk has it; its size and SHA-256."""
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha256").hexdigest()
        size = self._file.seek(0, os.SEEK_END)
        self._file.close()
        return size, digest

    def abandon(self) -> None:
        """Leaves nothing behind."""
        with contextlib.suppress(OSError, ValueError):
            # Its destructor would try otherwise, on a file that is gone.
            self._zip.close()
        self._file.close()
        self.path.unlink(missing_ok=True)


def as_json(value: Any) -> str:
    return json.dumps(value, cls=_Encoder, ensure_ascii=False)


class _Encoder(DjangoJSONEncoder):
    def default(self, value: Any) -> Any:
        try:
            return super().default(value)
        except TypeError:
            return str(value)


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = as_json(value)
    return safe(value) if isinstance(value, str) else value
