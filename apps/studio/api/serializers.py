"""The REST API's bodies: what may be asked for, and what a generation looks like."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.core.errors import InvalidRequest
from apps.core.fields import StrictSerializer, Text
from apps.core.jobs import Status
from apps.studio.api.examples import GENERATION, shown
from apps.studio.api.fields import LONGEST_TEXT, ChatMessage, messages_of, not_blank
from apps.studio.api.template_calls import TemplatedFields
from apps.studio.models import Kind, Origin
from apps.studio.requests import GenerationSpec
from apps.webhooks.api.callbacks import CallbackFields
from ml.text.brief import (
    CONTENT_TYPES,
    MAX_AUDIENCE_CHARS,
    MAX_KEY_POINT_CHARS,
    MAX_KEY_POINTS,
    MAX_PRODUCT_CHARS,
    TONES,
    Brief,
    BriefError,
    render_brief,
)
from ml.types import Message

INPUTS = ("prompt", "messages", "brief", "template")


class BriefBody(StrictSerializer):
    """What to write, for which product, for whom, how, and with which points."""

    content_type = serializers.ChoiceField(CONTENT_TYPES)
    product = Text(max_length=MAX_PRODUCT_CHARS, validators=[not_blank])
    audience = Text(max_length=MAX_AUDIENCE_CHARS, required=False, allow_blank=True)
    tone = serializers.ChoiceField(TONES, required=False, allow_blank=True)
    key_points = serializers.ListField(
        child=Text(max_length=MAX_KEY_POINT_CHARS, allow_blank=True), required=False, max_length=MAX_KEY_POINTS
    )

    def to_internal_value(self, data: Any) -> Brief:  # type: ignore[override]
        values = super().to_internal_value(data)
        try:
            return Brief(**values | {"key_points": tuple(values.get("key_points", ()))})
        except BriefError as error:
            raise serializers.ValidationError({error.field: [error.message]}) from None


class CreateGeneration(CallbackFields, TemplatedFields):
    """A generation to be: a model, one of `prompt`, `messages`, `brief` and `template`, and how to sample."""

    model = Text(
        required=False,
        max_length=120,
        help_text="A name from GET /api/v1/models. Default `default`, or the template's.",
    )
    prompt = Text(
        required=False,
        allow_null=True,
        max_length=LONGEST_TEXT,
        validators=[not_blank],
        help_text="What a user says: the same as one user message. For a raw completion use /v1/completions.",
    )
    messages = ChatMessage(many=True, required=False, allow_null=True, allow_empty=False)
    brief = BriefBody(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in INPUTS if name in attrs]
        if len(given) != 1:
            param = (given or INPUTS)[0]
            raise InvalidRequest("Give exactly one of prompt, messages, brief and template.", param=param)
        return attrs

    def spec(self) -> GenerationSpec:
        values = self.validated_data
        brief: Brief | None = values.get("brief")
        words = render_brief(brief) if brief else values.get("prompt", "")
        return GenerationSpec(
            model=values.get("model", "default"),
            messages=messages_of(values["messages"]) if "messages" in values else (Message("user", words),),
            max_tokens=values.get("max_tokens"),
            sampling=self.sampling(),
            deadline_seconds=values.get("deadline_seconds"),
            brief=brief,
            origin="api",
        )


class CreateGenerationSchema(OpenApiSerializerExtension):
    """Says in the schema as well that exactly one input is given; null is the same as absent."""

    target_class = CreateGeneration

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        inputs: dict[str, dict[str, Any]] = {
            "prompt": {"type": "string"},
            "messages": {"type": "array"},
            "brief": {"type": "object"},
            "template": {"type": "object"},
        }
        choices = [{"required": [name], "properties": {name: shape}} for name, shape in inputs.items()]
        return {**schema, "oneOf": choices}


class MessageBody(serializers.Serializer):
    role = serializers.CharField()
    content = serializers.CharField()


class Usage(serializers.Serializer):
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()


class Finding(serializers.Serializer):
    """One place that a safety rule found; of a prompt in the text as it was kept, that is masked."""

    rule = serializers.CharField(help_text="terms, personal, classifier, length or unchecked")
    name = serializers.CharField(help_text="The list, the kind of datum, the score, or the length.")
    action = serializers.ChoiceField(["mark", "mask", "block"])
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    place = serializers.CharField(required=False, help_text="Of a prompt: prompt, or messages.0 and so on.")


class Findings(serializers.Serializer):
    prompt = Finding(many=True)
    output = Finding(many=True)


class Failure(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()


@extend_schema_serializer(examples=[shown("A finished generation", GENERATION)])
class GenerationBody(serializers.Serializer):
    """A generation as `apps.studio.body` writes it; only for the schema."""

    id = serializers.UUIDField()
    object = serializers.ChoiceField(["generation"])
    status = serializers.ChoiceField(Status.choices)
    kind = serializers.ChoiceField(Kind.choices)
    model = serializers.CharField(help_text="The name asked for.")
    model_version = serializers.CharField(help_text="The version that name meant when the work was accepted.")
    messages = MessageBody(many=True, allow_null=True)
    prompt = serializers.CharField(allow_null=True)
    brief = serializers.DictField(allow_null=True)
    text = serializers.CharField()
    finish_reason = serializers.ChoiceField(
        ["stop", "length", "cancelled", "deadline", "error", "content_filter"],
        allow_null=True,
        help_text="content_filter: the organization's safety rules withhold the text.",
    )
    usage = Usage(allow_null=True, help_text="Once the work has ended: what it is charged for.")
    error = Failure(allow_null=True)
    queue_position = serializers.IntegerField(allow_null=True, help_text="From 1, among the organization's own.")
    max_tokens = serializers.IntegerField()
    min_tokens = serializers.IntegerField()
    temperature = serializers.FloatField()
    top_p = serializers.FloatField()
    top_k = serializers.IntegerField()
    repetition_penalty = serializers.FloatField()
    seed = serializers.IntegerField()
    stop = serializers.ListField(child=serializers.CharField())
    origin = serializers.ChoiceField(Origin.choices, help_text="From where it was asked for.")
    template_version = serializers.UUIDField(allow_null=True, help_text="The template's version that it was made from.")
    voice_version = serializers.UUIDField(allow_null=True, help_text="The brand voice's version that it was told.")
    variables = serializers.DictField(allow_null=True, help_text="What the template's variables were filled in with.")
    passages = serializers.ListField(child=serializers.UUIDField(), help_text="Passages of the knowledge base in it.")
    held_back = serializers.BooleanField(help_text="Nobody reads the text before it is finished and checked.")
    findings = Findings(allow_null=True, help_text="What the safety rules found.")
    created_at = serializers.DateTimeField()
    deadline_at = serializers.DateTimeField(allow_null=True, help_text="When it ends, finished or not.")
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
