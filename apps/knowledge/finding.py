"""What the command palette finds of the knowledge base: sources, by their titles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.finding import MOST_OF_A_KIND, Finder, Found, having
from apps.knowledge.models import Source


def _sources(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    rows = Source.objects.select_related("collection").filter(having(words, "title")).order_by("-id")
    for row in rows[:MOST_OF_A_KIND]:
        yield Found(row.title, reverse("knowledge-document", args=[row.pk]), row.collection.name)


SOURCES = Finder(_("Knowledge"), "knowledge", "knowledge:read", _sources)
FINDERS = (SOURCES,)
