"""Texts as vectors: the encoder that ships with the project, or a server that speaks OpenAI's embeddings API.

Importing this loads no torch: whoever only counts tokens, or names the encoder, may run in a web process.
"""

from ml.embeddings.types import DIMENSIONS, MAX_TOKENS, Embedder, EmbeddingFailed, Embeddings
from ml.embeddings.weights import NAME, WeightsRefused, weights_folder

__all__ = [
    "DIMENSIONS",
    "MAX_TOKENS",
    "NAME",
    "Embedder",
    "EmbeddingFailed",
    "Embeddings",
    "WeightsRefused",
    "weights_folder",
]
