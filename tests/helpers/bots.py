"""A desk with a bot, for tests: flows that are live, visitors who write, and a worker's part done by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core import tenancy
from apps.support.models import (
    BotTurn,
    Contact,
    Conversation,
    Dataset,
    DialogueModel,
    Inbox,
    IntentExample,
    Message,
    StoryRun,
    TrainingRun,
    TurnRecord,
)
from apps.support.services import articles, bot, conversations, flows, inboxes, learning, messages
from apps.support.services.storing import Draft, by_contact
from ml.dialogue.types import Ranked, Reading
from tests.helpers.people import Tenant
from workers import dialogue

# What may stand in the bot's addresses and belongs to no organization.
PLACES = {
    "a help centre": "nobody-here",
    "an article's address": "nothing",
    "an act of an article": "publish",
    "a number of flows": 1,
    "an act of flows": "approve",
    "an act of an example": "remove",
    "a number of a model": 1,
}
FLOWS = """
answers:
  opening_hours: {en: We are open from nine to five., zh: 我们九点到五点营业。}
flows:
  block_card:
    title: {en: Block a card, zh: 冻结银行卡}
    intents: [lost_card]
    slots:
      last_four: {kind: last_four, ask: "What are the last four digits?", invalid: It has to be four digits.}
      sure: {kind: yes_no, ask: "Shall I block the card ending in {last_four}?"}
    steps:
      - ask: last_four
      - ask: sure
      - if: sure
        then:
          - call: block_card
            with: {card: "{last_four}"}
            save: {reference: number}
          - say: "Done. Your reference is {reference}."
  transfer:
    title: Where a transfer is
    intents: [transfer_status]
    steps:
      - say: Transfers take one working day.
"""
STORIES = """
- story: A lost card is blocked
  turns:
    - customer: I lost my card
      reads: {lost_card: 0.9}
      expects: [{starts: block_card}, {asks: last_four}]
    - customer: ["4242"]
      expects: [{asks: sure}]
    - customer: "yes"
      returns: {block_card: {number: R-77}}
      expects: [{calls: block_card, with: {card: "4242"}}, {says: R-77}]
