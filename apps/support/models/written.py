"""What models write for agents of the desk, and what the bot has resolved."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.support.models.conversations import Conversation


class DraftKind(models.TextChoices):
    REPLY = "reply", _("suggested reply")
    SUMMARY = "summary", _("summary")


class DraftState(models.TextChoices):
    WRITING = "writing", _("being written")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    STOPPED = "stopped", _("stopped")


class DeskDraft(TenantModel):
    """A text that a model writes for an agent: a reply to insert, or a summary of messages `since` to `through`.

    It is never sent by itself, and no contact reads it. `generation` is the piece of work that is counted for it, and
    `writer` the version of the model; `sources` are the articles that it was given, with their versions.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="drafts")
    kind = models.CharField(max_length=7, choices=DraftKind.choices)
    state = models.CharField(max_length=7, choices=DraftState.choices, default=DraftState.WRITING)
    since = models.PositiveIntegerField()
    through = models.PositiveIntegerField()
    generation = models.UUIDField()
    writer = models.CharField(max_length=120)
    text = models.TextField(blank=True)
    sources = models.JSONField(default=list)
    error_code = models.CharField(max_length=60, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "generation"], name="desk_draft_once")]
        indexes = [
            models.Index(fields=["organization", "conversation", "-created_at", "-id"], name="desk_draft_newest"),
            models.Index(fields=["created_at"], condition=Q(state="writing"), name="desk_draft_writing"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.through}"


class ResolutionState(models.TextChoices):
    RESOLVED = "resolved", _("resolved")
    HELD = "held", _("waiting")
    COUNTED = "counted", _("counted")
    REOPENED = "reopened", _("reopened")
    REFUSED = "refused", _("beyond the plan")


class BotResolution(TenantModel):
    """A conversation that the bot has resolved without a person.

    It is held against the plan at once, and counted at `due_at` if the contact has not come back by then. Of a
    conversation one counts, however often it is resolved. `reopened_at` is when the contact came back; without an
    `ended_at` the hold is still to be given back.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=8, choices=ResolutionState.choices, default=ResolutionState.RESOLVED)
    reason = models.CharField(max_length=60, blank=True)
    resolved_at = models.DateTimeField()
    due_at = models.DateTimeField()
    reopened_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation"],
                condition=Q(state__in=["resolved", "held", "counted", "refused"]),
                name="bot_resolution_once",
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state__in=["resolved", "held"]), name="bot_resolution_open"),
            models.Index(
                fields=["reopened_at"], condition=Q(state="reopened", ended_at=None), name="bot_resolution_still_held"
            ),
        ]

    def __str__(self) -> str:
        return self.state
