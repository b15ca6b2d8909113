"""Who uses tokens, what they may use in a month, and what they have used: sums beside the ledger."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from apps.accounts.models import ApiKey, ServiceAccount, Team, User
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet


class Spender(TenantModel):
    """A person or a service account, as the ledger refers to them: erasing a person changes this row and no entry."""

    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    service_account = TenantForeignKey(ServiceAccount, on_delete=models.PROTECT, null=True, related_name="+")
    pseudonym = models.CharField(max_length=40, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="spender_once"),
            models.UniqueConstraint(fields=["organization", "service_account"], name="spender_of_service_account_once"),
        ]

    def __str__(self) -> str:
        return self.user.email if self.user else str(self.service_account or self.pseudonym)


class BudgetKind(models.TextChoices):
    """Whose budget it is; `default` is that of each member who has none of their own."""

    DEFAULT = "default"
    MEMBER = "member"
    TEAM = "team"
    SERVICE_ACCOUNT = "service_account"


class BudgetQuerySet(TenantQuerySet):
    def for_pages(self) -> Any:
        return self.select_related("spender__user", "spender__service_account", "team").order_by("-id")


class Budget(TenantModel):
    """How many tokens may be used in a calendar month (UTC); what needs more is refused."""

    kind = models.CharField(max_length=20, choices=BudgetKind.choices)
    spender = TenantForeignKey(Spender, on_delete=models.CASCADE, null=True, related_name="+")
    team = TenantForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="+")
    monthly_tokens = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(BudgetQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "spender", "team"], name="budget_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(kind=BudgetKind.DEFAULT, spender__isnull=True, team__isnull=True)
                | Q(kind__in=[BudgetKind.MEMBER, BudgetKind.SERVICE_ACCOUNT], spender__isnull=False, team__isnull=True)
                | Q(kind=BudgetKind.TEAM, spender__isnull=True, team__isnull=False),
                name="budget_of_one_owner",
            ),
        ]

    @property
    def audit_name(self) -> str:
        return str(self.spender or self.team or self.kind)


class BudgetPeriod(TenantModel):
    """What a spender or a team holds and has used of one month, with a budget or without one.

    `owner_id` is a spender's or a team's. Written only by whoever has locked the organization's `UsagePeriod` of the
    month. `alerted` is the share, in percent, that people have been told of; `refused_at` when work was first refused.
    """

    month = models.DateField()
    owner_id = models.UUIDField()
    held_tokens = models.BigIntegerField(default=0)
    used_tokens = models.BigIntegerField(default=0)
    alerted = models.PositiveSmallIntegerField(default=0, db_default=0)
    refused_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "month", "owner_id"], name="budget_period_once"),
            models.CheckConstraint(condition=Q(held_tokens__gte=0), name="budget_period_held_not_negative"),
        ]
        # For the task that looks for what people are to be told, in all organizations.
        indexes = [models.Index(fields=["month"], condition=Q(alerted__lt=100), name="budget_period_to_tell")]

    @property
    def audit_name(self) -> str:
        return str(self.owner_id)


class UsageHour(TenantModel):
    """What was settled or reported for one spender, key, model and meter of what was asked for in one hour (UTC).

    `team_ids` are the teams that the spender was in then, as the ledger's lines have them: it counts for each of them.
    The key holds their digest, since an index takes no more than some 2,700 bytes of a row, and each team is 16.
    `meter` is empty for text generation, which has tokens; every other line has a `quantity`. Written in the statement
    that writes the ledger, so that it always equals the sums of its lines; `billing.check_rollups` looks every night.
    """

    hour = models.DateTimeField()
    spender = TenantForeignKey(Spender, on_delete=models.PROTECT, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    model_name = models.CharField(max_length=120, blank=True)
    meter = models.CharField(max_length=20, blank=True)
    currency = models.CharField(max_length=3)
    charge_currency = models.CharField(max_length=3, blank=True)
    team_ids = ArrayField(models.UUIDField(), default=list, db_default=[])
    teams_digest = models.GeneratedField(
        expression=Func(F("team_ids"), function="billing_teams_digest"),
        output_field=models.BinaryField(),
        db_persist=True,
    )
    requests = models.PositiveBigIntegerField()
    quantity = models.PositiveBigIntegerField()
    prompt_tokens = models.PositiveBigIntegerField()
    completion_tokens = models.PositiveBigIntegerField()
    tokens = models.PositiveBigIntegerField()
    amount_micros = models.BigIntegerField()
    charge_micros = models.BigIntegerField()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "organization",
                    "hour",
                    "spender",
                    "api_key",
                    "model_name",
                    "meter",
                    "currency",
                    "charge_currency",
                    "teams_digest",
                ],
                name="usage_hour_once",
                nulls_distinct=False,
            )
        ]
