"""Serializer fields that the REST and the OpenAI-compatible API share: messages, sampling, and what is not offered."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.errors import UnsupportedParameter
from apps.core.fields import LARGEST, Number, StrictSerializer, Text, TextOrTexts, WholeNumber
from apps.studio.requests import MAX_MESSAGES, ROLES, SHORTEST_DEADLINE_SECONDS
from ml.types import Message, SamplingParams

LONGEST_TEXT = 1_000_000
NOT_BLANK = r"\S"
not_blank = RegexValidator(NOT_BLANK, "Must not be empty.")
slug_or_blank = RegexValidator(
    r"^([a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?)?$", "A short name has small letters, digits and hyphens."
)


class Only(serializers.Field):
    """A parameter of the OpenAI API that may be sent with one of the values that change nothing, or null."""

    def __init__(self, *values: Any, **options: Any) -> None:
        super().__init__(**{"required": False, "help_text": "Only the neutral value.", **options})
        self.values = values
        set_override(self, "field", {"enum": [*values, None]})

    def to_internal_value(self, data: Any) -> Any:
        # True == 1 in Python, and not in JSON.
        if not any(type(data) is type(value) and data == value for value in self.values):
            raise UnsupportedParameter(f"{self.field_name} is not supported here.", param=self.field_name)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class Ignored(serializers.JSONField):
    """A parameter of the OpenAI API without meaning here, accepted so that programs need no change."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "help_text": "Accepted, without effect.", **options})
        set_override(self, "field", {})


class TextPart(StrictSerializer):
    type = serializers.ChoiceField(["text"])
    text = Text(allow_blank=True, max_length=LONGEST_TEXT)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string"},
            {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {"type": {"enum": ["text"]}, "text": {"type": "string"}},
                    "required": ["type", "text"],
                    "additionalProperties": False,
                },
            },
        ]
    }
)
class Content(serializers.Field):
    """A message's text: a string, or the list of text parts that newer OpenAI clients send."""

    default_error_messages = {"invalid": "Must be a string or a list of text parts."}

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str):
            text: str = Text(allow_blank=True, max_length=LONGEST_TEXT).run_validation(data)
            return text
        if not isinstance(data, list) or not data:
            self.fail("invalid")
        for part in data:
            if isinstance(part, dict) and isinstance(part.get("type"), str) and part["type"] != "text":
                raise UnsupportedParameter("Only text parts are supported.", param="messages")
        parts = TextPart(data=data, many=True)
        parts.is_valid(raise_exception=True)
        return "".join(part["text"] for part in parts.validated_data)

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"enum": [*ROLES, "developer"]})
class RoleName(serializers.Field):
    """Who speaks; a developer is what newer OpenAI clients call the system."""

    default_error_messages = {"invalid": f"Must be one of {', '.join(ROLES)}, developer."}

    def to_internal_value(self, data: Any) -> str:
        if data in ("tool", "function"):
            raise UnsupportedParameter("Tools are not supported here.", param="messages")
        if not isinstance(data, str) or data not in {*ROLES, "developer"}:
            self.fail("invalid")
        return "system" if data == "developer" else data

    def to_representation(self, value: Any) -> Any:
        return value


class MessageList(serializers.ListSerializer):
    """Counts before it reads: a body has room for a hundred thousand messages."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and len(data) > MAX_MESSAGES:
            raise serializers.ValidationError([f"At most {MAX_MESSAGES} messages."])
        values: list[Any] = super().to_internal_value(data)
        return values


class ChatMessage(StrictSerializer):
    """One turn; the null fields of an answer that is sent back are accepted."""

    role = RoleName()
    content = Content()
    name = Ignored()
    refusal = Only()
    annotations = Only([])
    audio = Only()
    function_call = Only()
    tool_calls = Only([])

    class Meta:
        list_serializer_class = MessageList


class ChatMessages(OpenApiSerializerFieldExtension):
    """How many messages there may be, and that one must say something; drf-spectacular knows neither."""

    target_class = MessageList
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        some = {"type": "string", "pattern": NOT_BLANK}
        parts = {"type": "array", "contains": {"properties": {"text": some}}}
        not_empty = {"properties": {"content": {"anyOf": [some, parts]}}}
        return {**schema, "minItems": 1, "maxItems": MAX_MESSAGES, "contains": not_empty}


def messages_of(values: list[dict[str, str]]) -> tuple[Message, ...]:
    return tuple(Message(value["role"], value["content"]) for value in values)  # type: ignore[arg-type]


@extend_schema_field({"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1})
class Share(Number):
    """A number above 0 and up to 1."""


class SamplingFields(StrictSerializer):
    """How tokens are chosen; what is absent or null takes the product's default."""

    max_tokens = WholeNumber(
        required=False, allow_null=True, min_value=1, max_value=1_000_000, help_text="Default 256."
    )
    min_tokens = WholeNumber(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=1_000_000,
        help_text="Before this many tokens only max_tokens ends the text. Default 0.",
    )
    deadline_seconds = Number(
        required=False,
        allow_null=True,
        min_value=SHORTEST_DEADLINE_SECONDS,
        max_value=settings.GENERATION_DEADLINE_SECONDS,
        help_text="From acceptance, also while it waits. Default none; writing itself is always bounded.",
    )
    temperature = Number(
        required=False, allow_null=True, min_value=0, max_value=2, help_text="0 is greedy. Default 0.8."
    )
    top_p = Share(required=False, help_text="Default 0.95.")
    top_k = WholeNumber(
        required=False, allow_null=True, min_value=0, max_value=1_000_000, help_text="0 is off, the default."
    )
    repetition_penalty = Number(
        required=False, allow_null=True, min_value=0.1, max_value=10, help_text="1 is off, the default."
    )
    seed = WholeNumber(
        required=False,
        allow_null=True,
        min_value=-LARGEST,
        max_value=LARGEST,
        help_text="The same seed, request and model version give the same text. Default random.",
    )
    stop = TextOrTexts(required=False, help_text="Ends the text, and is not part of it.")

    def sampling(self) -> SamplingParams:
        return SamplingParams(**self.given_sampling())

    def given_sampling(self) -> dict[str, Any]:
        names = ("min_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop")
        values = self.validated_data
        return {name: values[name] for name in names if name in values}
