"""Bodies of Chatwoot's public client API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.fields import OneOf, StrictSerializer, Text, WholeNumber
from apps.support.services.storing import LONGEST_CLIENT_ID, LONGEST_CONTENT
from apps.support.services.submitting import Field, Submitted


class WriteVisitor(StrictSerializer):
    """Chatwoot's names; `token` is an HS256 token with `sub` and `exp`, in place of `identifier_hash`."""

    identifier = Text(required=False, max_length=200)
    identifier_hash = Text(required=False, max_length=128)
    token = Text(required=False, max_length=4_000)
    name = Text(required=False, max_length=120)
    email = Text(required=False, max_length=254)
    phone_number = Text(required=False, max_length=40)
    avatar_url = Text(required=False, max_length=1_000, help_text="Taken, and not kept.")
    language = Text(required=False, max_length=10)
    custom_attributes = serializers.DictField(required=False)


class VisitorBody(serializers.Serializer[Any]):
    source_id = serializers.CharField(help_text="Opens the contact's conversations; keep it as you keep a password.")
    pubsub_token = serializers.CharField(help_text="Subscribes at `/cable` to what happens in their conversations.")
    id = serializers.IntegerField()
    name = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_blank=True)
    phone_number = serializers.CharField(allow_blank=True)
    custom_attributes = serializers.DictField()
    hmac_verified = serializers.BooleanField()


class PublicInboxBody(serializers.Serializer[Any]):
    identifier = serializers.CharField()
    name = serializers.CharField()
    greeting_enabled = serializers.BooleanField()
    greeting_message = serializers.CharField(allow_blank=True)
    out_of_office_message = serializers.CharField(allow_blank=True)
    csat_survey_enabled = serializers.BooleanField()
    identity_validation_enabled = serializers.BooleanField()
    is_open = serializers.BooleanField()
    next_opening = serializers.DateTimeField(allow_null=True)
    look = serializers.DictField()


class PublicMessageBody(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="Its number in the conversation.")
    content = serializers.CharField(allow_blank=True)
    message_type = serializers.IntegerField(help_text="0 from the contact, 1 to the contact.")
    content_type = serializers.CharField()
    content_attributes = serializers.DictField()
    created_at = serializers.IntegerField()
    conversation_id = serializers.IntegerField()
    echo_id = serializers.CharField(allow_null=True)
    sender = serializers.DictField()
    attachments = serializers.ListField(child=serializers.DictField())


class PublicConversationBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    uuid = serializers.UUIDField()
    inbox_id = serializers.IntegerField()
    status = serializers.CharField()
    custom_attributes = serializers.DictField()
    last_sequence = serializers.IntegerField()
    contact_last_seen_at = serializers.IntegerField()
    created_at = serializers.IntegerField()
    messages = PublicMessageBody(many=True)


class WritePublicConversation(StrictSerializer):
    custom_attributes = serializers.DictField(required=False)


class WritePublicMessage(StrictSerializer):
    content = Text(required=False, allow_blank=True, default="", max_length=LONGEST_CONTENT)
    echo_id = Text(required=False, max_length=LONGEST_CLIENT_ID, help_text="Sent again, it is the same message.")


class SubmittedFieldBody(serializers.Serializer[Any]):
    """One thing that was filled in, or chosen; what else a client sends is passed over."""

    name = Text(required=False, allow_blank=True, allow_null=True, max_length=200)
    title = Text(required=False, allow_blank=True, allow_null=True, max_length=1_000)
    value = serializers.JSONField(required=False, allow_null=True)

    def validate_value(self, value: Any) -> Any:
        if value is not None and not (isinstance(value, bool | int | float | str) and len(str(value)) <= 5_000):
            raise serializers.ValidationError("Must be a text, a number or a truth value.")
        return value


class SurveyResponse(serializers.Serializer[Any]):
    rating = serializers.IntegerField(min_value=1, max_value=5)
    feedback_message = Text(required=False, allow_blank=True, allow_null=True, max_length=1_000)


class SubmittedValues(SubmittedFieldBody):
    csat_survey_response = SurveyResponse(required=False)


@extend_schema_field({"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}, "maxItems": 50}]})
class Submission(serializers.Field[Any, Any, Any, Any]):
    """One object, or several: `name` and `value` of a form, `title` and `value` of a choice, or
    `csat_survey_response` with `rating` and `feedback_message`.
    """

    default_error_messages = {"invalid": "Must be an object, or a list of up to 50."}

    def to_internal_value(self, data: Any) -> Submitted:
        several = data if isinstance(data, list) else [data]
        if not several or len(several) > 50 or not all(isinstance(each, dict) for each in several):
            self.fail("invalid")
        body = SubmittedValues(data=several, many=True)
        body.is_valid(raise_exception=True)
        found: Any = body.validated_data
        survey = next((each["csat_survey_response"] for each in found if "csat_survey_response" in each), None)
        if survey is not None:
            return Submitted(rating=survey["rating"], comment=survey.get("feedback_message") or "")
        parts = [(each.get("name") or "", each.get("title") or "", each.get("value")) for each in found]
        return Submitted([Field(*part) for part in parts if any(part)])

    def to_representation(self, value: Any) -> Any:
        return value


class SubmitPublicMessage(serializers.Serializer[Any]):
    submitted_values = Submission()


class WritePublicFiles(WritePublicMessage):
    """As a form: with up to 5 files, of 10 MB each."""

    attachments = serializers.ListField(child=serializers.FileField(), help_text="Named `attachments[]`.")


class EventInfo(serializers.Serializer[Any]):
    """Where and how; of what else clients of Chatwoot send nothing is kept."""

    referer = Text(required=False, allow_blank=True, max_length=2_000, help_text="Kept up to its `?`.")
    widget_language = Text(required=False, allow_blank=True, max_length=20)
    browser_language = Text(required=False, allow_blank=True, max_length=20)


class TellEvent(serializers.Serializer[Any]):
    name = OneOf(["webwidget.triggered"])
    event_info = EventInfo(required=False)


class RateConversation(StrictSerializer):
    rating = serializers.IntegerField(min_value=1, max_value=5)
    feedback_message = Text(required=False, allow_blank=True, max_length=1_000)


class TypeInConversation(StrictSerializer):
    typing_status = OneOf(["on", "off"])


class LabelConversation(StrictSerializer):
    label = Text(max_length=40)  # type: ignore[assignment]


class AttributesOfConversation(StrictSerializer):
    custom_attributes = serializers.DictField()


class AttributesToTake(StrictSerializer):
    custom_attributes = serializers.ListField(child=Text(max_length=60), max_length=50)


class ActInConversation(StrictSerializer):
    """What the acts take, each of them its own."""

    rating = WholeNumber(required=False, min_value=1, max_value=5)
    feedback_message = Text(required=False, allow_blank=True, max_length=1_000)
    typing_status = OneOf(["on", "off"], required=False)
    label = Text(required=False, max_length=40)  # type: ignore[assignment]
    custom_attributes = serializers.JSONField(required=False, help_text="Values by name, or names to be taken away.")


ACTS: dict[str, type[serializers.Serializer[Any]] | None] = {
    "update_last_seen": None,
    "toggle_status": None,
    "rating": RateConversation,
    "toggle_typing": TypeInConversation,
    "set_label": LabelConversation,
    "remove_label": LabelConversation,
    "set_custom_attributes": AttributesOfConversation,
    "destroy_custom_attributes": AttributesToTake,
}
