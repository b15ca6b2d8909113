"""The tabs of the organization's console."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from apps.accounts.console import GROUPS, NAMED_APART, PAGES, pages_for

register = template.Library()


@register.inclusion_tag("components/console_tabs.html", takes_context=True)
def console_tabs(context: Context) -> dict[str, Any]:
    """Links to the pages that the person may open, by group, the one that is shown marked."""
    here = _here(context)
    pages = pages_for(context["request"].actor)
    groups = [
        (label, [(page, page.is_for(here)) for page in pages if page.group == name]) for name, label in GROUPS.items()
    ]
    return {
        "groups": [(label, found) for label, found in groups if found],
        "shown": next((page for page in pages if page.is_for(here)), None),
    }


@register.simple_tag(takes_context=True)
def in_console(context: Context) -> bool:
    """Whether the page is one of the console's that have no entry of their own in the main navigation."""
    here = _here(context)
    return any(page.is_for(here) for page in PAGES if page.url_name not in NAMED_APART)


def _here(context: Context) -> str:
    match = getattr(context.get("request"), "resolver_match", None)
    return str(match.url_name) if match else ""
