"""Mail of the desk: the servers of an inbox, what came from them, and what is to leave by them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.core.crypto import SealedText
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.support.models.conversations import Conversation, Message
from apps.support.models.inboxes import Inbox

LONGEST_HOST, LONGEST_LOGIN, LONGEST_ADDRESS = 253, 254, 254


class Tls(models.TextChoices):
    TLS = "tls", _("TLS from the start")
    STARTTLS = "starttls", _("STARTTLS")
    NONE = "none", _("none, only for servers that the operator trusts")


class MailAuth(models.TextChoices):
    PASSWORD = "password", _("a password")
    OAUTH = "oauth", _("OAuth 2.0 (Microsoft 365, Google)")


class MailAccount(TenantModel):  # type: ignore[django-manager-missing]
    """The servers of an e-mail inbox, and how far its mailbox has been read.

    `uid_validity` and `last_uid` are the cursor: together with the messages behind it they are written in the same
    transaction as what the mail became. Mails from before `begins_at` are left alone. `tries` of the mail `trying_uid`
    are counted before it is read: one that kills whoever reads it is set aside. `taken_by` holds the mailbox until
    `taken_until`; a look that lost it writes nothing. `failures` in a row put off `look_at`. With `auth` OAuth both
    servers are told an access token, which the refresh token gets from `oauth_token_url` whenever it ends.
    """

    inbox = TenantForeignKey(Inbox, on_delete=models.CASCADE, related_name="mail_accounts")
    address = models.CharField(max_length=LONGEST_ADDRESS)
    name = models.CharField(max_length=80, blank=True)
    # Whether the mail server delivers support+anything@… to support@….
    plus = models.BooleanField(default=False)
    imap_host = models.CharField(max_length=LONGEST_HOST)
    imap_port = models.PositiveIntegerField(default=993)
    imap_tls = models.CharField(max_length=8, choices=Tls.choices, default=Tls.TLS)
    imap_user = models.CharField(max_length=LONGEST_LOGIN)
    imap_password = SealedText()
    folder = models.CharField(max_length=120, default="INBOX")
    smtp_host = models.CharField(max_length=LONGEST_HOST)
    smtp_port = models.PositiveIntegerField(default=587)
    smtp_tls = models.CharField(max_length=8, choices=Tls.choices, default=Tls.STARTTLS)
    smtp_user = models.CharField(max_length=LONGEST_LOGIN, blank=True)
    smtp_password = SealedText()
    auth = models.CharField(
        max_length=8, choices=MailAuth.choices, default=MailAuth.PASSWORD, db_default=MailAuth.PASSWORD
    )
    oauth_token_url = models.CharField(max_length=500, blank=True, default="", db_default="")
    oauth_client_id = models.CharField(max_length=LONGEST_LOGIN, blank=True, default="", db_default="")
    oauth_scope = models.CharField(max_length=500, blank=True, default="", db_default="")
    oauth_client_secret = SealedText(blank=True, default="", db_default="")
    oauth_refresh_token = SealedText(blank=True, default="", db_default="")
    oauth_access_token = SealedText(blank=True, default="", db_default="")
    oauth_expires_at = models.DateTimeField(null=True)
    active = models.BooleanField(default=True)
    begins_at = models.DateTimeField(db_default=Now())
    uid_validity = models.PositiveBigIntegerField(null=True)
    last_uid = models.PositiveBigIntegerField(default=0)
    trying_uid = models.PositiveBigIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    look_at = models.DateTimeField(db_default=Now())
    looked_at = models.DateTimeField(null=True)
    taken_by = models.UUIDField(null=True)
    taken_until = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "inbox"], name="support_mail_account_once")]
        indexes = [models.Index(fields=["look_at"], condition=Q(active=True), name="support_mail_due")]

    def __str__(self) -> str:
        return self.address


class Received(models.TextChoices):
    TAKEN = "taken", _("taken")
    AUTOMATIC = "automatic", _("automatic, never answered by itself")
    OWN = "own", _("sent by this desk")
    REFUSED = "refused", _("from somebody who is blocked")
    ASIDE = "aside", _("set aside")


class ReceivedMail(TenantModel):
    """A mail that was looked at, once: `key` is the digest of its Message-ID, or of all of it where it has none.

    Of what became a message the words stand there; of what was set aside `sender` and `subject`, masked, say which
    it is, and `reason` why.
    """

    account = TenantForeignKey(MailAccount, on_delete=models.CASCADE, related_name="received")
    uid_validity = models.PositiveBigIntegerField()
    uid = models.PositiveBigIntegerField()
    key = models.CharField(max_length=64)
    outcome = models.CharField(max_length=9, choices=Received.choices)
    reason = models.CharField(max_length=40, blank=True)
    sender = models.CharField(max_length=LONGEST_ADDRESS, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    size = models.PositiveIntegerField(default=0)
    message = TenantForeignKey(Message, on_delete=models.SET_NULL, null=True, related_name="+")
    received_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "account", "key"], name="support_mail_received_once"),
        ]
        indexes = [
            models.Index(
                fields=["organization", "account", "-received_at"],
                condition=Q(outcome="aside"),
                name="support_mail_set_aside",
            ),
            models.Index(fields=["organization", "received_at"], name="support_mail_by_time"),
        ]

    def __str__(self) -> str:
        return self.subject or self.key[:12]


class Sending(models.TextChoices):
    WAITING = "waiting", _("waits to leave")
    SENT = "sent", _("sent")
    FAILED = "failed", _("not sent")
    CANCELLED = "cancelled", _("taken back before it left")


class OutgoingMail(TenantModel):
    """A message that leaves by mail.

    Its Message-ID (`mail_id`) is given once: however often it is tried, it is one mail. `automatic` says that no person
    wrote it. `problem` is the code of what went wrong last (`apps.support.errors_mail`).
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    message = TenantForeignKey(Message, on_delete=models.CASCADE, related_name="mails")
    account = TenantForeignKey(MailAccount, on_delete=models.SET_NULL, null=True, related_name="+")
    to = models.CharField(max_length=LONGEST_ADDRESS, blank=True)
    mail_id = models.CharField(max_length=300)
    automatic = models.BooleanField(default=False)
    status = models.CharField(max_length=9, choices=Sending.choices, default=Sending.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    send_at = models.DateTimeField(db_default=Now())
    give_up_at = models.DateTimeField()
    taken_by = models.UUIDField(null=True)
    problem = models.CharField(max_length=40, blank=True)
    sent_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "message"], name="support_mail_sent_once"),
            models.UniqueConstraint(fields=["organization", "mail_id"], name="support_mail_id_once"),
        ]
        indexes = [
            models.Index(fields=["send_at"], condition=Q(status="waiting"), name="support_mail_waiting"),
            models.Index(fields=["organization", "to", "-created_at"], name="support_mail_to_whom"),
        ]

    def __str__(self) -> str:
        return self.to
