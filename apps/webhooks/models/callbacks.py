"""Jobs whose result somebody waits for."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.webhooks.models.endpoints import LONGEST_URL, Endpoint


class Callback(TenantModel):
    """Where the result of the job with this id is sent; gone once it has been made into a message.

    `position` is that of the last event that has been looked at for the job's end.
    """

    job = models.UUIDField()
    endpoint = TenantForeignKey(Endpoint, on_delete=models.CASCADE, related_name="callbacks")
    url = models.CharField(max_length=LONGEST_URL, blank=True)
    position = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "job"], name="callback_of_a_job_once")]

    def __str__(self) -> str:
        return str(self.job)
