"""Offers, which are their publisher's alone, and listings: what of them others may see."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.market.licences import LicenceCode


class OfferKind(models.TextChoices):
    DATA_SET = "data_set", _("Data set")
    ANNOTATION = "annotation", _("Annotation service")


# Kinds that are delivered as files the moment they are paid.
KINDS_WITH_FILES = (OfferKind.DATA_SET,)


class OfferState(models.TextChoices):
    DRAFT = "draft", _("draft")
    SUBMITTED = "submitted", _("waiting for approval")
    PUBLISHED = "published", _("published")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Offer(TenantModel):  # type: ignore[django-manager-missing]
    """A data set or a service that an organization offers; `version` counts how often it was published.

    `description` is Markdown. `licence_text` is the publisher's own where `licence` says so. Money in minor units.
    """

    CHANGEABLE: ClassVar = (OfferState.DRAFT, OfferState.WITHDRAWN)

    kind = models.CharField(max_length=10, choices=OfferKind.choices)
    title = models.CharField(max_length=120)
    description = models.TextField()
    sample = models.TextField(blank=True)
    licence = models.CharField(max_length=20, choices=LicenceCode.choices)
    licence_text = models.TextField(blank=True)
    price_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=OfferState.choices, default=OfferState.DRAFT)
    version = models.PositiveIntegerField(default=0)
    review_note = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["state"], condition=Q(state="submitted"), name="offer_to_review")]
        constraints = [models.CheckConstraint(condition=Q(price_minor__gte=1), name="offer_has_a_price")]

    def __str__(self) -> str:
        return self.title

    @property
    def audit_name(self) -> str:
        return self.title


class OfferFile(TenantModel):
    """One file of a data set, in the publisher's own folder; once published it is never changed or removed.

    `path` is relative to that folder; `sha256` and `size` are of what was stored.
    """

    offer = TenantForeignKey(Offer, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=150)
    path = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    was_published = models.BooleanField(default=False)
    removed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "offer", "name"], condition=Q(removed_at=None), name="offer_file_name_once"
            )
        ]


class Listing(TenantModel):
    """One published version of an offer, as buyers of other organizations see it: a copy, never changed but closed.

    It is the publisher's row; others read it through `apps.market.border` alone. `files` is what a buyer gets: name,
    size, sha256 and path of each; `files_sha256` is that over all of them as `sha256sum` lists them.
    """

    offer = TenantForeignKey(Offer, on_delete=models.CASCADE, related_name="listings")
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=OfferKind.choices)
    title = models.CharField(max_length=120)
    description = models.TextField()
    sample = models.TextField(blank=True)
    seller_name = models.CharField(max_length=120)
    licence = models.CharField(max_length=20, choices=LicenceCode.choices)
    licence_version = models.CharField(max_length=20)
    licence_text = models.TextField()
    licence_sha256 = models.CharField(max_length=64)
    price_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    files = models.JSONField(default=list)
    files_sha256 = models.CharField(max_length=64, blank=True)
    is_open = models.BooleanField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "offer", "version"], name="listing_version_once"),
            models.UniqueConstraint(
                fields=["organization", "offer"], condition=Q(is_open=True), name="listing_open_once"
            ),
        ]
        indexes = [models.Index(fields=["-id"], condition=Q(is_open=True), name="listing_open")]

    def __str__(self) -> str:
        return self.title
