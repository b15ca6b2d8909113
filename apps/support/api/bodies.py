"""What programs send to the desk, and what they are answered, as the schema says it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.fields import Flag, Id, OneOf, StrictSerializer, Text, WholeNumber
from apps.support.models import Availability, ConversationStatus, InboxKind, MessageKind, Sending
from apps.support.models.conversations import Author
from apps.support.services.storing import LONGEST_CLIENT_ID, LONGEST_CONTENT

LONGEST_NUMBER = 2_147_483_647


class SupportFileBody(serializers.Serializer[Any]):
    name = serializers.CharField()
    media_type = serializers.CharField()
    size = serializers.IntegerField()
    scan = serializers.CharField(
        allow_blank=True, help_text="waiting, clean, infected or failed; empty where no virus scanner was set."
    )
    url = serializers.CharField(
        allow_blank=True, help_text="Opens the file for a quarter of an hour; empty until it was found clean."
    )


class MailErrorBody(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="One of the `mail_…` codes of errors.")
    message = serializers.CharField()


class SupportMailStateBody(serializers.Serializer[Any]):
    to = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(Sending.values)
    error = MailErrorBody(allow_null=True, help_text="What went wrong last; a mail that waits is tried again.")
    attempts = serializers.IntegerField()
    sent_at = serializers.DateTimeField(allow_null=True)


class SupportMessageBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_message"])
    id = serializers.UUIDField()
    conversation = serializers.UUIDField()
    sequence = serializers.IntegerField(help_text="Its number in the conversation, without gaps.")
    client_id = serializers.CharField(allow_null=True, help_text="The sender's own id.")
    kind = serializers.ChoiceField(MessageKind.values)
    author = serializers.ChoiceField(Author.values)
    author_name = serializers.CharField(allow_blank=True)
    content = serializers.CharField(allow_blank=True, help_text="Masked.")
    content_type = serializers.CharField()
    content_attributes = serializers.DictField()
    details = serializers.DictField(help_text="Of an activity: `changes`, before and after.")
    provenance = serializers.DictField(help_text="Of the bot's: the versions that it answered with.")
    masked = serializers.ListField(child=serializers.CharField(), help_text="Kinds of data that were masked.")
    files = SupportFileBody(many=True)
    moved_from = serializers.UUIDField(allow_null=True)
    mail = SupportMailStateBody(allow_null=True, help_text="Of an answer in an e-mail inbox.")
    created_at = serializers.DateTimeField()


class SupportStretchBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = SupportMessageBody(many=True)  # type: ignore[assignment]
    last = serializers.IntegerField(help_text="How far the conversation has got.")
    has_more = serializers.BooleanField()


class SupportConversationBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_conversation"])
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    subject = serializers.CharField(allow_blank=True)
    inbox = serializers.UUIDField()
    contact = serializers.UUIDField()
    status = serializers.ChoiceField(ConversationStatus.values)
    priority = serializers.IntegerField(help_text="0 none, 1 low, 2 medium, 3 high, 4 urgent.")
    labels = serializers.ListField(child=serializers.CharField())
    skills = serializers.ListField(child=serializers.CharField())
    attributes = serializers.DictField()
    assignee = serializers.UUIDField(allow_null=True, help_text="A member.")
    team = serializers.UUIDField(allow_null=True)
    bot_owns = serializers.BooleanField()
    last_sequence = serializers.IntegerField()
    waiting_since = serializers.DateTimeField(allow_null=True)
    snoozed_until = serializers.DateTimeField(allow_null=True)
    opened_at = serializers.DateTimeField(allow_null=True, help_text="When people first had it.")
    first_reply_at = serializers.DateTimeField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    merged_into = serializers.UUIDField(allow_null=True)
    active_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class SupportContactBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_contact"])
    id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_blank=True)
    phone = serializers.CharField(allow_blank=True)
    identifier = serializers.CharField(allow_blank=True, help_text="Your own id for them.")
    language = serializers.CharField(allow_blank=True)
    attributes = serializers.DictField()
    labels = serializers.ListField(child=serializers.CharField())
    verified = serializers.BooleanField(help_text="A signature of yours has proved the identifier.")
    blocked = serializers.BooleanField()
    last_seen_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class SupportCursorBody(serializers.Serializer[Any]):
    member = serializers.UUIDField(allow_null=True)
    contact = serializers.UUIDField(allow_null=True)
    acknowledged = serializers.IntegerField()
    seen = serializers.IntegerField()


# ---------------------------------------------------------------- requests


class WriteSupportConversation(StrictSerializer):
    inbox = Id()
    contact = Id()
    subject = Text(required=False, allow_blank=True, max_length=200)
    attributes = serializers.DictField(required=False)
    content = Text(required=False, max_length=LONGEST_CONTENT, help_text="The contact's first message.")
    client_id = Text(required=False, max_length=LONGEST_CLIENT_ID)
    with_bot = Flag(required=False, help_text="False leaves out the inbox's bot.")


class ChangeSupportConversation(StrictSerializer):
    priority = WholeNumber(required=False, min_value=0, max_value=4)
    subject = Text(required=False, allow_blank=True, max_length=200)
    labels = serializers.ListField(child=Text(max_length=40), required=False, max_length=20)
    skills = serializers.ListField(child=Text(max_length=40), required=False, max_length=20)
    attributes = serializers.DictField(required=False)


class WriteSupportMessage(StrictSerializer):
    content = Text(max_length=LONGEST_CONTENT)
    client_id = Text(required=False, max_length=LONGEST_CLIENT_ID, help_text="Sent again, it is the same message.")
    kind = OneOf(["outgoing", "incoming"], required=False, help_text="`incoming` passes on what the contact wrote.")
    seen_seq = WholeNumber(
        required=False, min_value=0, max_value=LONGEST_NUMBER, help_text="The last number that the author has seen."
    )
    force = Flag(required=False, help_text="Send although somebody else has answered since `seen_seq`.")


class WriteSupportNote(StrictSerializer):
    content = Text(max_length=LONGEST_CONTENT)
    client_id = Text(required=False, max_length=LONGEST_CLIENT_ID)
    mentions = serializers.ListField(child=Id(), required=False, max_length=20, help_text="Members.")


class SetSupportStatus(StrictSerializer):
    status = OneOf(ConversationStatus.values, help_text="`pending` gives it to the bot.")
    snoozed_until = serializers.DateTimeField(required=False)


class AssignSupport(serializers.Serializer[Any]):
    agent = Id(required=False, allow_null=True, help_text="A member; null for nobody.")
    team = Id(required=False, allow_null=True, help_text="Null for none.")


class SeenSupport(StrictSerializer):
    acknowledged = WholeNumber(required=False, min_value=0, max_value=LONGEST_NUMBER)
    seen = WholeNumber(required=False, min_value=0, max_value=LONGEST_NUMBER)


class MergeSupport(StrictSerializer):
    into = Id()


class RunSupportMacro(StrictSerializer):
    macro = Id()


class Unmask(StrictSerializer):
    reason = Text(max_length=500)


class UnmaskedBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_original"])
    content = serializers.CharField()


class MailSupportTranscript(StrictSerializer):
    to = Text(required=False, max_length=254, help_text="The contact's address unless another one is named.")


class MailedTranscriptBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_transcript_mail"])
    to = serializers.CharField()


class TranscriptBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_transcript"])
    text = serializers.CharField()


class SupportBulk(StrictSerializer):
    ids = serializers.ListField(child=Id(), min_length=1, max_length=100)
    actions = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=10)


class SupportOutcomeBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    error = serializers.CharField(allow_blank=True, help_text="A code, empty where it was done.")
    message = serializers.CharField(allow_blank=True)


class SupportOutcomesBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = SupportOutcomeBody(many=True)  # type: ignore[assignment]


class WriteSupportContact(StrictSerializer):
    name = Text(required=False, allow_blank=True, max_length=120)
    email = Text(required=False, allow_blank=True, max_length=254)
    phone = Text(required=False, allow_blank=True, max_length=40)
    identifier = Text(required=False, allow_blank=True, max_length=200)
    language = Text(required=False, allow_blank=True, max_length=10)
    attributes = serializers.DictField(required=False)


class ChangeSupportContact(WriteSupportContact):
    blocked = Flag(required=False)
    labels = serializers.ListField(
        child=Text(max_length=40), required=False, max_length=20, help_text="All that there shall be."
    )


class SupportErasedBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_erasure"])
    conversations = serializers.IntegerField()


class SupportLook(StrictSerializer):
    colour = Text(required=False, max_length=7)
    side = OneOf(["left", "right"], required=False)
    title = Text(required=False, allow_blank=True, max_length=60)


class ChangeSupportInbox(serializers.Serializer[Any]):
    name = Text(required=False, max_length=80)
    greeting = Text(required=False, allow_blank=True, max_length=500)
    away_message = Text(required=False, allow_blank=True, max_length=500)
    hours = Id(required=False, allow_null=True)
    sla = Id(required=False, allow_null=True)
    team = Id(required=False, allow_null=True)
    origins = serializers.ListField(child=Text(max_length=300), required=False, max_length=20)
    look = SupportLook(required=False)
    hmac_required = Flag(required=False)
    auto_assignment = Flag(required=False)
    bot_enabled = Flag(required=False)
    csat_enabled = Flag(required=False)


class WriteSupportInbox(ChangeSupportInbox):
    name = Text(max_length=80)
    kind = OneOf(InboxKind.values, required=False)


class SupportInboxBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_inbox"])
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(InboxKind.values)
    token = serializers.CharField(help_text="Its name on your site, and in the public API.")
    greeting = serializers.CharField(allow_blank=True)
    away_message = serializers.CharField(allow_blank=True)
    hours = serializers.UUIDField(allow_null=True)
    sla = serializers.UUIDField(allow_null=True)
    team = serializers.UUIDField(allow_null=True)
    origins = serializers.ListField(child=serializers.CharField())
    look = serializers.DictField()
    hmac_required = serializers.BooleanField()
    auto_assignment = serializers.BooleanField()
    bot_enabled = serializers.BooleanField()
    csat_enabled = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class SupportInboxesBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = SupportInboxBody(many=True)  # type: ignore[assignment]


class SetSupportAgents(StrictSerializer):
    agents = serializers.ListField(child=Id(), max_length=500, help_text="Members; empty for everybody.")


class SupportAgentsBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = serializers.ListField(child=serializers.UUIDField())  # type: ignore[assignment]


class SupportSecretBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_secret"])
    secret = serializers.CharField()


class SupportPresence(StrictSerializer):
    availability = OneOf(Availability.values, required=False)


class ChangeSupportAgent(StrictSerializer):
    capacity = WholeNumber(required=False, min_value=0, max_value=200)
    skills = serializers.ListField(child=Text(max_length=40), required=False, max_length=20)


class SupportAgentBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_agent"])
    member = serializers.UUIDField()
    availability = serializers.ChoiceField(Availability.values)
    capacity = serializers.IntegerField()
    skills = serializers.ListField(child=serializers.CharField())
    seen_at = serializers.DateTimeField(allow_null=True)


class ChangeSupportDesk(StrictSerializer):
    masked = serializers.ListField(child=Text(max_length=20), required=False, max_length=10)
    original_days = WholeNumber(required=False, min_value=0, max_value=365)
    resolve_after_days = WholeNumber(required=False, min_value=0, max_value=365)


class SupportDeskBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_desk"])
    masked = serializers.ListField(child=serializers.CharField())
    original_days = serializers.IntegerField(help_text="0 keeps nothing of what was masked.")
    resolve_after_days = serializers.IntegerField(help_text="0 resolves nothing by itself.")


class SupportSettingBody(serializers.Serializer[Any]):
    object = serializers.CharField(help_text="`support_` and the kind.")
    id = serializers.UUIDField()
    values = serializers.DictField()
    created_at = serializers.DateTimeField()


class SupportSettingsBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = SupportSettingBody(many=True)  # type: ignore[assignment]


class WriteSupportSetting(StrictSerializer):
    values = serializers.DictField(help_text="The fields of the kind; see the guide.")


class SpreadBody(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True, help_text="Seconds.")
    median = serializers.FloatField(allow_null=True, help_text="Seconds.")


class SupportReportBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_report"])
    conversations = serializers.IntegerField()
    first_reply = SpreadBody(help_text="From when people had it.")
    resolution = SpreadBody(help_text="From when people had it.")
    bot = SpreadBody(help_text="Time with the bot, which counts in neither of the others.")
    with_bot = serializers.IntegerField()
    resolved_by_bot = serializers.IntegerField()
    ratings = serializers.DictField(child=serializers.IntegerField())
    rating_mean = serializers.FloatField(allow_null=True)
    promises_kept = serializers.IntegerField()
    promises_missed = serializers.IntegerField()
    resolved = serializers.IntegerField(help_text="By whomever; those that are open again do not count.")
    incoming = serializers.IntegerField(help_text="Messages of contacts.")
    outgoing = serializers.IntegerField(help_text="Messages to contacts.")
