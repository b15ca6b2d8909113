"""Conversations: a tree of turns, of which one branch at a time is in use, and what is attached to them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet
from apps.studio.models.generations import Generation
from apps.studio.requests import DEFAULT_MAX_TOKENS
from ml.types import SamplingParams

DEFAULTS = SamplingParams()
# What the search's policy lets everybody see who looks for nothing in particular (migration of this table).
EVERYTHING = "every"


class ConversationQuerySet(TenantQuerySet):
    def present(self) -> Any:
        """Those that nobody has deleted."""
        return self.filter(deleted_at=None)

    def latest_first(self) -> Any:
        return self.order_by("-changed_at", "-id")


class Conversation(TenantModel):  # type: ignore[django-manager-missing]
    """Settings and place of a conversation; `tip` is the turn at the end of the branch in use.

    `turns_counted` gives turns their sequence: whoever adds one holds this row. A title that nobody gave is the
    beginning of the first message. What is deleted can be had back until retention removes it.
    """

    title = models.CharField(max_length=200, blank=True)
    system = models.TextField(blank=True)
    model_name = models.CharField(max_length=120, default="default")
    max_tokens = models.PositiveIntegerField(default=DEFAULT_MAX_TOKENS)
    temperature = models.FloatField(default=DEFAULTS.temperature)
    top_p = models.FloatField(default=DEFAULTS.top_p)
    top_k = models.PositiveIntegerField(default=0)
    repetition_penalty = models.FloatField(default=1.0)
    seed = models.BigIntegerField(null=True)
    stop = ArrayField(models.CharField(max_length=200), default=list)
    # Collections of the knowledge base from which answers are taken.
    collections = ArrayField(models.UUIDField(), default=list)
    tip = models.UUIDField(null=True, editable=False)
    turns_counted = models.PositiveIntegerField(default=0)
    pinned_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(ConversationQuerySet)()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "-changed_at", "-id"], name="conversation_latest"),
            models.Index(fields=["organization", "created_by", "-changed_at", "-id"], name="conversation_of_person"),
        ]

    def __str__(self) -> str:
        return self.title or f"conversation {self.id}"

    def sampling(self) -> SamplingParams:
        return SamplingParams(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repetition_penalty=self.repetition_penalty,
            seed=self.seed,
            stop=tuple(self.stop),
        )


class TurnRole(models.TextChoices):
    USER = "user"
    ASSISTANT = "assistant"


class Turn(TenantModel):  # type: ignore[django-manager-missing]
    """One message; turns with the same parent are branches of the conversation.

    What a model wrote stands in its generation and nowhere else; `left_out` says how many of the oldest messages on its
    branch no longer fitted when it was asked for, and `passages` what of the knowledge base it was given, in the order
    of its citations. `client_id` is the sender's own id, so that what is sent twice is there once.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    parent = TenantForeignKey("self", on_delete=models.CASCADE, null=True, related_name="children")
    sequence = models.PositiveIntegerField()
    role = models.CharField(max_length=9, choices=TurnRole.choices)
    text = models.TextField(blank=True)
    generation = TenantForeignKey(Generation, on_delete=models.SET_NULL, null=True, related_name="+")
    client_id = models.UUIDField(null=True)
    left_out = models.PositiveIntegerField(default=0)
    passages = models.JSONField(default=list)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    # Of an answer, once it has ended and somebody writes on or searches.
    indexed = models.BooleanField(default=False, db_default=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "conversation", "sequence"], name="turn_in_sequence"),
            models.UniqueConstraint(fields=["organization", "conversation", "client_id"], name="turn_sent_once"),
        ]
        indexes = [
            models.Index(fields=["generation"], name="turn_of_generation"),
            models.Index(
                fields=["organization", "id"],
                condition=models.Q(role=TurnRole.ASSISTANT, indexed=False),
                name="turn_to_be_indexed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.sequence}"


class ConversationIndex(TenantModel):
    """What a conversation is found by: its title, where there is no turn, and its turns.

    Its wall also holds what is looked for, as that of the index of documents does.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    turn = TenantForeignKey(Turn, on_delete=models.CASCADE, null=True, related_name="+")
    search = SearchVectorField(db_default=models.Value(EVERYTHING))

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation", "turn"],
                nulls_distinct=False,
                name="conversation_indexed_once",
            )
        ]
        indexes = [GinIndex(fields=["search"], name="conversation_search")]

    def __str__(self) -> str:
        return str(self.conversation_id)


class Attachment(TenantModel):
    """The text of a file that was sent with a message; the file itself is not kept."""

    turn = TenantForeignKey(Turn, on_delete=models.CASCADE, related_name="attachments")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=150)
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    text = models.TextField()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "turn", "position"], name="attachment_in_order")]

    def __str__(self) -> str:
        return self.name
