"""What OpenAI's clients send, checked and translated into the product's own terms."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.access import Actor
from apps.core.errors import InvalidRequest, UnsupportedParameter
from apps.core.fields import Flag, StrictSerializer, Text, WholeNumber
from apps.studio.api.fields import (
    LONGEST_TEXT,
    NOT_BLANK,
    ChatMessage,
    Ignored,
    Only,
    SamplingFields,
    messages_of,
    not_blank,
)
from apps.studio.api.template_calls import TemplatedFields
from apps.studio.requests import GenerationSpec


class StreamOptions(StrictSerializer):
    include_usage = Flag(required=False, allow_null=True)
    include_obfuscation = Ignored()


class OpenAIRequest(SamplingFields):
    """What both endpoints share."""

    model = Text(max_length=120)
    stream = Flag(required=False, allow_null=True)
    stream_options = StreamOptions(required=False, allow_null=True)
    n = Only(1)
    frequency_penalty = Only(0, 0.0)
    presence_penalty = Only(0, 0.0)
    logit_bias = Only({})
    user = Ignored()
    metadata = Ignored()
    service_tier = Ignored()
    safety_identifier = Ignored()
    prompt_cache_key = Ignored()
    prompt_cache_retention = Ignored()
    store = Ignored()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "stream_options" in attrs and not attrs.get("stream"):
            raise InvalidRequest("stream_options is only allowed when stream is true.", param="stream_options")
        return attrs

    def spec(self) -> GenerationSpec:
        """What the valid body asks for."""
        raise NotImplementedError

    def spec_for(self, actor: Actor) -> GenerationSpec:
        """The same in the name of an actor, who may name a template where there is one."""
        return self.spec()

    @property
    def streamed(self) -> bool:
        return bool(self.validated_data.get("stream"))

    @property
    def include_usage(self) -> bool:
        return bool(self.validated_data.get("stream_options", {}).get("include_usage"))


class OpenAIRequestSchema(OpenApiSerializerExtension):
    """Says in the schema as well which parameters exclude or need each other; null is the same as absent."""

    target_class = OpenAIRequest
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        streamed = {"required": ["stream"], "properties": {"stream": {"const": True}}}
        rules: list[dict[str, Any]] = [{"anyOf": [_without("stream_options"), streamed]}]
        if "max_completion_tokens" in self.target.fields:
            rules.append({"anyOf": [_without("max_tokens"), _without("max_completion_tokens")]})
        if "template" in self.target.fields:
            written = {"required": ["messages"], "properties": {"template": {"type": "null"}}}
            no_words = {"template": {"type": "object"}, "messages": {"const": []}}
            called = {"required": ["template"], "properties": no_words}
            schema["properties"]["messages"] = _or_none(schema["properties"]["messages"])
            rules.append({"oneOf": [written, called]})
        return {**schema, "allOf": rules}


def _or_none(messages: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [messages, {"const": []}]}


def _without(name: str) -> dict[str, Any]:
    return {"properties": {name: {"type": "null"}}}


class CreateChatCompletion(TemplatedFields, OpenAIRequest):
    """The body of POST /v1/chat/completions: OpenAI's, or with a `template` in place of the messages."""

    messages = ChatMessage(many=True, required=False)
    max_completion_tokens = WholeNumber(required=False, allow_null=True, min_value=1, max_value=1_000_000)
    logprobs = Only(False)
    top_logprobs = Only(0)
    response_format = Only({"type": "text"})
    tools = Only([])
    tool_choice = Only("none", "auto")
    parallel_tool_calls = Ignored()
    functions = Only([])
    function_call = Only("none", "auto")
    modalities = Only(["text"])
    audio = Only()
    prediction = Only()
    reasoning_effort = Only("none")
    verbosity = Only("medium")
    web_search_options = Only()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "max_tokens" in attrs and "max_completion_tokens" in attrs:
            raise InvalidRequest("Give max_completion_tokens or max_tokens, not both.", param="max_tokens")
        if "template" in attrs and attrs.get("messages"):
            raise InvalidRequest("Give messages or a template, not both.", param="template")
        if "template" not in attrs and not attrs.get("messages"):
            code = "empty" if "messages" in attrs else "required"
            raise serializers.ValidationError({"messages": [self.fields["messages"].error_messages[code]]}, code=code)
        return super().validate(attrs)

    @property
    def most_tokens(self) -> int | None:
        most: int | None = self.validated_data.get("max_completion_tokens")
        return most or super().most_tokens

    def spec(self) -> GenerationSpec:
        values = self.validated_data
        return GenerationSpec(
            model=values["model"],
            messages=messages_of(values["messages"]),
            max_tokens=self.most_tokens,
            sampling=self.sampling(),
            deadline_seconds=values.get("deadline_seconds"),
            origin="api",
        )


SOME_TEXT = {"type": "string", "pattern": NOT_BLANK, "maxLength": LONGEST_TEXT}


@extend_schema_field({"oneOf": [SOME_TEXT, {"type": "array", "items": SOME_TEXT, "minItems": 1, "maxItems": 1}]})
class Prompt(serializers.Field):
    """A string, or a list of one string; several prompts at once and token ids are not offered."""

    default_error_messages = {"invalid": "Must be a string."}

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, list) and (len(data) > 1 or not all(isinstance(item, str) for item in data)):
            raise UnsupportedParameter("Send one prompt at a time, as a string.", param="prompt")
        text = data[0] if isinstance(data, list) and data else data
        if not isinstance(text, str):
            self.fail("invalid")
        value: str = Text(max_length=LONGEST_TEXT, validators=[not_blank]).run_validation(text)
        return value

    def to_representation(self, value: Any) -> Any:
        return value


class CreateCompletion(OpenAIRequest):
    """The body of POST /v1/completions: the prompt is continued as it is, without a chat template."""

    prompt = Prompt()
    best_of = Only(1)
    echo = Only(False)
    logprobs = Only()
    suffix = Only("")

    def spec(self) -> GenerationSpec:
        values = self.validated_data
        return GenerationSpec(
            model=values["model"],
            prompt=values["prompt"],
            max_tokens=values.get("max_tokens"),
            sampling=self.sampling(),
            deadline_seconds=values.get("deadline_seconds"),
            origin="api",
        )
