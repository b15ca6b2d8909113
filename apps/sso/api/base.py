"""What every SCIM call shares: who calls, how bodies and errors are written, how lists are paged and filtered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.db.models import Q
from django.utils.dateparse import parse_datetime
from rest_framework.authentication import BaseAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import Actor
from apps.accounts.authentication import Program
from apps.core import ratelimit
from apps.core.errors import InvalidApiKey, MillraceError, NotAuthenticated, ScimInvalid
from apps.core.ratelimit import Bucket
from apps.core.rest import StrictJSONParser, as_millrace_error
from apps.core.views import error_headers
from apps.sso.scim.discovery import MOST_RESULTS
from apps.sso.scim.filters import Compare, Filter, Join, Not, Within, parse_filter
from apps.sso.scim.resources import ERROR, LIST
from apps.sso.services.tokens import find_directory

CALLS_A_MINUTE = 1200
DEFAULT_COUNT = 100


class ScimParser(StrictJSONParser):
    media_type = "application/scim+json"


class ScimRenderer(JSONRenderer):
    media_type = "application/scim+json"
    charset = None


class DirectoryAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN` with the organization's directory token; no API key and no session."""

    def authenticate(self, request: Request) -> tuple[Any, Actor]:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        actor = find_directory(secret.strip()) if scheme.lower() == "bearer" and secret.strip() else None
        if actor is None:
            raise InvalidApiKey("Send the directory's token as `Authorization: Bearer TOKEN`.")
        return Program(), actor

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ScimView(APIView):
    """One SCIM endpoint; whatever fails is answered in SCIM's own shape."""

    authentication_classes = (DirectoryAuthentication,)
    parser_classes = (ScimParser, StrictJSONParser)
    renderer_classes = (ScimRenderer,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        organization = self.actor_of(request).organization_id
        ratelimit.charge(f"scim:{organization}", [Bucket("requests", CALLS_A_MINUTE, 1)])

    def actor_of(self, request: Request) -> Actor:
        actor: Any = request.auth
        return cast(Actor, actor)

    def handle_exception(self, exc: Exception) -> Response:
        error = as_millrace_error(exc)
        if error is None:
            return super().handle_exception(exc)
        response = Response(error_body(error), status=error.status, headers=error_headers(error))
        response.exception = True
        return response


def body_of(request: Request) -> dict[str, Any]:
    """The body, which the parser has found to be an object."""
    body: Any = request.data
    return cast(dict[str, Any], body)


def error_body(error: MillraceError) -> dict[str, Any]:
    """RFC 7644 section 3.12."""
    kind = getattr(error, "scim_type", "") or ("invalidSyntax" if error.status == 400 else "")
    said = "The token is missing or not valid." if isinstance(error, NotAuthenticated) else error.message
    body = {"schemas": [ERROR], "status": str(error.status), "detail": said}
    return body | ({"scimType": kind} if kind else {})


def listed(resources: list[dict[str, Any]], total: int, start: int) -> dict[str, Any]:
    return {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def page_of(request: Request) -> tuple[int, int]:
    """`startIndex`, from 1, and `count`; RFC 7644 section 3.4.2.4 says what odd values mean."""

    def number(name: str, usual: int) -> int:
        given = request.query_params.get(name, "")
        if not given:
            return usual
        try:
            return int(given[:12])
        except ValueError:
            raise ScimInvalid(f"{name} must be a whole number.", scim_type="invalidValue") from None

    return max(1, number("startIndex", 1)), min(MOST_RESULTS, max(0, number("count", DEFAULT_COUNT)))


def condition_of(request: Request, columns: Mapping[str, str]) -> Q:
    """The query that `filter` asks for, over the columns that may be asked about."""
    text = request.query_params.get("filter", "")
    return _condition(parse_filter(text), columns) if text else Q()


def _condition(filter: Filter, columns: Mapping[str, str]) -> Q:
    match filter:
        case Join("and", left, right):
            return _condition(left, columns) & _condition(right, columns)
        case Join(_, left, right):
            return _condition(left, columns) | _condition(right, columns)
        case Not(inner):
            return ~_condition(inner, columns)
        case Within(attribute, inner):
            return _within(attribute, inner, columns)
        case Compare(attribute, operator, value):
            return _compare(attribute, operator, value, columns)


def _within(attribute: str, inner: Filter, columns: Mapping[str, str]) -> Q:
    """`emails[type eq "work" and value eq "x"]`: everybody has one address, and it is the one at work."""
    match inner:
        case Join("and", left, right):
            return _within(attribute, left, columns) & _within(attribute, right, columns)
        case Compare("type", "eq", value):
            return Q() if str(value).lower() == "work" else Q(pk__in=[])
        case Compare("primary", "eq", value):
            return Q() if value is True else Q(pk__in=[])
        case Compare(part, operator, value):
            return _compare(f"{attribute}.{part}", operator, value, columns)
    raise ScimInvalid("This filter is not understood.", scim_type="invalidFilter")


def _compare(attribute: str, operator: str, value: Any, columns: Mapping[str, str]) -> Q:
    column = columns.get(attribute.lower())
    if column is None:
        raise ScimInvalid(f"{attribute[:80]} cannot be filtered by.", scim_type="invalidFilter")
    if column in {"active"}:
        return _flag(column, operator, value)
    if operator == "pr":
        return Q(**{f"{column}__isnull": False}) & (Q() if column in {"id", *_TIMES} else ~Q(**{column: ""}))
    if column.endswith("id") and column != "external_id":
        return _id(column, operator, value)
    if not isinstance(value, str):
        raise ScimInvalid("This attribute is compared with a text.", scim_type="invalidFilter")
    if column in _TIMES:
        return _time(column, operator, value)
    lookup = {"eq": "iexact", "ne": "iexact", "co": "icontains", "sw": "istartswith", "ew": "iendswith"}.get(operator)
    if lookup is None or "\0" in value:
        raise ScimInvalid("This comparison is not understood.", scim_type="invalidFilter")
    # What an outside system calls a person is compared letter by letter.
    exact = lookup.removeprefix("i") if column == "external_id" else lookup
    found = Q(**{f"{column}__{exact}": value})
    return ~found if operator == "ne" else found


_TIMES = {"created_at", "changed_at"}


def _flag(column: str, operator: str, value: Any) -> Q:
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        value = value.lower() == "true"
    if operator == "pr":
        return Q()
    if operator not in {"eq", "ne"} or not isinstance(value, bool):
        raise ScimInvalid("active is compared with true or false.", scim_type="invalidFilter")
    return Q(**{column: value if operator == "eq" else not value})


def _id(column: str, operator: str, value: Any) -> Q:
    if operator not in {"eq", "ne"}:
        raise ScimInvalid("An id is compared by eq or ne.", scim_type="invalidFilter")
    try:
        found = Q(**{column: UUID(str(value))})
    except ValueError:
        found = Q(pk__in=[])
    return ~found if operator == "ne" else found


def _time(column: str, operator: str, value: str) -> Q:

    try:
        moment = parse_datetime(value)
    except ValueError:
        moment = None
    lookup = {"eq": "", "ne": "", "gt": "__gt", "ge": "__gte", "lt": "__lt", "le": "__lte"}.get(operator)
    if moment is None or moment.tzinfo is None or lookup is None:
        raise ScimInvalid("A time is compared with an ISO 8601 time and its zone.", scim_type="invalidFilter")
    found = Q(**{f"{column}{lookup}": moment})
    return ~found if operator == "ne" else found
