"""What people have been told of their use."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.billing.models.plans import Meter
from apps.core.tenancy import TenantModel


class AlertAbout(models.TextChoices):
    """What else than a meter's allowance people are told of."""

    CAP = "cap"
    CREDITS = "credits"


class UsageAlert(TenantModel):
    """The share of an allowance, a cap or credits, in percent, that people have been told of: each level once.

    Apart from the sums that it is about, which settlements lock: only the task that looks writes it. `used` of `whole`
    is what was found then, in the meter's unit or in micros of `currency`. Credits have no month: their whole is what
    there was when some last came in, and `received` is all that has come in until then.
    """

    subject = models.CharField(max_length=20, choices=[*Meter.choices, *AlertAbout.choices])
    month = models.DateField(null=True)
    level = models.PositiveSmallIntegerField(default=0)
    used = models.BigIntegerField(default=0)
    whole = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True)
    received = models.BigIntegerField(default=0)
    told_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "subject", "month"], name="usage_alert_once", nulls_distinct=False
            )
        ]
