"""A conversation and a run for the demo organization, asked for like any other and written by its workers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.access import Actor, actor_of_membership
from apps.accounts.models import Membership, Organization, Role
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants
from apps.studio.models import Conversation, Run
from apps.studio.requests import GenerationSpec
from apps.studio.services import conversations, runs
from apps.studio.services.conversations import ChatSettings, Draft
from apps.studio.services.runs import RunRequest
from ml.text.brief import Brief, render_brief
from ml.types import Message, SamplingParams

TITLE = "Names for the autumn collection"
MESSAGE = "Write a product description for a waxed canvas rucksack for students. Mention that it is rainproof."
SYSTEM = "You write for Acme Outfitters: plain words, short sentences, no superlatives."
BRIEF = Brief("ad_headline", "Waxed canvas rucksack", audience="students", tone="friendly", key_points=("rainproof",))


class Command(BaseCommand):
    help = "Asks for a conversation and a run in an organization that has none, so that its pages show something."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="the organization's short name")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = owner_of(options["organization"])
        with tenancy.scope(actor.organization_id):
            talked, ran = Conversation.objects.exists(), Run.objects.exists()
        if not talked:
            settings = ChatSettings(system=SYSTEM, max_tokens=120, sampling=SamplingParams(seed=11))
            conversation = conversations.create_conversation(actor, settings, TITLE)
            question = conversations.prepare_message(actor, conversation.pk, Draft(MESSAGE))
            conversations.accept_question(actor, question)
            conversations.pin_conversation(actor, conversation.pk, True)
        if not ran:
            spec = GenerationSpec(messages=(Message("user", render_brief(BRIEF)),), brief=BRIEF, max_tokens=60)
            request = RunRequest(spec, count=3)
            runs.accept_run(actor, runs.prepare_run(actor, request, runs.specs_of(request)))


def owner_of(slug: str) -> Actor:
    with across_tenants(Across.OPERATE):
        organization = Organization.objects.filter(slug=slug).first()
    if organization is None:
        raise CommandError(f"There is no organization {slug}.")
    with tenancy.scope(organization.pk):
        rows = Membership.objects.filter(role=Role.OWNER).select_related("organization", "user", "custom_role")
        membership = rows.order_by("created_at").first()
    if membership is None:
        raise CommandError(f"{slug} has no owner.")
    return actor_of_membership(membership, membership.user)
