"""The organization's console: its pages, in the order of their tabs, and who sees which."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console; `also` are the URL names of the pages below it."""

    url_name: str
    label: str | Promise
    permission: str
    icon: str
    also: tuple[str, ...] = ()


# A page that an app adds gets its line here; the app's view asks for the same permission.
PAGES = (Page("api-keys", _("API keys"), "usage:read", "key", ("api-key-revoke",)),)


def pages_for(actor: Actor) -> list[Page]:
    """The pages that the actor may open."""
    return [page for page in PAGES if page.permission in actor.permissions]
