"""Documents as files."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import get_language, gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import markdown, tenancy
from apps.core.errors import NotFound, ServiceUnavailable
from apps.studio.exports import child
from apps.studio.exports.page import page
from apps.studio.exports.plain import plain
from apps.studio.services.documents.reading import get

NO_FORMAT = gettext_noop("A document is exported as md, html, docx, pdf or txt.")
KINDS = {
    "md": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class File:
    name: str
    kind: str
    body: bytes


def exported(actor: Actor, id: UUID, format: str) -> File:
    """The document's present text as a file; raises ServiceUnavailable where making it takes too long."""
    document = get(actor, id)
    if format not in KINDS:
        raise NotFound(NO_FORMAT)
    body = _body(format, document.title, document.text)
    with tenancy.scope(actor.organization_id):
        audit.record(actor, "document.exported", document, format=format)
    name = "".join(mark if mark.isalnum() or mark in " -_." else "-" for mark in document.title).strip(" .")[:80]
    return File(f"{name or 'document'}.{format}", KINDS[format], body)


def _body(format: str, title: str, text: str) -> bytes:
    language = get_language() or "en"
    match format:
        case "md":
            return text.encode()
        case "html":
            return page(title, markdown.render(text), language)
        case "txt":
            return plain(title, text)
    try:
        return child.made(format, title, text, language)
    except child.TooLong:
        raise ServiceUnavailable("This document takes too long to export; try another format.") from None
