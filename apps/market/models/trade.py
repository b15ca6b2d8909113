"""What was bought and sold: each side has rows of its own, in its own organization, and neither reads the other's."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.market.licences import LicenceCode
from apps.market.models.offers import Offer, OfferKind


class PurchaseState(models.TextChoices):
    """A data set goes from open to delivered; an annotation service through all of them."""

    OPEN = "open", _("waiting for payment")
    ORDERED = "ordered", _("ordered")
    IN_WORK = "in_work", _("in work")
    DELIVERED = "delivered", _("delivered")
    ACCEPTED = "accepted", _("accepted")
    TAKEN_BACK = "taken_back", _("refunded or disputed")
    # A dispute was won, and the seller no longer has every file.
    INCOMPLETE = "incomplete", _("given back, files missing")


class Purchase(TenantModel):
    """What the buyer has: a copy of what was offered and of the licence that was accepted, and where it stands.

    `order_id` is the order that pays for it, `listing_id` and `seller_id` are the publisher's and no references.
    `files` are in the buyer's own folder once delivered; one that could not be given back has `gone` set.
    `state_before` is where a purchase stood that was taken back, and is empty for every other.
    """

    # States in which what was bought may be used.
    OURS: ClassVar = (
        PurchaseState.ORDERED,
        PurchaseState.IN_WORK,
        PurchaseState.DELIVERED,
        PurchaseState.ACCEPTED,
        PurchaseState.INCOMPLETE,
    )

    listing_id = models.UUIDField()
    offer_id = models.UUIDField()
    seller_id = models.UUIDField()
    seller_name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=OfferKind.choices)
    title = models.CharField(max_length=120)
    version = models.PositiveIntegerField()
    licence = models.CharField(max_length=20, choices=LicenceCode.choices)
    licence_version = models.CharField(max_length=20)
    licence_text = models.TextField()
    licence_sha256 = models.CharField(max_length=64)
    amount_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    files = models.JSONField(default=list)
    files_sha256 = models.CharField(max_length=64, blank=True)
    order_id = models.UUIDField(null=True)
    state = models.CharField(max_length=10, choices=PurchaseState.choices, default=PurchaseState.OPEN)
    state_before = models.CharField(max_length=10, choices=PurchaseState.choices, blank=True, db_default="")
    accepted_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    taken_back_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "order_id"], name="purchase_of_order_once"),
            models.UniqueConstraint(
                fields=["organization", "listing_id"], condition=Q(state="open"), name="purchase_open_once"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def audit_name(self) -> str:
        return self.title


class Sale(TenantModel):  # type: ignore[django-manager-missing]
    """The same for the seller: what was sold to whom, and where it stands. `purchase_id` is the buyer's row."""

    offer = TenantForeignKey(Offer, on_delete=models.PROTECT, related_name="+")
    purchase_id = models.UUIDField()
    order_id = models.UUIDField()
    buyer_id = models.UUIDField()
    buyer_name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=OfferKind.choices)
    title = models.CharField(max_length=120)
    version = models.PositiveIntegerField()
    amount_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=PurchaseState.choices)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "purchase_id"], name="sale_once")]

    def __str__(self) -> str:
        return self.title

    @property
    def audit_name(self) -> str:
        return self.title


class EarningKind(models.TextChoices):
    SALE = "sale", _("Sale")
    FEE = "fee", _("Fee")
    REVERSAL = "reversal", _("Refund or dispute")
    FEE_REVERSAL = "fee_reversal", _("Fee given back")
    RESTORED = "restored", _("Dispute won")
    FEE_AGAIN = "fee_again", _("Fee taken again")
    PAYOUT = "payout", _("Payout")


class Earning(TenantModel):
    """One line of what the operator owes a seller, never changed; the balance is the sum. Minor units.

    `reference` is what it came from, each once: an order; an order, the sum reversed by then and which of the sale's
    lines it is, for a sum can be reached again; or a payout's own name.
    """

    kind = models.CharField(max_length=12, choices=EarningKind.choices)
    sale = TenantForeignKey(Sale, on_delete=models.PROTECT, null=True, related_name="earnings")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    reference = models.CharField(max_length=120)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "kind", "reference"], name="earning_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["sale", "fee_reversal", "restored"], amount_minor__gte=0)
                | Q(kind__in=["fee", "reversal", "fee_again", "payout"], amount_minor__lte=0),
                name="earning_sign",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class Voice(models.TextChoices):
    BUYER = "buyer", _("Buyer")
    SELLER = "seller", _("Seller")


class Note(TenantModel):
    """One message about a purchase, once in each of the two organizations, with at most one file in its own folder.

    It says which side wrote it and not who: neither side is told of the other's people.
    """

    purchase_id = models.UUIDField()
    voice = models.CharField(max_length=6, choices=Voice.choices)
    text = models.TextField(blank=True)
    file_name = models.CharField(max_length=150, blank=True)
    file_path = models.CharField(max_length=200, blank=True)
    file_size = models.PositiveBigIntegerField(default=0)
    file_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "purchase_id", "id"], name="note_of_purchase")]
