"""The audit trail."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.accounts.models.keys import ApiKey
from apps.accounts.models.people import User
from apps.core.tenancy import TenantForeignKey, TenantModel


class AuditEntry(TenantModel):
    """Who did what to which object, from where; appended in the transaction of the act, never changed."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=80)
    object_type = models.CharField(max_length=60)
    object_id = models.UUIDField()
    detail = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "-created_at", "-id"], name="audit_newest")]
