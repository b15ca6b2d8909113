"""A number of a card in parts: masked once the last part has come, in everything that is stored by then."""

import json
import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import close_old_connections
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.core import tenancy
from apps.core.models import Event
from apps.support import splitting
from apps.support.models import DialogueEvent, Message, MessageIndex, Original, TurnRecord
from apps.support.services import desk as desk_settings
from apps.support.services import indexing, unmasking
from apps.support.splitting import parts_of_card
from tests.helpers.desk import Desk

# Twice this is the number of a card, in whichever order the halves come.
HALF = "45390002"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["My card is 4111 1111", "1111 1111, until 12/27"], ["4111 1111", "1111 1111"]),
        (["4111", "1111-1111", "1111"], ["4111", "1111-1111", "1111"]),
        (["4111", "1111", "1111", "1111"], ["4111", "1111", "1111", "1111"]),
        (["6304", "0000", "0000", "0000", "000"], ["6304", "0000", "0000", "0000", "000"]),
        (["1 " * 9_990 + "4111 1111", "1111 1111" + " 1" * 9_990], ["4111 1111", "1111 1111"]),
        (["It begins with 41111111 ok?", "and goes on 11111111 thanks"], ["41111111", "11111111"]),
        (["I am 30 and 3782 822463", "10005"], ["3782 822463", "10005"]),
        (["[CARD_1]", "4111 1111", "1111 1111"], ["4111 1111", "1111 1111"]),
        (["4111 1111", "1111 1112"], []),
        (["Order 20240117", "Reference 55501234"], []),
        (["4111 1111 1111 11", "11"], []),
        (["Hello", "there"], []),
    ],
)
def test_parts_are_found_where_joined_they_are_a_card(texts: list[str], found: list[str]) -> None:
    spans = parts_of_card(texts)
    said = texts[-len(spans) :] if spans else []
    assert [text[start:end] for text, (start, end) in zip(said, spans, strict=True)] == found


def test_however_long_texts_are_few_ways_to_join_them_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, is_card = [0], splitting._is_card

    def counted(texts: Sequence[str], spans: Sequence[tuple[int, int]]) -> bool:
        looked[0] += 1
        assert looked[0] <= 1_000
        return is_card(texts, spans)

    monkeypatch.setattr(splitting, "_is_card", counted)
    assert parts_of_card(["1 " * 10_000] * 2) == []
    assert parts_of_card(["1 " * 10_000, *["1 " * 7] * 3, "1 " * 10_000]) == []
    assert looked[0] > 0


@pytest.mark.django_db
def test_parts_with_words_between_them_are_masked_where_they_stand(desk: Desk) -> None:
    talk = desk.begin(text="4111")
    for text in ("hold on", "1111", "[CARD_9]", "and", "1111", "then", "1111 is the end"):
        desk.says(talk, text)
    said = [each.content for each in desk.history(talk) if each.kind == "incoming"]
    assert not any("1111" in each or "4111" in each for each in said)
    assert [said[place] for place in (1, 3, 4, 6)] == ["hold on", "[CARD_9]", "and", "then"]
    assert said[-1].endswith(" is the end")


@pytest.mark.django_db
def test_what_is_stored_already_is_masked_when_the_last_part_comes(desk: Desk) -> None:
    talk = desk.begin(text="My card is 4111 1111")
    with tenancy.scope(desk.tenant.id):
        TurnRecord.objects.create(
            organization=desk.tenant.organization,
            conversation=talk,
            through=2,
            text="My card is 4111 1111",
            outcome="x",
        )
        body = json.dumps({"kind": "Filled", "value": "41111111", "at": 4111, "id": "a4111 11112"})
        DialogueEvent.objects.create(organization=desk.tenant.organization, conversation=talk, position=0, body=body)
    desk.says(talk, "1111 1111 is the rest")
    said = [each for each in desk.history(talk) if each.kind == "incoming"]
    assert [each.content for each in said] == ["My card is [CARD_1]", "[CARD_2] is the rest"]
    assert [each.masked for each in said] == [["card"], ["card"]]
    told = [each for each in desk.history(talk) if each.details.get("why") == "masked_later"]
    assert [each.details["messages"] for each in told] == [[said[0].sequence]]
    with tenancy.scope(desk.tenant.id):
        assert TurnRecord.objects.get().text == "My card is [CARD_1]"
        remembered = json.loads(DialogueEvent.objects.get().body)
        assert remembered == {"kind": "Filled", "value": "[CARD_1]", "at": 4111, "id": "a4111 11112"}
        assert not indexing.matches("41111111")
        assert not indexing.matches("4111")
        assert MessageIndex.objects.filter(message=said[0]).exists()
        events = Event.objects.filter(type="support_message.changed")
        assert [each.data["changed"] for each in events] == [["content"]]
        assert AuditEntry.objects.filter(action="support_message.masked_later").count() == 1
    shown = unmasking.unmask(desk.tenant.actor, talk.pk, said[0].sequence, "The bank asked for it")
    assert shown == "My card is 4111 1111"


@pytest.mark.django_db
def test_what_was_masked_in_a_message_before_stays_readable(desk: Desk) -> None:
    talk = desk.begin(text="Not 5555 5555 5555 4444 but 4111 1111")
    desk.says(talk, "1111 1111")
    [first, _second] = [each for each in desk.history(talk) if each.kind == "incoming"]
    assert first.content == "Not [CARD_1] but [CARD_2]"
    shown = unmasking.unmask(desk.tenant.actor, talk.pk, first.sequence, "The bank asked for it")
    assert shown == "Not 5555 5555 5555 4444 but 4111 1111"


@pytest.mark.django_db
def test_neither_old_parts_nor_those_of_others_are_joined(desk: Desk) -> None:
    talk = desk.begin(text="4111 1111")
    with tenancy.scope(desk.tenant.id):
        Message.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    desk.says(talk, "1111 1111")
    other = desk.begin(text="4111 1111")
    desk.begin(text="1111 1111")
    for each in (talk, other):
        assert not any(message.masked for message in desk.history(each))


@pytest.mark.django_db
def test_a_desk_that_keeps_no_originals_keeps_none_of_parts(desk: Desk) -> None:
    desk_settings.change_settings(desk.tenant.actor, {"original_days": 0})
    talk = desk.begin(text="4111 1111")
    desk.says(talk, "1111 1111")
    with tenancy.scope(desk.tenant.id):
        assert not Original.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_parts_that_come_at_once_the_later_one_sees_the_earlier(desk: Desk) -> None:
    talk = desk.begin(text="Here it comes")
    barrier = threading.Barrier(2)

    def write() -> None:
        barrier.wait()
        desk.says(talk, HALF)
        close_old_connections()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [each.content for each in desk.history(talk) if each.kind == "incoming"]
    assert texts == ["Here it comes", "[CARD_1]", "[CARD_2]"]
