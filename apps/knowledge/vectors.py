"""pgvector's half-precision vectors as a field. Half the memory of single precision, and no recall lost by it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from django.db import models

from ml.embeddings import DIMENSIONS


class VectorField(models.Field):
    """A vector of length 1 from the encoder, as the text that pgvector reads and writes."""

    def db_type(self, connection: Any) -> str:
        return f"halfvec({DIMENSIONS})"


def as_text(vector: Sequence[float]) -> str:
    """What pgvector reads; half precision holds no more than four digits."""
    return f"[{','.join(f'{number:.5g}' for number in vector)}]"


def packed(vector: Sequence[float]) -> bytes:
    """Single precision, little-endian: what OpenAI's clients take in base64, and how vectors travel in Redis."""
    return struct.pack(f"<{len(vector)}f", *vector)


def unpacked(content: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(content) // 4}f", content)
