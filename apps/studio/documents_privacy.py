"""What documents store; `privacy.py` declares it with the rest of the studio."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from apps.core import tenancy
from apps.core.datakinds import FOREVER, Basis, DataKind, Erasing, OnErasure, Retention, Texts
from apps.studio.models import Document, DocumentComment, DocumentRevision, Suggestion


def erase_documents(erasing: Erasing) -> int:
    """Takes the person's name off documents and versions; a text that others write as well stays the organization's."""
    return _detached(erasing, Document, ("created_by", "updated_by"))


def erase_revisions(erasing: Erasing) -> int:
    """The same for versions, which are emptied where texts are erased, unless they are the present text."""
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    with tenancy.scope(erasing.organization_id):
        rows = DocumentRevision.objects.filter(created_by=erasing.person_id)
        if erasing.texts == Texts.ERASE:
            rows.exclude(number=F("document__revision")).delete()
        return int(DocumentRevision.objects.filter(created_by=erasing.person_id).update(created_by=None))


def erase_suggestions(erasing: Erasing) -> int:
    return _detached(erasing, Suggestion, ("created_by", "decided_by"))


def erase_comments(erasing: Erasing) -> int:
    """Takes the person's name off comments, mentions of them too; with the texts erased if that was chosen."""
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    with tenancy.scope(erasing.organization_id):
        own = DocumentComment.objects.filter(created_by=erasing.person_id)
        changed = own.update(text=erasing.pseudonym) if erasing.texts == Texts.ERASE else 0
        for row in DocumentComment.objects.filter(mentions__contains=[erasing.person_id]).only("mentions"):
            row.mentions = [id for id in row.mentions if id != erasing.person_id]
            row.save(update_fields=["mentions"])
    return changed + _detached(erasing, DocumentComment, ("created_by", "resolved_by"))


def _detached(erasing: Erasing, model: Any, names: tuple[str, ...]) -> int:
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    with tenancy.scope(erasing.organization_id):
        return sum(model.objects.filter(**{name: erasing.person_id}).update(**{name: None}) for name in names)


DOCUMENT_KINDS = (
    DataKind(
        name="folders",
        label=_("Folders of documents"),
        model="studio.Folder",
        what=_("Names of folders, and who made them."),
        why=_("Documents are found in them."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="documents",
        label=_("Documents"),
        model="studio.Document",
        what=_("Texts that people write together, their tags, and who wrote them first and last."),
        why=_("It is the service: texts are kept, shared and exported."),
        basis=Basis.CONTRACT,
        people=("created_by", "updated_by"),
        also=("created_by__email", "updated_by__email"),
        erasure=OnErasure.DETACH,
        erase=erase_documents,
        retention=Retention(words=_("until they are deleted, and thirty days in the trash")),
    ),
    DataKind(
        name="document_revisions",
        label=_("Versions of documents"),
        model="studio.DocumentRevision",
        what=_("Earlier texts of documents, and who wrote them."),
        why=_("Changes can be compared and taken back."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        erasure=OnErasure.CHOICE,
        erase=erase_revisions,
        retention=Retention(words=_("as long as the document; what lies between two versions for one day")),
    ),
    DataKind(
        name="document_index",
        label=_("Words of documents"),
        model="studio.DocumentIndex",
        what=_("The words by which documents are found."),
        why=_("Searching would take too long without it."),
        basis=Basis.CONTRACT,
        secret=("search",),
        retention=Retention(words=_("as long as the document")),
    ),
    DataKind(
        name="suggestions",
        label=_("Suggested words"),
        model="studio.Suggestion",
        what=_("Parts of documents for which a model was asked, and who decided what became of it."),
        why=_("A model's words only replace a person's when somebody has accepted them."),
        basis=Basis.CONTRACT,
        people=("created_by", "decided_by"),
        erasure=OnErasure.DETACH,
        erase=erase_suggestions,
        retention=Retention(words=_("as long as the document")),
    ),
    DataKind(
        name="document_comments",
        label=_("Comments on documents"),
        model="studio.DocumentComment",
        what=_("Remarks on parts of documents, who wrote them, and whom they mention."),
        why=_("People talk about a text where it stands."),
        basis=Basis.CONTRACT,
        people=("created_by", "resolved_by"),
        also=("created_by__email",),
        erasure=OnErasure.CHOICE,
        erase=erase_comments,
        retention=Retention(words=_("as long as the document")),
    ),
    DataKind(
        name="document_shares",
        label=_("Links to documents"),
        model="studio.DocumentShare",
        what=_("Until when a link works, who made it and how often it was opened; of its secret only a digest."),
        why=_("Somebody without an account is to read the document."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        secret=("token_hash", "password", "hint"),
        erasure=OnErasure.DETACH,
        retention=Retention(words=_("as long as the document")),
    ),
)
