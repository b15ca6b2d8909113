"""Brand voices: how an organization wants to sound, in versions that never change."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet
from ml.text.voicing import Voice


class BrandVoiceQuerySet(TenantQuerySet):
    def in_use(self) -> Any:
        return self.filter(archived_at=None)


class BrandVoice(TenantModel):  # type: ignore[django-manager-missing]
    """A voice by its name; `latest` is the number of its newest version, which is the one that is used."""

    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    latest = models.PositiveIntegerField(default=0)
    archived_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(BrandVoiceQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "slug"], name="voice_slug_once")]
        indexes = [models.Index(fields=["organization", "-created_at", "-id"], name="voice_newest")]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_name(self) -> str:
        return self.name


class BrandVoiceVersion(TenantModel):
    """One state of a voice, never changed: `content` is a `Voice` as JSON, `features` what its samples measured."""

    voice = TenantForeignKey(BrandVoice, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    features = models.JSONField(null=True)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "voice", "number"], name="voice_version_once")]

    def __str__(self) -> str:
        return f"{self.voice} v{self.number}"

    @property
    def spec(self) -> Voice:
        return Voice.from_dict(self.content)
