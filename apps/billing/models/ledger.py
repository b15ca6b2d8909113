"""Plans and the ledger. Quantities are tokens, money is millionths of a currency's unit (micros), always integers."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from apps.accounts.models import ApiKey
from apps.billing.models.spenders import Spender
from apps.core.fairness import MAX_WEIGHT
from apps.core.ids import uuid7
from apps.core.tenancy import TenantForeignKey, TenantModel

FREE_PLAN = "free"

# For `Job.share_sql`: what the plan of an organization gives it, read at the moment of the claim.
SHARE_SQL = f"""
SELECT plan.weight, plan.max_running FROM billing_plan plan WHERE plan.id = coalesce(
    (SELECT subscription.plan_id FROM billing_subscription subscription
     WHERE subscription.organization_id = {{organization}}),
    (SELECT free.id FROM billing_plan free WHERE free.code = '{FREE_PLAN}')
)
"""


class Plan(models.Model):
    """What an organization gets. Not a tenant's table: the operator sells the same plans to all.

    Where work waits, an organization is served in proportion to its `weight`, and never more than `max_running` of its
    jobs run at a time.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    monthly_tokens = models.PositiveBigIntegerField()
    requests_per_minute = models.PositiveIntegerField()
    tokens_per_minute = models.PositiveIntegerField()
    max_queued = models.PositiveIntegerField()
    weight = models.PositiveIntegerField(
        default=1, db_default=1, validators=[MinValueValidator(1), MaxValueValidator(MAX_WEIGHT)]
    )
    max_running = models.PositiveIntegerField(default=32, db_default=32, validators=[MinValueValidator(1)])

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(weight__gte=1, weight__lte=MAX_WEIGHT, max_running__gte=1), name="plan_has_a_share"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Subscription(TenantModel):
    """The plan of an organization; without a row it is the free plan."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="subscription_once")]

    @property
    def audit_name(self) -> str:
        return self.plan.name


class UsagePeriod(TenantModel):
    """The running sums of one calendar month (UTC), and the row that holds and settlements lock.

    Always equal to the sums of the month's ledger entries; a test recomputes them.
    """

    month = models.DateField()
    held_tokens = models.BigIntegerField(default=0)
    used_tokens = models.BigIntegerField(default=0)
    spent_micros = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "month"], name="usage_period_once"),
            models.CheckConstraint(condition=models.Q(held_tokens__gte=0), name="usage_period_held_not_negative"),
        ]


class EntryKind(models.TextChoices):
    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"


class LedgerEntry(TenantModel):
    """One line, never changed: a hold before the work, then a settlement or a release after it.

    `day` (UTC) is that on which the work was asked for, and `team_ids` are the teams that the spender was in then: it
    counts for each of them.
    """

    job_id = models.UUIDField()
    kind = models.CharField(max_length=10, choices=EntryKind.choices)
    month = models.DateField()
    day = models.DateField()
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField()
    amount_micros = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="USD")
    spender = TenantForeignKey(Spender, on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    model_name = models.CharField(max_length=120, blank=True, db_default="")
    team_ids = ArrayField(models.UUIDField(), default=list, db_default=[])
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "job_id", "kind"], name="ledger_once_per_kind"),
            models.UniqueConstraint(
                fields=["organization", "job_id"],
                condition=models.Q(kind__in=["settle", "release"]),
                name="ledger_closed_once",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "month", "kind"], name="ledger_month"),
            # What pages list: holds, of which there is one for each of these, stay out of it.
            *(
                models.Index(
                    fields=["organization", by, "-id"], condition=models.Q(kind="settle"), name=f"ledger_settled_{by}"
                )
                for by in ("month", "day", "spender")
            ),
        ]
