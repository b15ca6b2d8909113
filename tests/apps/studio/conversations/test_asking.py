"""Messages and answers as a tree: who sends what from where, and what a model is given of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict, InsufficientQuota, InvalidRequest, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.studio import services as studio
from apps.studio import throttle
from apps.studio.models import Conversation, Generation, Turn
from apps.studio.services import Outcome, conversations
from apps.studio.services.conversations import ChatSettings, Draft, File
from ml.types import SamplingParams
from tests.helpers.people import Tenant
from tests.helpers.plans import include
from tests.helpers.studio import finish, held, start

pytestmark = pytest.mark.usefixtures("model")


def begin(tenant: Tenant, **settings: Any) -> Conversation:
    return conversations.create_conversation(tenant.actor, ChatSettings(**{"max_tokens": 20} | settings))


def send(tenant: Tenant, conversation: Conversation, text: str, actor: Actor | None = None, **draft: Any) -> Turn:
    who = actor or tenant.actor
    turn, _ = throttle.converse(
        who, lambda limits: conversations.prepare_message(who, conversation.pk, Draft(text, **draft), limits)
    )
    return turn


def again(tenant: Tenant, conversation: Conversation, turn: Turn) -> Turn:
    answer, _ = throttle.converse(
        tenant.actor, lambda limits: conversations.prepare_answer(tenant.actor, conversation.pk, turn.pk, limits)
    )
    return answer


def answered(text: str = "Yes.", status: Status = Status.SUCCEEDED, tokens: int = 5) -> None:
    reason = {"succeeded": "stop", "cancelled": "cancelled"}.get(status, "error")
    assert finish(start(), Outcome(status, text, reason, 10, tokens))


def given(tenant: Tenant, turn: Turn) -> list[tuple[str, str]]:
    """What the model was given for an answer."""
    with tenancy.scope(tenant.id):
        messages = Generation.objects.get(pk=turn.generation_id).messages
    return [(message["role"], message["content"]) for message in messages]


def branch(tenant: Tenant, conversation: Conversation) -> list[tuple[str, int, int]]:
    shown = conversations.get_branch(tenant.actor, conversation.pk).turns
    return [(s.turn.text or (s.turn.generation.text if s.turn.generation else ""), s.number, s.count) for s in shown]


def test_an_answer_is_asked_for_with_everything_said_before(org_a: Tenant) -> None:
    conversation = begin(org_a, system="Be brief.")
    send(org_a, conversation, "Hello")
    answered("Hi.")
    second = send(org_a, conversation, "And now?")
    assert given(org_a, second) == [
        ("system", "Be brief."),
        ("user", "Hello"),
        ("assistant", "Hi."),
        ("user", "And now?"),
    ]
    with tenancy.scope(org_a.id):
        conversation.refresh_from_db()
        sequences = list(Turn.objects.order_by("sequence").values_list("sequence", flat=True))
    assert (conversation.title, conversation.tip, sequences) == ("Hello", second.pk, [1, 2, 3, 4])


def test_editing_a_message_makes_a_branch_and_keeps_the_other(org_a: Tenant) -> None:
    conversation = begin(org_a)
    first = send(org_a, conversation, "One")
    answered("1")
    send(org_a, conversation, "Two")
    answered("2")
    edited = send(org_a, conversation, "Uno", instead_of=first.parent_id)
    assert given(org_a, edited) == [("user", "Uno")]
    answered("1!")
    assert branch(org_a, conversation) == [("Uno", 2, 2), ("1!", 1, 1)]
    assert first.parent_id is not None
    conversations.choose_branch(org_a.actor, conversation.pk, first.parent_id)
    assert branch(org_a, conversation) == [("One", 1, 2), ("1", 1, 1), ("Two", 1, 1), ("2", 1, 1)]


def test_another_answer_stands_beside_the_first_with_a_seed_of_its_own(org_a: Tenant) -> None:
    conversation = begin(org_a, sampling=SamplingParams(seed=7))
    first = send(org_a, conversation, "One")
    answered("1")
    second = again(org_a, conversation, first)
    answered("2")
    assert second.parent_id == first.parent_id
    assert branch(org_a, conversation) == [("One", 1, 1), ("2", 2, 2)]
    with tenancy.scope(org_a.id):
        seeds = dict(Generation.objects.values_list("pk", "seed"))
    assert seeds[first.generation_id] == 7 != seeds[second.generation_id]


def test_a_failed_answer_is_tried_again_and_leaves_nothing_in_the_context(org_a: Tenant) -> None:
    conversation = begin(org_a)
    first = send(org_a, conversation, "One")
    answered("", Status.FAILED, 0)
    third = send(org_a, conversation, "Still there?")
    assert given(org_a, third) == [("user", "One\n\nStill there?")]
    answered("Yes.")
    retried = again(org_a, conversation, first)
    assert given(org_a, retried) == [("user", "One")]


def test_an_answer_that_was_stopped_can_be_gone_on_with(org_a: Tenant) -> None:
    conversation = begin(org_a)
    first = send(org_a, conversation, "Tell me")
    answered("Once upon", Status.CANCELLED)
    on, _ = throttle.converse(
        org_a.actor,
        lambda limits: conversations.prepare_continuation(org_a.actor, conversation.pk, first.pk, limits),
    )
    assert given(org_a, on)[1:] == [("assistant", "Once upon"), ("user", "Go on exactly where you stopped.")]


def test_nothing_is_continued_that_has_not_begun(org_a: Tenant) -> None:
    conversation = begin(org_a)
    first = send(org_a, conversation, "Tell me")
    with pytest.raises(Conflict):
        conversations.prepare_continuation(org_a.actor, conversation.pk, first.pk)


def test_nothing_is_sent_into_an_answer_that_is_being_written(org_a: Tenant) -> None:
    conversation = begin(org_a)
    send(org_a, conversation, "One")
    with pytest.raises(Conflict, match="still being written"):
        send(org_a, conversation, "Two")
    assert len(branch(org_a, conversation)) == 2


def test_what_is_sent_twice_under_one_client_id_is_there_once(org_a: Tenant) -> None:
    conversation, client_id = begin(org_a), uuid4()
    first = send(org_a, conversation, "One", client_id=client_id)
    second = send(org_a, conversation, "One", client_id=client_id)
    assert second.pk == first.pk
    with tenancy.scope(org_a.id):
        assert (Turn.objects.count(), Generation.objects.count()) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_two_windows_sending_at_once_lose_nothing(org_a: Tenant) -> None:
    """From the same end both become branches of it; the sequence has no hole and no number twice."""
    conversation = begin(org_a)
    texts = [f"Message {n}" for n in range(6)]

    # Prepared while nothing is there yet, as by windows that show the same.
    questions = [conversations.prepare_message(org_a.actor, conversation.pk, Draft(text)) for text in texts]

    def accepting(question: Any) -> UUID:
        try:
            return conversations.accept_question(org_a.actor, question)[0].pk
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(accepting, questions))
    with tenancy.scope(org_a.id):
        rows = list(Turn.objects.order_by("sequence"))
        conversation.refresh_from_db()
    assert [row.sequence for row in rows] == list(range(1, 13))
    assert {row.text for row in rows if row.role == "user"} == set(texts)
    assert {row.parent_id for row in rows if row.role == "user"} == {None}
    assert conversation.tip in answers


def test_the_oldest_messages_are_left_out_when_they_no_longer_fit(org_a: Tenant) -> None:
    conversation = begin(org_a, max_tokens=100)
    long = "tea kettle " * 120
    for _ in range(4):
        send(org_a, conversation, long)
        answered("Well. " * 20, tokens=40)
    last = send(org_a, conversation, "What did I say?")
    messages = given(org_a, last)
    assert last.left_out > 0
    assert messages[0][0] == "user"
    assert messages[-1] == ("user", "What did I say?")
    assert len(messages) == 9 - last.left_out
    shown = conversations.get_branch(org_a.actor, conversation.pk)
    assert [s.left_out for s in shown.turns] == [True] * last.left_out + [False] * (10 - last.left_out)


def test_attachments_come_before_the_message_and_stay_when_it_is_edited(org_a: Tenant) -> None:
    conversation = begin(org_a)
    first = send(org_a, conversation, "Sum it up.", files=(File("sales.csv", b"month,sum\nMay,3\n"),))
    text = "[sales.csv]\nmonth,sum\nMay,3\n[/sales.csv]\n\nSum it up."
    assert given(org_a, first) == [("user", text)]
    answered()
    edited = send(org_a, conversation, "Shorter.", instead_of=first.parent_id)
    assert given(org_a, edited) == [("user", text.replace("Sum it up.", "Shorter."))]


def test_a_refusal_leaves_nothing_behind(org_a: Tenant) -> None:
    conversation = begin(org_a)
    include(1)
    with pytest.raises(InsufficientQuota):
        send(org_a, conversation, "One")
    with tenancy.scope(org_a.id):
        conversation.refresh_from_db()
        assert (Turn.objects.count(), conversation.turns_counted, conversation.title) == (0, 0, "")
    assert held(org_a) == 0


def test_settings_are_checked_like_a_request(org_a: Tenant) -> None:
    with pytest.raises(InvalidRequest, match="temperature"):
        begin(org_a, sampling=SamplingParams(temperature=9))
    with pytest.raises(NotFound):
        begin(org_a, model_name="no-such-model")


def test_only_who_may_write_sends(org_a: Tenant) -> None:
    conversation = begin(org_a)
    reader = replace(org_a.actor, permissions=frozenset({"generations:read"}))
    with pytest.raises(PermissionDenied):
        send(org_a, conversation, "One", actor=reader)
    assert conversations.get_branch(reader, conversation.pk).turns == []


def test_another_organization_finds_none_of_it(org_a: Tenant, org_b: Tenant) -> None:
    conversation = begin(org_a)
    turn = send(org_a, conversation, "The secret of tea")
    actor, id = org_b.actor, conversation.pk
    for act in (
        lambda: conversations.get_branch(actor, id),
        lambda: conversations.prepare_message(actor, id, Draft("Hi")),
        lambda: conversations.prepare_answer(actor, id, turn.pk),
        lambda: conversations.choose_branch(actor, id, turn.pk),
        lambda: conversations.rename_conversation(actor, id, "Mine"),
        lambda: conversations.delete_conversation(actor, id),
        lambda: conversations.as_json(actor, id),
    ):
        with pytest.raises(NotFound):
            act()
    own = begin(org_b)
    with pytest.raises(NotFound):
        conversations.prepare_message(actor, own.pk, Draft("Hi", after=turn.pk))
    assert conversations.list_conversations(actor, search="secret").rows == []


def test_erased_generations_leave_the_conversation_standing(org_a: Tenant) -> None:
    conversation = begin(org_a)
    send(org_a, conversation, "One")
    answered()
    with tenancy.scope(org_a.id):
        Generation.objects.all().delete()
    assert branch(org_a, conversation) == [("One", 1, 1), ("", 1, 1)]
    assert studio.conversations.as_markdown(org_a.actor, conversation.pk)[1].startswith("# One\n")
