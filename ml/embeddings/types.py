"""What crosses the border between encoders and the rest of the product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

# Of the encoder that ships with the project; the database's column is as wide.
DIMENSIONS = 384
# It was trained on texts of at most so many tokens, [CLS] and [SEP] among them; what is longer is cut off.
MAX_TOKENS = 256

Vector = tuple[float, ...]


class EmbeddingFailed(RuntimeError):
    """No vectors: the encoder cannot be loaded, or its server gave no usable answer."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector of length 1 for each text, in their order, and the tokens that were read for all of them."""

    vectors: tuple[Vector, ...]
    tokens: int


class Embedder(Protocol):
    """`name` says which vectors may be compared: those of one name lie in one space."""

    name: str

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Raises EmbeddingFailed."""
        ...
