"""`POST /v1/embeddings`, as OpenAI's clients call it."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.entitlements import Limits
from apps.core import ratelimit
from apps.core.api import AsyncAPIView
from apps.core.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound, UnsupportedParameter
from apps.core.fields import StrictSerializer, Text, WholeNumber
from apps.core.ratelimit import Bucket
from apps.core.schema import WRITE, problems
from apps.knowledge import asking
from apps.knowledge.models import EmbeddingCall
from apps.knowledge.services import calls
from apps.knowledge.vectors import packed
from ml.embeddings import DIMENSIONS, MAX_TOKENS
from ml.embeddings.tokens import SPECIAL_TOKENS, lengths

MOST_INPUTS, MOST_TOKENS = 2048, 100_000
WAIT_SECONDS = 120.0
_TEXT = {"type": "string", "minLength": 1, "pattern": r"\S"}
_INPUT = {"oneOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MOST_INPUTS}]}
EXAMPLE = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.0123, -0.0456]}],
    "model": "all-MiniLM-L6-v2",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}


@extend_schema_field(_INPUT)
class Input(serializers.Field):
    """A text or a list of texts; the tokens of OpenAI's models mean nothing to this one."""

    default_error_messages = {"invalid": "Must be a string or a list of strings.", "empty": "A text is empty."}

    def to_internal_value(self, data: Any) -> tuple[str, ...]:
        texts = [data] if isinstance(data, str) else data
        if not isinstance(texts, list) or not texts:
            self.fail("invalid")
        if isinstance(texts[0], int | list):
            raise UnsupportedParameter(
                "Send input as text: this model has other tokens than OpenAI's, so that arrays of tokens mean nothing"
                " to it. In LangChain set check_embedding_ctx_length=False.",
                param="input",
            )
        if len(texts) > MOST_INPUTS:
            raise InvalidRequest(f"At most {MOST_INPUTS} texts at a time.", param="input")
        if not all(isinstance(text, str) for text in texts):
            self.fail("invalid")
        if not all(text.strip() for text in texts):
            self.fail("empty")
        return tuple(texts)

    def to_representation(self, value: Any) -> Any:
        return value


class CreateEmbedding(StrictSerializer):
    """The body of POST /v1/embeddings."""

    model = Text(max_length=120)
    input = Input()
    encoding_format = serializers.ChoiceField(["float", "base64"], required=False)
    dimensions = WholeNumber(
        required=False,
        min_value=1,
        max_value=DIMENSIONS,
        help_text="So many of the first numbers, brought to length 1 again. All of them say the most.",
    )
    user = Text(required=False, allow_blank=True, help_text="Accepted, without effect.")


class EmbeddingUsage(serializers.Serializer[Any]):
    prompt_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()


class Embedding(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["embedding"])
    index = serializers.IntegerField()
    embedding = serializers.ListField(
        child=serializers.FloatField(), help_text="With base64 a string: 32-bit floats, little-endian."
    )


class EmbeddingList(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = Embedding(many=True)  # type: ignore[assignment]
    model = serializers.CharField()
    usage = EmbeddingUsage()


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that was accepted and is held."""

    call: EmbeddingCall
    texts: tuple[str, ...]
    base64: bool
    dimensions: int


class EmbeddingsView(AsyncAPIView):
    """Texts in, vectors out; the worker computes them, and no thread waits for it."""

    limits: Limits

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            actor = api_actor(request)
            actor.require(calls.WRITE)
            self.limits = billing.limits_of(actor.organization_id)
            self._charge(request, requests=1, tokens=0)

    @extend_schema(
        operation_id="create_embedding",
        summary="Turn texts into vectors",
        description=f"Vectors have length 1 and {DIMENSIONS} numbers. A text has at most {MAX_TOKENS} tokens.",
        tags=["OpenAI-compatible"],
        request=CreateEmbedding,
        responses={
            200: OpenApiResponse(EmbeddingList, examples=[OpenApiExample("Vectors", value=EXAMPLE)]),
            **problems(*WRITE, 404, 409),
        },
    )
    async def post(self, request: Request) -> Response:
        asked = await sync_to_async(self._accept)(request)
        # Nothing of the database is held while the worker is at it.
        self.turn.leave()
        try:
            found = await asking.ask_patiently(asked.texts, WAIT_SECONDS)
        except BaseException:
            await sync_to_async(calls.release_call)(asked.call)
            raise
        await sync_to_async(calls.settle_call)(asked.call)
        return Response(_answer(asked, found.vectors))

    def _accept(self, request: Request) -> Asked:
        body = CreateEmbedding(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        if values["model"] != settings.EMBEDDING_NAME:
            raise ModelNotFound(
                f"There is no embedding model named {values['model']!r}; there is {settings.EMBEDDING_NAME}.",
                param="model",
            )
        tokens = _tokens_of(values["input"])
        self._charge(request, requests=0, tokens=tokens)
        try:
            call = calls.open_call(api_actor(request), len(values["input"]), tokens, self.limits)
        except BaseException:
            self._charge(request, requests=0, tokens=-tokens)
            raise
        dimensions = values.get("dimensions", DIMENSIONS)
        return Asked(call, values["input"], values.get("encoding_format") == "base64", dimensions)

    def _charge(self, request: Request, requests: int, tokens: int) -> None:
        buckets = [
            Bucket("requests", self.limits.requests_per_minute, requests),
            Bucket("tokens", self.limits.tokens_per_minute, tokens),
        ]
        levels = ratelimit.charge(str(api_actor(request).organization_id), buckets)
        self.answer_headers |= ratelimit.headers(levels)


def _tokens_of(texts: Sequence[str]) -> int:
    counts = [length + SPECIAL_TOKENS for length in lengths(texts)]
    for place, count in enumerate(counts):
        if count > MAX_TOKENS:
            raise ContextLengthExceeded(
                f"This model reads {MAX_TOKENS} tokens of a text; number {place} has {count}.", param=f"input.{place}"
            )
    if sum(counts) > MOST_TOKENS:
        raise ContextLengthExceeded(
            f"At most {MOST_TOKENS} tokens at a time, and these are {sum(counts)}.", param="input"
        )
    return sum(counts)


def _answer(asked: Asked, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    data = [
        {"object": "embedding", "index": place, "embedding": _shown(asked, vector)}
        for place, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": asked.call.tokens, "total_tokens": asked.call.tokens}
    return {"object": "list", "data": data, "model": asked.call.model, "usage": usage}


def _shown(asked: Asked, vector: Sequence[float]) -> str | list[float]:
    numbers = list(vector[: asked.dimensions])
    if asked.dimensions < len(vector):
        length = math.sqrt(sum(number * number for number in numbers)) or 1.0
        numbers = [number / length for number in numbers]
    return base64.b64encode(packed(numbers)).decode() if asked.base64 else numbers
