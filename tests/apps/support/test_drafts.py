"""Suggested replies and summaries: for agents alone, from masked text, counted, and never sent by themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.billing.models import LedgerEntry, Meter
from apps.core import tenancy
from apps.core.errors import Conflict, InsufficientQuota, NotFound, PermissionDenied
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from apps.support.models import Conversation, DeskDraft, Message
from apps.support.services import drafts, flows, messages
from apps.support.services.storing import Draft
from tests.helpers.counting import MOST, questions_of
from tests.helpers.desk import Desk
from tests.helpers.people import Tenant, acting, bearer_with
from tests.helpers.plans import plan_without
from tests.helpers.worker import HandWorker

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/support/conversations"


@pytest.fixture
def talk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Conversation:
    """A conversation at a desk for which a model writes; nobody embeds questions."""
    made, _ = ModelVersion.objects.update_or_create(
        name="writes-drafts",
        defaults={
            "backend": "local", "source": "nowhere/writes-drafts", "context_length": 8_000, "max_output_tokens": 4_000,
        },
    )  # fmt: skip
    flows.change_bot(desk.tenant.actor, flows.BotChange(writer=made.name))
    monkeypatch.setattr(drafts, "_passages", lambda *_: [])
    return desk.begin(text="My card 4111 1111 1111 1111 is lost")


def test_a_suggestion_is_written_from_masked_text_and_sent_to_nobody(desk: Desk, talk: Conversation) -> None:
    ann = desk.agent("ann")
    messages.note(ann, talk.pk, Draft("between us"))
    row = drafts.ask(ann, talk.pk, "reply")
    worker = HandWorker.claim()
    given = json.dumps(worker.generation.messages)
    assert "[CARD_1]" in given and "4111" not in given and "between us" not in given
    worker.run(["I have blocked", " your card."])
    before = desk.again(talk).last_sequence
    done = drafts.get(ann, talk.pk, row.pk)
    assert (done.state, done.text, done.writer) == ("done", "I have blocked your card.", "writes-drafts")
    assert desk.again(talk).last_sequence == before
    assert drafts.get(ann, talk.pk, row.pk).text == done.text
    with tenancy.scope(desk.tenant.id):
        [work] = Generation.objects.all()
        lines = LedgerEntry.objects.filter(job_id=work.pk).order_by("kind")
        assert [line.kind for line in lines] == ["hold", "settle"]
        assert (work.origin, work.created_by_id, work.text, work.messages) == ("support", ann.user_id, "", [])
        assert not Message.objects.filter(content__contains="blocked").exists()


def test_a_summary_is_kept_with_what_it_covers_and_who_asked(desk: Desk, talk: Conversation) -> None:
    ann = desk.agent("ann")
    messages.note(ann, talk.pk, Draft("she called before"))
    row = drafts.ask(ann, talk.pk, "summary")
    worker = HandWorker.claim()
    assert "she called before" in json.dumps(worker.generation.messages)
    worker.run(["Lost card."])
    # Nobody looks; it is taken over all the same, once.
    assert drafts.take_over_ended() == 1
    assert drafts.take_over_ended() == 0
    with tenancy.scope(desk.tenant.id):
        kept = drafts.latest_summary(drafts.latest_of(talk))
        numbers = list(Message.objects.filter(conversation=talk).exclude(content="").values_list("sequence", flat=True))
    assert kept is not None and (kept.pk, kept.text, kept.created_by_id) == (row.pk, "Lost card.", ann.user_id)
    assert (kept.since, kept.through) == (min(numbers), max(numbers))


def test_without_model_budget_or_permission_nothing_is_written(desk: Desk, talk: Conversation) -> None:
    ann, tenant = desk.agent("ann"), desk.tenant
    with pytest.raises(PermissionDenied):
        drafts.ask(acting(tenant, tenant.member), talk.pk, "reply")
    with plan_without(Meter.TOKENS_OUT), pytest.raises(InsufficientQuota):
        drafts.ask(ann, talk.pk, "reply")
    flows.change_bot(tenant.actor, flows.BotChange(writer=""))
    with pytest.raises(Conflict):
        drafts.ask(ann, talk.pk, "reply")
    with tenancy.scope(tenant.id):
        assert not DeskDraft.objects.exists() and not Generation.objects.exists()


def test_a_draft_is_of_its_conversation_and_organization_alone(
    desk: Desk, other_desk: Desk, talk: Conversation, org_b: Tenant
) -> None:
    row = drafts.ask(desk.agent("ann"), talk.pk, "reply")
    for actor, place in ((org_b.actor, talk.pk), (desk.tenant.actor, desk.begin().pk)):
        with pytest.raises(NotFound):
            drafts.get(actor, place, row.pk)
    with pytest.raises(NotFound):
        drafts.ask(org_b.actor, talk.pk, "reply")


def test_one_that_is_stopped_or_fails_says_so(desk: Desk, talk: Conversation) -> None:
    ann = desk.agent("ann")
    waiting = drafts.ask(ann, talk.pk, "reply")
    assert drafts.stop(ann, talk.pk, waiting.pk).state == "stopped"
    failing = drafts.ask(ann, talk.pk, "reply")
    HandWorker.claim().finish("failed", "error", "model_failed", "No.")  # type: ignore[arg-type]
    found = drafts.get(ann, talk.pk, failing.pk)
    assert (found.state, found.error_code, found.text) == ("failed", "model_failed", "")


def test_over_rest_it_is_asked_for_followed_and_listed(desk: Desk, talk: Conversation) -> None:
    client, headers = Client(), bearer_with(desk.tenant, "support:read", "support:write")
    place = f"{API}/{talk.pk}/drafts"
    answer = client.post(place, {"kind": "reply"}, content_type="application/json", headers=headers)
    assert answer.status_code == 202 and answer.json()["state"] == "writing"
    HandWorker.claim().run(["Thank you."])
    found = client.get(f"{place}/{answer.json()['id']}", headers=headers).json()
    assert (found["state"], found["text"], found["model"]) == ("done", "Thank you.", "writes-drafts")
    assert [each["id"] for each in client.get(place, headers=headers).json()["data"]] == [found["id"]]
    wrong = client.post(place, {"kind": "poem"}, content_type="application/json", headers=headers)
    assert wrong.status_code == 400
    reader = bearer_with(desk.tenant, "support:read")
    assert client.get(place, headers=reader).status_code == 403


def test_the_page_offers_it_and_says_what_is_wrong(desk: Desk, talk: Conversation) -> None:
    client = Client()
    client.force_login(desk.tenant.owner)
    page = client.get(reverse("desk-conversation", args=[talk.pk])).content.decode()
    assert "Suggest a reply" in page and "Summarise" in page
    asked: Any = client.post(reverse("desk-draft", args=[talk.pk]), {"kind": "summary"})
    assert asked.status_code == 302
    HandWorker.claim().run(["Lost card."])
    page = client.get(reverse("desk-conversation", args=[talk.pk])).content.decode()
    assert "Lost card." in page and "of messages" in page
    with plan_without(Meter.TOKENS_OUT):
        refused = client.post(
            reverse("desk-draft", args=[talk.pk]), {"kind": "reply"}, headers={"accept": "application/json"}
        )
    assert refused.status_code == 429 and "are left" in refused.json()["problem"]


def test_drafts_that_are_being_written_fit_into_the_questions_of_a_page(
    talk: Conversation, desk: Desk, client_of: Callable[[Any], Client]
) -> None:
    for kind in ("reply", "summary"):
        drafts.ask(desk.tenant.actor, talk.pk, kind)
    place, owner = reverse("desk-conversation", args=[talk.pk]), client_of(desk.tenant.owner)
    assert "data-summary-writing" in owner.get(place).content.decode()
    assert questions_of(owner, place) <= MOST
