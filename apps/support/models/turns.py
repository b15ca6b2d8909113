"""Work of the bot: one turn for what a contact has written since it last answered."""

from __future__ import annotations

from django.db import models

from apps.core.jobs import Job
from apps.core.tenancy import TenantForeignKey
from apps.support.models.conversations import Conversation


class BotTurn(Job):
    """The bot is to answer, from the message `first_sequence` on; what comes while it waits is a part of the same turn.

    A worker that claims it reads all that was written by then, and says with its answer up to where it has read.
    `generation` is the text that was asked of a model for it, and `asked` the digest of what: whoever goes on after a
    lost worker takes that text, and does not have it written again.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    first_sequence = models.PositiveIntegerField()
    generation = models.UUIDField(null=True)
    asked = models.CharField(max_length=64, blank=True, default="", db_default="")

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation"],
                condition=models.Q(status="queued"),
                name="support_turn_waits_once",
            )
        ]

    def __str__(self) -> str:
        return str(self.conversation_id)
