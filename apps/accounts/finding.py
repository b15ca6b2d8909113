"""What the command palette finds beside pages: an organization's own things, kind by kind, by a few typed words.

Each app names its kinds as Finders, in their order, and settings.FINDERS puts the apps in theirs. A kind is asked only
for somebody who may see all of it; its query stays within the tenant's scope, and is bounded whatever the organization
holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.models import ApiKey, Membership, Team
from apps.accounts.models.people import words_of

MOST_OF_A_KIND = 5
LONGEST_QUERY = 100


@dataclass(frozen=True, slots=True)
class Found:
    """One line of the palette: its words, where it leads, and a note beside it."""

    label: str
    url: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finder:
    """One kind of thing; `find` gets who asks and the words in small letters, and may yield more than is shown."""

    label: str | Promise
    icon: str
    permission: str
    find: Callable[[Actor, Sequence[str]], Iterator[Found]]


@lru_cache(maxsize=1)
def finders() -> tuple[Finder, ...]:
    return tuple(finder for path in settings.FINDERS for finder in import_string(path))


def search(actor: Actor, text: str) -> list[dict[str, Any]]:
    """Groups of what matches every word, of the kinds that the actor may see; within the tenant's scope."""
    words = words_of(text[:LONGEST_QUERY])
    if not words:
        return []
    groups = []
    for finder in finders():
        if finder.permission not in actor.permissions:
            continue
        found = [line for line, _place in zip(finder.find(actor, words), range(MOST_OF_A_KIND), strict=False)]
        items = [{"label": line.label, "url": line.url, "note": line.note, "icon": finder.icon} for line in found]
        if items:
            groups.append({"label": str(finder.label), "items": items})
    return groups


def having(words: Sequence[str], *fields: str) -> Q:
    """Rows that have each of the words in one of the fields."""
    matching = Q()
    for word in words:
        one_of = Q()
        for name in fields:
            one_of |= Q(**{f"{name}__icontains": word})
        matching &= one_of
    return matching


def _members(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    for member in Membership.objects.for_pages().matching(" ".join(words))[:MOST_OF_A_KIND]:
        shown = member.user.name or member.user.email
        yield Found(shown, reverse("member", args=[member.pk]), str(member.get_role_display()))


def _teams(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    for team in Team.objects.filter(having(words, "name", "description")).order_by("name")[:MOST_OF_A_KIND]:
        yield Found(team.name, reverse("team", args=[team.pk]), team.description)


def _keys(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    for key in ApiKey.objects.unrevoked().filter(having(words, "name")).order_by("-id")[:MOST_OF_A_KIND]:
        yield Found(key.name, reverse("api-keys"), key.prefix)


MEMBERS = Finder(_("Members"), "user", "members:read", _members)
TEAMS = Finder(_("Teams"), "layers", "members:read", _teams)
KEYS = Finder(_("API keys"), "key", "keys:manage", _keys)
FINDERS = (MEMBERS, TEAMS, KEYS)
