"""The API's own description: the OpenAPI schema, and a page to read it on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.views.generic import TemplateView
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularJSONAPIView

from apps.core.reference import Group, groups_of


class SchemaView(SpectacularJSONAPIView):
    """OpenAPI 3.1 as JSON."""


@lru_cache(maxsize=1)
def _groups() -> list[Group]:
    """Once for each process: the addresses do not change while it runs, and collecting them takes a second."""
    generator: Any = SchemaGenerator
    return groups_of(generator().get_schema(request=None, public=True))


class DocumentationView(TemplateView):
    """The same description within the product's frame: no script is needed to read it."""

    template_name = "core/api_docs.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(groups=_groups(), **kwargs)
