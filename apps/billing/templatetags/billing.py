"""Amounts of several currencies."""

from __future__ import annotations

from collections.abc import Mapping

from django import template

from apps.core.templatetags.ui import money

register = template.Library()


@register.filter
def amounts(micros: Mapping[str, int]) -> str:
    """Each currency's amount; a dash where nothing was charged."""
    return ", ".join(money(value, currency) for currency, value in micros.items()) or "–"
