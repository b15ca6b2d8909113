"""The API's own description: the OpenAPI schema, and a page to read it on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.http import HttpResponse
from django.utils import translation
from django.views.generic import TemplateView
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request

from apps.core.reference import Group, groups_of


class SchemaView(SpectacularJSONAPIView):
    """OpenAPI 3.1 as JSON, the same for everybody."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponse(_json(), content_type=request.accepted_renderer.media_type)


# Once for each process: the addresses do not change while it runs, and collecting them takes a second.
@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    generator: Any = SchemaGenerator
    with translation.override("en"):
        schema: dict[str, Any] = generator().get_schema(request=None, public=True)
    return schema


@lru_cache(maxsize=1)
def _json() -> bytes:
    rendered: bytes = OpenApiJsonRenderer().render(_schema())
    return rendered


@lru_cache(maxsize=1)
def _groups() -> list[Group]:
    return groups_of(_schema())


class DocumentationView(TemplateView):
    """The same description within the product's frame: no script is needed to read it."""

    template_name = "core/api_docs.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(groups=_groups(), **kwargs)
