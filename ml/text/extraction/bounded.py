"""Running the child, and making sense of how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.text.chunks import Block, BlockKind
from ml.text.extraction.types import Extracted, Kind, Refusal, Refused

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one document may take: address space, processor time and time on the clock."""

    memory_bytes: int = 1_073_741_824
    cpu_seconds: int = 60
    seconds: float = 120.0


def extract(path: Path, kind: Kind, bounds: Bounds | None = None) -> Extracted:
    """The document at `path`; Refused when it is not read, whatever it did to the child."""
    bounds = bounds or Bounds()
    arguments = [kind.value, str(path.resolve()), str(bounds.memory_bytes), str(bounds.cpu_seconds)]
    try:
        done = subprocess.run(
            [sys.executable, "-s", "-P", "-m", "ml.text.extraction", *arguments],
            cwd=ROOT,
            # None of our secrets: the child has no business with them.
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=bounds.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(Refusal.TOO_SLOW) from None
    return _made_of(_answer(done))


def _answer(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise Refused(Refusal.TOO_SLOW)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        # A library that asks for more memory than there is often just ends the process.
        raise Refused(Refusal.DAMAGED) from None
    return answer


def _made_of(answer: dict[str, Any]) -> Extracted:
    if "refused" in answer:
        raise Refused(Refusal(answer["refused"]))
    blocks = tuple(Block(BlockKind(row.pop("kind")), **row) for row in answer["blocks"])
    return Extracted(blocks, answer["title"], answer["pages"])
