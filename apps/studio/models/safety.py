"""What an organization wants checked in prompts and outputs, in versions, and the classifiers that it has trained."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.core.jobs import Job
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet


class SafetyClassifier(Job):
    """A classifier in one version, never changed once it is trained; as a job it waits for a worker that trains it.

    `examples` are pairs of a text and whether it is to be refused; they are emptied when the training ends, and only
    the numbers stay. `weights` are those of `ml.safety.classifier`, `curve` its measured points, and
    `average_precision` the area below them.
    """

    number = models.PositiveIntegerField()
    name = models.CharField(max_length=80)
    examples = models.JSONField(default=list)
    refused_count = models.PositiveIntegerField()
    allowed_count = models.PositiveIntegerField()
    weights = models.BinaryField(null=True)
    curve = models.JSONField(default=list)
    average_precision = models.FloatField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(Job.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "number"], name="safety_classifier_once")]

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"

    @property
    def audit_name(self) -> str:
        return str(self)


class SafetyPolicyQuerySet(TenantQuerySet):
    def newest_first(self) -> Any:
        return self.order_by("-number")


class SafetyPolicy(TenantModel):
    """One state of what is checked, never changed. The newest one counts; a text is judged by the one it began with.

    `rules` are read by `apps.studio.services.safety.rules`.
    """

    number = models.PositiveIntegerField()
    rules = models.JSONField()
    classifier = TenantForeignKey(SafetyClassifier, on_delete=models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(SafetyPolicyQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "number"], name="safety_policy_once")]

    def __str__(self) -> str:
        return f"v{self.number}"

    @property
    def audit_name(self) -> str:
        return str(self)
