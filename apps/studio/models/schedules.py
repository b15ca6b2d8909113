"""Schedules: a text that is asked for again and again, and whom it is sent to."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import ApiKey, User
from apps.core.said import told
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.studio.calendars import DAILY, MONTHLY, WEEKDAYS, WEEKLY, Rule
from apps.studio.models.bulk import BulkRun
from apps.studio.models.generations import Generation


class Frequency(models.TextChoices):
    DAILY = DAILY, _("Every day")
    WEEKDAYS = WEEKDAYS, _("Monday to Friday")
    WEEKLY = WEEKLY, _("Every week")
    MONTHLY = MONTHLY, _("Every month")


class Schedule(TenantModel):  # type: ignore[django-manager-missing]
    """What is asked, when, and from which sources.

    With `table` each time is a bulk run of its own: with the rows of that run, and asked what that one says. With
    `template` (a reference, looked up each time) `variables` fill it; otherwise `prompt` is asked, in which
    `{{ sources }}` and `{{ date }}` have their places. `next_at` is when it is due next, None while it is paused.
    `failures` counts those in a row, `last_error` is the latest one's.
    """

    name = models.CharField(max_length=120)
    prompt = models.TextField(blank=True)
    template = models.CharField(max_length=120, blank=True)
    variables = models.JSONField(default=dict)
    table = TenantForeignKey(BulkRun, on_delete=models.SET_NULL, null=True, related_name="schedules")
    sources = models.JSONField(default=list)
    model_name = models.CharField(max_length=120, default="default")
    max_tokens = models.PositiveIntegerField(default=256)
    frequency = models.CharField(max_length=8, choices=Frequency.choices, default=Frequency.DAILY)
    weekday = models.PositiveSmallIntegerField(default=0)
    day = models.PositiveSmallIntegerField(default=1)
    at = models.TimeField()
    zone = models.CharField(max_length=60, default="UTC")
    next_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    last_error_said = models.JSONField(default=dict, db_default={})
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "-id"], name="schedule_newest"),
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="schedule_due"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_name(self) -> str:
        return self.name

    @property
    def rule(self) -> Rule:
        return Rule(self.frequency, self.at, self.zone, self.weekday, self.day)

    @property
    def last_error_told(self) -> str:
        """In the reader's language."""
        return told(self.last_error_said, self.last_error)

    @property
    def is_paused(self) -> bool:
        return self.next_at is None


class RecipientState(models.TextChoices):
    PENDING = "pending", _("has to confirm")
    CONFIRMED = "confirmed", _("gets it")
    UNSUBSCRIBED = "unsubscribed", _("unsubscribed")


class Recipient(TenantModel):
    """Somebody who gets a schedule's texts by mail: a member at once, others when they have confirmed it.

    Whoever has been a member when something was sent gets nothing any more once they have left (`as_member`).
    """

    schedule = TenantForeignKey(Schedule, on_delete=models.CASCADE, related_name="recipients")
    email = models.EmailField()
    state = models.CharField(max_length=12, choices=RecipientState.choices, default=RecipientState.PENDING)
    as_member = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "schedule", "email"], name="recipient_once_in_a_schedule")
        ]

    def __str__(self) -> str:
        return self.email


class OccurrenceState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    ASKED = "asked", _("Being written")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class Occurrence(TenantModel):
    """One time of a schedule, by its due time once. `skipped` are earlier ones that downtime left out.

    `read` says of each source how many items it gave, or why none. A worker holds it by a lease until `lease_until`.
    """

    schedule = TenantForeignKey(Schedule, on_delete=models.CASCADE, related_name="occurrences")
    due_at = models.DateTimeField()
    by_hand = models.BooleanField(default=False)
    skipped = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=OccurrenceState.choices, default=OccurrenceState.WAITING)
    attempt = models.PositiveSmallIntegerField(default=0)
    generation = TenantForeignKey(Generation, on_delete=models.SET_NULL, null=True, related_name="occurrences")
    run = TenantForeignKey(BulkRun, on_delete=models.SET_NULL, null=True, related_name="occurrences")
    read = models.JSONField(default=list)
    mailed = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    error_said = models.JSONField(default=dict, db_default={})
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "schedule", "due_at"], name="occurrence_once"),
            models.UniqueConstraint(fields=["organization", "generation"], name="occurrence_of_a_generation"),
        ]
        indexes = [
            models.Index(fields=["organization", "schedule", "-due_at"], name="occurrence_newest"),
            models.Index(fields=["id"], condition=Q(state__in=["waiting", "asked"]), name="occurrence_open"),
        ]

    def __str__(self) -> str:
        return f"{self.due_at:%Y-%m-%d %H:%M}"

    @property
    def error_told(self) -> str:
        """In the reader's language."""
        return told(self.error_said, self.error_message)

    @property
    def sources_told(self) -> list[dict[str, Any]]:
        """What each source gave, or why it gave nothing, in the reader's language."""
        return [each | {"problem": told(each.get("said", {}), each["problem"])} for each in self.read]
