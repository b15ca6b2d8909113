"""Bulk runs: a table of rows, each of which becomes a generation of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import ApiKey, User
from apps.core.crypto import SealedText, unseal_from
from apps.core.jobs import Status
from apps.core.said import told
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet
from apps.studio.models.generations import Generation
from apps.studio.models.templates import TemplateVersion


class RunSource(models.TextChoices):
    """What the rows came from."""

    TABLE = "table", _("a table")
    BATCH = "batch", _("a batch")


class RunState(models.TextChoices):
    """`exhausted` waits for allowance, credits, cap or budget, and goes on by itself; `ending` stops what runs."""

    DRAFT = "draft", _("Draft")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    EXHAUSTED = "exhausted", _("Waiting for quota")
    ENDING = "ending", _("Stopping")
    COMPLETED = "completed", _("Done")
    CANCELLED = "cancelled", _("Stopped")
    EXPIRED = "expired", _("Out of time")


class RowState(models.TextChoices):
    """Of an `asked` row its generation says how it stands."""

    READY = "ready"
    INVALID = "invalid"
    ASKED = "asked"
    REFUSED = "refused"
    SKIPPED = "skipped"


# What the driver looks after.
DRIVEN = (RunState.RUNNING, RunState.EXHAUSTED, RunState.ENDING)
OVER = (RunState.COMPLETED, RunState.CANCELLED, RunState.EXPIRED)
BUSY = (Status.QUEUED, Status.RUNNING)


class BulkRunQuerySet(TenantQuerySet):
    def for_pages(self) -> Any:
        return self.filter(source=RunSource.TABLE).select_related("created_by", "api_key", "template_version__voice")


class BulkRun(TenantModel):  # type: ignore[django-manager-missing]
    """A table and what is to be asked about each of its rows.

    `prompt` holds `{{column}}` places, and `originals` are what placeholders of masked data in it stand for; with
    `template` (a reference, which meant `template_version` when this was set) `mapping` says which column fills which
    variable. `estimate` is what was counted when this was last set. `stop_code` and `stop_message` say why it does not
    run. The driver holds it by a lease until `lease_until`, and leaves it alone
    before `next_at`.
    """

    source = models.CharField(max_length=8, choices=RunSource.choices, default=RunSource.TABLE)
    name = models.CharField(max_length=150)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.DRAFT)
    format = models.CharField(max_length=8, blank=True)
    columns = models.JSONField(default=list)
    prompt = models.TextField(blank=True)
    originals = SealedText(db_default="")
    template = models.CharField(max_length=120, blank=True)
    template_version = TenantForeignKey(TemplateVersion, on_delete=models.PROTECT, null=True, related_name="+")
    mapping = models.JSONField(default=dict)
    model_name = models.CharField(max_length=120, default="default")
    max_tokens = models.PositiveIntegerField(default=256)
    sampling = models.JSONField(default=dict)
    estimate = models.JSONField(null=True)
    stop_code = models.CharField(max_length=60, blank=True)
    stop_message = models.TextField(blank=True)
    stop_said = models.JSONField(default=dict, db_default={})
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(BulkRunQuerySet)()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "-id"], name="bulkrun_newest"),
            models.Index(
                fields=["next_at"], condition=Q(state__in=["running", "exhausted", "ending"]), name="bulkrun_due"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_name(self) -> str:
        return self.name

    @property
    def originals_kept(self) -> str:
        return unseal_from(self, "originals")

    @property
    def stop_told(self) -> str:
        """In the reader's language."""
        return told(self.stop_said, self.stop_message)

    @property
    def is_over(self) -> bool:
        return self.state in OVER


class BulkRowQuerySet(TenantQuerySet):
    def busy(self) -> Any:
        """Rows whose generation waits or is written."""
        return self.filter(state=RowState.ASKED, generation__status__in=BUSY)

    def failed(self) -> Any:
        """Rows that may be asked again: refused, or ended in an error."""
        ended = Q(generation__status=Status.FAILED) | Q(generation=None, outcome=Status.FAILED)
        return self.filter(Q(state=RowState.REFUSED) | Q(ended, state=RowState.ASKED))

    def succeeded(self) -> Any:
        ended = Q(generation__status=Status.SUCCEEDED) | Q(generation=None, outcome__in=["", Status.SUCCEEDED])
        return self.filter(ended, state=RowState.ASKED)


class BulkRow(TenantModel):  # type: ignore[django-manager-missing]
    """One row, counted from 1. `generation` is that of its latest attempt, which may be gone by its own retention.

    `outcome` is how that one had ended, kept when it went; empty also where it went before this was kept. `values` are
    the cells by column; of a batch, the request; `originals` are what placeholders in them stand for, as long as they
    are still asked about. A problem is why the row was not asked.
    """

    run = TenantForeignKey(BulkRun, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField()
    values = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=RowState.choices, default=RowState.READY)
    problem_code = models.CharField(max_length=60, blank=True)
    problem = models.TextField(blank=True)
    problem_said = models.JSONField(default=dict, db_default={})
    originals = SealedText(db_default="")
    outcome = models.CharField(max_length=12, blank=True, default="", db_default="")
    attempt = models.PositiveSmallIntegerField(default=0)
    generation = TenantForeignKey(Generation, on_delete=models.SET_NULL, null=True, related_name="bulk_rows")

    objects: ClassVar[Any] = TenantManager.from_queryset(BulkRowQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "run", "number"], name="bulkrow_once_in_a_run"),
            models.UniqueConstraint(fields=["organization", "generation"], name="bulkrow_of_a_generation"),
        ]
        indexes = [models.Index(fields=["run", "state", "number"], name="bulkrow_by_state")]

    def __str__(self) -> str:
        return f"row {self.number}"

    @property
    def standing(self) -> str:
        """In one word, as pages and the API say it."""
        if self.state == RowState.ASKED:
            return str(self.generation.status) if self.generation else self.outcome_kept
        return "waiting" if self.state == RowState.READY else str(self.state)

    @property
    def problem_told(self) -> str:
        """In the reader's language."""
        return told(self.problem_said, self.problem)

    @property
    def outcome_kept(self) -> str:
        """What is left to say of a row whose text was removed."""
        return "removed" if self.outcome in {"", Status.SUCCEEDED} else self.outcome

    @property
    def originals_kept(self) -> str:
        return unseal_from(self, "originals")

    @property
    def cells(self) -> list[tuple[str, str]]:
        """The cells in the order of the columns, which JSON in the database does not keep; read the run with them."""
        return [(name, str(self.values.get(name, ""))) for name in self.run.columns]


class BulkAttempt(TenantModel):
    """That a row was asked for the so-manieth time: written together with its generation, and once by its key."""

    row = TenantForeignKey(BulkRow, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    generation = TenantForeignKey(Generation, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "row", "number"], name="bulkattempt_once"),
            models.UniqueConstraint(fields=["organization", "generation"], name="bulkattempt_of_a_generation"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"
