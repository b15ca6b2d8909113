"""What is sold: plans with their prices, allowances and rates, and packs of credits. Not tenants' tables."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.fairness import MAX_WEIGHT
from apps.core.ids import uuid7

FREE_PLAN = "free"

# For `Job.share_sql`: what the plan of an organization gives it, read at the moment of the claim.
SHARE_SQL = f"""
SELECT plan.weight, plan.max_running FROM billing_plan plan WHERE plan.id = coalesce(
    (SELECT subscription.plan_id FROM billing_subscription subscription
     WHERE subscription.organization_id = {{organization}} AND subscription.is_live),
    (SELECT free.id FROM billing_plan free WHERE free.code = '{FREE_PLAN}')
)
"""


class Meter(models.TextChoices):
    """What is counted, each in its own unit."""

    TOKENS_IN = "tokens_in", _("Tokens in")
    TOKENS_OUT = "tokens_out", _("Tokens out")
    IMAGES = "images", _("Images")
    CAMERA_MINUTES = "camera_minutes", _("Camera minutes")
    BOT_RESOLUTIONS = "bot_resolutions", _("Bot resolutions")
    TRAINING_SECONDS = "training_seconds", _("Training time")


class Interval(models.TextChoices):
    MONTH = "month", _("Monthly")
    YEAR = "year", _("Yearly")


class Overage(models.TextChoices):
    """What happens beyond an allowance: refused unless prepaid credits pay for it, or charged at the plan's rate."""

    STOP = "stop", _("stops")
    CHARGE = "charge", _("is charged")


class Plan(models.Model):
    """What an organization gets. Not a tenant's table: the operator sells the same plans to all.

    Where work waits, an organization is served in proportion to its `weight`, and never more than `max_running` of its
    jobs run at a time; so many passages of its documents are searched. `features` are codes of
    `apps.billing.entitlements.FEATURES`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True, db_default="")
    position = models.PositiveSmallIntegerField(default=0, db_default=0)
    is_public = models.BooleanField(default=True, db_default=True)
    trial_days = models.PositiveSmallIntegerField(default=0, db_default=0)
    included_seats = models.PositiveIntegerField(default=1, db_default=1, validators=[MinValueValidator(1)])
    max_seats = models.PositiveIntegerField(null=True, blank=True)
    features = ArrayField(models.CharField(max_length=40), default=list, db_default=[], blank=True)
    requests_per_minute = models.PositiveIntegerField()
    tokens_per_minute = models.PositiveIntegerField()
    max_queued = models.PositiveIntegerField()
    weight = models.PositiveIntegerField(
        default=1, db_default=1, validators=[MinValueValidator(1), MaxValueValidator(MAX_WEIGHT)]
    )
    max_running = models.PositiveIntegerField(default=32, db_default=32, validators=[MinValueValidator(1)])
    max_passages = models.PositiveIntegerField(default=200_000, db_default=200_000)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(weight__gte=1, weight__lte=MAX_WEIGHT, max_running__gte=1), name="plan_has_a_share"
            ),
            models.CheckConstraint(
                condition=Q(included_seats__gte=1)
                & (Q(max_seats__isnull=True) | Q(max_seats__gte=models.F("included_seats"))),
                name="plan_seats",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PlanPrice(models.Model):
    """What a plan costs in one currency and interval, in minor units: a base, and each seat beyond those included.

    Never changed once sold: another price replaces it (`is_active`), and subscriptions keep what they were sold at.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="prices")
    interval = models.CharField(max_length=5, choices=Interval.choices)
    currency = models.CharField(max_length=3)
    base_minor = models.PositiveBigIntegerField()
    seat_minor = models.PositiveBigIntegerField(default=0)
    is_active = models.BooleanField(default=True, db_default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "interval", "currency"], condition=Q(is_active=True), name="plan_price_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.interval} {self.currency}"

    def of_period(self, seats: int) -> int:
        """What a period costs in minor units, before taxes and discounts."""
        return int(self.base_minor + self.seat_minor * max(0, seats - self.plan.included_seats))


class PlanAllowance(models.Model):
    """How much of one meter a plan includes in a calendar month (UTC), and what happens beyond it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="allowances")
    meter = models.CharField(max_length=20, choices=Meter.choices)
    included = models.PositiveBigIntegerField()
    overage = models.CharField(max_length=6, choices=Overage.choices, default=Overage.STOP)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "meter"], name="plan_allowance_once")]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.meter}"


class PlanRate(models.Model):
    """The price of `per` units of a meter beyond the allowance, in minor units of a currency, which may have decimals.

    Without a rate, tokens cost the model's own price, and nothing else can be used beyond its allowance.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="rates")
    meter = models.CharField(max_length=20, choices=Meter.choices)
    currency = models.CharField(max_length=3)
    per = models.PositiveBigIntegerField(validators=[MinValueValidator(1)])
    price_minor = models.DecimalField(max_digits=16, decimal_places=6, validators=[MinValueValidator(0)])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "meter", "currency"], name="plan_rate_once"),
            models.CheckConstraint(condition=Q(per__gte=1, price_minor__gte=0), name="plan_rate_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.meter} {self.currency}"


class CreditPack(models.Model):
    """Prepaid credit that anybody may buy, with a plan or without one; minor units of its currency.

    What is bought from now on can be used for `valid_days`, or for ever where there are none.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    currency = models.CharField(max_length=3)
    price_minor = models.PositiveBigIntegerField(validators=[MinValueValidator(1)])
    credit_minor = models.PositiveBigIntegerField(validators=[MinValueValidator(1)])
    valid_days = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    is_active = models.BooleanField(default=True, db_default=True)

    def __str__(self) -> str:
        return self.name
