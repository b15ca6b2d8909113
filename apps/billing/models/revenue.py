"""What each organization brought in by month: subscriptions themselves remember only how they stand now."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.core.tenancy import TenantModel


class SubscriptionMonth(TenantModel):
    """What an organization's subscription was worth a month, at the end of a calendar month (UTC).

    The row of the running month is written anew every hour; once the month has ended it is never changed. Zero stands
    where a subscription ended within the month.
    """

    month = models.DateField()
    currency = models.CharField(max_length=3)
    mrr_minor = models.PositiveBigIntegerField()
    written_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "month"], name="subscription_month_once")]
        indexes = [models.Index(fields=["month"], name="subscription_month_of_all")]
