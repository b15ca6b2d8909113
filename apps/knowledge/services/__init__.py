"""Every write to knowledge, and the search that others build on."""

from apps.knowledge.services.collections import (
    change_collection,
    create_collection,
    delete_collection,
    get_collection,
)
from apps.knowledge.services.indexing import fail_version, finish_version, note_fetched, note_stage
from apps.knowledge.services.searching import Passage, context, search
from apps.knowledge.services.sources import (
    WAKE,
    add_file,
    add_text,
    add_url,
    add_version,
    delete_source,
    get_source,
    most_passages,
    pasted,
    retry_version,
)

__all__ = [
    "WAKE",
    "Passage",
    "add_file",
    "add_text",
    "add_url",
    "add_version",
    "change_collection",
    "context",
    "create_collection",
    "delete_collection",
    "delete_source",
    "fail_version",
    "finish_version",
    "get_collection",
    "get_source",
    "most_passages",
    "note_fetched",
    "note_stage",
    "pasted",
    "retry_version",
    "search",
]
