"""What the desk's operations share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from apps.accounts.authentication import api_actor
from apps.core.api import parse_id
from apps.core.errors import InvalidRequest, NotFound, UnknownParameter
from apps.support.services.contacts import NO_CONTACT
from apps.support.services.inboxes import NO_INBOX
from apps.support.services.storing import NO_CONVERSATION

TAGS = ["Support"]
SEQUENCE = OpenApiParameter("sequence", {"type": "integer", "minimum": 1}, OpenApiParameter.PATH)
KIND = OpenApiParameter(
    "kind",
    {"type": "string", "enum": ["hours", "sla", "label", "canned", "macro", "rule", "attribute"]},
    OpenApiParameter.PATH,
)
MEMBER = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="A member.")


def conversation_id(request: Request, id: str, permission: str) -> UUID:
    """The id in a path; told to whoever may act at all."""
    api_actor(request).require(permission)
    return parse_id(id, NO_CONVERSATION)


def contact_id(request: Request, id: str, permission: str) -> UUID:
    api_actor(request).require(permission)
    return parse_id(id, NO_CONTACT)


def inbox_id(request: Request, id: str, permission: str) -> UUID:
    api_actor(request).require(permission)
    return parse_id(id, NO_INBOX)


def number_of(text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise NotFound("There is no message with this number.")
    return int(text)


def whole(request: Request, name: str, otherwise: int, most: int) -> int:
    """A number of the query."""
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    if not text.isdigit() or len(text) > 10 or int(text) > most:
        raise InvalidRequest("%(name)s is a number up to %(most)s.", values={"name": name, "most": most}, param=name)
    return int(text)


def with_nulls(serializer: type[Serializer[Any]], request: Request, *permissions: str) -> dict[str, Any]:
    """A body in which null says something: that there shall be none."""
    api_actor(request).require(*permissions)
    if unknown := sorted(set(request.data) - set(serializer().fields)):
        raise UnknownParameter(f"Unrecognized request argument supplied: {unknown[0][:100]}", param=unknown[0][:100])
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    values: dict[str, Any] = body.validated_data
    return values
