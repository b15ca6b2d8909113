"""A brand voice and templates for the demo organization, one of them in production and one in Chinese."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.studio.management.commands.seed_conversations import owner_of
from apps.studio.models import BrandVoice, Template
from apps.studio.services import templates, voices

SAMPLES = [
    "We make bags for people who walk in the rain. We test each one on the hill behind our workshop, for a winter and a"
    " half. We say what it weighs and what it costs. When a seam gives, send the bag back: we mend it within a week.",
    "The canvas comes from one mill, and we have known the weavers for eleven years. It is waxed twice. It gets better"
    " looking with every scratch, and so do the people who carry it. You will not find a logo on the outside.",
]
VOICE: dict[str, Any] = {
    "samples": SAMPLES,
    "words": ["plain", "exact", "dry"],
    "tone": {"energy": 2, "complexity": 2},
    "vocabulary": [{"say": "customers", "instead_of": "users"}, {"say": "bag", "instead_of": "solution"}],
    "banned": ["revolutionary", "best-in-class", "game-changing"],
    "person": "we",
    "emoji": "never",
    "exclamations": "never",
    "longest_sentence": 28,
}


class Command(BaseCommand):
    help = "Creates a brand voice and templates in an organization that has none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="the organization's short name")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = owner_of(options["organization"])
        with tenancy.scope(actor.organization_id):
            voiced, templated = BrandVoice.objects.exists(), Template.objects.exists()
        if not voiced:
            voices.create(
                actor, "House voice", VOICE, description="How Acme Outfitters sounds, learned from two pages."
            )
        if not templated:
            self._templates(actor)

    def _templates(self, actor: Actor) -> None:
        for key, language in (("seo", "en"), ("social-weibo", "zh-hans"), ("news-digest", "en"), ("email", "en")):
            templates.use(actor, key, language)
        first = templates.use(actor, "product-description", "en")
        slug = first.template.slug
        templates.approve(actor, slug, 1, "Read with the shop team.")
        templates.move_label(actor, slug, "production", 1)
        spoken = replace(templates.facts_of(first), voice="house-voice")
        templates.add_version(actor, slug, spoken, "Written in the house voice.")
