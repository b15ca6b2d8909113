"""Collections, sources, and each version of a source, which is a piece of work until its passages can be found."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.jobs import TERMINAL, Job, JobQuerySet, Status
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel


class Collection(TenantModel):  # type: ignore[django-manager-missing]
    """Sources that are searched together."""

    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="collection_name_once")]

    def __str__(self) -> str:
        return self.name


class Origin(models.TextChoices):
    UPLOAD = "upload", _("Uploaded file")
    TEXT = "text", _("Pasted text")
    URL = "url", _("Web page")


class Source(TenantModel):  # type: ignore[django-manager-missing]
    """A document of the organization; `versions_count` is the number of its newest version.

    `passages` is how many the version has that is searched; `url` is where a web page is fetched from.
    """

    collection = TenantForeignKey(Collection, on_delete=models.CASCADE, related_name="sources")
    title = models.CharField(max_length=200)
    origin = models.CharField(max_length=6, choices=Origin.choices)
    url = models.CharField(max_length=2000, blank=True)
    passages = models.PositiveIntegerField(default=0)
    versions_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "collection", "-id"], name="source_of_collection")]

    def __str__(self) -> str:
        return self.title

    @property
    def audit_name(self) -> str:
        return self.title


class Stage(models.TextChoices):
    """How far a version has got; what has failed keeps the stage at which it did."""

    WAITING = "waiting", _("waiting")
    READING = "reading", _("reading")
    CHUNKING = "chunking", _("chunking")
    EMBEDDING = "embedding", _("embedding")
    READY = "ready", _("ready")


class SourceVersionQuerySet(JobQuerySet):
    def for_pages(self) -> Any:
        return self.select_related("document", "created_by")


class SourceVersion(Job):  # type: ignore[django-manager-missing]
    """One state of a source's content, and the work of reading it.

    The file at `path`, within the organization's folder, is what was uploaded, pasted or fetched; `sha256` is empty
    until a web page has been fetched. `embedded` of its `chunks` are done; `embedder` names the encoder of its vectors.
    The version that is searched `is_current`: the newest one that got ready.
    """

    # One organization's thousand files leave the other thread to others.
    share_sql = "SELECT 1 AS weight, 1 AS max_running"
    cost_sql = "greatest(1, size / 10000)"

    document = TenantForeignKey(Source, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=150)
    kind = models.CharField(max_length=10, blank=True)
    path = models.CharField(max_length=200, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.WAITING)
    pages = models.PositiveIntegerField(null=True)
    chunks = models.PositiveIntegerField(default=0)
    embedded = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    embedder = models.CharField(max_length=120, blank=True)
    is_current = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    objects: ClassVar[Any] = TenantManager.from_queryset(SourceVersionQuerySet)()

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "document", "number"], name="source_version_number_once"),
            models.UniqueConstraint(
                fields=["organization", "document"], condition=Q(is_current=True), name="source_version_current_once"
            ),
        ]
        indexes = [
            *Job.Meta.indexes,
            # For finding the same content again.
            models.Index(fields=["organization", "sha256"], condition=~Q(sha256=""), name="source_version_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def failed(self) -> bool:
        return self.status == Status.FAILED
