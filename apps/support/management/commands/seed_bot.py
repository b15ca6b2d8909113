"""A demo bank's bot: articles, flows with stories, utterances, and a model that is trained once workers run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.access import Actor, actor_of_membership
from apps.accounts.models import Membership, Organization
from apps.core import tenancy
from apps.core.jobs import Status
from apps.core.tenancy import Across, across_tenants
from apps.support.demo import reading
from apps.support.models import BotAction, ExampleSource, FlowVersion, Inbox, StoryRun
from apps.support.services import articles, flows, inboxes, learning

ACTIONS = ("block_card", "order_card", "find_transfer")
# Without a bank behind it: calls are refused, and the bot passes the visitor to a person.
NOWHERE = "https://bank.example/bot"


class Command(BaseCommand):
    help = "Gives an organization the demo bank's bot: articles, flows, stories and utterances, unless it has flows."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("organization", help="the organization's slug")
        parser.add_argument(
            "--bank", default=NOWHERE, help="where the bank's system answers, without the action's name"
        )
        parser.add_argument("--secrets", help="a file to write the secrets of the actions to, for the bank")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = _owner(options["organization"])
        with tenancy.scope(actor.organization_id):
            is_there = FlowVersion.objects.exists()
        if not is_there or options["secrets"]:
            _set_up_actions(actor, options["bank"], Path(options["secrets"]) if options["secrets"] else None)
        if is_there:
            return
        articles.set_centre(actor, articles.CentreDraft(options["organization"], "Demo Bank", "en", True))
        articles.import_file(actor, "articles.zip", reading.articles(), is_published=True)
        learning.add_examples(actor, reading.utterances(), ExampleSource.IMPORT)
        _go_live(actor)
        learning.request_training(actor, promotes=True)
        with tenancy.scope(actor.organization_id):
            has_inbox = Inbox.objects.filter(bot_enabled=True).exists()
        if not has_inbox:
            inboxes.create(actor, "Demo Bank", bot_enabled=True, greeting="Hello! How can I help you?")


def _set_up_actions(actor: Actor, bank: str, secrets: Path | None) -> None:
    """The bank's actions at its address; a bank that has moved, or has lost its secrets, gets new ones."""
    with tenancy.scope(actor.organization_id):
        known = {row.name: row for row in BotAction.objects.filter(name__in=ACTIONS)}
    here = all(name in known and known[name].url == f"{bank}/{name}" for name in ACTIONS)
    if here and (secrets is None or secrets.exists()):
        return
    made = {}
    for name in ACTIONS:
        if name in known:
            flows.delete_action(actor, known[name].pk)
        made[name] = flows.save_action(actor, flows.ActionDraft(name, f"{bank}/{name}"))[1]
    if secrets is not None:
        secrets.touch(mode=0o600)
        secrets.write_text(json.dumps(made))


def _go_live(actor: Actor) -> None:
    """The stories say themselves how they are read, so that they can be played here, without a worker."""
    from datetime import date

    from ml.dialogue.engine import Engine
    from ml.dialogue.stories import run_story

    version = flows.save_version(actor, reading.flows(), reading.stories(), "Demo Bank")
    flows.approve(actor, version.number)
    run = flows.request_run(actor, version.number)
    checked = flows.check(version.text, version.stories)
    played = [run_story(story, Engine(checked.flows), date.today()) for story in checked.stories]  # noqa: DTZ011
    results = [
        {
            "story": each.story.name,
            "line": each.story.line,
            "problems": [{"line": problem.line, "message": problem.message} for problem in each.failures],
        }
        for each in played
    ]
    with tenancy.scope(actor.organization_id):
        StoryRun.objects.filter(pk=run.pk).update(status=Status.RUNNING, attempt=1)
        run.refresh_from_db()
    flows.finish_run(run, results)
    flows.go_live(actor, version.number)
    flows.change_bot(actor, flows.BotChange(is_on=True))


def _owner(slug: str) -> Actor:
    with across_tenants(Across.OPERATE):
        organization = Organization.objects.filter(slug=slug).first()
        rows = Membership.objects.filter(organization=organization, role="owner").select_related("user", "organization")
        membership: Membership | None = rows.order_by("created_at").first() if organization else None
    if membership is None:
        raise CommandError(f"There is no organization {slug} with an owner.")
    return actor_of_membership(membership, membership.user)
