"""The child: `python -m ml.text.extraction KIND PATH MEMORY SECONDS` writes the document, or why not, as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from ml.text.extraction.confinement import confine
from ml.text.extraction.detection import HEAD_BYTES, check
from ml.text.extraction.types import MOST_BLOCKS, MOST_CHARACTERS, Extracted, Kind, Refusal, Refused


def main(kind: Kind, path: Path, memory_bytes: int, cpu_seconds: int) -> dict[str, object]:
    # Libraries are loaded before, since afterwards hardly anything can be opened.
    reader = import_module(f"ml.text.extraction.formats.{kind}")
    confine(memory_bytes, cpu_seconds)
    try:
        with path.open("rb") as file:
            check(kind, file.read(HEAD_BYTES))
        return asdict(_bounded(reader.read(path)))
    except Refused as refused:
        return {"refused": refused.reason}
    except MemoryError:
        return {"refused": Refusal.TOO_MUCH_MEMORY}


def _bounded(found: Extracted) -> Extracted:
    if not any(block.text.strip() for block in found.blocks):
        raise Refused(Refusal.NO_TEXT)
    if len(found.blocks) > MOST_BLOCKS or sum(len(block.text) for block in found.blocks) > MOST_CHARACTERS:
        raise Refused(Refusal.TOO_MUCH_TEXT)
    return found


if __name__ == "__main__":
    answer = main(Kind(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.write(json.dumps(answer))
