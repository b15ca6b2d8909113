"""What is done by rule: labels, ready texts, macros, automation, promises and marks."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Membership, User
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.support.models.conversations import Conversation
from apps.support.models.inboxes import SlaPolicy
from apps.support.models.people import Contact


class Label(TenantModel):
    """A word that conversations are marked with; they hold its title."""

    title = models.CharField(max_length=40)
    about = models.CharField(max_length=200, blank=True)
    # A place in the palette of the design system, so that it is readable in both themes.
    colour = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("title"), name="support_label_once")]

    def __str__(self) -> str:
        return self.title


class CannedReply(TenantModel):
    """A ready text by its short code; `{{contact.name}}` and the like are filled in (`apps.support.canned`)."""

    code = models.CharField(max_length=40)
    content = models.TextField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("code"), name="support_canned_once")]

    def __str__(self) -> str:
        return self.code


class Macro(TenantModel):
    """Several acts at once; `actions` as in `apps.support.automation`. A macro with an owner is theirs alone."""

    name = models.CharField(max_length=80)
    actions = models.JSONField(default=list)
    owner = TenantForeignKey(Membership, on_delete=models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "name"], name="support_macro_by_name")]

    def __str__(self) -> str:
        return self.name


class AutomationRule(TenantModel):
    """When `event` happens and `conditions` hold, `actions` are done (`apps.support.automation`)."""

    name = models.CharField(max_length=80)
    about = models.CharField(max_length=500, blank=True, default="", db_default="")
    event = models.CharField(max_length=40)
    conditions = models.JSONField(default=list)
    actions = models.JSONField(default=list)
    active = models.BooleanField(default=True)
    position = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="support_rule_once")]
        indexes = [
            models.Index(fields=["organization", "event", "position"], condition=Q(active=True), name="support_rules")
        ]

    def __str__(self) -> str:
        return self.name


class SlaKind(models.TextChoices):
    FIRST_REPLY = "first_reply", _("first reply")
    NEXT_REPLY = "next_reply", _("next reply")
    RESOLUTION = "resolution", _("resolution")


class SlaTimer(TenantModel):
    """One promise that runs, or ran: kept when `met_at` is not after `due_at`.

    `due_at` has the pauses out of business hours in it. `called_off` ones no longer count, as after a merge.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="timers")
    policy = TenantForeignKey(SlaPolicy, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=11, choices=SlaKind.choices)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    met_at = models.DateTimeField(null=True)
    breached_at = models.DateTimeField(null=True)
    called_off = models.BooleanField(default=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation", "kind"],
                condition=Q(met_at=None, called_off=False),
                name="support_timer_runs_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(met_at=None, breached_at=None, called_off=False),
                name="support_timer_due",
            )
        ]

    def __str__(self) -> str:
        return self.kind


class Rating(TenantModel):
    """What a contact thought of a resolved conversation, from 1 to 5; `asked_at` without `answered_at` is silence."""

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="ratings")
    contact = TenantForeignKey(Contact, on_delete=models.CASCADE, related_name="+")
    assignee = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    by_bot = models.BooleanField(default=False)
    score = models.PositiveSmallIntegerField(null=True)
    comment = models.CharField(max_length=1_000, blank=True)
    asked_at = models.DateTimeField(db_default=Now())
    answered_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(score=None) | Q(score__gte=1, score__lte=5), name="support_rating_one_to_five"
            ),
            models.UniqueConstraint(
                fields=["organization", "conversation"],
                condition=Q(answered_at=None),
                name="support_rating_asked_once",
            ),
        ]
        indexes = [models.Index(fields=["organization", "-asked_at"], name="support_rating_newest")]

    def __str__(self) -> str:
        return str(self.score or "")
