"""Errors of documents and of texts."""

from __future__ import annotations

from apps.core.errors.basic import Conflict, MillraceError


class DocumentChanged(MillraceError):
    """Somebody has changed the document since the revision that the caller names."""

    code, status, type = "document_changed", 412, "invalid_request_error"

    def __init__(self, message: str, *, revision: int) -> None:
        super().__init__(message, headers={"etag": f'"{revision}"'})
        self.revision = revision


class DocumentConflict(Conflict):
    """Two people have changed the same words of a document; `merge` holds both, in order."""

    code = "document_conflict"

    def __init__(self, message: str, *, revision: int, merge: object) -> None:
        super().__init__(message, headers={"etag": f'"{revision}"'})
        self.revision, self.merge = revision, merge


class TextGone(Conflict):
    """The part of a document that this is about is no longer there."""

    code = "text_gone"
