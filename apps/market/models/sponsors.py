"""Sponsored slots: the operator's own rows, and how often each was shown and followed in a day, whoever it was."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7


class Place(models.TextChoices):
    DASHBOARD = "dashboard", _("Dashboard")


class Sponsor(models.Model):
    """A text with a link, shown as an advertisement from one moment to another; without languages in all of them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField(max_length=20, choices=Place.choices, default=Place.DASHBOARD)
    title = models.CharField(max_length=80)
    text = models.CharField(max_length=200)
    link = models.URLField(max_length=500)
    languages = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="sponsor_has_a_time"),
            models.CheckConstraint(condition=Q(link__startswith="https://"), name="sponsor_link_is_https"),
        ]

    def __str__(self) -> str:
        return self.title


class SponsorDay(models.Model):
    """Totals of one slot and day (UTC)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sponsor = models.ForeignKey(Sponsor, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    views = models.PositiveBigIntegerField(default=0)
    clicks = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sponsor", "day"], name="sponsor_day_once")]

    def __str__(self) -> str:
        return f"{self.sponsor_id} {self.day}"
