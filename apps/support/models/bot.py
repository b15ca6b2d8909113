"""What the bot learns from, what it has learned, its turns, and the events that are its memory of a conversation."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.jobs import Job
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.support.models.articles import ArticleVersion
from apps.support.models.conversations import Conversation
from apps.support.models.flows import FlowVersion
from apps.support.models.turns import BotTurn

LONGEST_EXAMPLE, LONGEST_INTENT = 500, 64


class ExampleSource(models.TextChoices):
    IMPORT = "import", _("imported")
    TYPED = "typed", _("written here")
    AGENT = "agent", _("marked by an agent")


class IntentExample(TenantModel):
    """An utterance and the intent that it bears; masked like every text that is stored.

    `slots` are its parts that are values of slots: `[name, start, end]`.

    `is_test` is decided by the text alone and never changes, so that nothing is learned that is measured on.
    `is_sure` says that somebody has looked at it and kept it, whatever the model thinks.
    """

    text = models.CharField(max_length=LONGEST_EXAMPLE)
    intent = models.CharField(max_length=LONGEST_INTENT)
    is_test = models.BooleanField(default=False)
    is_sure = models.BooleanField(default=False)
    slots = models.JSONField(default=list, db_default=[])
    source = models.CharField(max_length=6, choices=ExampleSource.choices)
    record = TenantForeignKey("support.TurnRecord", on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "text"], name="intent_example_once")]
        indexes = [
            models.Index(fields=["organization", "intent"], name="intent_example_intent"),
            models.Index(fields=["organization", "-created_at", "-id"], name="intent_example_newest"),
        ]

    def __str__(self) -> str:
        # What is kept for ever, such as the audit log, names no words that go with a contact.
        return f"{self.intent} {str(self.pk)[:8]}" if self.record_id else self.text


class Dataset(TenantModel):  # type: ignore[django-manager-missing]
    """The examples as they were at a moment, named by their hash; rows are `[id, text, intent, is_test]`,
    and `[id, text, intent, is_test, slots]` where slots are marked.

    `origins` are the ids of those that come from a conversation, by its id; `erased` of them are gone with a contact
    or a conversation since, and the hash is that of what is left. Data sets of before that was noted have no `origins`.
    """

    number = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    rows = models.JSONField()
    train_count = models.PositiveIntegerField()
    test_count = models.PositiveIntegerField()
    origins = models.JSONField(null=True)
    erased = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "number"], name="dataset_once"),
            models.UniqueConstraint(fields=["organization", "sha256"], name="dataset_hash_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number}"


class Method(models.TextChoices):
    HEAD = "head", _("Head on the frozen encoder (seconds to a minute)")
    FULL = "full", _("Whole encoder tuned (minutes)")


class TrainingRun(Job):  # type: ignore[django-manager-missing]
    """A model being trained from a data set. `stage` and `progress`, a share, are what is shown meanwhile.

    `report` holds what was measured on the frozen test split and by all stories; `doubts` the examples that probably
    bear the wrong intent. With `promotes` the model goes live by itself if all stories pass and it is no worse.
    """

    dataset = TenantForeignKey(Dataset, on_delete=models.PROTECT, related_name="runs")
    method = models.CharField(max_length=4, choices=Method.choices, default=Method.HEAD)
    stage = models.CharField(max_length=20, blank=True)
    progress = models.FloatField(default=0.0)
    promotes = models.BooleanField(default=False)
    report = models.JSONField(default=dict)
    doubts = models.JSONField(default=list)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.get_method_display()}"


class DialogueModel(TenantModel):
    """A trained model, never changed. Its files lie at `path` within the organization's folder; `sha256` is theirs.

    `slots` are those that it has learned to find from marks; with `ranks` it has learned from stories what comes first
    where the rules leave that open.
    """

    number = models.PositiveIntegerField()
    run = TenantForeignKey(TrainingRun, on_delete=models.PROTECT, related_name="models")
    path = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    intents = models.JSONField(default=list)
    slots = models.JSONField(default=list, db_default=[])
    ranks = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "number"], name="dialogue_model_once")]

    def __str__(self) -> str:
        return f"m{self.number}"


class TurnRecord(TenantModel):
    """What the bot made of a turn: what was said, masked, how it was read, and what the reply rests on.

    `through` is the sequence number of the last message that was read. `reading` has the likeliest intents with their
    probabilities. `corrected` is the intent that an agent says was meant. Where a model has written, `writer` is its
    version and `generation` the piece of work that was counted for it; `reason` says why its words were not said.
    """

    turn = TenantForeignKey(BotTurn, on_delete=models.SET_NULL, null=True, related_name="+")
    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    through = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    reading = models.JSONField(default=dict)
    outcome = models.CharField(max_length=20)
    reason = models.CharField(max_length=64, blank=True)
    model = TenantForeignKey(DialogueModel, on_delete=models.SET_NULL, null=True, related_name="+")
    flows = TenantForeignKey(FlowVersion, on_delete=models.SET_NULL, null=True, related_name="+")
    article = TenantForeignKey(ArticleVersion, on_delete=models.SET_NULL, null=True, related_name="+")
    corrected = models.CharField(max_length=LONGEST_INTENT, blank=True)
    generation = models.UUIDField(null=True)
    writer = models.CharField(max_length=120, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "turn"], name="turn_record_once")]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="turn_record_newest"),
            models.Index(fields=["organization", "conversation", "-through"], name="turn_record_latest"),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    @property
    def best(self) -> tuple[str, float] | None:
        """The likeliest intent; the database keeps the names in an order of its own."""
        return max(self.reading.items(), key=lambda pair: pair[1], default=None)


class DialogueEvent(TenantModel):
    """One event of `ml.dialogue.state`, as it writes itself; the state of a conversation is the fold of them."""

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    turn = TenantForeignKey(BotTurn, on_delete=models.SET_NULL, null=True, related_name="+")
    position = models.PositiveIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "conversation", "position"], name="dialogue_event_once")
        ]

    def __str__(self) -> str:
        return f"{self.position}"
