"""The tabs of the organization's console."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from apps.accounts.console import pages_for

register = template.Library()


@register.inclusion_tag("components/console_tabs.html", takes_context=True)
def console_tabs(context: Context) -> dict[str, Any]:
    """Links to the pages that the person may open, the one that is shown marked."""
    request = context["request"]
    match = request.resolver_match
    here = match.url_name if match else ""
    return {"pages": [(page, here == page.url_name or here in page.also) for page in pages_for(request.actor)]}
