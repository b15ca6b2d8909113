"""Addresses at which other programs call an organization, and their calls."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import ApiKey, User
from apps.core.crypto import SealedText
from apps.core.tenancy import TenantForeignKey, TenantModel


class Sender(models.TextChoices):
    """Whose way of signing a call is checked."""

    STANDARD = "standard", "Standard Webhooks"
    STRIPE = "stripe", "Stripe"
    GITHUB = "github", "GitHub"
    SLACK = "slack", "Slack"


class InboundHook(TenantModel):  # type: ignore[django-manager-missing]
    """An address with a secret. `action` is what a call does, `mapping` from where in the call each input is taken.

    The act is done in the name of `created_by`, with what they may do when the call comes; where it was set up through
    `api_key`, with what that key may do then, and not at all once it is revoked. `previous` is the secret before the
    last change, which counts until `previous_until`.
    """

    name = models.CharField(max_length=80)
    sender = models.CharField(max_length=10, choices=Sender.choices, default=Sender.STANDARD)
    secret = SealedText()
    previous = SealedText()
    previous_until = models.DateTimeField(null=True)
    hint = models.CharField(max_length=8)
    action = models.CharField(max_length=40)
    mapping = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="inbound_hook_name_once")]

    def __str__(self) -> str:
        return self.name


class CallState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class InboundCall(TenantModel):
    """A call whose signature was right. `key` tells a repeated one, which is answered and not done again.

    `payload` is the body as it came, sealed; `result` the id of what it made.
    """

    hook = TenantForeignKey(InboundHook, on_delete=models.CASCADE, related_name="calls")
    key = models.CharField(max_length=100)
    payload = SealedText()
    state = models.CharField(max_length=10, choices=CallState.choices, default=CallState.WAITING)
    attempt = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    result = models.UUIDField(null=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "hook", "key"], name="inbound_call_once")]
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(state__in=["waiting", "running"]), name="inbound_call_waiting"
            )
        ]

    def __str__(self) -> str:
        return self.key
