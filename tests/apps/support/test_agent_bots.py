"""Programs that answer in inboxes: told in order, heard while the conversation is theirs, silent once a person acts."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading

import pytest
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from apps.core import signatures, tenancy
from apps.core.errors import Conflict
from apps.support.models import BotTurn, Inbox, Message
from apps.support.services import conversations, inboxes, messages
from apps.support.services.agent_bots import setting
from apps.support.services.storing import Draft
from tests.helpers.agent_bots import account_number, connect, soon, work
from tests.helpers.desk import Desk, open_desk
from tests.helpers.people import Tenant
from tests.helpers.webhooks import Receiver, answering, receiving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _receivers_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)


def told(there: Receiver) -> list[tuple[str, str]]:
    return [(each.message["event"], each.message.get("content", "")) for each in there.got]


def test_a_bot_is_told_in_order_and_answers_with_its_token(desk: Desk) -> None:
    with receiving() as there:
        bot = connect(desk, there.url)
        talk = desk.begin(text="My card is 4111 1111 1111 1111")
        desk.says(talk, "Hello?")
        work()
        answer = bot(talk, "/messages", {"content": "Which card?", "echo_id": "e-1", "template_params": {}})
        again = bot(talk, "/messages", {"content": "Which card?", "echo_id": "e-1"})
        work()
    assert talk.status == "pending"
    assert told(there) == [
        ("message_created", "My card is [CARD_1]"),
        ("message_created", "Hello?"),
        ("message_created", "Which card?"),
    ]
    first = there.got[0]
    assert (first.message["message_type"], first.message["conversation"]["status"]) == ("incoming", "pending")
    assert first.message["account"]["id"] == answer.json()["account_id"] == account_number(desk)
    assert answer.status_code == 200, answer.content
    assert answer.json()["id"] == again.json()["id"]
    sender = answer.json()["sender"]
    assert (isinstance(sender["id"], int), sender["name"], sender["type"]) == (True, "Helper", "agent_bot")
    signed = f"{first.headers['x-chatwoot-timestamp']}.".encode() + first.body
    right = hmac.new(bot.shown.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert first.headers["x-chatwoot-signature"] == f"sha256={right}"
    assert signatures.verify(first.headers, first.body, [bot.shown.secret], timezone.now().timestamp())
    with tenancy.scope(desk.tenant.id):
        # The own bot has nothing to do there.
        assert not BotTurn.objects.exists()


def test_the_next_message_waits_for_the_one_before(desk: Desk) -> None:
    with receiving(answering(500), answering(204)) as there:
        connect(desk, there.url)
        talk = desk.begin(text="One")
        desk.says(talk, "Two")
        assert work() == 1
        soon(desk)
        work()
    assert [content for _event, content in told(there)] == ["One", "One", "Two"]
    assert len({each.id for each in there.got}) == 2


def test_a_bot_is_silent_from_the_moment_a_person_acts(desk: Desk) -> None:
    with receiving() as there:
        bot = connect(desk, there.url)
        talk = desk.begin(text="Hello")
        messages.reply(desk.agent("ann"), talk.pk, Draft("I am here"))
        for path, body in (
            ("/messages", {"content": "And I"}),
            ("/messages", {"content": "A note", "private": True}),
            ("/labels", {"labels": []}),
            ("/custom_attributes", {"custom_attributes": {"a": 1}}),
            ("/toggle_status", {"status": "pending"}),
            ("/toggle_status", {"status": "resolved"}),
        ):
            refused = bot(talk, path, body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "bot_silent"), path
        work()
    # What was still to be told of the conversation is not sent; that people have it is.
    assert told(there) == [("conversation_opened", "")]
    assert [each.author for each in desk.history(talk) if each.kind == "outgoing"] == ["agent"]


def test_of_a_bot_and_a_person_who_answer_at_once_the_person_has_the_last_word(desk: Desk) -> None:
    bot, ann = connect(desk), desk.agent("ann")
    talk = desk.begin(text="Hello")
    barrier = threading.Barrier(2)
    statuses: list[int] = []

    def speak() -> None:
        barrier.wait()
        for number in range(6):
            statuses.append(bot(talk, "/messages", {"content": f"Bot {number}"}).status_code)
        close_old_connections()

    def act() -> None:
        barrier.wait()
        messages.reply(ann, talk.pk, Draft("Person"))
        close_old_connections()

    threads = [threading.Thread(target=speak), threading.Thread(target=act)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [each for each in desk.history(talk) if each.kind == "outgoing"]
    place = next(index for index, each in enumerate(said) if each.author == "agent")
    assert place == len(said) - 1
    assert statuses == [200] * place + [409] * (6 - place)


def test_a_bot_hands_over_and_leaves_what_people_need(desk: Desk) -> None:
    from apps.support.services import setup

    setup.create(desk.tenant.actor, "label", {"title": "card"})
    bot = connect(desk)
    talk = desk.begin(text="Hello")
    opened = bot(talk, "/toggle_status", {"status": "open"})
    assert opened.json()["payload"]["current_status"] == "open"
    assert bot(talk, "/messages", {"content": "He wants a card", "private": True}).status_code == 200
    assert bot(talk, "/labels", {"labels": ["card"]}).json() == {"payload": ["card"]}
    assert bot(talk, "/toggle_priority", {"priority": "high"}).status_code == 200
    assert bot(talk, "/custom_attributes", {"custom_attributes": {"kind": "card"}}).status_code == 200
    assert bot(talk, "/messages", {"content": "Still here"}).status_code == 409
    found = bot(talk, "").json()
    assert (found["status"], found["labels"], found["priority"]) == ("open", ["card"], "high")
    assert found["custom_attributes"] == {"kind": "card"}
    assert [each["private"] for each in bot(talk, "/messages").json()["payload"]] == [False, True]
    row = desk.again(talk)
    assert row.waiting_since is not None
    assert not row.bot_owns


def test_a_bot_reaches_its_inboxes_and_nothing_else(desk: Desk, other_desk: Desk, org_b: Tenant) -> None:
    bot, elsewhere = connect(desk), connect(other_desk)
    mine, theirs = desk.begin(text="Mine"), other_desk.begin(text="Theirs")
    beside = open_desk(desk.tenant, "Beside").begin(text="Beside")
    assert bot(mine, "").status_code == 200
    assert bot(beside, "").status_code == 404
    assert bot(beside, "/messages", {"content": "Hello"}).status_code == 404
    assert bot(theirs, "", account=str(org_b.id)).status_code == 404
    assert elsewhere(mine, "/messages", {"content": "Hello"}, account=bot.account).status_code == 404
    for token, code in (("", "invalid_api_key"), ("wrong", "invalid_api_key"), ("mrbot_wrong", "not_authenticated")):
        refused = bot(mine, "", token=token)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, code)
    renewed = setting.renew_token(desk.tenant.actor, bot.shown.bot.pk)
    assert bot(mine, "").status_code == 401
    assert bot(mine, "", token=renewed.token).status_code == 200


def test_a_bot_is_not_answered_with_what_others_have_said(desk: Desk) -> None:
    bot = connect(desk)
    talk = desk.begin(text="Hello")
    messages.note(desk.agent("ann"), talk.pk, Draft("Between us", "e-1"))
    refused = bot(talk, "/messages", {"content": "Hi", "echo_id": "e-1"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "conflict")
    assert "Between us" not in refused.content.decode()


def test_what_a_bot_says_is_masked(desk: Desk) -> None:
    bot = connect(desk)
    talk = desk.begin(text="Hello")
    said = bot(
        talk,
        "/messages",
        {"content": "You wrote 4111 1111 1111 1111", "content_attributes": {"items": ["4111111111111111"]}},
    )
    assert said.json()["content"] == "You wrote [CARD_1]"
    assert "4111111111111111" not in json.dumps(said.json())


def test_an_inbox_has_one_bot_and_what_a_removed_one_had_goes_to_people(desk: Desk) -> None:
    actor = desk.tenant.actor
    inboxes.change(actor, desk.inbox.pk, {"bot_enabled": True})
    bot = connect(desk)
    with tenancy.scope(desk.tenant.id):
        assert not Inbox.objects.get(pk=desk.inbox.pk).bot_enabled
    with pytest.raises(Conflict):
        inboxes.change(actor, desk.inbox.pk, {"bot_enabled": True})
    with pytest.raises(Conflict):
        connect(desk, name="Another")
    talk = desk.begin(text="Hello")
    setting.delete(actor, bot.shown.bot.pk)
    row = desk.again(talk)
    assert (row.status, row.bot_owns) == ("open", False)


def test_a_person_gives_a_conversation_back_and_the_bot_hears_again(desk: Desk) -> None:
    with receiving() as there:
        bot = connect(desk, there.url)
        talk = desk.begin(text="Hello")
        ann = desk.agent("ann")
        messages.reply(ann, talk.pk, Draft("Here"))
        conversations.return_to_bot(ann, talk.pk)
        desk.says(talk, "And now?")
        work()
        assert bot(talk, "/messages", {"content": "Now me"}).status_code == 200
    assert ("message_created", "And now?") in told(there)


def test_a_bot_that_resolves_is_told_and_the_next_message_is_its_own_again(desk: Desk) -> None:
    with receiving() as there:
        bot = connect(desk, there.url)
        talk = desk.begin(text="Hello")
        assert bot(talk, "/toggle_status", {"status": "resolved"}).status_code == 200
        desk.says(talk, "One more thing")
        work()
    assert told(there)[-2:] == [("conversation_resolved", ""), ("message_created", "One more thing")]
    with tenancy.scope(desk.tenant.id):
        assert Message.objects.filter(conversation=talk, content="One more thing").exists()
    assert desk.again(talk).bot_owns
