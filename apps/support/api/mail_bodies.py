"""Mail servers of inboxes, as programs send and read them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.fields import Flag, OneOf, StrictSerializer, Text, WholeNumber
from apps.support.models import MailAuth, Tls
from apps.support.models.mail import LONGEST_ADDRESS, LONGEST_HOST, LONGEST_LOGIN

LONGEST_PASSWORD, LONGEST_SECRET = 1_000, 8_000


class WriteSupportMail(StrictSerializer):
    address = Text(required=False, max_length=LONGEST_ADDRESS, help_text="What mails are sent from.")
    name = Text(required=False, allow_blank=True, max_length=80, help_text="The sender's name beside the address.")
    plus = Flag(required=False, help_text="Mails to help+anything@… arrive in this mailbox.")
    imap_host = Text(required=False, max_length=LONGEST_HOST)
    imap_port = WholeNumber(required=False, min_value=1, max_value=65_535)
    imap_tls = OneOf(Tls.values, required=False)
    imap_user = Text(required=False, max_length=LONGEST_LOGIN)
    imap_password = Text(required=False, max_length=LONGEST_PASSWORD, help_text="Stays where it is not named.")
    folder = Text(required=False, max_length=120)
    smtp_host = Text(required=False, max_length=LONGEST_HOST)
    smtp_port = WholeNumber(required=False, min_value=1, max_value=65_535)
    smtp_tls = OneOf(Tls.values, required=False)
    smtp_user = Text(required=False, allow_blank=True, max_length=LONGEST_LOGIN, help_text="Empty signs nobody in.")
    smtp_password = Text(required=False, max_length=LONGEST_PASSWORD, help_text="Stays where it is not named.")
    auth = OneOf(MailAuth.values, required=False, help_text="How one signs in to both servers.")
    oauth_token_url = Text(required=False, allow_blank=True, max_length=500, help_text="Where tokens come from.")
    oauth_client_id = Text(required=False, allow_blank=True, max_length=LONGEST_LOGIN)
    oauth_client_secret = Text(required=False, max_length=LONGEST_SECRET, help_text="Stays where it is not named.")
    oauth_refresh_token = Text(required=False, max_length=LONGEST_SECRET, help_text="Stays where it is not named.")
    oauth_scope = Text(required=False, allow_blank=True, max_length=500)
    active = Flag(required=False, help_text="False stops looking into the mailbox.")


class SupportMailBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_mail"])
    inbox = serializers.UUIDField()
    address = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    plus = serializers.BooleanField()
    imap_host = serializers.CharField()
    imap_port = serializers.IntegerField()
    imap_tls = serializers.ChoiceField(Tls.values)
    imap_user = serializers.CharField()
    folder = serializers.CharField()
    smtp_host = serializers.CharField()
    smtp_port = serializers.IntegerField()
    smtp_tls = serializers.ChoiceField(Tls.values)
    smtp_user = serializers.CharField(allow_blank=True)
    auth = serializers.ChoiceField(MailAuth.values)
    oauth_token_url = serializers.CharField(allow_blank=True)
    oauth_client_id = serializers.CharField(allow_blank=True)
    oauth_scope = serializers.CharField(allow_blank=True)
    active = serializers.BooleanField()
    looked_at = serializers.DateTimeField(allow_null=True, help_text="When the mailbox was last read to its end.")
    failures = serializers.IntegerField(help_text="Looks that failed since then.")
    problem = serializers.CharField(allow_null=True, help_text="The code of what is wrong with the mailbox.")
    look_at = serializers.DateTimeField(help_text="When it is looked at next.")


class SupportMailTriedBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_mail_tried"])


class SupportMailAsideBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    sender = serializers.CharField(allow_blank=True)
    subject = serializers.CharField(allow_blank=True, help_text="Masked.")
    reason = serializers.CharField()
    size = serializers.IntegerField()
    received_at = serializers.DateTimeField()


class SupportMailsAsideBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = SupportMailAsideBody(many=True)  # type: ignore[assignment]
