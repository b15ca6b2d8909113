"""Making a file in a process of its own, with an end: what takes long holds up no page, and nothing runs for ever.

`python -m apps.studio.exports.child FORMAT` reads JSON from its input and writes the file to its output.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 60
MEMORY_BYTES = 2**31


class TooLong(Exception):
    """The file was not ready in time."""


def made(format: str, title: str, markdown: str, language: str) -> bytes:
    """The file's bytes; raises TooLong."""
    given = json.dumps({"title": title, "markdown": markdown, "language": language}).encode()
    command = [sys.executable, "-m", "apps.studio.exports.child", format]
    try:
        done = subprocess.run(command, input=given, capture_output=True, cwd=ROOT, timeout=SECONDS, check=True, env={})
    except subprocess.TimeoutExpired:
        raise TooLong from None
    return done.stdout


def main(format: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    given = json.load(sys.stdin.buffer)
    if format == "pdf":
        from apps.studio.exports.pdf import pdf

        file = pdf(given["title"], given["markdown"], given["language"])
    else:
        from apps.studio.exports.word import word

        file = word(given["title"], given["markdown"])
    sys.stdout.buffer.write(file)


if __name__ == "__main__":
    main(sys.argv[1])
