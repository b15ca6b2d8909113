"""The API's own description: the OpenAPI schema, and a page to read it on."""

from __future__ import annotations

import gzip
import json
from functools import lru_cache
from typing import Any

from django.http import HttpResponse
from django.utils import translation
from django.views.generic import TemplateView
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from apps.core.reference import Group, groups_of


class SchemaView(SpectacularJSONAPIView):
    """OpenAPI 3.1 as JSON, the same for everybody."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        packs = "gzip" in request.headers.get("accept-encoding", "")
        answer = HttpResponse(_packed() if packs else _json(), content_type=request.accepted_renderer.media_type)
        answer["vary"] = "Accept, Accept-Encoding"
        if packs:
            answer["content-encoding"] = "gzip"
        return answer


# Once for each process: the addresses do not change while it runs, and collecting them takes a second.
@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    generator: Any = SchemaGenerator
    with translation.override("en"):
        schema: dict[str, Any] = generator().get_schema(request=None, public=True)
    return schema


@lru_cache(maxsize=1)
def _json() -> bytes:
    """Without the renderer's blanks, which are two thirds of it."""
    return json.dumps(_schema(), cls=JSONEncoder, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(maxsize=1)
def _packed() -> bytes:
    """A thirtieth of it; nothing in it is secret, so that its length tells nothing."""
    return gzip.compress(_json())


@lru_cache(maxsize=1)
def _groups() -> list[Group]:
    return groups_of(_schema())


class DocumentationView(TemplateView):
    """The same description within the product's frame: no script is needed to read it."""

    template_name = "core/api_docs.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(groups=_groups(), **kwargs)
