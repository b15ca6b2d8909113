"""The help centre: articles in versions that never change, which of them are published, and the passages of those."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.knowledge.vectors import VectorField


class HelpCentre(TenantModel):
    """The public pages of an organization, at an address of its own. `slug` is unique in the whole installation."""

    slug = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=80)
    locale = models.CharField(max_length=12, default="en")
    is_open = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="help_centre_once")]

    def __str__(self) -> str:
        return self.name


class ArticleCategory(TenantModel):  # type: ignore[django-manager-missing]
    """Articles that stand together, in the order of `position`."""

    name = models.CharField(max_length=80)
    position = models.PositiveIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="article_category_once")]

    def __str__(self) -> str:
        return self.name


class Article(TenantModel):  # type: ignore[django-manager-missing]
    """What is known under one address in all its languages; `versions_count` is the number of the newest version.

    One that is put away (`archived_at`) is published nowhere; its versions stay, for they may have been cited.
    """

    slug = models.CharField(max_length=80)
    category = TenantForeignKey(ArticleCategory, on_delete=models.SET_NULL, null=True, related_name="articles")
    versions_count = models.PositiveIntegerField(default=0)
    archived_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "slug"], name="article_slug_once")]
        indexes = [models.Index(fields=["organization", "-created_at", "-id"], name="article_newest")]

    def __str__(self) -> str:
        return self.slug


class ArticleVersion(TenantModel):
    """One state of an article in one language, never changed: the application may only add rows.

    `body` is Markdown; `source` says where an imported one came from.
    """

    article = TenantForeignKey(Article, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    locale = models.CharField(max_length=12)
    title = models.CharField(max_length=160)
    body = models.TextField()
    source = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "article", "number"], name="article_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.number})"


class Publication(TenantModel):
    """Which version of an article is read, found and cited in a language; without a row, none is."""

    article = TenantForeignKey(Article, on_delete=models.CASCADE, related_name="publications")
    version = TenantForeignKey(ArticleVersion, on_delete=models.CASCADE, related_name="+")
    locale = models.CharField(max_length=12)
    published_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "article", "locale"], name="article_published_once")
        ]

    def __str__(self) -> str:
        return f"{self.article_id} {self.locale}"


class ArticlePassage(TenantModel):
    """A passage of a published version; it goes with the publication.

    `lexemes` are there from the start. `embedding` comes from a worker, and `embedder` names the encoder it is of. The
    index on `embedding` (HNSW) is the migration's.
    """

    article = TenantForeignKey(Article, on_delete=models.CASCADE, related_name="+")
    version = TenantForeignKey(ArticleVersion, on_delete=models.CASCADE, related_name="+")
    locale = models.CharField(max_length=12)
    position = models.PositiveIntegerField()
    text = models.TextField()
    heading = ArrayField(models.CharField(max_length=200), default=list)
    lexemes = SearchVectorField(null=True)
    embedding = VectorField(null=True)
    embedder = models.CharField(max_length=120, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "version", "position"], name="article_passage_once")
        ]
        indexes = [
            GinIndex(fields=["lexemes"], name="article_passage_words"),
            models.Index(fields=["id"], condition=Q(embedder=""), name="article_passage_waiting"),
        ]

    def __str__(self) -> str:
        return f"passage {self.position}"
