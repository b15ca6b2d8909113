"""The API's own description: the OpenAPI schema, and a page to read it on."""

from __future__ import annotations

from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularJSONAPIView


class SchemaView(SpectacularJSONAPIView):
    """OpenAPI 3.1 as JSON."""


class DocumentationView(TemplateView):
    """Swagger UI within the product's frame, from this server's own files, without an inline script or style."""

    template_name = "core/api_docs.html"
