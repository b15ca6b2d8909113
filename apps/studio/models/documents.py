"""Documents: the text as it stands, every revision of it, and what people and models say about parts of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet
from apps.studio.models.generations import Generation

# What the search's policy lets everybody see who looks for nothing in particular (migration of this table).
EVERY_DOCUMENT = "every"


class Folder(TenantModel):  # type: ignore[django-manager-missing]
    # How deep it lies, where the whole tree has been read.
    depth: int
    name = models.CharField(max_length=120)
    parent = TenantForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "parent", "name"], name="folder_name_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.name


class DocumentQuerySet(TenantQuerySet):
    def present(self) -> Any:
        """Those that are not in the trash."""
        return self.filter(deleted_at=None)

    def for_lists(self) -> Any:
        return self.select_related("folder", "updated_by").defer("text")


class Document(TenantModel):  # type: ignore[django-manager-missing]
    """A Markdown text; `revision` counts its changes, and whoever writes says which one they have read.

    `generation` is what it was saved from.
    """

    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    revision = models.PositiveIntegerField(default=1)
    folder = TenantForeignKey(Folder, on_delete=models.PROTECT, null=True, related_name="documents")
    tags = ArrayField(models.CharField(max_length=40), default=list)
    generation = TenantForeignKey(Generation, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    updated_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(DocumentQuerySet)()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "deleted_at", "-updated_at", "-id"], name="document_newest"),
            models.Index(fields=["organization", "folder", "-updated_at"], name="document_in_folder"),
            models.Index(fields=["generation"], name="document_of_generation"),
            models.Index(
                fields=["organization", "-updated_at", "-id"],
                condition=models.Q(deleted_at=None) & ~models.Q(tags=[]),
                name="document_tagged",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def audit_name(self) -> str:
        return self.title


class RevisionKind(models.TextChoices):
    """A version is the end of a writing session; a step came before it in the session and goes after a day.

    A branch is what somebody wrote beside a change of somebody else: what they write next is merged from there.
    """

    VERSION = "version", _("version")
    STEP = "step", _("step")
    BRANCH = "branch", _("branch")


class DocumentRevision(TenantModel):
    """The document as it was at one revision; texts are never changed, only what a revision is called and counts as."""

    document = TenantForeignKey(Document, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=7, choices=RevisionKind.choices, default=RevisionKind.VERSION)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    name = models.CharField(max_length=80, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    # When the writing session began that this revision belongs to.
    session_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "document", "number"], name="document_revision_once")
        ]

    def __str__(self) -> str:
        return f"{self.title} · {self.number}"

    @property
    def audit_name(self) -> str:
        return self.title


class DocumentIndex(TenantModel):
    """What a document is found by. Its wall also holds what is looked for: see the migration."""

    document = TenantForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    search = SearchVectorField(db_default=models.Value(EVERY_DOCUMENT))
    changed_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "document"], name="document_indexed_once")]
        indexes = [
            GinIndex(fields=["search"], name="document_search"),
            models.Index(fields=["organization", "-changed_at"], name="document_search_newest"),
        ]

    def __str__(self) -> str:
        return str(self.document_id)


class Anchored(TenantModel):
    """Something about a part of a document: the characters from `start` to `end` of revision `revision`.

    `quote` is what stood there; after each change of the document the range is moved with it. `gone_at` says since when
    the quoted words are no longer there.
    """

    document = TenantForeignKey(Document, on_delete=models.CASCADE, related_name="%(class)ss")
    revision = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    quote = models.TextField(blank=True)
    gone_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        abstract = True


class SuggestionAction(models.TextChoices):
    REWRITE = "rewrite", _("Rewrite")
    SHORTEN = "shorten", _("Shorten")
    EXPAND = "expand", _("Expand")
    TRANSLATE = "translate", _("Translate")
    CONTINUE = "continue", _("Continue")


class Suggestion(Anchored):
    """A model's other words for a part of a document, until somebody accepts or rejects them; the words themselves are
    the generation's text."""

    action = models.CharField(max_length=9, choices=SuggestionAction.choices)
    language = models.CharField(max_length=10, blank=True)
    generation = TenantForeignKey(Generation, on_delete=models.CASCADE, related_name="+")
    accepted_at = models.DateTimeField(null=True)
    rejected_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(Anchored.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(accepted_at=None) | Q(rejected_at=None), name="suggestion_decided_one_way"
            )
        ]
        indexes = [models.Index(fields=["generation"], name="suggestion_of_generation")]

    def __str__(self) -> str:
        return f"{self.action} {self.id}"


class DocumentComment(Anchored):  # type: ignore[django-manager-missing]
    """A remark on a part of a document, or an answer to one (`thread`)."""

    # The answers to it, where its thread has been read.
    replies: list[DocumentComment]

    thread = TenantForeignKey("self", on_delete=models.CASCADE, null=True, related_name="answers")
    text = models.TextField()
    mentions = ArrayField(models.UUIDField(), default=list)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return self.text[:80]


class DocumentShare(TenantModel):
    """A link by which anybody may read the document until it expires or is revoked; only the secret's hash is kept."""

    document = TenantForeignKey(Document, on_delete=models.CASCADE, related_name="shares")
    token_hash = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8)
    password = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    opened = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"…{self.hint}"
