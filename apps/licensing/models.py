"""What a vendor sells licences for, the licences, where they are used, and what waits to be signed.

A vendor is any organization; all of this is the vendor's. `HeldLicence` alone is the licensee's: where it is an
organization of this installation, it points to the vendor's row.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.jobs import Job
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet
from ml.licensing import GRACE


class Product(TenantModel):
    """A model or a program; `code` is what licence files call it, and what a verifying program asks for."""

    name = models.CharField(max_length=120)
    code = models.CharField(max_length=60)
    description = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "code"], name="licence_product_code_once")]

    def __str__(self) -> str:
        return self.name


class Terms(models.Model):
    """What a policy grants and a licence was granted. None of a limit is no limit.

    `artefacts` are `{path, sha256}` of the files that a licence is for; `field_of_use` is contract text.
    """

    seats = models.PositiveIntegerField(null=True)
    most_machines = models.PositiveIntegerField(null=True)
    floating = models.BooleanField(default=False)
    machine_bound = models.BooleanField(default=True)
    entitlements = ArrayField(models.CharField(max_length=60), default=list)
    field_of_use = models.TextField(blank=True)
    artefacts = models.JSONField(default=list)

    class Meta:
        abstract = True

    TERMS: ClassVar = (
        "seats",
        "most_machines",
        "floating",
        "machine_bound",
        "entitlements",
        "field_of_use",
        "artefacts",
    )

    @property
    def terms(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.TERMS}


class Policy(Terms, TenantModel):
    """What a licence of a product is by default, for how many `days`, and what it costs if it is for sale.

    None of `days` is for good. Changing a policy changes no licence that was issued under it.
    """

    product = TenantForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    days = models.PositiveIntegerField(null=True)
    price_minor = models.PositiveBigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    is_published = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "product", "name"], name="licence_policy_name_once"),
            models.CheckConstraint(
                condition=Q(is_published=False) | Q(price_minor__isnull=False) & ~Q(currency=""),
                name="licence_policy_published_has_a_price",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class State(models.TextChoices):
    """Computed from a licence's columns and the database's clock, never stored."""

    ACTIVE = "active", _("active")
    GRACE = "grace", _("in grace")
    EXPIRED = "expired", _("expired")
    SUSPENDED = "suspended", _("suspended")
    REVOKED = "revoked", _("revoked")


# In these a licence is served: its file is signed anew, machines and seats are taken in.
SERVED = (State.ACTIVE, State.GRACE)


class LicenceQuerySet(TenantQuerySet):
    def with_state(self) -> Any:
        """Each with its `state` by the database's clock."""
        return self.annotate(
            state=Case(
                When(revoked_at__isnull=False, then=Value(State.REVOKED.value)),
                When(suspended_at__isnull=False, then=Value(State.SUSPENDED.value)),
                When(expires_at__lte=Now() - GRACE, then=Value(State.EXPIRED.value)),
                When(expires_at__lte=Now(), then=Value(State.GRACE.value)),
                default=Value(State.ACTIVE.value),
                output_field=models.CharField(),
            )
        )

    def for_pages(self) -> Any:
        return self.with_state().select_related("policy__product")

    def matching(self, text: str) -> Any:
        found = Q(licensee__icontains=text) | Q(email__icontains=text) | Q(policy__product__name__icontains=text)
        return self.filter(found)


class Licence(Terms, TenantModel):
    """One licensee's licence. `key_digest` stands for its key, which is shown once and kept nowhere.

    `file` is the newest signed file and `version` counts what changed in it; `signed_version` is the file's. A licence
    that was bought carries its order, and which of the order's it is.
    """

    policy = TenantForeignKey(Policy, on_delete=models.PROTECT, related_name="+")
    licensee = models.CharField(max_length=200)
    email = models.EmailField()
    # An organization of this installation that holds it, as its own row says too.
    holder_id = models.UUIDField(null=True)
    key_digest = models.BinaryField()
    key_hint = models.CharField(max_length=12)
    starts_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    suspended_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    version = models.PositiveIntegerField(default=1)
    signed_version = models.PositiveIntegerField(default=0)
    file = models.TextField(blank=True)
    file_issued_at = models.DateTimeField(null=True)
    file_expires_at = models.DateTimeField(null=True)
    order_id = models.UUIDField(null=True)
    order_item = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(LicenceQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "order_id", "order_item"], name="licence_of_order_once")
        ]
        indexes = [models.Index(fields=["organization", "-id"], name="licence_newest")]

    def __str__(self) -> str:
        return self.licensee

    @property
    def is_signed(self) -> bool:
        """Whether the file says what the row says."""
        return self.signed_version == self.version

    @property
    def ends_at(self) -> Any:
        """With its grace."""
        return self.expires_at + GRACE if self.expires_at else None


class Machine(TenantModel):
    """A machine that a licence was activated on; released ones stay as its history."""

    licence = TenantForeignKey(Licence, on_delete=models.PROTECT, related_name="+")
    fingerprint = models.CharField(max_length=64)
    name = models.CharField(max_length=120, blank=True)
    nonce = models.CharField(max_length=32, blank=True)
    activated_at = models.DateTimeField(db_default=Now())
    released_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "licence", "fingerprint"], name="licence_machine_once")
        ]

    def __str__(self) -> str:
        return self.name or self.fingerprint[:12]


class SeatLease(TenantModel):
    """A floating seat in use: `holder` is whatever the licensee's program calls its user. It lapses by itself."""

    LASTS: ClassVar = timedelta(minutes=10)

    licence = TenantForeignKey(Licence, on_delete=models.CASCADE, related_name="+")
    holder = models.CharField(max_length=120)
    taken_at = models.DateTimeField(db_default=Now())
    lapses_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "licence", "holder"], name="licence_seat_once")]

    def __str__(self) -> str:
        return self.holder


class Revocations(TenantModel):
    """A vendor's revocation list: `sequence` counts its changes, `file` is the signed list of `signed_sequence`."""

    sequence = models.PositiveIntegerField(default=0)
    signed_sequence = models.PositiveIntegerField(default=0)
    file = models.TextField(blank=True)
    issued_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="licence_revocations_once")]


class Purpose(models.TextChoices):
    LICENCE = "licence", _("a licence")
    REVOCATIONS = "revocations", _("the revocation list")
    RESPONSE = "response", _("an activation response")


class SigningJob(Job):
    """Something to sign, for the only process that has the keys. What is signed it reads from the rows themselves.

    `file` is an activation response; licences and lists go where they belong.
    """

    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    licence = TenantForeignKey(Licence, on_delete=models.PROTECT, null=True, related_name="+")
    machine = TenantForeignKey(Machine, on_delete=models.PROTECT, null=True, related_name="+")
    file = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"signature of {self.purpose}"


class HeldLicence(TenantModel):
    """That this organization holds a licence of another one's; what it is called stays readable here."""

    vendor_id = models.UUIDField()
    licence_id = models.UUIDField()
    vendor_name = models.CharField(max_length=120)
    product_name = models.CharField(max_length=120)
    policy_name = models.CharField(max_length=120)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "licence_id"], name="held_licence_once")]

    def __str__(self) -> str:
        return f"{self.product_name}, {self.policy_name}"


class VerificationKey(models.Model):
    """The public half of a signing key of this installation, as its signer has announced it.

    A key that the signer does not have any more is retired: it vouches for what it signed before.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kid = models.CharField(max_length=32, unique=True)
    public = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.kid
