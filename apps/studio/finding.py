"""What the command palette finds of the studio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.finding import MOST_OF_A_KIND, Finder, Found, having
from apps.studio.models import BrandVoice, BulkRun, Conversation, Document, Generation, Run, RunSource, Schedule
from apps.studio.services.templates.finding import seen_by
from apps.studio.texts import STATUSES

# Prompts have no index for words: the newest are looked through, and the history has the others.
LOOKED_THROUGH = 400


def _generations(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    newest = Generation.objects.of_studio().order_by("-created_at", "-id").values("pk")[:LOOKED_THROUGH]
    rows = Generation.objects.filter(pk__in=newest).alias(
        asked=Cast("messages", TextField()), about=Cast("brief__product", TextField())
    )
    matching: Q = having(words, "prompt", "asked", "about")
    for row in rows.filter(matching).order_by("-created_at", "-id")[:MOST_OF_A_KIND]:
        yield Found(row.title, reverse("studio-generation", args=[row.pk]), str(STATUSES[row.status]))


def _conversations(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    rows = Conversation.objects.present().filter(having(words, "title")).latest_first()
    for row in rows[:MOST_OF_A_KIND]:
        yield Found(row.title, reverse("chat-conversation", args=[row.pk]), row.model_name)


def _documents(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    """By titles; the documents' own page searches their texts."""
    rows = Document.objects.present().for_lists().filter(having(words, "title")).order_by("-updated_at", "-id")
    for row in rows[:MOST_OF_A_KIND]:
        yield Found(row.title, reverse("document", args=[row.pk]), row.folder.name if row.folder else "")


def _runs(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    for row in Run.objects.filter(having(words, "title")).order_by("-id")[:MOST_OF_A_KIND]:
        yield Found(row.title, reverse("run", args=[row.pk]), str(row.get_kind_display()))


def _templates(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    for row in seen_by(actor).in_use().filter(having(words, "name")).order_by("-id")[:MOST_OF_A_KIND]:
        yield Found(row.name, reverse("template", args=[row.slug]), row.description)


def _voices(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    for row in BrandVoice.objects.in_use().filter(having(words, "name")).order_by("-id")[:MOST_OF_A_KIND]:
        yield Found(row.name, reverse("voice", args=[row.slug]))


def _bulk_runs(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    """By the names of their tables; those of batches have none."""
    rows = BulkRun.objects.filter(having(words, "name"), source=RunSource.TABLE).order_by("-id")
    for row in rows[:MOST_OF_A_KIND]:
        yield Found(row.name, reverse("bulk-run", args=[row.pk]), str(row.get_state_display()))


def _schedules(actor: Actor, words: Sequence[str]) -> Iterator[Found]:
    for row in Schedule.objects.filter(having(words, "name")).order_by("-id")[:MOST_OF_A_KIND]:
        yield Found(row.name, reverse("schedule", args=[row.pk]))


DOCUMENTS = Finder(_("Documents"), "file", "documents:read", _documents)
CONVERSATIONS = Finder(_("Conversations"), "chat", "generations:read", _conversations)
RUNS = Finder(_("Runs"), "layers", "generations:read", _runs)
GENERATIONS = Finder(_("Texts"), "pen", "generations:read", _generations)
TEMPLATES = Finder(_("Templates"), "template", "templates:read", _templates)
VOICES = Finder(_("Brand voices"), "voice", "templates:read", _voices)
BULK_RUNS = Finder(_("Bulk runs"), "rows", "generations:read", _bulk_runs)
SCHEDULES = Finder(_("Schedules"), "refresh", "generations:read", _schedules)
FINDERS = (DOCUMENTS, CONVERSATIONS, RUNS, GENERATIONS, TEMPLATES, VOICES, BULK_RUNS, SCHEDULES)
