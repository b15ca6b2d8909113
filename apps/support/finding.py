"""What the command palette finds of the desk: contacts, and conversations by number and subject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.finding import MOST_OF_A_KIND, Finder, Found, having
from apps.support.access import READ
from apps.support.models import Contact, Conversation


def _contacts(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    rows = Contact.objects.filter(having(words, "name", "email"), merged_into=None).order_by("-id")
    for row in rows[:MOST_OF_A_KIND]:
        yield Found(str(row), reverse("desk-contact", args=[row.pk]), row.email)


def _conversations(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    numbers = [int(word.lstrip("#")) for word in words if word.lstrip("#").isdigit() and len(word) < 12]
    wanted = Q(number__in=numbers) if numbers and len(words) == 1 else having(words, "subject")
    rows = Conversation.objects.filter(wanted, merged_into=None).select_related("contact").order_by("-id")
    for row in rows[:MOST_OF_A_KIND]:
        yield Found(
            f"#{row.number} {row.subject}".strip(), reverse("desk-conversation", args=[row.pk]), str(row.contact)
        )


FINDERS = (
    Finder(_("Conversations of the desk"), "chat", READ, _conversations),
    Finder(_("Contacts"), "user", READ, _contacts),
)
