"""What the bot does: flows in versions, the systems that they call, tests by stories, and what is in force."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.core.crypto import SealedText
from apps.core.jobs import Job
from apps.core.tenancy import TenantForeignKey, TenantModel

LONGEST_URL = 2000


class FlowVersion(TenantModel):  # type: ignore[django-manager-missing]
    """All flows and answers of the bot in one version, as YAML with its stories; the application may only add rows."""

    number = models.PositiveIntegerField()
    text = models.TextField()
    stories = models.TextField(blank=True)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "number"], name="flow_version_once")]

    def __str__(self) -> str:
        return f"v{self.number}"


class FlowApproval(TenantModel):
    """Somebody has read a version and answers for it; the application may only add rows."""

    version = TenantForeignKey(FlowVersion, on_delete=models.CASCADE, related_name="approvals")
    approved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    approved_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "version"], name="flow_approved_once")]

    def __str__(self) -> str:
        return str(self.version_id)


class BotAction(TenantModel):
    """A system of the organization's that flows may call by `name`: a signed request, answered with what it found.

    `secret` signs by Standard Webhooks. `changes` says that a call does something that cannot be undone.
    """

    sealed_with = ("url",)

    name = models.CharField(max_length=64)
    url = models.CharField(max_length=LONGEST_URL)
    secret = SealedText()
    changes = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="bot_action_once")]

    def __str__(self) -> str:
        return self.name


class StoryRun(Job):
    """The stories of a version played by a worker, with the model that reads and, if wanted, real calls.

    `results` has an entry for each story: its name, its line, and what failed with lines.
    """

    version = TenantForeignKey(FlowVersion, on_delete=models.CASCADE, related_name="runs")
    model = TenantForeignKey("support.DialogueModel", on_delete=models.SET_NULL, null=True, related_name="+")
    calls = models.BooleanField(default=False)
    results = models.JSONField(default=list)
    passed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return str(self.version_id)

    @property
    def is_good(self) -> bool:
        return self.status == "succeeded" and not self.failed


class BotSettings(TenantModel):
    """Whether the bot answers, with which flows and which model, and from which probability on.

    `duties` maps intents that always go to a person to the reason; `quiet_seconds` is how long a burst is waited for.
    With `four_eyes` nobody approves what they wrote. `least_likeness` is how near a passage must come to answer.

    `writer` is the model that writes answers from passages, which are cited as they stand where there is none; after
    `answer_seconds` without its answer they are as well. What nobody has written in for `idle_hours` after the bot's
    last word is resolved (0 for never).
    """

    is_on = models.BooleanField(default=False)
    flows = TenantForeignKey(FlowVersion, on_delete=models.PROTECT, null=True, related_name="+")
    model = TenantForeignKey("support.DialogueModel", on_delete=models.PROTECT, null=True, related_name="+")
    accept = models.FloatField(default=0.5)
    margin = models.FloatField(default=0.15)
    quiet_seconds = models.FloatField(default=1.5)
    least_likeness = models.FloatField(default=0.45)
    duties = models.JSONField(default=dict)
    four_eyes = models.BooleanField(default=False)
    writer = models.CharField(max_length=120, blank=True, default="", db_default="")
    answer_seconds = models.FloatField(default=20.0, db_default=20.0)
    idle_hours = models.PositiveIntegerField(default=24, db_default=24)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="bot_settings_once")]

    def __str__(self) -> str:
        return "bot"
