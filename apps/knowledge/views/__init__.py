"""Pages of knowledge."""

from apps.knowledge.views.collections import collection, collection_act, knowledge_page
from apps.knowledge.views.sources import document, document_act, passage, search, version_file

__all__ = [
    "collection",
    "collection_act",
    "document",
    "document_act",
    "knowledge_page",
    "passage",
    "search",
    "version_file",
]
