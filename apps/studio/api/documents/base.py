"""What the views of documents share."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import parse_id
from apps.core.errors import InvalidRequest
from apps.studio.api.documents.bodies import document_body
from apps.studio.models import Document
from apps.studio.services import documents
from apps.studio.services.documents import NO_DOCUMENT

TAGS = ["Documents"]
# The parameters of the list, and how long each may be.
QUERY = {"limit": 3, "cursor": 100, "search": 200, "folder": 36, "tag": 40, "trashed": 5}
ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The document.")
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": '^"?[0-9]{1,9}"?$'},
    OpenApiParameter.HEADER,
    description="The ETag that was read: the change is refused with 412 where somebody has changed the document since.",
)


def document_id(id: str) -> UUID:
    return parse_id(id, NO_DOCUMENT)


def revision_of(request: Request) -> int | None:
    """The revision in `If-Match`, None without one."""
    given = request.headers.get("if-match")
    if given is None:
        return None
    found = re.fullmatch(r'"?([0-9]{1,9})"?', given.strip())
    if found is None:
        raise InvalidRequest('If-Match must be the ETag of a document, such as "3".', param="If-Match")
    return int(found.group(1))


def asked(request: Request) -> dict[str, str]:
    """The query of a list: names that are known, each once; an empty cursor is the first page."""
    query = request.query_params
    for name in query:
        values = query.getlist(name)
        least = 0 if name == "cursor" else 1
        if name not in QUERY or len(values) != 1 or not least <= len(values[0]) <= QUERY[name]:
            raise InvalidRequest(f"{name[:40]} is no parameter of this list, or not a usable value.", param=name[:40])
    found: dict[str, str] = query.dict()
    if found.get("trashed", "false") not in {"true", "false"}:
        raise InvalidRequest("trashed must be true or false.", param="trashed")
    return found


def folder_in(query: dict[str, str]) -> UUID | None:
    try:
        return UUID(query["folder"]) if "folder" in query else None
    except ValueError:
        raise InvalidRequest("folder must be the id of a folder.", param="folder") from None


def shown(request: Request, row: Document | UUID, status: int = 200) -> Response:
    """The document as it stands, with its revision as the ETag."""
    actor = api_actor(request)
    fresh = documents.get(actor, row if isinstance(row, UUID) else row.pk, trashed=True)
    with tenancy.scope(actor.organization_id):
        body: dict[str, Any] = document_body(fresh)
    return Response(body, status=status, headers={"etag": f'"{fresh.revision}"'})
