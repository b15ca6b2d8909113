"""One message to one receiver, and each request that was made for it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.webhooks.models.endpoints import LONGEST_URL, Endpoint


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("being sent")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")


class Delivery(TenantModel):  # type: ignore[django-manager-missing]
    """A message on its way. `message` is its `webhook-id`, the same in every try and at every endpoint.

    `body` is what is signed and sent; `position` that of its event, null for results and tests, whose `url` may differ
    from the endpoint's. `tries` counts answers and their absence, and chooses the next pause; `attempt` counts claims
    and fences workers; `crashes` those that a worker did not live to report.
    """

    endpoint = TenantForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    message = models.CharField(max_length=80)
    type = models.CharField(max_length=80)
    position = models.BigIntegerField(null=True)
    url = models.CharField(max_length=LONGEST_URL, blank=True)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now())
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "endpoint", "message"], name="message_to_endpoint_once")
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_at", "position", "id"], condition=Q(state="waiting"), name="delivery_due"
            ),
            models.Index(fields=["endpoint", "lease_until"], condition=Q(state="running"), name="delivery_running"),
            models.Index(fields=["organization", "endpoint", "-id"], name="delivery_newest"),
        ]

    def __str__(self) -> str:
        return self.message


class DeliveryAttempt(TenantModel):
    """One request, and what came of it: an answer's status, or the code of why there was none.

    Of the answer the beginning is kept, as text.
    """

    delivery = TenantForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=60, blank=True)
    request_headers = models.JSONField(default=dict)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "delivery", "number"], name="delivery_attempt_once")
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.status or self.error}"
