"""What the views of the organization's API share: pages by id, and bodies checked against a serializer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.utils.urls import replace_query_param

from apps.accounts.authentication import api_actor
from apps.accounts.sudo import require_recent
from apps.core.errors import InvalidRequest, NotFound
from apps.core.keyset import below, page_of
from apps.core.rest import CreatedCursorPagination

TAGS = ["Organization"]
ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
LIMIT = OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20})
CURSOR = OpenApiParameter("cursor", str, description="From `next` of the page before.")
LONGEST_SEARCH = 120


class NewestFirst(BasePagination):
    """Newest first by id, which is in the order of time: any page of any number of rows is found by an index."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return CreatedCursorPagination().get_paginated_response_schema(schema)


def checked(serializer: type[Serializer[Any]], request: Request, *permissions: str) -> dict[str, Any]:
    """The request's body, or InvalidRequest naming what is wrong with it; told to whoever may act at all."""
    api_actor(request).require(*permissions)
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    values: dict[str, Any] = body.validated_data
    return values


def require_fresh(request: Request) -> None:
    """Raises unless the person has proved who they are within the last minutes; a key is its own proof."""
    if api_actor(request).api_key_id is None:
        require_recent(request._request)


def page(request: Request, rows: Any) -> tuple[list[Any], dict[str, Any]]:
    """The rows of the page that was asked for, and the answer around them, without its `data`."""
    limit = CreatedCursorPagination().get_page_size(request) or 20
    cursor = request.query_params.get("cursor")
    if cursor is not None and below(cursor) is None:
        raise NotFound("There is no such page: take the cursor from `next` of an earlier one.", param="cursor")
    found = page_of(rows, cursor, limit)
    address = request.build_absolute_uri()
    following = replace_query_param(address, "cursor", str(found.next)) if found.next else None
    return list(found.rows), {"object": "list", "data": [], "has_more": found.next is not None, "next": following}


def listed(answer: dict[str, Any], data: list[dict[str, Any]]) -> Response:
    return Response(answer | {"data": data})


def one_of(request: Request, name: str, choices: list[str]) -> str:
    """A filter in the query, empty where it is not given."""
    given = request.query_params.get(name)
    if given is not None and given not in choices:
        raise InvalidRequest(f"{name} must be one of {', '.join(choices)}.", param=name)
    return given or ""
