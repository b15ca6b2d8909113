"""Where conversations come in, when somebody is there, and what is promised about answers."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Membership, Team
from apps.core.crypto import SealedText
from apps.core.tenancy import TenantForeignKey, TenantModel

LONGEST_ORIGIN = 300


class BusinessHours(TenantModel):
    """When somebody answers: `weekly` are `{"day": 0, "from": "09:00", "until": "12:00"}`, Monday is 0.

    `holidays` are `{"date": "2026-12-25", "name": "…"}`; on them nobody is there all day. All of it in `time_zone`.
    """

    name = models.CharField(max_length=80)
    time_zone = models.CharField(max_length=60, default="UTC")
    weekly = models.JSONField(default=list)
    holidays = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="support_hours_name_once")]

    def __str__(self) -> str:
        return self.name


class SlaPolicy(TenantModel):
    """What is promised, in seconds; None promises nothing. With `in_hours` only business hours count."""

    name = models.CharField(max_length=80)
    first_reply = models.PositiveIntegerField(null=True)
    next_reply = models.PositiveIntegerField(null=True)
    resolution = models.PositiveIntegerField(null=True)
    in_hours = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="support_sla_name_once")]

    def __str__(self) -> str:
        return self.name


class InboxKind(models.TextChoices):
    WIDGET = "widget", _("web widget")
    EMAIL = "email", _("e-mail")
    API = "api", _("API")


class Inbox(TenantModel):  # type: ignore[django-manager-missing]
    """One way in. `token` names it to the public, `hmac_secret` signs who a visitor is.

    With `bot_enabled` a new conversation is the bot's until it hands over; with an `agent_bot` it is that program's,
    which is told by webhook and answers over the API. With `auto_assignment` what waits is given out in turn. `origins`
    are the sites that may show the widget; none means that none may. `settings` hold the look of the widget.
    """

    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=6, choices=InboxKind.choices, default=InboxKind.WIDGET)
    token = models.CharField(max_length=40, unique=True)
    hmac_secret = SealedText()
    hmac_required = models.BooleanField(default=False)
    greeting = models.CharField(max_length=500, blank=True)
    away_message = models.CharField(max_length=500, blank=True)
    hours = TenantForeignKey(BusinessHours, on_delete=models.SET_NULL, null=True, related_name="+")
    sla = TenantForeignKey(SlaPolicy, on_delete=models.SET_NULL, null=True, related_name="+")
    team = TenantForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    auto_assignment = models.BooleanField(default=True)
    bot_enabled = models.BooleanField(default=False)
    agent_bot = TenantForeignKey("support.AgentBot", on_delete=models.SET_NULL, null=True, related_name="inboxes")
    csat_enabled = models.BooleanField(default=True)
    origins = ArrayField(models.CharField(max_length=LONGEST_ORIGIN), default=list)
    settings = models.JSONField(default=dict)
    archived_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint("organization", Lower("name"), name="support_inbox_name_once"),
            models.CheckConstraint(
                condition=Q(bot_enabled=False) | Q(agent_bot=None), name="support_inbox_has_one_bot"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_bot(self) -> bool:
        """Whether a new conversation begins with a bot, whichever."""
        return self.bot_enabled or self.agent_bot_id is not None


class InboxAgent(TenantModel):
    """Who is given conversations of an inbox; where nobody is named, every agent is."""

    inbox = TenantForeignKey(Inbox, on_delete=models.CASCADE, related_name="agents")
    membership = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "inbox", "membership"], name="support_inbox_agent_once")
        ]

    def __str__(self) -> str:
        return str(self.membership_id)


class DeskSettings(TenantModel):
    """What holds for the whole desk, one row.

    `masked` are kinds of personal data that are never stored in clear; with `original_days` what was masked is kept
    sealed for so long, and 0 keeps nothing. `counted` gives conversations their numbers.
    """

    masked = ArrayField(models.CharField(max_length=20), default=list)
    original_days = models.PositiveSmallIntegerField(default=30)
    resolve_after_days = models.PositiveSmallIntegerField(default=0)
    counted = models.PositiveBigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="support_settings_once")]

    def __str__(self) -> str:
        return str(self.organization_id)
