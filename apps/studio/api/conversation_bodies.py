"""Bodies of conversations: what may be asked for, and what they look like."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.access import Actor
from apps.core.errors import InvalidRequest
from apps.core.fields import Flag, Id, OneOf, StrictSerializer, Text
from apps.core.jobs import Status
from apps.studio.api.fields import NOT_BLANK, SamplingFields
from apps.studio.models import Conversation, Turn, TurnRole
from apps.studio.requests import DEFAULT_MAX_TOKENS
from apps.studio.services import conversations
from apps.studio.services.conversations import Branch, ChatSettings, Draft, File
from apps.studio.services.conversations.asking import LONGEST_MESSAGE
from apps.studio.services.conversations.attachments import LONGEST_NAME, MOST_FILES
from apps.studio.services.conversations.changing import LONGEST_SYSTEM, LONGEST_TITLE, MOST_COLLECTIONS
from ml.types import SamplingParams

BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
SET = ("model", "system", "max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop")


class CreateConversation(SamplingFields):
    """A conversation to be; everything has a default."""

    title = Text(required=False, allow_blank=True, max_length=LONGEST_TITLE, help_text="Default: the first message.")
    model = Text(required=False, max_length=120, help_text="A name from GET /api/v1/models. Default `default`.")
    system = Text(
        required=False, allow_blank=True, max_length=LONGEST_SYSTEM, help_text="What the model is told first."
    )
    collections = serializers.ListField(
        child=Id(),
        required=False,
        max_length=MOST_COLLECTIONS,
        help_text="Collections of the knowledge base from which answers are taken and cited.",
    )
    # A conversation has none of its own: each of its messages is asked for when it is sent.
    min_tokens = None  # type: ignore[assignment]
    deadline_seconds = None  # type: ignore[assignment]

    def settings(self, base: Conversation | None = None) -> ChatSettings:
        """What was given, and otherwise what the conversation has, or the defaults."""
        values = self.validated_data
        before = base.sampling() if base else SamplingParams()

        # Null is otherwise the same as absent; the seed alone may be taken away again.
        unseeded = "seed" in self.initial_data and self.initial_data["seed"] is None

        def sampled(name: str) -> Any:
            return None if name == "seed" and unseeded else values.get(name, getattr(before, name))

        names = ("temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop")
        return ChatSettings(
            model_name=values.get("model") or (base.model_name if base else "default"),
            system=values.get("system", base.system if base else ""),
            max_tokens=values.get("max_tokens") or (base.max_tokens if base else DEFAULT_MAX_TOKENS),
            sampling=SamplingParams(**{name: sampled(name) for name in names}),
            collections=tuple(values.get("collections", base.collections if base else ())),
        )


class UpdateConversation(CreateConversation):
    """What shall be different from now on."""

    pinned = Flag(required=False)
    archived = Flag(required=False)
    deleted = OneOf([False], required=False)

    def apply(self, actor: Actor, id: UUID) -> Conversation:
        values = self.validated_data
        if values.get("deleted") is False:
            conversations.restore_conversation(actor, id)
        if "title" in values:
            conversations.rename_conversation(actor, id, values["title"])
        if "pinned" in values:
            conversations.pin_conversation(actor, id, values["pinned"])
        if "archived" in values:
            conversations.archive_conversation(actor, id, values["archived"])
        found = conversations.get_conversation(actor, id)
        if any(name in self.initial_data for name in (*SET, "collections")):
            found = conversations.change_settings(actor, id, self.settings(found))
        return found


@extend_schema_field({"type": "string", "contentEncoding": "base64", "pattern": BASE64, "maxLength": 4_000_000})
class Base64(Text):
    """Bytes as text."""


class AttachmentBody(StrictSerializer):
    """A file: its text, or its bytes in base64."""

    name = Text(max_length=LONGEST_NAME)
    text = Text(required=False, max_length=1_000_000)
    data = Base64(required=False, max_length=4_000_000, help_text="Base64.")  # type: ignore[assignment]

    def to_internal_value(self, data: Any) -> File:  # type: ignore[override]
        values = super().to_internal_value(data)
        if ("text" in values) == ("data" in values):
            raise serializers.ValidationError({"text": ["Give either text or data."]})
        if "text" in values:
            return File(values["name"], values["text"].encode())
        try:
            return File(values["name"], base64.b64decode(values["data"], validate=True))
        except (binascii.Error, ValueError):
            raise serializers.ValidationError({"data": ["This is not base64."]}) from None


class AttachmentSchema(OpenApiSerializerExtension):
    """Says in the schema as well that there is either text or data."""

    target_class = AttachmentBody

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "oneOf": [{"required": ["text"]}, {"required": ["data"]}]}


class SendMessage(StrictSerializer):
    """A message: a text, attachments, or both; `after` one or `instead_of` one."""

    text = Text(required=False, allow_blank=True, max_length=LONGEST_MESSAGE)
    attachments = serializers.ListField(child=AttachmentBody(), required=False, max_length=MOST_FILES)
    after = Id(required=False, allow_null=True, help_text="The message after which it goes.")
    instead_of = Id(required=False, allow_null=True, help_text="The message that it stands beside.")
    client_id = Id(required=False, allow_null=True, help_text="Your own id of the message.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("after") and attrs.get("instead_of"):
            raise InvalidRequest("Give either after or instead_of.", param="instead_of")
        return attrs

    def draft(self) -> Draft:
        values = self.validated_data
        return Draft(
            text=values.get("text", ""),
            files=tuple(values.get("attachments", ())),
            after=values.get("after"),
            instead_of=values.get("instead_of"),
            client_id=values.get("client_id"),
        )


class SendMessageSchema(OpenApiSerializerExtension):
    """Says in the schema as well that a message is not empty, and where it may go."""

    target_class = SendMessage

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        said: list[dict[str, Any]] = [
            {"properties": {"text": {"pattern": NOT_BLANK}}, "required": ["text"]},
            {"properties": {"attachments": {"minItems": 1}}, "required": ["attachments"]},
            {"properties": {"instead_of": {"type": "string"}}, "required": ["instead_of"]},
        ]
        places = {name: {"type": "string"} for name in ("after", "instead_of")}
        return {**schema, "anyOf": said, "not": {"properties": places, "required": list(places)}}


# ---------------------------------------------------------------- what comes back


class ConversationBody(serializers.Serializer):
    """A conversation as `conversation_body` writes it; only for the schema."""

    id = serializers.UUIDField()
    object = serializers.ChoiceField(["conversation"])
    title = serializers.CharField()
    model = serializers.CharField()
    system = serializers.CharField()
    max_tokens = serializers.IntegerField()
    temperature = serializers.FloatField()
    top_p = serializers.FloatField()
    top_k = serializers.IntegerField()
    repetition_penalty = serializers.FloatField()
    seed = serializers.IntegerField(allow_null=True)
    stop = serializers.ListField(child=serializers.CharField())
    collections = serializers.ListField(child=serializers.UUIDField())
    tip = serializers.UUIDField(allow_null=True, help_text="The message at the end of the branch in use.")
    messages = serializers.IntegerField(help_text="On all branches together.")
    pinned = serializers.BooleanField()
    archived = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


def conversation_body(row: Conversation) -> dict[str, Any]:
    names = ("title", "system", "max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop")
    return {
        "id": str(row.pk),
        "object": "conversation",
        "model": row.model_name,
        **{name: getattr(row, name) for name in names},
        "collections": [str(id) for id in row.collections],
        "tip": str(row.tip) if row.tip else None,
        "messages": row.turns_counted,
        "pinned": row.pinned_at is not None,
        "archived": row.archived_at is not None,
        "created_at": row.created_at,
        "changed_at": row.changed_at,
    }


class MessageAttachment(serializers.Serializer):
    name = serializers.CharField()
    media_type = serializers.CharField()
    size = serializers.IntegerField()


class Citation(serializers.Serializer):
    number = serializers.IntegerField(help_text="As in [1] of the text.")
    passage = serializers.UUIDField()
    title = serializers.CharField()
    page = serializers.IntegerField(allow_null=True)
    text = serializers.CharField()


class ConversationMessageBody(serializers.Serializer):
    """A message as `message_body` writes it; only for the schema."""

    id = serializers.UUIDField()
    object = serializers.ChoiceField(["conversation.message"])
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]
    sequence = serializers.IntegerField()
    role = serializers.ChoiceField(TurnRole.choices)
    text = serializers.CharField(help_text="Of an answer, once it has ended.")
    attachments = MessageAttachment(many=True)
    generation = serializers.UUIDField(allow_null=True, help_text="What an answer is followed, read and stopped as.")
    status = serializers.ChoiceField(Status.choices, allow_null=True)
    model = serializers.CharField(allow_null=True, help_text="The version that answered.")
    left_out = serializers.IntegerField(help_text="So many of the oldest messages no longer fitted into its context.")
    citations = Citation(many=True)
    branch = serializers.IntegerField(allow_null=True, help_text="Which of the messages at this place, from 1.")
    branches = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()


class MessagesBody(serializers.Serializer):
    object = serializers.ChoiceField(["list"])
    data = ConversationMessageBody(many=True)  # type: ignore[assignment]
    earlier = serializers.UUIDField(allow_null=True, help_text="Give it as `before` for the messages before these.")


def message_body(turn: Turn, number: int | None = None, count: int | None = None) -> dict[str, Any]:
    written = turn.generation
    answer = turn.role == TurnRole.ASSISTANT
    files = [] if answer else turn.attachments.all()
    return {
        "id": str(turn.pk),
        "object": "conversation.message",
        "parent": str(turn.parent_id) if turn.parent_id else None,
        "sequence": turn.sequence,
        "role": turn.role,
        "text": written.text if written is not None else turn.text,
        "attachments": [{"name": a.name, "media_type": a.media_type, "size": a.size} for a in files],
        "generation": str(turn.generation_id) if turn.generation_id else None,
        "status": written.status if written is not None else None,
        "model": written.model.name if written is not None else None,
        "left_out": turn.left_out,
        "citations": turn.passages,
        "branch": number,
        "branches": count,
        "created_at": turn.created_at,
    }


def messages_body(branch: Branch) -> dict[str, Any]:
    data = [message_body(shown.turn, shown.number, shown.count) for shown in branch.turns]
    return {"object": "list", "data": data, "earlier": str(branch.earlier) if branch.earlier else None}
