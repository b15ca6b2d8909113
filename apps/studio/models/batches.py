"""Files and batches as the OpenAI API has them; a batch's requests are the rows of a bulk run."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.accounts.models import ApiKey, User
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.studio.models.bulk import BulkRun


class Purpose(models.TextChoices):
    BATCH = "batch"
    USER_DATA = "user_data"
    BATCH_OUTPUT = "batch_output"


class StoredFile(TenantModel):
    """A file in the organization's folder; `path` is relative to it."""

    filename = models.CharField(max_length=200)
    purpose = models.CharField(max_length=20, choices=Purpose.choices)
    path = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "-id"], name="storedfile_newest")]

    def __str__(self) -> str:
        return self.filename

    @property
    def audit_name(self) -> str:
        return self.filename

    @property
    def public_id(self) -> str:
        return f"file-{self.pk.hex}"


class BatchState(models.TextChoices):
    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class Batch(TenantModel):
    """A file of requests; `run` has them as rows once they have been read.

    `input_id` is the file's id, which stays when the file goes. A time is set when its state is reached. A worker holds
    it by a lease while it reads the requests or writes the answers, and `attempt` counts them for each of the two.
    """

    input_id = models.UUIDField()
    input_file = TenantForeignKey(StoredFile, on_delete=models.SET_NULL, null=True, related_name="+")
    output_file = TenantForeignKey(StoredFile, on_delete=models.SET_NULL, null=True, related_name="+")
    error_file = TenantForeignKey(StoredFile, on_delete=models.SET_NULL, null=True, related_name="+")
    run = TenantForeignKey(BulkRun, on_delete=models.SET_NULL, null=True, related_name="batches")
    endpoint = models.CharField(max_length=40)
    metadata = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=BatchState.choices, default=BatchState.VALIDATING)
    errors = models.JSONField(default=list)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    in_progress_at = models.DateTimeField(null=True)
    finalizing_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    expired_at = models.DateTimeField(null=True)
    cancelling_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    attempt = models.PositiveSmallIntegerField(default=0, db_default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "run"], name="batch_of_a_run")]
        indexes = [
            models.Index(fields=["organization", "-id"], name="batch_newest"),
            models.Index(
                fields=["id"],
                condition=Q(state__in=["validating", "in_progress", "finalizing", "cancelling"]),
                name="batch_open",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def audit_name(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"batch_{self.pk.hex}"
