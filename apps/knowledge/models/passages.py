"""What is found and cited."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.knowledge.models.sources import Collection, Source, SourceVersion
from apps.knowledge.vectors import VectorField


class Chunk(TenantModel):
    """A passage of one version. Of a version that was replaced the words stay, so that citations of it still lead to
    them; `lexemes` and `embedding` go, so that nothing finds it any more.

    `position` is its place in the version from 0; `heading` the path of headings above it; `page` None without pages.
    The index on `embedding` (HNSW) is the migration's.
    """

    collection = TenantForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    document = TenantForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    version = TenantForeignKey(SourceVersion, on_delete=models.CASCADE, related_name="passages")
    position = models.PositiveIntegerField()
    text = models.TextField()
    heading = ArrayField(models.CharField(max_length=200), default=list)
    page = models.PositiveIntegerField(null=True)
    tokens = models.PositiveIntegerField()
    lexemes = SearchVectorField(null=True)
    embedding = VectorField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "version", "position"], name="chunk_position_once")
        ]
        indexes = [
            GinIndex(fields=["lexemes"], name="chunk_words"),
            models.Index(fields=["organization", "document"], name="chunk_of_source"),
            models.Index(fields=["organization", "collection"], name="chunk_of_collection"),
        ]

    def __str__(self) -> str:
        return f"passage {self.position}"
