"""What may stand in the query of an operation: what its schema declares, each once.

A filter that is mistyped would otherwise be left out, and a client would take everything for what it asked for.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.errors import InvalidRequest, UnknownParameter

# The others follow the originals that they are compatible with, which ignore what they do not know.
OURS, THEIRS = "/api/v1/", ("/api/v1/accounts/", "/api/v1/profile")
PAGES = frozenset({"cursor", "limit"})
LONGEST_SHOWN = 60

_known: dict[type, frozenset[str] | None] = {}


def check(view: APIView, request: Request) -> None:
    """Raises for a parameter that a reading operation does not know, or that is given twice."""
    if request.method != "GET" or not request.query_params or not is_ours(request.path):
        return
    known = _known_to(view)
    if known is None:
        return
    for name, values in request.query_params.lists():
        shown = name[:LONGEST_SHOWN]
        words = ", ".join(sorted(known)) or "–"
        if name not in known:
            raise UnknownParameter(
                "Unrecognized request argument supplied: %(name)s. Known here: %(known)s.",
                values={"name": shown, "known": words},
                param=shown,
            )
        if len(values) > 1:
            raise InvalidRequest(
                "%(name)s stands there %(times)s times, and may once. Known here: %(known)s.",
                values={"name": shown, "times": len(values), "known": words},
                param=shown,
            )


def is_ours(path: str) -> bool:
    """Whether an address is of our own API, and not of one that it is compatible with."""
    return path.startswith(OURS) and not path.startswith(THEIRS)


def is_strict(operation_id: str, names: Any) -> bool:
    """Lists, and whatever else takes parameters; what takes none and is no list has nothing to filter."""
    return bool(names) or operation_id.startswith("list_")


def _known_to(view: APIView) -> frozenset[str] | None:
    """The names that an operation takes; None where its query is no matter."""
    if type(view) not in _known:
        _known[type(view)] = _declared(view)
    return _known[type(view)]


def _declared(view: APIView) -> frozenset[str] | None:
    described = getattr(getattr(view, "get", None), "kwargs", {}).get("schema")
    if described is None:
        return None
    schema = described()
    schema.view, schema.method, schema.path = view, "GET", OURS
    given = [each for each in schema.get_override_parameters() if isinstance(each, OpenApiParameter)]
    names = {each.name for each in given if each.location == OpenApiParameter.QUERY}
    # Pages are added to the document of every list of a view that has them.
    operation = schema.get_operation_id()
    if getattr(view, "pagination_class", None) and operation.startswith("list_"):
        names |= PAGES
    return frozenset(names) if is_strict(operation, names) else None
