"""Words of the plans that come with the product, so that they can be translated; an operator's own stay as written."""

from __future__ import annotations

from django.utils.translation import gettext, gettext_noop

SEEDED = frozenset(
    {
        gettext_noop("Free"),
        gettext_noop("Pro"),
        gettext_noop("Enterprise"),
        gettext_noop("To try everything, without a card."),
        gettext_noop("For teams that work with it every day."),
        gettext_noop("For large organizations, with their own models and terms."),
    }
)


def shown(text: str) -> str:
    return gettext(text) if text in SEEDED else text
