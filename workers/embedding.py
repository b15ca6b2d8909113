"""The encoder of this process, and the threads that answer whoever waits for vectors.

A web process never loads a model: it asks through Redis (`apps.knowledge.asking`). Questions of people go before those
of programs and before the reading of documents, which wait between two batches.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from celery.signals import worker_ready
from django.conf import settings

from apps.core import env
from ml.embeddings import Embedder, Embeddings
from workers.threads import vital

if TYPE_CHECKING:
    from typing import Any

    from apps.knowledge.asking import Question

log = logging.getLogger(__name__)

QUEUE = "embedding"
# So many texts at a time while somebody more urgent may come.
PART = 4
TOGETHER = 64
WAIT_SECONDS = 1.0
BEAT_SECONDS = 5.0


class Turns:
    """One at a time, and who is urgent before who is patient."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = False
        self._urgent = 0

    @contextmanager
    def urgent(self) -> Iterator[None]:
        with self._changed:
            self._urgent += 1
            while self._busy:
                self._changed.wait()
            self._urgent -= 1
            self._busy = True
        yield from self._held()

    @contextmanager
    def patient(self) -> Iterator[None]:
        with self._changed:
            while self._busy or self._urgent:
                self._changed.wait()
            self._busy = True
        yield from self._held()

    def _held(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()


class SharedEncoder:
    """The process's encoder, loaded at first use."""

    def __init__(self) -> None:
        self._embedder: Embedder | None = None
        self._loading = threading.Lock()
        self._turns = Turns()

    @property
    def name(self) -> str:
        return self._loaded().name

    def at_once(self, texts: Sequence[str]) -> Embeddings:
        """For somebody who waits; raises EmbeddingFailed."""
        embedder = self._loaded()
        with self._turns.urgent():
            return embedder.embed(texts)

    def in_parts(self, texts: Sequence[str]) -> Iterator[Embeddings]:
        """For much text, a part at a time; others have their turn in between. Raises EmbeddingFailed."""
        embedder = self._loaded()
        for begin in range(0, len(texts), PART):
            with self._turns.patient():
                found = embedder.embed(texts[begin : begin + PART])
            yield found

    def _loaded(self) -> Embedder:
        with self._loading:
            if self._embedder is None:
                self._embedder = load()
            return self._embedder


def load() -> Embedder:
    """The encoder that EMBEDDING_MODEL names."""
    if settings.EMBEDDING_URL:
        from ml.embeddings.remote import RemoteEmbedder

        return RemoteEmbedder(settings.EMBEDDING_URL, settings.EMBEDDING_NAME, env.text("EMBEDDING_API_KEY"))
    import torch

    from ml.embeddings.encoder import Encoder

    # Beside the generation worker, whose cores they are as well.
    torch.set_num_threads(env.number("EMBEDDING_THREADS", 1))
    return Encoder()


encoder = SharedEncoder()


# ---------------------------------------------------------------- answering
@worker_ready.connect
def start_with_worker(sender: Any, **_: Any) -> None:
    """A worker of this queue answers from the start, and shows that it lives."""
    if QUEUE in sender.app.amqp.queues.consume_from:
        from apps.knowledge import asking

        small, large = asking.queues()
        vital(lambda: _serve(small, answer_small), "embed-small").start()
        vital(lambda: _serve(large, answer_large), "embed-large").start()
        vital(_beat, "embed-beat").start()


def _serve(queue: str, answer: Any) -> None:
    from redis.exceptions import RedisError

    from apps.knowledge import asking

    stopped = threading.Event()
    while True:
        try:
            answer(asking.take(queue, TOGETHER if answer is answer_small else 1, WAIT_SECONDS))
        except (RedisError, OSError) as error:
            log.warning("questions not answered: %s", error)
            stopped.wait(WAIT_SECONDS)


def answer_small(questions: Sequence[Question]) -> None:
    """All that wait in one batch; whatever is wrong with one of them is told to each of them."""
    from apps.knowledge import asking

    if not questions:
        return
    texts = [text for question in questions for text in question.texts]
    try:
        found = encoder.at_once(texts)
    except Exception:
        log.exception("texts not embedded")
        asking.answer([(question, None) for question in questions])
        return
    asking.answer(list(_shares(questions, found)))


def answer_large(questions: Sequence[Question]) -> None:
    from apps.knowledge import asking

    for question in questions:
        vectors, tokens = list[tuple[float, ...]](), 0
        try:
            for part in encoder.in_parts(question.texts):
                vectors += part.vectors
                tokens += part.tokens
        except Exception:
            log.exception("texts not embedded")
            asking.answer([(question, None)])
            continue
        asking.answer([(question, Embeddings(tuple(vectors), tokens))])


def _shares(questions: Sequence[Question], found: Embeddings) -> Iterator[tuple[Question, Embeddings]]:
    """Each question's own vectors; tokens are counted for large questions alone, whoever asks knows them already."""
    begin = 0
    for question in questions:
        end = begin + len(question.texts)
        yield question, Embeddings(found.vectors[begin:end], 0)
        begin = end


def _beat() -> None:
    from redis.exceptions import RedisError

    from apps.core import heartbeats

    waiting = threading.Event()
    while True:
        try:
            heartbeats.beat(QUEUE)
        except (RedisError, OSError) as error:
            log.warning("heartbeat not written: %s", error)
        waiting.wait(BEAT_SECONDS)
