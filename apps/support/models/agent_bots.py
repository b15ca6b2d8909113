"""Programs of an organization that answer in its inboxes, and what they are told, in order."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.crypto import SealedText
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.support.models.conversations import Conversation, Message
from apps.support.models.people import ContactSession

LONGEST_BOT_URL = 1_000


class AgentBot(TenantModel):  # type: ignore[django-manager-missing]
    """A program that is told at `url` what visitors write while a conversation is a bot's, and answers over the API.

    `digest` is the SHA-256 of its access token, `token_hint` the end of it; `secret` signs what it is told. Where it
    cannot be reached for `patience_seconds`, the conversation is opened for people. `failing_since` is when that began.
    """

    name = models.CharField(max_length=80)
    url = models.CharField(max_length=LONGEST_BOT_URL)
    secret = SealedText()
    digest = models.CharField(max_length=64, unique=True)
    token_hint = models.CharField(max_length=8)
    patience_seconds = models.PositiveSmallIntegerField(default=30)
    failing_since = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="support_agent_bot_name_once")]

    def __str__(self) -> str:
        return self.name


class CallState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("being sent")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    # A person has acted before it was sent.
    DROPPED = "dropped", _("not sent any more")


class BotCall(TenantModel):
    """Something that a bot is told of a conversation; `position` is its place there, and one comes after the other.
    Of a window that was opened it is told by itself: then there is a `session`, and no conversation.

    What it says is read from the rows when it is sent. `attempt` counts claims and fences workers,
    `crashes` counts workers that were lost with it.
    """

    bot = TenantForeignKey(AgentBot, on_delete=models.CASCADE, related_name="calls")
    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, null=True, related_name="+")
    session = TenantForeignKey(ContactSession, on_delete=models.CASCADE, null=True, related_name="+")
    message = TenantForeignKey(Message, on_delete=models.CASCADE, null=True, related_name="+")
    position = models.PositiveIntegerField()
    event = models.CharField(max_length=40)
    details = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=CallState.choices, default=CallState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    first_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now())
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation", "position"], name="support_bot_call_in_order"
            ),
            models.CheckConstraint(
                condition=Q(conversation=None, session__isnull=False) | Q(conversation__isnull=False, session=None),
                name="support_bot_call_of_one",
            ),
        ]
        indexes = [
            models.Index(
                fields=["conversation", "position"],
                condition=Q(state__in=("waiting", "running")),
                name="support_bot_call_due",
            ),
            models.Index(
                fields=["next_at"],
                condition=Q(state__in=("waiting", "running"), conversation=None),
                name="support_bot_call_alone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.position}"
