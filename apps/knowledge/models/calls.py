"""Calls of the embeddings API, for as long as something is held for them, and as a record afterwards."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.accounts.models import ApiKey, User
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.knowledge.models.sources import SourceVersion


class CallState(models.TextChoices):
    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"


class EmbeddingCall(TenantModel):
    """One request for vectors, or the passages of a document; its id is the ledger's job.

    The texts themselves are never stored. One that is left open, since its process ended, is released by a timer.
    `version` is the document whose passages these were, and `attempt` the one in which they were embedded.
    """

    model = models.CharField(max_length=120)
    inputs = models.PositiveIntegerField()
    tokens = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=CallState.choices, default=CallState.OPEN)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    version = TenantForeignKey(SourceVersion, on_delete=models.SET_NULL, null=True, related_name="+")
    attempt = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["created_at"], condition=Q(state="open"), name="embedding_call_open")]

    def __str__(self) -> str:
        return f"{self.inputs} texts"
