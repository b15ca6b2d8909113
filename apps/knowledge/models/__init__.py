"""Collections of sources, the passages that they were cut into, and calls of the embeddings API."""

from apps.knowledge.models.calls import CallState, EmbeddingCall
from apps.knowledge.models.passages import Chunk
from apps.knowledge.models.sources import Collection, Origin, Source, SourceVersion, Stage

__all__ = ["CallState", "Chunk", "Collection", "EmbeddingCall", "Origin", "Source", "SourceVersion", "Stage"]
