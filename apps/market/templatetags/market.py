"""The sponsored notice of a page, and Markdown that sellers have written."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context
from django.utils.safestring import SafeString

from apps.core import markdown as core
from apps.market.sponsors import choose

register = template.Library()


@register.inclusion_tag("market/sponsored.html", takes_context=True)
def sponsored(context: Context, place: str) -> dict[str, Any]:
    """A notice for organizations whose plan does not spare them; nothing for all others.

    A page that knows what the plan brings says so in `features`.
    """
    organization = context.get("organization")
    return {"sponsor": choose(organization.pk, place, context.get("features")) if organization else None}


@register.filter
def markdown(text: str) -> SafeString:
    return core.render(text)
