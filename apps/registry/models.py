"""Which model a name means. Operated by whoever runs the installation, so not a tenant's tables."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models.functions import Now

from apps.core.ids import uuid7


class Backend(models.TextChoices):
    LOCAL = "local"
    REMOTE = "remote"


class ModelVersion(models.Model):
    """One immutable model: weights run here (`source` is a folder or a Hugging Face id) or a remote server's.

    Prices are per 1,000 tokens in `currency`. `context_length` counts prompt and output tokens together.
    `follows_instructions` is false for a model that only continues or writes what it was trained for: questions are not
    put to it. `credential` names the setting with the remote server's key, so that no key lies in the database.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=120, unique=True)
    backend = models.CharField(max_length=10, choices=Backend.choices)
    source = models.CharField(max_length=300, blank=True)
    revision = models.CharField(max_length=120, blank=True)
    remote_url = models.URLField(blank=True)
    remote_model = models.CharField(max_length=200, blank=True)
    credential = models.CharField(max_length=60, blank=True)
    context_length = models.PositiveIntegerField()
    max_output_tokens = models.PositiveIntegerField()
    input_price = models.DecimalField(max_digits=12, decimal_places=6, default=Decimal(0))
    output_price = models.DecimalField(max_digits=12, decimal_places=6, default=Decimal(0))
    currency = models.CharField(max_length=3, default="USD")
    follows_instructions = models.BooleanField(default=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(backend="local", remote_url="") & ~models.Q(source="")
                | models.Q(backend="remote", source="") & ~models.Q(remote_url=""),
                name="model_version_has_its_backend",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ModelAlias(models.Model):
    """A movable name, such as `default`."""

    name = models.CharField(max_length=120, primary_key=True)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="aliases")
    moved_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.name} → {self.version}"
