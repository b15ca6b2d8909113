"""Mail that an organization sends: the row is the truth, the task only a bell."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.core.tenancy import TenantModel


class LetterKind(models.TextChoices):
    INVITATION = "invitation"
    TRANSFER = "transfer"
    DELETION = "deletion"


class Letter(TenantModel):
    """One message to one address about one object; its text is made when it is sent, so that no secret is stored.

    `due_at` is when a worker may (again) try; claiming moves it on, as a lease and as the wait after a failure.
    """

    kind = models.CharField(max_length=20, choices=LetterKind.choices)
    recipient = models.EmailField()
    object_id = models.UUIDField()
    language = models.CharField(max_length=10)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(null=True, db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="letter_due")]
