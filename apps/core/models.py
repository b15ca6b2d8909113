"""Tables with no product word in them: events, idempotency keys, turns in a queue, switches, mails to be sent."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

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


class SwitchScope(models.TextChoices):
    ALL = "all", _("everybody")
    PERCENTAGE = "percentage", _("a share of the organizations")
    ORGANIZATION = "organization", _("one organization")


class FeatureSwitch(models.Model):
    """A feature switch as an operator has set it (`apps.core.switches`); without a row the code's own default counts.

    `target` is the organization of a row for one; no foreign key, since the table is the operator's and names nobody.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=60)
    scope = models.CharField(max_length=12, choices=SwitchScope.choices, default=SwitchScope.ALL)
    target = models.UUIDField(null=True)
    percentage = models.PositiveSmallIntegerField(default=100)
    on = models.BooleanField()
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "scope", "target"], nulls_distinct=False, name="switch_once"),
            models.CheckConstraint(
                condition=models.Q(scope=SwitchScope.ORGANIZATION, target__isnull=False)
                | ~models.Q(scope=SwitchScope.ORGANIZATION) & models.Q(target__isnull=True),
                name="switch_has_its_target",
            ),
            models.CheckConstraint(condition=models.Q(percentage__lte=100), name="switch_percentage"),
        ]

    def __str__(self) -> str:
        return self.name


class Mail(models.Model):  # noqa: DJ008 - nothing shows it
    """A mail that waits to be sent, written in the transaction of what it is about; gone once it has been sent.

    `content` is sealed, since reset links open accounts. `next_at` is also the lease of the worker that sends it.
    One that goes `in_turn` is behind those that somebody waits for, and no address gets many of them at a time.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    content = SealedText()
    in_turn = models.BooleanField(default=False, db_default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(db_default=Now(), db_index=True)
    created_at = models.DateTimeField(db_default=Now())
