"""Answers from the knowledge base: what the model is given, what a turn remembers, and who may ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from apps.accounts.access import Actor
from apps.accounts.models import Role
from apps.core import tenancy
from apps.core.errors import NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.knowledge import services as knowledge
from apps.knowledge.services import Passage
from apps.studio import throttle
from apps.studio.models import Conversation, Generation, Turn
from apps.studio.services import Outcome, conversations
from apps.studio.services.conversations import ChatSettings, Draft
from tests.helpers.people import Tenant, add_person
from tests.helpers.studio import finish, start

pytestmark = pytest.mark.usefixtures("model")


def passage(text: str) -> Passage:
    return Passage(uuid4(), uuid4(), uuid4(), "Kettles", ("Care",), 3, text, 0.9)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Passage]:
    """What the search finds, which reads the query with a model in a worker; its own tests are with knowledge."""
    passages: list[Passage] = []

    def search(actor: Actor, query: str, limit: int, collections: Any = None) -> list[Passage]:
        actor.require("knowledge:read")
        return passages[:limit]

    monkeypatch.setattr(knowledge, "search", search)
    return passages


def begin(tenant: Tenant) -> Conversation:
    collection = knowledge.create_collection(tenant.actor, "Manuals")
    return conversations.create_conversation(tenant.actor, ChatSettings(max_tokens=20, collections=(collection.pk,)))


def send(actor: Actor, id: UUID, text: str) -> Turn:
    turn, _ = throttle.converse(actor, lambda limits: conversations.prepare_message(actor, id, Draft(text), limits))
    return turn


def given(tenant: Tenant, turn: Turn) -> Generation:
    with tenancy.scope(tenant.id):
        text: Generation = Generation.objects.get(pk=turn.generation_id)
    return text


def test_the_model_is_given_numbered_passages_and_the_turn_remembers_them(org_a: Tenant, found: list[Passage]) -> None:
    found += [passage("Descale it every month."), passage("Never fill it above the mark.")]
    turn = send(org_a.actor, begin(org_a).pk, "How do I care for it?")
    text = given(org_a, turn)
    assert text.messages[0]["role"] == "system"
    assert "[1] Kettles › Care, page 3\nDescale it every month." in text.messages[0]["content"]
    assert text.passages == [each.id for each in found]
    assert [(source["number"], source["text"]) for source in turn.passages] == [
        (1, "Descale it every month."),
        (2, "Never fill it above the mark."),
    ]


def test_citations_lead_to_the_passages_for_who_may_read_them(
    org_a: Tenant, found: list[Passage], client_of: Callable[[Any], Client]
) -> None:
    found += [passage("Descale it every month."), passage("Never fill it above the mark.")]
    conversation = begin(org_a)
    send(org_a.actor, conversation.pk, "How do I care for it?")
    assert finish(start(), Outcome(Status.SUCCEEDED, "Monthly [1], `[2]`, and **[9]**.", "stop", 10, 5))
    address = f"/chat/{conversation.pk}/"
    page = client_of(org_a.owner).get(address).text
    first, second = (f'<a href="/knowledge/passages/{each.id}/"' for each in found)
    assert f'Monthly {first} title="Kettles › Care">[1]</a>, <code>[2]</code>, and <strong>[9]</strong>.' in page
    assert (page.count(first), page.count(second)) == (2, 1)
    auditor = client_of(add_person(org_a, "auditor", Role.AUDITOR)).get(address).text
    assert ("Monthly [1]" in auditor, "Kettles › Care" in auditor, "/knowledge/passages/" in auditor) == (
        True,
        True,
        False,
    )


def test_passages_leave_most_of_a_small_context_to_the_conversation(org_a: Tenant, found: list[Passage]) -> None:
    found += [passage("kettle care " * 60) for _ in range(5)]
    turn = send(org_a.actor, begin(org_a).pk, "How?")
    assert 0 < len(turn.passages) < 5


def test_without_collections_nothing_is_searched(org_a: Tenant, found: list[Passage]) -> None:
    found.append(passage("x"))
    conversation = conversations.create_conversation(org_a.actor, ChatSettings(max_tokens=20))
    assert send(org_a.actor, conversation.pk, "How?").passages == []


def test_only_own_collections_and_only_who_may_read_them(org_a: Tenant, org_b: Tenant, found: list[Passage]) -> None:
    conversation = begin(org_a)
    writer = replace(org_a.actor, permissions=frozenset({"generations:read", "generations:write"}))
    with pytest.raises(PermissionDenied):
        send(writer, conversation.pk, "How?")
    assert conversations.collections_of(writer) == []
    assert [name for _, name in conversations.collections_of(org_a.actor)] == ["Manuals"]
    with pytest.raises(NotFound):
        conversations.create_conversation(org_b.actor, ChatSettings(collections=tuple(conversation.collections)))