"""


def open_bot(tenant: Tenant, text: str = FLOWS, **settings: Any) -> Inbox:
    """An inbox whose conversations begin with the bot, and flows that are live; bursts are not waited for."""
    action, _secret = flows.save_action(tenant.actor, flows.ActionDraft("block_card", "https://bank.example/block"))
    assert action.name == "block_card"
    version = flows.save_version(tenant.actor, text)
    flows.approve(tenant.actor, version.number)
    flows.go_live(tenant.actor, version.number)
    flows.change_bot(tenant.actor, flows.BotChange(**({"is_on": True, "quiet_seconds": 0.0} | settings)))
    return inboxes.create(tenant.actor, "Website", bot_enabled=True)


def visit(tenant: Tenant, inbox: Inbox, **contact: Any) -> Conversation:
    with tenancy.scope(tenant.id):
        person = Contact.objects.create(organization_id=tenant.id, **contact)
        return conversations.begin(inbox, person, by_contact(person))


def write(tenant: Tenant, conversation: Conversation, *texts: str) -> None:
    """The visitor writes; each text is a message."""
    with tenancy.scope(tenant.id):
        person = Contact.objects.get(pk=conversation.contact_id)
        for text in texts:
            messages.receive(conversation.pk, person, Draft(text))


def reading(intent: str, probability: float = 0.9, **others: float) -> Reading:
    ranked = [Ranked(intent, probability), *(Ranked(name, value) for name, value in others.items())]
    return Reading(tuple(sorted(ranked, key=lambda each: -each.probability)))


def answer_one(read: Reading | None = None) -> str:
    """What a worker does with the next turn that is due; `read` in place of what no model has read here."""
    [turn] = bot.claim_turns("by-hand", 1)
    return dialogue.carry_out(turn, bot.prepare(turn), read or Reading())


def said(tenant: Tenant, conversation: Conversation, author: str = "bot") -> list[str]:
    with tenancy.scope(tenant.id):
        rows = Message.objects.filter(conversation=conversation, author=author).exclude(content="")
        return list(rows.order_by("sequence").values_list("content", flat=True))


def fresh(tenant: Tenant, conversation: Conversation) -> Conversation:
    with tenancy.scope(tenant.id):
        found: Conversation = Conversation.objects.get(pk=conversation.pk)
    return found


def last_record(tenant: Tenant, conversation: Conversation) -> TurnRecord:
    with tenancy.scope(tenant.id):
        found: TurnRecord = (
            TurnRecord.objects.select_related("flows", "model", "article")
            .filter(conversation=conversation)
            .order_by("-through")[0]
        )
    return found


def lose_worker(tenant: Tenant, turn_id: UUID) -> None:
    """The worker that held a turn is gone, and its lease has lapsed."""
    with tenancy.scope(tenant.id):
        BotTurn.objects.filter(pk=turn_id).update(lease_until=timezone.now() - timedelta(seconds=1))


def everything(tenant: Tenant, mark: str) -> dict[str, Any]:
    """One row of each kind that addresses of the bot name; nothing waits for a worker."""
    actor, mine = tenant.actor, {"organization_id": tenant.id}
    version = articles.write_article(actor, articles.ArticleDraft(f"{mark} article", f"What {mark} says."))
    articles.publish(actor, version.article_id, 1)
    articles.set_centre(actor, articles.CentreDraft(f"{mark.lower()}-help", f"{mark} help"))
    action, _secret = flows.save_action(actor, flows.ActionDraft("block_card", f"https://{mark}.example/".lower()))
    written = flows.save_version(actor, FLOWS.replace("Transfers take", f"{mark} transfers take"), STORIES, mark)
    flows.approve(actor, written.number)
    learning.add_examples(actor, [learning.Given(f"{mark} says {n}", "lost_card") for n in range(15)])
    learning.add_examples(actor, [learning.Given(f"{mark} asks {n}", "opening_hours") for n in range(15)])
    learning.add_examples(actor, [learning.Given(f"{mark} sends {n}", "transfer_status") for n in range(15)])
    done = mine | {"status": "succeeded", "created_by": tenant.owner}
    with tenancy.scope(tenant.id):
        run = StoryRun.objects.create(**done, version=written, passed=1, results=[])
        dataset = Dataset.objects.create(**mine, number=1, sha256="0" * 64, rows=[], train_count=1, test_count=1)
        report = {"accuracy": 0.9, "questions": 1, "calibration_error": 0.0, "kept": 1.0, "wrong": 0.0}
        report |= {"outside_answered": None, "curve": [], "recall": {}, "confusions": [], "stories": {"flows": 1}}
        training = TrainingRun.objects.create(**done, dataset=dataset, report=report)
        DialogueModel.objects.create(**mine, number=1, run=training, path="dialogue/none", sha256="0" * 64)
        example = IntentExample.objects.order_by("id")[0]
    flows.go_live(actor, written.number)
    flows.change_bot(actor, flows.BotChange(is_on=True))
    with tenancy.scope(tenant.id):
        inbox = Inbox.objects.create(**mine, name=f"{mark} inbox", token=f"{mark}-bots", bot_enabled=True)
        contact = Contact.objects.create(**mine, name=f"{mark} visitor")
        conversation = Conversation.objects.create(**mine, number=9_000, inbox=inbox, contact=contact)
        record = TurnRecord.objects.create(
            **mine, conversation=conversation, through=1, text=f"Where is {mark}?", outcome="replied"
        )
    return {
        "article": version.article_id,
        "bot action": action.pk,
        "intent example": example.pk,
        "story run": run.pk,
        "training run": training.pk,
        "turn of the bot": record.pk,
    }
