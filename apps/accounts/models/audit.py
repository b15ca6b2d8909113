"""The audit trail: a chain of entries for each organization, and what proves that it is whole."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Value
from django.db.models.functions import Cast, Coalesce, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models.keys import ApiKey
from apps.accounts.models.people import User
from apps.core.crypto import SealedText
from apps.core.ids import uuid7
from apps.core.tenancy import TenantForeignKey, TenantModel

LONGEST_NAME = 254
SHORTEST_RETENTION_DAYS = 30


def _searched() -> Func:
    """Everything that a reader may look for; `||` and not CONCAT, which PostgreSQL does not take for immutable."""
    names = "action actor_name impersonator_name object_type object_name address agent request_id".split()
    values = [Coalesce(Cast(name, models.TextField()), Value("")) for name in ("detail", "before", "after")]
    parts = [*map(F, names), *values]
    return Func(*parts, template="lower(%(expressions)s)", arg_joiner=" || ' ' || ", output_field=models.TextField())


class AuditEntry(TenantModel):
    """Who did what to which object, from where; appended in the transaction of the act, never changed.

    A trigger (`audit_seal`) sets everything from `sequence` to `hash` and the time, whoever inserts. `hash` covers the
    previous entry's hash, the fields that name no person, and `content_digest`; that one covers, with a salt, the
    fields that may: so a person's name can be replaced by a pseudonym, and the chain still holds. `erasure` is then the
    sequence number of the entry that says so.
    """

    actor_kind = models.CharField(max_length=20, default="user")
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    impersonator = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=80)
    object_type = models.CharField(max_length=60)
    object_id = models.UUIDField()
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    actor_name = models.CharField(max_length=LONGEST_NAME, blank=True)
    impersonator_name = models.CharField(max_length=LONGEST_NAME, blank=True)
    object_name = models.CharField(max_length=LONGEST_NAME, blank=True)
    address = models.CharField(max_length=45, blank=True)
    agent = models.CharField(max_length=300, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    detail = models.JSONField(default=dict)
    # Lower case once and for all: searching looks at every entry, since row-level security keeps text indexes out.
    words = models.GeneratedField(expression=_searched(), output_field=models.TextField(), db_persist=True)

    sequence = models.BigIntegerField(default=0)
    transaction_id = models.BigIntegerField(default=0)
    salt = models.CharField(max_length=32, blank=True)
    content_digest = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, blank=True)
    erasure = models.BigIntegerField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "sequence"], name="audit_sequence")]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="audit_newest"),
            models.Index(fields=["organization", "action", "-sequence"], name="audit_by_action"),
            models.Index(fields=["organization", "object_id", "-sequence"], name="audit_by_object"),
            models.Index(fields=["organization", "user", "-sequence"], name="audit_by_user"),
        ]


class InstallationEntry(models.Model):
    """What happened to the operator's own tables: plans, and who is staff. A chain of its own, of no organization.

    It names nobody: people are ids, and `detail` refers to the entry of an organization in whose act it happened.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    actor_kind = models.CharField(max_length=20)
    actor_name = models.CharField(max_length=LONGEST_NAME, blank=True)
    action = models.CharField(max_length=80)
    object_type = models.CharField(max_length=60)
    object_id = models.UUIDField()
    object_name = models.CharField(max_length=LONGEST_NAME, blank=True)
    address = models.CharField(max_length=45, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    detail = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    sequence = models.BigIntegerField(default=0)
    transaction_id = models.BigIntegerField(default=0)
    salt = models.CharField(max_length=32, blank=True)
    content_digest = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sequence"], name="installation_sequence")]
        indexes = [models.Index(fields=["object_id"], name="installation_by_object")]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action}"


class AuditHead(TenantModel):
    """The last entry of an organization's chain; its row lock makes numbers gapless and in commit order."""

    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="audit_head_of_organization")]


class AuditAnchor(TenantModel):
    """Where a chain stood at some hour, signed; the same line is appended to a file outside the database."""

    sequence = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    signature = models.CharField(max_length=120)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "sequence"], name="audit_anchor_once")]


class AuditVerification(TenantModel):
    """A look through the whole chain: up to which entry, and what was wrong, each thing in a sentence."""

    first_sequence = models.BigIntegerField()
    last_sequence = models.BigIntegerField()
    findings = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "-created_at"], name="audit_verification_newest")]


class AuditSettings(TenantModel):
    """How long an organization keeps its entries; None for ever, as without a row."""

    retention_days = models.PositiveIntegerField(null=True, validators=[MinValueValidator(SHORTEST_RETENTION_DAYS)])

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization"], name="audit_settings_once"),
            models.CheckConstraint(
                condition=models.Q(retention_days__isnull=True) | models.Q(retention_days__gte=SHORTEST_RETENTION_DAYS),
                name="audit_retention_not_too_short",
            ),
        ]

    @property
    def audit_name(self) -> str:
        return str(_("the audit log"))


class AuditStream(TenantModel):
    """A place outside that every entry is sent to, in order.

    `url` is `https://…` for a webhook, `syslog+tls://host:port`, `syslog+tcp://…` or `syslog+udp://…` for a log server.
    `cursor` is the last entry that was taken there; whoever holds the lease is the only sender.
    """

    url = models.CharField(_("address"), max_length=500)
    secret = SealedText()
    cursor = models.BigIntegerField(default=0)
    enabled = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    delivered_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "url"], name="audit_stream_once")]

    def __str__(self) -> str:
        return self.url
