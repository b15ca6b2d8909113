"""Knowledge with an encoder that needs no weights: words as places of a vector, so that equal words lie together."""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from apps.core import tenancy
from apps.knowledge import asking
from apps.knowledge import services as knowledge
from apps.knowledge.files import Content
from apps.knowledge.models import Chunk, Collection, Source, SourceVersion
from ml.embeddings import DIMENSIONS, NAME, Embeddings
from tests.helpers.people import Tenant
from workers import embedding
from workers import knowledge as worker


class WordEncoder:
    """Each word is one direction; a text lies in the middle of its words."""

    name = NAME

    def __init__(self) -> None:
        self.calls: list[int] = []

    def embed(self, texts: Sequence[str]) -> Embeddings:
        self.calls.append(len(texts))
        return Embeddings(tuple(self._vector(text) for text in texts), sum(len(text.split()) for text in texts))

    @staticmethod
    def _vector(text: str) -> tuple[float, ...]:
        numbers = [0.0] * DIMENSIONS
        for word in re.findall(r"\w+", text.lower()) or [""]:
            numbers[int(hashlib.sha256(word.encode()).hexdigest(), 16) % DIMENSIONS] += 1.0
        length = math.sqrt(sum(number * number for number in numbers))
        return tuple(number / length for number in numbers)


def make_collection(tenant: Tenant, name: str = "Handbook") -> Collection:
    return knowledge.create_collection(tenant.actor, name)


def add(tenant: Tenant, collection: Collection, name: str, content: str | bytes) -> SourceVersion:
    """A file of the collection, waiting to be read."""
    body = content.encode() if isinstance(content, str) else content
    return knowledge.add_file(tenant.actor, collection.pk, Content(name, body))


def read_all() -> None:
    """Does what a worker would, now."""
    worker.wake()


def fresh(tenant: Tenant, version: SourceVersion) -> SourceVersion:
    with tenancy.scope(tenant.id):
        found: SourceVersion = SourceVersion.objects.select_related("document").get(pk=version.pk)
    return found


def source_of(tenant: Tenant, version: SourceVersion) -> Source:
    return fresh(tenant, version).source


@contextmanager
def answering() -> Iterator[None]:
    """A worker's thread that answers questions."""
    stopping = threading.Event()
    small, large = asking.queues()

    def serve() -> None:
        while not stopping.is_set():
            embedding.answer_small(asking.take(small, embedding.TOGETHER, 0.05))
            embedding.answer_large(asking.take(large, 1, 0.05))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def library(tenant: Tenant, mark: str) -> dict[str, UUID]:
    """One row of each kind that addresses of knowledge name; nothing waits to be read."""
    mine = {"organization_id": tenant.id}
    with tenancy.scope(tenant.id):
        collection = Collection.objects.create(**mine, name=f"{mark} collection")
        source = Source.objects.create(
            **mine, collection=collection, title=f"{mark} document", origin="upload", passages=1, versions_count=1
        )
        version = SourceVersion.objects.create(
            **mine, document=source, number=1, name=f"{mark}.txt", kind="text", path="knowledge/none",
            status="succeeded", stage="ready", is_current=True, created_by=tenant.owner,
        )  # fmt: skip
        passage = Chunk.objects.create(
            **mine,
            collection=collection,
            document=source,
            version=version,
            position=0,
            text=f"What {mark} says.",
            tokens=3,
        )
    return {
        "collection": collection.pk,
        "document": source.pk,
        "document version": version.pk,
        "passage": passage.pk,
    }
