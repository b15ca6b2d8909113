"""Reading a table in a child that can be killed: whatever a file does to its parser, this process goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ml.text.tables.types import Bounds, Refused, Row, Table
from ml.words import Words

ROOT = Path(__file__).resolve().parents[3]
# Nothing of this process's environment, in which there are secrets.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}


def read(path: Path, bounds: Bounds | None = None) -> Table:
    """The table in a file; Refused for one that is none, is too large, or harms whoever reads it."""
    bounds = bounds or Bounds()
    command = [sys.executable, "-m", "ml.text.tables", str(path), json.dumps(asdict(bounds))]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        timer = threading.Timer(bounds.seconds, child.kill)
        timer.start()
        try:
            return _taken(child, bounds)
        finally:
            timer.cancel()
            child.kill()


def _taken(child: subprocess.Popen[bytes], bounds: Bounds) -> Table:
    rows: list[Row] = []
    size = 0
    for line in child.stdout or ():
        # JSON of ASCII takes at most six bytes for a character, twelve for one outside the first plane.
        size += len(line)
        if size > 14 * bounds.chars + 1000 * bounds.rows:
            break
        found: dict[str, Any] = json.loads(line)
        if "refused" in found:
            raise Refused(found["refused"], **found["values"])
        if "columns" in found:
            return Table(tuple(found["columns"]), tuple(rows), found["format"], found.get("encoding", ""))
        template, values = found["problem"]
        rows.append(Row(found["row"], Words(template, **values) if template else ""))
    raise Refused("This file takes too long or too much memory to be read.")
