"""Tables with no product word in them: events, idempotency keys, whose turn it is in a queue, mails to be sent."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.core.crypto import SealedText
from apps.core.ids import uuid7
from apps.core.tenancy import TenantModel


class Event(TenantModel):
    """Something that happened, written in the transaction in which it did; webhooks and event streams read it.

    `position` orders the events of an organization.
    """

    position = models.BigIntegerField()
    type = models.CharField(max_length=80)
    object_id = models.UUIDField()
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "position"], name="event_position")]


class EventCounter(TenantModel):
    """The last event position of an organization; its row lock makes positions gapless and in commit order."""

    last = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="event_counter_of_organization")]


class IdempotencyKey(TenantModel):
    """The answer first given to a POST with an `Idempotency-Key`; kept for 24 hours."""

    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    object_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="idempotency_key_once")]


class Turn(TenantModel):
    """How far an organization has got in a queue, in virtual time (`apps.core.fairness`).

    `start` is the turn at which its last job started; the largest of a queue is that queue's clock. `weight` is the
    one it was served with, by which what a job did not use is given back.
    """

    queue = models.CharField(max_length=63)
    weight = models.PositiveIntegerField()
    start = models.BigIntegerField()
    turn = models.BigIntegerField()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "queue"], name="turn_once_in_a_queue")]
        indexes = [models.Index(fields=["queue", "-start"], name="turn_clock")]


class Mail(models.Model):  # noqa: DJ008 - nothing shows it
    """A mail that waits to be sent, written in the transaction of what it is about; gone once it has been sent.

    `content` is sealed, since reset links open accounts. `next_at` is also the lease of the worker that sends it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    content = SealedText()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(db_default=Now(), db_index=True)
    created_at = models.DateTimeField(db_default=Now())
