"""The ledger and its sums. Quantities are integers in a meter's unit; money is in micros, millionths of a currency."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from apps.accounts.models import ApiKey
from apps.billing.models.plans import Meter
from apps.billing.models.spenders import Spender
from apps.core.tenancy import TenantForeignKey, TenantModel


class UsagePeriod(TenantModel):
    """The running sums of one calendar month (UTC), and the row that holds and settlements lock.

    Always equal to the sums of the month's ledger entries; a test recomputes them.
    """

    month = models.DateField()
    held_tokens = models.BigIntegerField(default=0)
    used_tokens = models.BigIntegerField(default=0)
    spent_micros = models.BigIntegerField(default=0)
    # Since when no usage is booked in it any more. What was then billed is in whole minor units of the currency; the
    # rest of less than one is carried over to the month that is closed next.
    currency = models.CharField(max_length=3, blank=True, db_default="")
    billed_minor = models.BigIntegerField(default=0, db_default=0)
    carried_micros = models.BigIntegerField(default=0, db_default=0)
    closed_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "month"], name="usage_period_once"),
            models.CheckConstraint(condition=models.Q(held_tokens__gte=0), name="usage_period_held_not_negative"),
        ]


class MeterPeriod(TenantModel):
    """The running sums of one meter in one month; written only by whoever has locked the month (`UsagePeriod`)."""

    month = models.DateField()
    meter = models.CharField(max_length=20, choices=Meter.choices)
    held = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)
    charged_micros = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "month", "meter"], name="meter_period_once"),
            models.CheckConstraint(condition=models.Q(held__gte=0), name="meter_period_held_not_negative"),
        ]
        # For the task that looks for what people are to be told, in all organizations.
        indexes = [models.Index(fields=["month"], name="meter_period_to_tell")]


class EntryKind(models.TextChoices):
    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"
    # Counted after the fact, without a hold: a usage event, from a program or from the product itself.
    USAGE = "usage"


class LedgerEntry(TenantModel):
    """One line, never changed: a hold before the work, then a settlement or a release after it, or a usage event.

    Text generation counts `prompt_tokens` and `completion_tokens` and has no `meter`; every other line is `quantity` of
    its `meter`. `amount_micros` is the value at the model's own price in `currency`; `charge_micros` is what is to be
    paid for it beyond the allowance, in `charge_currency`. A hold's quantities
    are upper bounds, and its `terms` are what was agreed then for each meter: what is included, and the rate beyond.
    Of what was used they also say what had been used of the meter before, in the same month: what of it was beyond.

    A usage event is known by (`source`, `event_id`), and is the same where `content_digest` (SHA-256) is.
    One that arrives after its month was closed stands in the next, with its own month in `late_from`.

    `occurred_at` is when the work was asked for, or what an event says, and `day` is its day (UTC); `team_ids` are the
    teams that the spender was in then: it counts for each of them.
    """

    job_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=10, choices=EntryKind.choices)
    month = models.DateField()
    day = models.DateField()
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0, db_default=0)
    meter = models.CharField(max_length=20, blank=True, db_default="")
    quantity = models.PositiveBigIntegerField(default=0, db_default=0)
    amount_micros = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="USD")
    charge_micros = models.BigIntegerField(default=0, db_default=0)
    charge_currency = models.CharField(max_length=3, blank=True, db_default="")
    terms = models.JSONField(null=True)
    source = models.CharField(max_length=200, blank=True, db_default="")
    event_id = models.CharField(max_length=200, blank=True, db_default="")
    content_digest = models.BinaryField(null=True)
    occurred_at = models.DateTimeField()
    late_from = models.DateField(null=True)
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
            models.UniqueConstraint(
                fields=["organization", "source", "event_id"],
                condition=~models.Q(event_id=""),
                name="ledger_usage_once",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="usage", job_id__isnull=True) & ~models.Q(event_id="") & ~models.Q(meter="")
                | ~models.Q(kind="usage") & models.Q(job_id__isnull=False),
                name="ledger_of_a_job_or_an_event",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "month", "kind"], name="ledger_month"),
            # What pages list: holds, of which there is one for each settlement, stay out of it.
            *(
                models.Index(
                    fields=["organization", by, "-id"],
                    condition=models.Q(kind__in=["settle", "usage"]),
                    name=f"ledger_used_{by}",
                )
                for by in ("month", "day", "spender")
            ),
            # What the explorer narrows to, of which a month may have little among very much else.
            models.Index(
                fields=["organization", "api_key", "month", "-id"],
                condition=models.Q(kind__in=["settle", "usage"], api_key__isnull=False),
                name="ledger_used_api_key",
            ),
            models.Index(
                fields=["organization", "model_name", "month", "-id"],
                condition=models.Q(kind__in=["settle", "usage"]) & ~models.Q(model_name=""),
                name="ledger_used_model",
            ),
        ]
