"""What can go wrong with knowledge, and the reasons for which a file is not read, in words."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, InsufficientQuota, ServiceUnavailable, Unprocessable
from ml.text.extraction import Refusal


class EmbeddingUnavailable(ServiceUnavailable):
    """No worker has turned the text into a vector within the time that a caller waits."""

    code = "embedding_unavailable"


class DuplicateSource(Conflict):
    """The collection has a document with exactly this content."""

    code = "duplicate_source"


class FileRefused(Unprocessable):
    """A file that cannot be taken: its name, its size or its first bytes say so already."""

    code = "file_refused"


class KnowledgeFull(InsufficientQuota):
    """The plan's passages are used up: delete documents, or change the plan."""

    code = "knowledge_full"


# By the reason's code, which stands in `error_code` of a version that failed.
REASONS: dict[str, str | Promise] = {
    Refusal.EMPTY: _("The file is empty."),
    Refusal.UNKNOWN_TYPE: _("Files of this type are not read: send TXT, MD, HTML, DOCX or PDF."),
    Refusal.WRONG_TYPE: _("The content is not what the file's name says it is."),
    Refusal.ENCODING: _("The characters cannot be read: save the file as UTF-8."),
    Refusal.ENCRYPTED: _("The file is protected by a password."),
    Refusal.DAMAGED: _("The file is damaged and cannot be opened."),
    Refusal.UNSAFE_PATH: _("The file is an archive with paths that lead out of it."),
    Refusal.NESTED_ARCHIVE: _("The file holds other archives or embedded files, which are not read."),
    Refusal.ARCHIVE_TOO_LARGE: _("The file would unfold to more than is read."),
    Refusal.XML_ENTITIES: _("The file declares XML entities, which no word processor does."),
    Refusal.TOO_MANY_PAGES: _("The file has more pages than are read."),
    Refusal.TOO_MUCH_TEXT: _("The file has more text than is read: split it."),
    Refusal.NO_TEXT: _("There is no text in the file. A scan needs text recognition first."),
    Refusal.TOO_SLOW: _("Reading the file took too long."),
    Refusal.TOO_MUCH_MEMORY: _("Reading the file took too much memory."),
    "too_large": _("The file is larger than is taken."),
    "not_fetched": _("The page could not be fetched."),
    "address_refused": _("The address is not on the public internet, or not https."),
    "insufficient_quota": _("What the plan includes is used up."),
    "budget_exceeded": _("The budget is used up."),
    "spending_cap_reached": _("The spending cap is reached."),
    "subscription_past_due": _("A payment is missing."),
    "knowledge_full": _("The plan has no room for so many passages."),
    "embedding_failed": _("The passages could not be embedded; try again later."),
    "worker_lost": _("The worker was lost twice while it did this."),
    "indexing_failed": _("Something went wrong while the file was read. It has been logged."),
}


def words_for(code: str) -> str:
    """A reason in the reader's language."""
    return str(REASONS.get(code, REASONS["indexing_failed"]))
