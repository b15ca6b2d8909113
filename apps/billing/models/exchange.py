"""What comes from Stripe and what goes there, each as a row first."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.billing.models.plans import Plan, PlanPrice
from apps.core.ids import uuid7
from apps.core.tenancy import TenantModel


class StripeEvent(models.Model):
    """The inbox: an event whose signature was right, once. What it says is a hint; objects are fetched anew.

    Not a tenant's table: whose it is turns out only when its object is looked at.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.CharField(max_length=80, blank=True)
    livemode = models.BooleanField()
    event_id = models.CharField(max_length=80)
    type = models.CharField(max_length=100)
    object_kind = models.CharField(max_length=60)
    object_id = models.CharField(max_length=120)
    customer = models.CharField(max_length=80, blank=True, db_default="")
    api_version = models.CharField(max_length=40, blank=True)
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    handled_at = models.DateTimeField(null=True)
    # What became of it: written, not used, of the other mode, of nobody here, no longer there.
    outcome = models.CharField(max_length=30, blank=True, db_default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(db_default=Now())
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "livemode", "event_id"], name="stripe_event_once"),
        ]
        indexes = [models.Index(fields=["next_at"], condition=Q(handled_at__isnull=True), name="stripe_event_waiting")]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class StripeCursor(models.Model):
    """Up to when Stripe's own list of events has been read into the inbox; what webhooks brought does not count."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    livemode = models.BooleanField(unique=True)
    read_until = models.DateTimeField()

    def __str__(self) -> str:
        return self.read_until.isoformat()


class OperationState(models.TextChoices):
    WAITING = "waiting"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    # Sent once, and its answer never seen within the time that Stripe keeps the key: looked up, never sent again.
    UNKNOWN = "unknown"


class StripeOperation(TenantModel):
    """The outbox: a change at Stripe, written before it is asked for; `key` is its idempotency key.

    `kind` names the call in `apps.billing.gateway`, `parameters` are its arguments, `answer_id` the object it made.
    """

    UNDONE: ClassVar = (OperationState.WAITING, OperationState.SENT)

    kind = models.CharField(max_length=40)
    parameters = models.JSONField()
    # What it is about, so that the same is never asked for twice.
    subject = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=10, choices=OperationState.choices, default=OperationState.WAITING)
    answer_id = models.CharField(max_length=120, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # How many of its keys Stripe answers with a failure from now on, though it made nothing under them.
    spent_keys = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    # Under its present key.
    first_sent_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "subject"], condition=~Q(subject=""), name="stripe_operation_once"
            )
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state__in=["waiting", "sent"]), name="stripe_operation_due")
        ]

    @property
    def key(self) -> str:
        """What it leaves at Stripe carries its id alone, under whichever key it was made."""
        return f"{self.pk}:{self.spent_keys}" if self.spent_keys else str(self.pk)


class FindingKind(models.TextChoices):
    # Our copies were not what Stripe has; they have been mended.
    DRIFT = "drift", _("copies differed")
    # Stripe's objects could not be read or copied; the next look tries again.
    UNREAD = "unread", _("could not be compared")


class StripeFinding(TenantModel):
    """What the nightly comparison with Stripe has found, until staff has seen to it; found again it is counted."""

    kind = models.CharField(max_length=10, choices=FindingKind.choices)
    # Which of our copies, by the name of its table, or the customer as a whole.
    subject = models.CharField(max_length=60)
    detail = models.CharField(max_length=500)
    times = models.PositiveIntegerField(default=1)
    found_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.UUIDField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "subject"],
                condition=Q(acknowledged_at__isnull=True),
                name="stripe_finding_once",
            )
        ]
        indexes = [
            models.Index(fields=["seen_at"], condition=Q(acknowledged_at__isnull=True), name="stripe_finding_open")
        ]

    @property
    def audit_name(self) -> str:
        return self.subject


class StripeCatalogue(models.Model):
    """Which product or price at Stripe stands for a plan or a part of its price. `part`: product, base or seat."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    livemode = models.BooleanField()
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="+")
    price = models.ForeignKey(PlanPrice, on_delete=models.CASCADE, null=True, related_name="+")
    part = models.CharField(max_length=10)
    stripe_id = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["livemode", "plan", "price", "part"], nulls_distinct=False, name="stripe_catalogue_once"
            ),
            models.UniqueConstraint(fields=["livemode", "stripe_id"], name="stripe_catalogue_of_stripe_once"),
        ]

    def __str__(self) -> str:
        return self.stripe_id
