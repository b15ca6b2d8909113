"""Amounts of several currencies, what meters are called, and quantities of them."""

from __future__ import annotations

from collections.abc import Mapping

from django import template
from django.utils.functional import Promise

from apps.billing import texts, units
from apps.billing.usage import METER_NAMES, TEXT
from apps.core.templatetags.ui import money

register = template.Library()


@register.filter
def amounts(micros: Mapping[str, int]) -> str:
    """Each currency's amount; a dash where nothing was charged."""
    return ", ".join(money(value, currency) for currency, value in micros.items()) or "–"


@register.filter
def meter_name(meter: str) -> str | Promise:
    """What a line of the ledger counts on; one without a meter is a text that was generated."""
    return METER_NAMES.get(meter or TEXT, meter)


@register.filter
def plan_words(text: str) -> str:
    """A plan's name or description in the reader's language, where it is one that comes with the product."""
    return texts.shown(text)


@register.filter
def of_meter(amount: int, meter: str) -> str:
    """So much of a meter in words."""
    return units.quantity(meter, amount)


@register.filter
def figures_of_meter(amount: int, meter: str) -> str:
    """So much of a meter that is named beside it."""
    return units.figures(meter, amount)


@register.filter
def per_meter(amount: int, meter: str) -> str:
    """What a rate of a meter is for."""
    return units.per(meter, amount)
