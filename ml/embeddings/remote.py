"""Vectors from a server that speaks OpenAI's embeddings API."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import httpx

from ml.embeddings.types import DIMENSIONS, EmbeddingFailed, Embeddings

AT_ONCE = 128
SECONDS = 30.0


class RemoteEmbedder:
    """Asks for vectors of the width that the database holds, and refuses any other."""

    def __init__(self, url: str, model: str, api_key: str = "", transport: httpx.BaseTransport | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise EmbeddingFailed("the address of the embeddings server must begin with http:// or https://")
        self.name = model
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=SECONDS,
            transport=transport,
        )

    def embed(self, texts: Sequence[str]) -> Embeddings:
        vectors: list[tuple[float, ...]] = []
        tokens = 0
        for begin in range(0, len(texts), AT_ONCE):
            found = self._ask(texts[begin : begin + AT_ONCE])
            vectors += found.vectors
            tokens += found.tokens
        return Embeddings(tuple(vectors), tokens)

    def _ask(self, texts: Sequence[str]) -> Embeddings:
        body = {"model": self.name, "input": list(texts), "encoding_format": "float", "dimensions": DIMENSIONS}
        try:
            answer = self._client.post("embeddings", json=body)
            answer.raise_for_status()
            content: Any = answer.json()
            rows = sorted(content["data"], key=lambda row: row["index"])
            vectors = tuple(normalised(row["embedding"]) for row in rows)
            tokens = int(content.get("usage", {}).get("prompt_tokens", 0))
        except httpx.HTTPStatusError as error:
            raise EmbeddingFailed(f"the embeddings server answered with {error.response.status_code}") from error
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise EmbeddingFailed("the embeddings server gave no usable answer") from error
        if len(vectors) != len(texts):
            raise EmbeddingFailed(f"the embeddings server sent {len(vectors)} vectors for {len(texts)} texts")
        return Embeddings(vectors, tokens)


def normalised(numbers: Sequence[float]) -> tuple[float, ...]:
    """The vector with length 1; ValueError for one of another width, or that points nowhere."""
    if len(numbers) != DIMENSIONS:
        raise ValueError(f"a vector of {len(numbers)} numbers, not {DIMENSIONS}")
    length = math.sqrt(sum(number * number for number in numbers))
    if not (math.isfinite(length) and length > 0):
        raise ValueError("a vector without direction")
    return tuple(number / length for number in numbers)
