"""Prepaid credits and caps. Micros are millionths of a currency's unit (not of its minor unit)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.tenancy import TenantModel


class CreditKind(models.TextChoices):
    PURCHASE = "purchase"
    GRANT = "grant"
    DRAW = "draw"
    CLAWBACK = "clawback"
    EXPIRY = "expiry"


class CreditEntry(TenantModel):
    """Credit that came or went, never changed; what is left is their sum.

    What is used is drawn when its month is closed; until then the month's charges are owed. `reference` is what it came
    from or went to (an order, a month), each once. What came with an `expires_at` and is not used until then goes with
    an entry of its own (apps.billing.credit_lots says which credit is used first).
    """

    kind = models.CharField(max_length=10, choices=CreditKind.choices)
    currency = models.CharField(max_length=3)
    amount_micros = models.BigIntegerField()
    reference = models.CharField(max_length=255)
    note = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "kind", "reference"], name="credit_entry_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["purchase", "grant"], amount_micros__gt=0)
                | Q(kind__in=["draw", "clawback", "expiry"], amount_micros__lt=0),
                name="credit_entry_sign",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(kind__in=["purchase", "grant"]), name="credit_entry_expires"
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="credit_entry_to_expire")
        ]


class SpendingCap(TenantModel):
    """How much an organization may be charged beyond its plan in a calendar month (UTC), over all meters."""

    currency = models.CharField(max_length=3)
    cap_micros = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="spending_cap_once")]

    @property
    def audit_name(self) -> str:
        return self.currency
