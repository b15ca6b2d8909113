"""What templates need beyond Django: icons, the current page, form controls, numbers, money and times."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.contrib.messages.storage.base import Message
from django.forms import BoundField, CheckboxInput, Select, Textarea
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext

from apps.core import charts, undo
from apps.core.currencies import minor_digits, units_of

register = template.Library()

MINUTE, HOUR, DAY = 60, 3600, 86400
CURRENCY_SIGNS = {
    "en": {"USD": "$", "EUR": "€", "GBP": "£", "CNY": "CN¥", "JPY": "¥"},
    "zh": {"USD": "US$", "EUR": "€", "CNY": "¥", "JPY": "JP¥"},
}


@register.simple_tag
def icons_url() -> str:
    """The address of the icon sprite."""
    return static("img/icons.svg")


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """One decorative icon of the sprite; the words beside it, or an aria-label, carry the meaning."""
    classes = f"icon {extra}".strip()
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', classes, icons_url(), name)


@register.simple_tag(takes_context=True)
def current(context: Context, *url_names: str) -> SafeString:
    """`aria-current="page"` when the page shown has one of the URL names."""
    request = context.get("request")
    match = getattr(request, "resolver_match", None)
    here = match is not None and match.url_name in url_names
    return SafeString('aria-current="page"') if here else SafeString("")


@register.filter
def control(field: BoundField) -> SafeString:
    """A form field's widget with the design system's class."""
    widget = field.field.widget
    if isinstance(widget, CheckboxInput):
        return field.as_widget()
    name = "select" if isinstance(widget, Select) else "textarea" if isinstance(widget, Textarea) else "input"
    return field.as_widget(attrs={"class": f"{name} {widget.attrs.get('class', '')}".strip()})


@register.filter
def undo_of(message: Message) -> undo.Undo | None:
    """How to take back what the message tells of, where that is offered."""
    return undo.offered_by(message)


@register.filter
def grouped(value: int | None) -> str:
    """A number in groups of three, which both languages of the product write with commas."""
    return f"{value or 0:,}"


@register.filter
def money(micros: int | None, currency: str = "USD") -> str:
    """Micros as an amount: two decimals, and up to six where the amount is that small."""
    amount = Decimal(micros or 0) / 1_000_000
    decimals = 2
    while decimals < 6 and amount != round(amount, decimals) and amount < 1:
        decimals += 1
    return _signed(amount, decimals, currency)


@register.filter
def minor(amount: int | Decimal | None, currency: str) -> str:
    """Minor units as an amount with the currency's own decimals; parts of a minor unit, as rates have them, as well."""
    value, decimals = units_of(amount or 0, currency), minor_digits(currency)
    while decimals < 8 and value != round(value, decimals):
        decimals += 1
    return _signed(value, decimals, currency)


@register.filter
def price(amount: int | None, currency: str) -> str:
    """The same as a price tag: whole amounts without decimals."""
    value = units_of(amount or 0, currency)
    return _signed(value, 0 if value == round(value) else minor_digits(currency), currency)


def _signed(amount: Decimal, decimals: int, currency: str) -> str:
    signs = CURRENCY_SIGNS["zh" if (get_language() or "").startswith("zh") else "en"]
    minus, number = "−" * (amount < 0), f"{abs(amount):,.{decimals}f}"
    return f"{minus}{signs[currency]}{number}" if currency in signs else f"{minus}{currency} {number}"


@register.filter
def ago(moment: datetime | None) -> SafeString:
    """A `<time>` that says how long ago, with the exact time as its title."""
    if moment is None:
        return SafeString("")
    exact = date_format(timezone.localtime(moment), "DATETIME_FORMAT") + " UTC" * (settings.TIME_ZONE == "UTC")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, _distance(moment))


def _distance(moment: datetime) -> str:
    seconds = int((timezone.now() - moment).total_seconds())
    if seconds < MINUTE:
        return gettext("just now")
    if seconds < HOUR:
        minutes = seconds // MINUTE
        return ngettext("%(n)d min ago", "%(n)d min ago", minutes) % {"n": minutes}
    if seconds < DAY:
        hours = seconds // HOUR
        return ngettext("%(n)d h ago", "%(n)d h ago", hours) % {"n": hours}
    if seconds < 7 * DAY:
        days = seconds // DAY
        return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}
    return date_format(timezone.localtime(moment), "DATE_FORMAT")


@register.filter
def age_seconds(moment: datetime | None) -> str:
    """Seconds since a moment, for a script to count on from."""
    return f"{(timezone.now() - moment).total_seconds():.1f}" if moment else "0"


@register.inclusion_tag("components/chart.html")
def chart(drawn: charts.Chart | None) -> dict[str, Any]:
    """A chart and the table behind it; nothing where there is nothing to draw."""
    return {"chart": drawn}


@register.simple_tag
def interface_texts() -> SafeString:
    """The words that scripts of every page show, as a JSON block: data, so the content security policy allows it."""
    words: dict[str, Any] = {
        "dismiss": gettext("Dismiss"),
        "undo": gettext("Undo"),
        "palette": {
            "recent": gettext("Used last"),
            "commands": gettext("Pages and commands"),
            "found": gettext("{n} found"),
        },
        "copied": gettext("Copied to the clipboard."),
        "copyFailed": gettext("The browser did not allow copying. Select the text and copy it by hand."),
    }
    return json_script(words, "texts")
