"""Receivers that an organization has named, and what signs the messages to them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.crypto import SealedText
from apps.core.tenancy import TenantForeignKey, TenantModel

LONGEST_URL = 1_000


class EndpointKind(models.TextChoices):
    EVENTS = "events", _("events")
    # One for each origin that results are sent back to: it is there so that a slow one delays no other.
    CALLBACKS = "callbacks", _("results of jobs")


class Payload(models.TextChoices):
    FULL = "full", _("with the facts")
    THIN = "thin", _("ids only")


class Format(models.TextChoices):
    """What a message looks like to its receiver."""

    STANDARD = "standard", _("JSON (Standard Webhooks)")
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"
    EMAIL = "email", _("e-mail to a member")
    # Written by the support desk, whose events alone it knows.
    CHATWOOT = "chatwoot", "Chatwoot"


class Stopped(models.TextChoices):
    """Why an endpoint is sent nothing."""

    NO = "", _("working")
    PAUSED = "paused", _("paused")
    FAILING = "failing", _("switched off after five days of failure")
    GONE = "gone", _("switched off: the receiver answered 410")


class Endpoint(TenantModel):  # type: ignore[django-manager-missing]
    """A receiver. `types` are the names of events or groups (`team.*`) that it asks for, empty for all of them. The
    `url` of a mail is a member's address.

    `position` is that of the last event that has been made into deliveries; `at_once` how many requests it gets at the
    same time; `failing_since` when the failures began that no success has ended.
    """

    kind = models.CharField(max_length=10, choices=EndpointKind.choices, default=EndpointKind.EVENTS)
    url = models.CharField(max_length=LONGEST_URL)
    description = models.CharField(max_length=200, blank=True)
    types = models.JSONField(default=list)
    version = models.CharField(max_length=10)
    format = models.CharField(max_length=10, choices=Format.choices, default=Format.STANDARD)
    payload = models.CharField(max_length=4, choices=Payload.choices, default=Payload.FULL)
    at_once = models.PositiveSmallIntegerField(default=4)
    stopped = models.CharField(max_length=10, choices=Stopped.choices, default=Stopped.NO, blank=True)
    position = models.BigIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "url"], condition=Q(kind="callbacks"), name="callbacks_to_an_origin_once"
            )
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def is_enabled(self) -> bool:
        return self.stopped == Stopped.NO

    @property
    def why_stopped(self) -> Any:
        return Stopped(self.stopped).label


class Scheme(models.TextChoices):
    """How Standard Webhooks signs: with a secret that both know, or with a key of which the receiver has one half."""

    HMAC = "v1", _("HMAC-SHA256")
    ED25519 = "v1a", _("Ed25519")


class SigningSecret(TenantModel):
    """One secret; several of an endpoint sign at the same time while one replaces another.

    Without an endpoint it signs all results that are sent back to addresses. `hint` is its end, by which people know
    it again; `public` the half of an Ed25519 key that the receiver checks with.
    """

    endpoint = TenantForeignKey(Endpoint, on_delete=models.CASCADE, null=True, related_name="secrets")
    scheme = models.CharField(max_length=3, choices=Scheme.choices, default=Scheme.HMAC)
    secret = SealedText()
    public = models.CharField(max_length=60, blank=True)
    hint = models.CharField(max_length=8)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "endpoint"], name="secret_of_endpoint")]

    def __str__(self) -> str:
        return f"…{self.hint}"
