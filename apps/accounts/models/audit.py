"""The audit trail: a chain of entries for each organization, and what proves that it is whole."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.accounts.models.keys import ApiKey
from apps.accounts.models.people import User
from apps.core.tenancy import TenantForeignKey, TenantModel

LONGEST_NAME = 254


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


class AuditHead(TenantModel):
    """The last entry of an organization's chain; its row lock makes numbers gapless and in commit order."""

    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="audit_head_of_organization")]
