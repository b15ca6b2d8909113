"""What REST framework's settings name: strict JSON in, one error shape out, cursor pages.

Apart from `apps.core.api`, since REST framework imports these while its own view class is being defined.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.http import Http404
from django.utils.dateparse import parse_datetime
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import errors, metrics
from apps.core.views import error_headers

# The escape of NUL, and not a backslash that is itself escaped before the letters u0000.
HOLDS_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class StrictJSONParser(BaseParser):
    """UTF-8 JSON objects only: no NaN, no lone surrogates, no NUL, at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes."""

    media_type = "application/json"
    # What a body may be, and how it is called; a view that takes lists has a parser that says so.
    takes: tuple[type, ...] = (dict,)
    called = "a JSON object"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        too_large = errors.PayloadTooLarge(f"The request body is larger than {limit} bytes.")
        try:
            body = stream.body if hasattr(stream, "body") else stream.read()
        except RequestDataTooBig:
            raise too_large from None
        if len(body) > limit:
            raise too_large
        try:
            text = body.decode("utf-8")
            value = json.loads(text, parse_constant=_refuse_constant)
            # Written back, what JSON can hold and PostgreSQL cannot shows: 1e999, lone surrogates, NUL.
            written = json.dumps(value, ensure_ascii=False, allow_nan=False)
            written.encode("utf-8")
        except (UnicodeError, ValueError, RecursionError) as error:
            raise errors.InvalidJSON(f"The request body is not valid UTF-8 JSON: {error}.") from None
        if not isinstance(value, self.takes):
            raise errors.InvalidJSON(f"The request body must be {self.called}.")
        if HOLDS_NUL.search(written):
            raise errors.Unprocessable("A text in the request body contains NUL, which cannot be stored.")
        return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class AlwaysJSON(BaseContentNegotiation):
    """The Accept header never turns an API's answer into anything but JSON."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        content_type = (request.content_type or "").split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


def _first_problem(detail: Any, path: str = "") -> tuple[str, str]:
    """The first message of DRF's nested validation errors, and the dotted path of the field it is about."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        step = "" if name == "non_field_errors" else str(name)
        return _first_problem(inner, ".".join(filter(None, [path, step])))
    if isinstance(detail, list):
        for index, inner in enumerate(detail):
            if inner:
                deeper = f"{path}.{index}" if isinstance(inner, dict) else path
                return _first_problem(inner, deeper)
    return str(detail), path


def as_millrace_error(exception: Exception) -> errors.MillraceError | None:
    """The product's own error for what Django and DRF raise; None for what nobody expected."""
    match exception:
        case errors.MillraceError():
            return exception
        case exceptions.ValidationError():
            message, param = _first_problem(exception.detail)
            return errors.InvalidRequest(f"{param}: {message}" if param else message, param=param or None)
        case exceptions.ParseError():
            return errors.InvalidJSON(str(exception.detail))
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return errors.NotAuthenticated("Send an API key: `Authorization: Bearer KEY`.")
        case exceptions.PermissionDenied() | DjangoPermissionDenied():
            return errors.PermissionDenied(str(getattr(exception, "detail", "")) or "You may not do this.")
        case Http404() | exceptions.NotFound():
            return errors.NotFound("There is nothing with this id.")
        case exceptions.MethodNotAllowed():
            return errors.MethodNotAllowed(str(exception.detail))
        case exceptions.UnsupportedMediaType():
            return errors.UnsupportedMediaType("Send the body as application/json.")
        case RequestDataTooBig():
            return errors.PayloadTooLarge("The request body is too large.")
    return None


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    error = as_millrace_error(exception)
    if error is None:
        return None
    metrics.ERROR_ANSWERS.labels(error.code).inc()
    headers = error_headers(error)
    if isinstance(exception, exceptions.MethodNotAllowed):
        headers["allow"] = ", ".join(context["view"].allowed_methods)
    return Response(error.body(), status=error.status, headers=headers)


class CreatedCursorPagination(CursorPagination):
    """Newest first, by cursor: pages stay stable while rows are added. `?limit=` 1 to 100."""

    ordering = ("-created_at", "-id")
    page_size_query_param = "limit"
    max_page_size = 100

    def get_page_size(self, request: Request) -> int | None:
        """The limit asked for; DRF would quietly use another one for what is not a number or too large."""
        given = request.query_params.get("limit")
        if given is None:
            return self.page_size
        if not re.fullmatch(r"[0-9]{1,3}", given) or not 1 <= int(given) <= self.max_page_size:
            raise errors.InvalidRequest(f"limit must be between 1 and {self.max_page_size}.", param="limit")
        return int(given)

    def decode_cursor(self, request: Request) -> Any:
        """The cursor, or NotFound; its position is a time, which the database would refuse to misread."""
        try:
            cursor = super().decode_cursor(request)
            position: Any = cursor and cursor.position
            readable = position is None or parse_datetime(position) is not None
        except (exceptions.NotFound, ValueError):
            readable = False
        if not readable:
            raise errors.NotFound(
                "There is no such page: take the cursor from `next` of an earlier one.", param="cursor"
            )
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"object": "list", "data": data, "has_more": self.has_next, "next": self.get_next_link()})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["object", "data", "has_more", "next"],
            "properties": {
                "object": {"type": "string", "enum": ["list"], "example": "list"},
                "data": schema,
                "has_more": {"type": "boolean", "example": False},
                "next": {"type": ["string", "null"], "format": "uri", "example": None},
            },
        }
