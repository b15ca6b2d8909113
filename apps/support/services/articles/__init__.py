"""Articles of the help centre: written in versions, published, imported, found and shown to everybody."""

from apps.support.services.articles.centre import CentreDraft, centre_of, open_centre, set_centre
from apps.support.services.articles.finding import Found, find, found_by
from apps.support.services.articles.importing import import_file
from apps.support.services.articles.indexing import INDEX, claim_passages, note_failure, write_vectors
from apps.support.services.articles.writing import (
    ArticleDraft,
    get_article,
    publish,
    retire,
    set_archived,
    write_article,
)

__all__ = [
    "INDEX",
    "ArticleDraft",
    "CentreDraft",
    "Found",
    "centre_of",
    "claim_passages",
    "find",
    "found_by",
    "get_article",
    "import_file",
    "note_failure",
    "open_centre",
    "publish",
    "retire",
    "set_archived",
    "set_centre",
    "write_article",
    "write_vectors",
]
