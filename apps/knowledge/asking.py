"""Vectors for whoever waits for them: the embedding worker is asked through Redis, since no web process loads a model.

A question is an entry of a list; its answer comes in a list of its own. Nothing of it is kept: whoever is not answered
in time raises EmbeddingUnavailable, and a worker passes over questions that nobody waits for any more.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.utils.translation import gettext_noop
from redis.exceptions import RedisError

from apps.core.connections import own_stream_client, redis_client
from apps.knowledge.errors import EmbeddingUnavailable
from apps.knowledge.vectors import packed, unpacked
from ml.embeddings import Embeddings

# So many texts at most go before larger questions: those of people who wait for a search.
SMALL = 8
SECONDS = 5.0
# What a worker took up and nobody fetched.
ANSWER_SECONDS = 60
NOBODY = gettext_noop("Nothing answers that could read this text just now; try again in a moment.")


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    texts: tuple[str, ...]


def queues() -> tuple[str, str]:
    """The lists of small and of large questions."""
    return f"{settings.REDIS_PREFIX}:embed:small", f"{settings.REDIS_PREFIX}:embed:large"


def answer_key(id: str) -> str:
    return f"{settings.REDIS_PREFIX}:embed:answer:{id}"


def waiting_key(id: str) -> str:
    """There for as long as somebody waits for the answer."""
    return f"{settings.REDIS_PREFIX}:embed:waiting:{id}"


def ask(texts: Sequence[str], seconds: float = SECONDS) -> Embeddings:
    """The texts' vectors; raises EmbeddingUnavailable when no worker answers in time, or none of them can."""
    question = Question(uuid4().hex, tuple(texts))
    try:
        client = redis_client()
        with client.pipeline(transaction=True) as together:
            _put(together, question, seconds)
            together.execute()
        until = time.monotonic() + seconds
        found = None
        while found is None and (left := until - time.monotonic()) > 0:
            # Shorter than the connection's own patience.
            found = client.blpop(answer_key(question.id), min(left, 4.0))
        client.delete(waiting_key(question.id))
    except (RedisError, OSError) as error:
        raise EmbeddingUnavailable(NOBODY, retry_after=2) from error
    return _read(found)


async def ask_patiently(texts: Sequence[str], seconds: float) -> Embeddings:
    """The same for a program that waits for much, which holds no thread meanwhile."""
    question = Question(uuid4().hex, tuple(texts))
    try:
        async with own_stream_client() as client:
            async with client.pipeline(transaction=True) as together:
                _put(together, question, seconds)
                await together.execute()
            until = time.monotonic() + seconds
            found = None
            while found is None and (left := until - time.monotonic()) > 0:
                found = await client.blpop(answer_key(question.id), min(left, 2.0))
            await client.delete(waiting_key(question.id))
    except (RedisError, OSError) as error:
        raise EmbeddingUnavailable(NOBODY, retry_after=2) from error
    return _read(found)


def _put(together: Any, question: Question, seconds: float) -> None:
    queue = queues()[0 if len(question.texts) <= SMALL else 1]
    together.set(waiting_key(question.id), 1, px=int(seconds * 1000) + 1)
    together.rpush(queue, json.dumps({"id": question.id, "texts": question.texts}))
    # With no worker at all, what was asked piles up no further than this.
    together.expire(queue, max(ANSWER_SECONDS, int(seconds) + ANSWER_SECONDS))


def _read(found: Any) -> Embeddings:
    answer = json.loads(found[1]) if found else {"error": "silent"}
    if "error" in answer:
        raise EmbeddingUnavailable(NOBODY, retry_after=2)
    vectors = tuple(unpacked(base64.b64decode(each)) for each in answer["vectors"])
    return Embeddings(vectors, int(answer["tokens"]))


# ---------------------------------------------------------------- the worker's side


def take(queue: str, most: int, seconds: float) -> list[Question]:
    """Questions that somebody still waits for; the first is waited for, and what else is there comes with it."""
    client = redis_client()
    first = client.blpop(queue, seconds)
    if first is None:
        return []
    more = client.lpop(queue, most - 1) if most > 1 else None
    asked = [json.loads(each) for each in [first[1], *(more or [])]]
    with client.pipeline(transaction=False) as together:
        for each in asked:
            together.exists(waiting_key(each["id"]))
        awaited = together.execute()
    return [Question(each["id"], tuple(each["texts"])) for each, there in zip(asked, awaited, strict=True) if there]


def answer(questions: Sequence[tuple[Question, Embeddings | None]]) -> None:
    """Hands out what was found; None says that the encoder could not do it."""
    with redis_client().pipeline(transaction=False) as together:
        for question, found in questions:
            body: dict[str, Any] = {"error": "failed"}
            if found is not None:
                vectors = [base64.b64encode(packed(vector)).decode() for vector in found.vectors]
                body = {"vectors": vectors, "tokens": found.tokens}
            together.rpush(answer_key(question.id), json.dumps(body))
            together.expire(answer_key(question.id), ANSWER_SECONDS)
        together.execute()
