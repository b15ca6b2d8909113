"""Files that fill in a template's variable: read as text at once, as attachments of conversations are, and not kept."""

from __future__ import annotations

from typing import Any

from apps.core.errors import PayloadTooLarge
from apps.studio.services.conversations.attachments import DOCUMENTS, MOST_BYTES, TEXTS, File
from apps.studio.services.conversations.attachments import read as read_file
from ml.text.prompts import Source
from ml.text.variables import LONGEST_SOURCE

SUFFIXES = (*TEXTS, *DOCUMENTS)


def read(upload: Any) -> Source:
    """An uploaded file's text as a source by its name; raises AttachmentRefused or PayloadTooLarge."""
    reading = read_file(File(str(upload.name), upload.read(MOST_BYTES + 1)))
    if len(reading.text) > LONGEST_SOURCE:
        raise PayloadTooLarge("A file may have %(most)s characters.", values={"most": LONGEST_SOURCE})
    return Source(reading.name, reading.text)
