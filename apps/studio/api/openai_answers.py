"""The shapes in which OpenAI's clients expect an answer, whole and in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    GenerationFailed,
    MillraceError,
    ServiceUnavailable,
)
from apps.studio.api.serializers import Usage

# OpenAI knows these three only: somebody stopped the answer, or its time was up before its end.
FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "cancelled": "stop",
    "deadline": "length",
    "content_filter": "content_filter",
}
_FAILURES: dict[str, type[MillraceError]] = {
    "context_length_exceeded": ContextLengthExceeded,
    "deadline_exceeded": DeadlineExceeded,
    "model_unavailable": ServiceUnavailable,
}


def finish_reason(body: dict[str, Any]) -> str:
    return FINISH_REASONS.get(body["finish_reason"] or "stop", "stop")


def failure_of(body: dict[str, Any]) -> MillraceError | None:
    """The error that a failed generation is told as; None for one that ended in any other way."""
    out_of_time = body["finish_reason"] == "deadline" and body["text"]
    if body["status"] != "failed" or out_of_time:
        return None
    found = body["error"] or {"code": "", "message": "The generation failed."}
    return _FAILURES.get(found["code"], GenerationFailed)(found["message"])


def diverged() -> GenerationFailed:
    """The text was started over and came out differently, which a stream without `reset` cannot tell."""
    return GenerationFailed("The answer had to be started over and came out differently; ask again.")


class Continuity:
    """What has gone out of an answer, so that one that is started over goes on where the reader is."""

    def __init__(self) -> None:
        self.sent = ""
        self.again: str | None = None

    def reset(self) -> None:
        self.again = ""

    def push(self, text: str) -> str:
        """The part of the next text that is new to the reader; raises GenerationFailed."""
        if self.again is None:
            self.sent += text
            return text
        self.again += text
        common = min(len(self.again), len(self.sent))
        if self.again[:common] != self.sent[:common]:
            raise diverged()
        if len(self.again) < len(self.sent):
            return ""
        new, self.sent, self.again = self.again[common:], self.again, None
        return new

    def end(self, text: str) -> str:
        """What is missing of the final text, which is the row's; raises GenerationFailed."""
        if not text.startswith(self.sent):
            raise diverged()
        return text[len(self.sent) :]


@dataclass(frozen=True, slots=True)
class Shape:
    """One endpoint's names; `created` is in Unix seconds."""

    chat: bool
    id: str
    created: int
    model: str
    fingerprint: str

    @classmethod
    def of(cls, body: dict[str, Any]) -> Shape:
        chat = body["kind"] == "chat"
        created = int(datetime.fromisoformat(body["created_at"]).timestamp())
        id = f"{'chatcmpl' if chat else 'cmpl'}-{body['id']}"
        return cls(chat, id, created, body["model"], body["model_version"])

    def _envelope(self, name: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": name,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """The whole answer of a finished generation."""
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": finish_reason(body)}
        if self.chat:
            choice["message"] = {"role": "assistant", "content": body["text"], "refusal": None}
        else:
            choice["text"] = body["text"]
        name = "chat.completion" if self.chat else "text_completion"
        return self._envelope(name, [choice]) | {"usage": body["usage"]}

    def chunk(self, text: str | None, reason: str | None = None, first: bool = False) -> dict[str, Any]:
        """One piece of a streamed answer; `text` None for a chunk that carries none."""
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": reason}
        if self.chat:
            delta = {"content": text} if text is not None else {}
            choice["delta"] = {"role": "assistant", **delta} if first else delta
        else:
            choice["text"] = text or ""
        return self._envelope("chat.completion.chunk" if self.chat else "text_completion", [choice])

    def usage_chunk(self, usage: dict[str, int]) -> dict[str, Any]:
        return self._envelope("chat.completion.chunk" if self.chat else "text_completion", []) | {"usage": usage}


class ChatAnswerMessage(serializers.Serializer):
    role = serializers.ChoiceField(["assistant"])
    content = serializers.CharField()
    refusal = serializers.CharField(allow_null=True)


@extend_schema_field({"type": "null"})
class Null(serializers.Field):
    """What is always null here."""


class Choice(serializers.Serializer):
    index = serializers.IntegerField()
    logprobs = Null()
    finish_reason = serializers.ChoiceField(["stop", "length", "content_filter"])


class ChatChoice(Choice):
    message = ChatAnswerMessage()


class CompletionChoice(Choice):
    text = serializers.CharField()


class Answer(serializers.Serializer):
    id = serializers.CharField()
    created = serializers.IntegerField()
    model = serializers.CharField()
    system_fingerprint = serializers.CharField(help_text="The model version that answered.")
    usage = Usage()


class ChatCompletion(Answer):
    object = serializers.ChoiceField(["chat.completion"])
    choices = ChatChoice(many=True)


class Completion(Answer):
    object = serializers.ChoiceField(["text_completion"])
    choices = CompletionChoice(many=True)
