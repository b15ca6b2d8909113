"""Generations: the request, its state as a job, and the finished text."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.accounts.models import ApiKey, User
from apps.billing.models import SHARE_SQL
from apps.core.crypto import SealedText
from apps.core.jobs import Job, JobQuerySet, Status
from apps.core.tenancy import TenantForeignKey, TenantManager
from apps.registry.models import ModelVersion
from apps.studio.models.safety import SafetyPolicy
from apps.studio.models.templates import TemplateVersion
from apps.studio.models.voices import BrandVoiceVersion
from ml.types import EngineRequest, Message, SamplingParams

LONGEST_TITLE = 80
# The beginning of a file that a message carries, as conversations quote it, and how many there are at most.
_QUOTED_FILE = re.compile(r"\[([^\]\n]{1,150})\]\n")
MOST_QUOTED = 20


def _without_files(said: str) -> str:
    """What is said behind the files that are quoted first; all of it where there is nothing else."""
    start = 0
    for _ in range(MOST_QUOTED):
        opened = _QUOTED_FILE.match(said, start)
        end = f"\n[/{opened[1]}]" if opened else ""
        closed = said.find(end, opened.end() - 1) if opened else -1
        if closed < 0:
            break
        start = closed + len(end)
        while start < len(said) and said[start].isspace():
            start += 1
    return said[start:] or said


class Kind(models.TextChoices):
    CHAT = "chat"
    COMPLETION = "completion"


class Origin(models.TextChoices):
    """From where a text was asked for."""

    STUDIO = "studio"
    API = "api"
    TEMPLATE = "template"
    RUN = "run"
    DOCUMENT = "document"
    BULK = "bulk"
    CONVERSATION = "conversation"
    SCHEDULE = "schedule"
    SUPPORT = "support"


class GenerationQuerySet(JobQuerySet):
    def for_pages(self) -> Any:
        return self.of_studio().select_related("model", "created_by", "api_key").newest_first()

    def of_studio(self) -> Any:
        """Without what was written for the support desk: that is read there, by those who may read conversations."""
        return self.exclude(origin=Origin.SUPPORT)

    def with_status(self, status: str) -> Any:
        return self.filter(status=status) if status in Status.values else self


class Generation(Job):  # type: ignore[django-manager-missing]
    """One text asked of one model.

    `held_tokens` is the upper bound that the ledger holds; token counts are those of the model's own tokenizer.
    `brief` is what a person filled in, kept to fill the form again; `messages` is what the model is given. Where it
    came from stands in `origin`, the versions of template and voice, the `variables` that were filled in and the
    `passages` of the knowledge base that went in.
    """

    share_sql = SHARE_SQL
    cost_sql = "held_tokens"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    model_name = models.CharField(max_length=120)
    messages = models.JSONField(default=list)
    prompt = models.TextField(blank=True)
    brief = models.JSONField(null=True)
    max_tokens = models.PositiveIntegerField()
    min_tokens = models.PositiveIntegerField(default=0, db_default=0)
    temperature = models.FloatField()
    top_p = models.FloatField()
    top_k = models.PositiveIntegerField(default=0)
    repetition_penalty = models.FloatField(default=1.0)
    seed = models.BigIntegerField()
    stop = ArrayField(models.CharField(max_length=200), default=list)
    held_tokens = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")

    origin = models.CharField(max_length=12, choices=Origin.choices, default=Origin.STUDIO, db_default=Origin.STUDIO)
    template_version = TenantForeignKey(TemplateVersion, on_delete=models.PROTECT, null=True, related_name="+")
    voice_version = TenantForeignKey(BrandVoiceVersion, on_delete=models.PROTECT, null=True, related_name="+")
    variables = models.JSONField(null=True)
    passages = ArrayField(models.UUIDField(), default=list, db_default=[])

    # What it came under, whether nobody reads it before it is finished and checked, and what was found in prompt and
    # output; `originals` are what placeholders stand for, as long as the work lasts.
    safety_policy = TenantForeignKey(SafetyPolicy, on_delete=models.PROTECT, null=True, related_name="+")
    held_back = models.BooleanField(default=False, db_default=False)
    findings = models.JSONField(null=True)
    originals = SealedText(db_default="")

    # The failed generation that this one does again, which may be gone by now.
    repeats = models.UUIDField(null=True, editable=False)

    objects: ClassVar[Any] = TenantManager.from_queryset(GenerationQuerySet)()

    class Meta(Job.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "repeats"], name="generation_repeated_once")]
        indexes = [
            *Job.Meta.indexes,
            models.Index(
                fields=["organization", "template_version", "-created_at"],
                condition=models.Q(template_version__isnull=False),
                name="generation_of_template",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def title(self) -> str:
        """A line for lists: the product of the brief, the first of a template's values in its prompt, or the prompt."""
        if self.brief:
            return str(self.brief.get("product", ""))
        said = str(self.messages[-1]["content"] if self.messages else self.prompt)
        last = _without_files(said)
        given = [value for value in (self.variables or {}).values() if value and isinstance(value, str)]
        # The database keeps no order of names.
        first = min(given, key=lambda value: (value not in last, last.find(value)), default=last)
        line = " ".join(first.split())
        return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1].rstrip()}…"

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def sampling(self) -> SamplingParams:
        return SamplingParams(
            max_tokens=self.max_tokens,
            min_tokens=self.min_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repetition_penalty=self.repetition_penalty,
            seed=self.seed,
            stop=tuple(self.stop),
        )

    def engine_request(self, **extra: Any) -> EngineRequest:
        """What the engine is given; `extra` adds the deadline and the progress of earlier attempts.

        The id holds the attempt, so that a worker which claims its own lapsed row again cannot mix the two up.
        """
        return EngineRequest(
            request_id=f"{self.id}:{self.attempt}",
            sampling=self.sampling(),
            messages=tuple(Message(m["role"], m["content"]) for m in self.messages),
            prompt=self.prompt if self.kind == Kind.COMPLETION else None,
            cache_scope=str(self.organization_id),
            **extra,
        )
