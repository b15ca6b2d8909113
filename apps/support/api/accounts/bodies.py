"""Bodies of Chatwoot's account API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.fields import Flag, Text
from apps.support.api.accounts.base import Lenient, Ref
from apps.support.services.storing import LONGEST_CLIENT_ID, LONGEST_CONTENT


class AccountContactBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_null=True)
    phone_number = serializers.CharField(allow_null=True)
    identifier = serializers.CharField(allow_null=True)
    avatar = serializers.CharField(allow_blank=True)
    thumbnail = serializers.CharField(allow_blank=True)
    blocked = serializers.BooleanField()
    availability_status = serializers.CharField()
    additional_attributes = serializers.DictField()
    custom_attributes = serializers.DictField()
    last_activity_at = serializers.IntegerField(allow_null=True)
    created_at = serializers.IntegerField()
    type = serializers.CharField()
    contact_inboxes = serializers.ListField(child=serializers.DictField(), required=False)


class AccountMessageBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    content = serializers.CharField(allow_blank=True)
    account_id = serializers.IntegerField()
    inbox_id = serializers.IntegerField()
    conversation_id = serializers.IntegerField()
    message_type = serializers.IntegerField(help_text="0 from the contact, 1 to the contact.")
    content_type = serializers.CharField()
    content_attributes = serializers.DictField()
    private = serializers.BooleanField()
    status = serializers.CharField()
    created_at = serializers.IntegerField()
    echo_id = serializers.CharField(allow_null=True)
    source_id = serializers.CharField(allow_null=True)
    sender_id = serializers.IntegerField(allow_null=True)
    sender_type = serializers.CharField(allow_null=True)
    sender = serializers.DictField(allow_null=True)
    attachments = serializers.ListField(child=serializers.DictField())


class AccountMessagesBody(serializers.Serializer[Any]):
    meta = serializers.DictField()
    payload = AccountMessageBody(many=True)


class AccountAttachmentsBody(serializers.Serializer[Any]):
    meta = serializers.DictField(help_text="`total_count`.")
    payload = serializers.ListField(child=serializers.DictField())


class AccountConversationBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    uuid = serializers.UUIDField()
    account_id = serializers.IntegerField()
    inbox_id = serializers.IntegerField()
    status = serializers.CharField()
    can_reply = serializers.BooleanField()
    channel = serializers.CharField()
    labels = serializers.ListField(child=serializers.CharField())
    priority = serializers.CharField(allow_null=True)
    custom_attributes = serializers.DictField()
    additional_attributes = serializers.DictField()
    contact_inbox = serializers.DictField()
    messages = AccountMessageBody(many=True)
    last_non_activity_message = AccountMessageBody(allow_null=True)
    meta = serializers.DictField()
    muted = serializers.BooleanField()
    unread_count = serializers.IntegerField()
    snoozed_until = serializers.DateTimeField(allow_null=True)
    waiting_since = serializers.IntegerField()
    first_reply_created_at = serializers.IntegerField()
    contact_last_seen_at = serializers.IntegerField()
    agent_last_seen_at = serializers.IntegerField()
    last_activity_at = serializers.IntegerField()
    timestamp = serializers.IntegerField()
    created_at = serializers.IntegerField()


class AccountCountsBody(serializers.Serializer[Any]):
    mine_count = serializers.IntegerField()
    assigned_count = serializers.IntegerField()
    unassigned_count = serializers.IntegerField()
    all_count = serializers.IntegerField()


class AccountMetaBody(serializers.Serializer[Any]):
    meta = AccountCountsBody()


class AccountConversationListBody(serializers.Serializer[Any]):
    meta = AccountCountsBody()
    payload = AccountConversationBody(many=True)


class AccountConversationsBody(serializers.Serializer[Any]):
    data = AccountConversationListBody()  # type: ignore[assignment]


class AccountOfContactBody(serializers.Serializer[Any]):
    payload = AccountConversationBody(many=True)


class AccountContactsBody(serializers.Serializer[Any]):
    meta = serializers.DictField(help_text="`count` and `current_page`.")
    payload = AccountContactBody(many=True)


class AccountOneContactBody(serializers.Serializer[Any]):
    payload = AccountContactBody()


class AccountNewContactBody(serializers.Serializer[Any]):
    payload = serializers.DictField(help_text="`contact` and `contact_inbox`.")


class AccountContactInboxBody(serializers.Serializer[Any]):
    source_id = serializers.CharField()
    inbox = serializers.DictField()


class AccountContactInboxesBody(serializers.Serializer[Any]):
    payload = AccountContactInboxBody(many=True)


class AccountLabelsBody(serializers.Serializer[Any]):
    payload = serializers.ListField(child=serializers.CharField())


# ---------------------------------------------------------------- what is sent


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]})
class Moment(serializers.Field[Any, Any, Any, Any]):
    """Seconds since 1970, or a moment of ISO 8601."""

    default_error_messages = {"invalid": "Must be seconds since 1970, or a moment like 2026-12-25T09:00:00Z."}

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, bool) or not isinstance(data, int | str) or len(str(data)) > 40:
            self.fail("invalid")
        return str(data)

    def to_representation(self, value: Any) -> Any:
        return value


class WriteAccountMessage(Lenient):
    content = Text(required=False, allow_blank=True, allow_null=True, default="", max_length=LONGEST_CONTENT)
    message_type = serializers.ChoiceField(["outgoing", "incoming"], required=False, allow_null=True)
    private = serializers.BooleanField(required=False, default=False, help_text="A note that only people read.")
    content_type = Text(required=False, allow_null=True, default="text", max_length=20)
    content_attributes = serializers.JSONField(required=False, allow_null=True, default=dict)
    echo_id = Text(
        required=False, allow_null=True, max_length=LONGEST_CLIENT_ID, help_text="Sent again, it is the same."
    )


class WriteAccountFiles(WriteAccountMessage):
    """As a form: with up to 5 files, of 10 MB each."""

    attachments = serializers.ListField(child=serializers.FileField(), help_text="Named `attachments[]`.")


class BeginAccountConversation(Lenient):
    source_id = Text(required=False, allow_null=True, max_length=200)
    inbox_id = Ref(required=False, allow_null=True)
    contact_id = Ref(required=False, allow_null=True)
    status = Text(required=False, allow_null=True, max_length=10)
    assignee_id = Ref(required=False, allow_null=True)
    team_id = Ref(required=False, allow_null=True)
    additional_attributes = serializers.DictField(required=False, help_text="Of these `mail_subject` is kept.")
    custom_attributes = serializers.DictField(required=False)
    snoozed_until = Moment(required=False, allow_null=True)
    message = WriteAccountMessage(required=False)


class ChangeAccountConversation(Lenient):
    priority = Text(required=False, allow_null=True, max_length=10)


class ToggleStatus(Lenient):
    status = Text(
        required=False, allow_null=True, max_length=10, help_text="`open` hands over to people; `resolved`, `snoozed`."
    )
    snoozed_until = Moment(required=False, allow_null=True)


class ToggleTyping(Lenient):
    typing_status = serializers.ChoiceField(["on", "off"])
    is_private = Flag(required=False)


class MailTranscript(Lenient):
    email = Text(required=False, allow_null=True, allow_blank=True, max_length=254)


class TogglePriority(Lenient):
    priority = Text(allow_null=True, max_length=10)


class WriteAssignment(Lenient):
    assignee_id = Ref(required=False, allow_null=True)
    team_id = Ref(required=False, allow_null=True)


class WriteAttributes(Lenient):
    custom_attributes = serializers.DictField()


class ChangeAccountContact(Lenient):
    name = Text(required=False, allow_null=True, allow_blank=True, max_length=120)
    email = Text(required=False, allow_null=True, allow_blank=True, max_length=254)
    phone_number = Text(required=False, allow_null=True, allow_blank=True, max_length=40)
    identifier = Text(required=False, allow_null=True, allow_blank=True, max_length=200)
    blocked = serializers.BooleanField(required=False, help_text="Needs `support:manage`.")
    custom_attributes = serializers.DictField(required=False)
    additional_attributes = serializers.DictField(required=False, help_text="Of these `language` is kept.")


class WriteAccountContact(ChangeAccountContact):
    inbox_id = Ref(required=False, allow_null=True)
    source_id = Text(required=False, allow_null=True, max_length=200)


class ConnectContact(Lenient):
    inbox_id = Ref()
    source_id = Text(required=False, allow_null=True, max_length=200)


class MergeAccountContacts(Lenient):
    base_contact_id = Ref()
    mergee_contact_id = Ref()


class DestroyAttributes(Lenient):
    custom_attributes = serializers.ListField(child=Text(max_length=60), max_length=50)


OBJECT = OpenApiTypes.OBJECT
