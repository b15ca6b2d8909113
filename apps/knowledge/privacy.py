"""What knowledge stores. Documents are the organization's; of people it says who added them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, Basis, DataKind, OnErasure, Retention

WITH_SOURCE = Retention(words=_("until the document is deleted"))

KINDS = (
    DataKind(
        name="collections",
        label=_("Collections of documents"),
        model="knowledge.Collection",
        what=_("Names and descriptions of collections."),
        why=_("Documents are searched by them."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="sources",
        label=_("Documents that are searched"),
        model="knowledge.Source",
        what=_("Titles of documents, and the addresses of web pages."),
        why=_("Answers are written from them and cite them."),
        basis=Basis.CONTRACT,
        retention=WITH_SOURCE,
    ),
    DataKind(
        name="source_versions",
        label=_("Versions of documents"),
        model="knowledge.SourceVersion",
        what=_("Files, their digests, how they were read, and who added them."),
        why=_("Citations lead to the version that was cited."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=WITH_SOURCE,
        where=_("PostgreSQL and the file store"),
    ),
    DataKind(
        name="passages",
        label=_("Passages of documents"),
        model="knowledge.Chunk",
        what=_("The texts of documents in pieces, with what finds them by words and by meaning."),
        why=_("They are what is found and cited."),
        basis=Basis.CONTRACT,
        secret=("lexemes", "embedding"),
        retention=WITH_SOURCE,
    ),
    DataKind(
        name="embedding_calls",
        label=_("Calls of the embeddings API"),
        model="knowledge.EmbeddingCall",
        what=_("How many texts and tokens were embedded, for whom, of which document; never the texts."),
        why=_("They are charged."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=Retention(words=_("as long as the organization exists; accounting law asks for up to ten years")),
    ),
)
