"""The desk's pages: whoever may, does; whoever may not, is told so; and the second of two agents is warned."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import Membership, User
from apps.core import tenancy
from apps.support.models import Conversation, Inbox, Label, Macro, Message
from apps.support.services import messages, reading, setup
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk
from tests.helpers.people import audit_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(desk: Desk, client_of: Callable[[Any], Client]) -> Client:
    desk.agent("ann", online=False)
    return client_of(User.objects.get(email__startswith="ann@"))


@pytest.fixture
def owner(desk: Desk, client_of: Callable[[Any], Client]) -> Client:
    return client_of(desk.tenant.owner)


def act(client: Client, conversation: Conversation, name: str, **values: Any) -> Any:
    return client.post(reverse("desk-act", args=[conversation.pk, name]), values)


def test_the_list_shows_who_waits_and_leads_to_the_conversation(desk: Desk, owner: Client) -> None:
    conversation = desk.begin(text="Where is my card?")
    page = owner.get(reverse("desk"))
    assert page.status_code == 200
    assert f"#{conversation.number}" in page.content.decode()
    page = owner.get(reverse("desk-conversation", args=[conversation.pk]))
    assert "Where is my card?" in page.content.decode()
    for tab in ("mine", "open", "pending", "snoozed", "resolved", "all", "nonsense"):
        assert owner.get(reverse("desk"), {"tab": tab, "search": "card"}).status_code == 200


def test_an_answer_is_sent_once_however_often_the_form_is(desk: Desk, ann: Client) -> None:
    conversation = desk.begin()
    for _ in range(2):
        assert act(ann, conversation, "reply", text="Hello", client_id="f-1", seen_seq="2").status_code == 302
    assert [row.content for row in desk.history(conversation) if row.kind == "outgoing"] == ["Hello"]


def test_the_second_of_two_agents_is_warned_on_the_page_and_keeps_their_text(desk: Desk, ann: Client) -> None:
    conversation = desk.begin()
    seen = str(desk.again(conversation).last_sequence)
    messages.reply(desk.agent("bob"), conversation.pk, Draft("I do it"))
    page = act(ann, conversation, "reply", text="My answer", seen_seq=seen)
    assert page.status_code == 409
    shown = page.content.decode()
    assert "bob" in shown
    assert "My answer" in shown
    assert 'name="force"' in shown
    act(ann, conversation, "reply", text="My answer", seen_seq=seen, force="1")
    assert [row.content for row in desk.history(conversation) if row.kind == "outgoing"] == ["I do it", "My answer"]


def test_what_is_done_on_the_page_is_done(desk: Desk, ann: Client) -> None:
    setup.create(desk.tenant.actor, "label", {"title": "Cards"})
    macro = setup.create(desk.tenant.actor, "macro", {"name": "M", "actions": [{"action": "set_priority", "value": 1}]})
    ada = desk.visitor(name="Ada")
    conversation, other = desk.begin(ada), desk.begin(ada)
    act(ann, conversation, "mark", priority="3", labelled="1", labels=["Cards"], subject="A card")
    found = desk.again(conversation)
    assert (found.priority, found.labels, found.subject) == (3, ["Cards"], "A card")
    act(ann, conversation, "macro", macro=str(macro.pk))
    assert desk.again(conversation).priority == 1
    act(ann, conversation, "assign", agent="")
    assert desk.again(conversation).assignee_id is None
    act(ann, conversation, "claim")
    assert desk.again(conversation).assignee_id is not None
    act(ann, conversation, "note", text="@ann look")
    act(ann, conversation, "status", status="snoozed", hours="4")
    assert desk.again(conversation).status == "snoozed"
    act(ann, conversation, "status", status="resolved")
    assert desk.again(conversation).status == "resolved"
    answer = act(ann, conversation, "merge", number=f"#{other.number}")
    assert answer["location"] == reverse("desk-conversation", args=[other.pk])
    answer = act(ann, other, "transcript")
    assert answer["content-type"].startswith("text/plain")
    assert act(ann, other, "seen", seen="1").status_code == 204


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("reply", {"text": " "}),
        ("reply", {"text": "Dear {{contact.phone}}"}),
        ("status", {"status": "gone"}),
        ("status", {"status": "snoozed"}),
        ("assign", {"agent": "nobody"}),
        ("macro", {}),
        ("merge", {"number": "999"}),
        ("mark", {"labelled": "1", "labels": "unknown"}),
        ("take-back", {"sequence": "1"}),
        ("seen", {"seen": "99"}),
    ],
)
def test_what_cannot_be_done_is_told_on_the_page(desk: Desk, ann: Client, name: str, values: dict[str, str]) -> None:
    conversation = desk.begin()
    page = act(ann, conversation, name, **values)
    assert page.status_code == 400
    assert "notice-error" in page.content.decode()


def test_where_nobody_waits_the_queue_says_what_is_ones_own(desk: Desk, ann: Client) -> None:
    conversation = desk.begin()
    assert "is yours" not in ann.get(reverse("desk")).text
    with tenancy.scope(desk.tenant.id):
        mine = Membership.objects.get(user__email__startswith="ann")
    act(ann, conversation, "assign", agent=str(mine.pk))
    page = ann.get(reverse("desk")).text
    assert "Nobody waits." in page and "One conversation is yours." in page


def test_an_unknown_act_is_not_there(desk: Desk, ann: Client) -> None:
    assert act(ann, desk.begin(), "explode").status_code == 404


def test_an_original_is_shown_on_the_page_to_who_may(desk: Desk, ann: Client, owner: Client) -> None:
    conversation = desk.begin(text="4111 1111 1111 1111")
    page = act(owner, conversation, "unmask", sequence="2", reason="Chargeback 12")
    assert "4111 1111 1111 1111" in page.content.decode()
    assert act(ann, conversation, "unmask", sequence="2", reason="Chargeback 12").status_code == 403
    assert "4111" not in owner.get(reverse("desk-conversation", args=[conversation.pk])).content.decode()


def test_messages_are_text_and_never_html(desk: Desk, owner: Client) -> None:
    conversation = desk.begin(text="<script>alert(1)</script>")
    page = owner.get(reverse("desk-conversation", args=[conversation.pk])).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_what_is_new_is_given_to_a_page_that_is_open(desk: Desk, ann: Client) -> None:
    conversation = desk.begin()
    last = desk.again(conversation).last_sequence
    desk.says(conversation, "And another thing")
    page = ann.get(reverse("desk-fresh", args=[conversation.pk]), {"after": last}).content.decode()
    assert "And another thing" in page
    assert "Hello" not in page.partition('data-region="head"')[0]
    assert not audit_of(desk.tenant, "support_conversation.viewed")
    ann.get(reverse("desk-fresh", args=[conversation.pk]))
    assert len(audit_of(desk.tenant, "support_conversation.viewed")) == 1


def test_many_ready_texts_ask_no_more_than_one_and_stand_on_the_whole_page_alone(desk: Desk, ann: Client) -> None:
    conversation = desk.begin()
    place = reverse("desk-conversation", args=[conversation.pk])
    asked = []
    for number in range(3):
        setup.create(desk.tenant.actor, "canned", {"code": f"c{number}", "content": "Hello {{contact.first_name}}"})
        with CaptureQueriesContext(connection) as queries:
            page = ann.get(place).content.decode()
        asked.append(len(queries))
    assert '["c2", "Hello Ada"]' in page
    assert asked[1] == asked[2]
    with CaptureQueriesContext(connection) as queries:
        ann.get(reverse("desk-fresh", args=[conversation.pk]), {"after": 1})
    assert not [each for each in queries if "support_cannedreply" in each["sql"]]


def test_while_there_is_more_a_page_goes_on_behind_the_last_that_it_has(
    desk: Desk, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading.stretch_to, "__defaults__", (2,))
    conversation = desk.begin()
    for number in range(3):
        desk.says(conversation, f"m{number}")
    place = reverse("desk-fresh", args=[conversation.pk])
    assert 'data-last="3" data-more>' in ann.get(place, {"after": 1}).content.decode()
    assert 'data-last="5">' in ann.get(place, {"after": 3}).content.decode()


def test_the_desk_is_set_up_on_its_pages(desk: Desk, owner: Client) -> None:
    answer = owner.post(reverse("desk-inboxes"), {"name": "Web", "kind": "widget"})
    assert answer.status_code == 302
    with tenancy.scope(desk.tenant.id):
        inbox = Inbox.objects.get(name="Web")
    values = {"name": "Web 2", "origins": "https://www.example.com", "greeting": "Hi", "colour": "#112233"}
    assert owner.post(reverse("desk-inbox", args=[inbox.pk]), values).status_code == 302
    with tenancy.scope(desk.tenant.id):
        inbox.refresh_from_db()
    assert (inbox.name, inbox.origins) == ("Web 2", ["https://www.example.com"])
    page = owner.post(reverse("desk-inbox", args=[inbox.pk]), values | {"origins": "ftp://x"})
    assert page.status_code == 422
    masked = {"desk": "1", "masked": ["card", "email"], "original_days": "3", "resolve_after_days": "0"}
    assert owner.post(reverse("desk-inboxes"), masked).status_code == 302
    assert owner.post(reverse("desk-settings", args=["label"]), {"title": "Cards", "colour": "1"}).status_code == 302
    with tenancy.scope(desk.tenant.id):
        label = Label.objects.get()
    place = reverse("desk-setting", args=["label", label.pk])
    assert owner.post(place, {"title": "Loans", "colour": "2"}).status_code == 302
    assert owner.post(place, {"delete": "1"}).status_code == 302
    with tenancy.scope(desk.tenant.id):
        assert not Label.objects.exists()
    for kind in setup.KINDS:
        assert owner.get(reverse("desk-settings", args=[kind])).status_code == 200
    for name in ("desk-routing", "desk-reports", "desk-inboxes"):
        assert owner.get(reverse(name)).status_code == 200
    assert owner.get(reverse("desk-settings", args=["nonsense"])).status_code == 404


def test_an_agent_has_macros_of_their_own_and_sets_up_nothing(desk: Desk, ann: Client) -> None:
    values = {"name": "Mine", "actions-TOTAL_FORMS": "1", "actions-INITIAL_FORMS": "0"}
    values |= {"actions-0-action": "set_priority", "actions-0-choice": "priority:1"}
    assert ann.post(reverse("desk-settings", args=["macro"]), values).status_code == 302
    with tenancy.scope(desk.tenant.id):
        assert Macro.objects.get().owner_id is not None
    assert ann.post(reverse("desk-settings", args=["label"]), {"title": "X", "colour": "1"}).status_code == 403
    assert ann.get(reverse("desk-inboxes")).status_code == 403
    assert ann.get(reverse("desk-routing")).status_code == 403


def test_a_contacts_page_shows_profile_and_history(desk: Desk, owner: Client) -> None:
    conversation = desk.begin()
    place = reverse("desk-contact", args=[conversation.contact_id])
    assert f"#{conversation.number}" in owner.get(place).content.decode()
    assert owner.post(place, {"name": "Ada Lovelace", "email": "ada@example.com"}).status_code == 302
    assert "Ada Lovelace" in owner.get(place).content.decode()
    owner.post(place, {"blocked": "1"})
    assert "badge-failed" in owner.get(place).content.decode()


def test_presence_and_the_next_in_line(desk: Desk, ann: Client) -> None:
    assert ann.post(reverse("desk-presence"), {"availability": "busy"}).status_code == 302
    answer = ann.post(reverse("desk-presence"), headers={"accept": "application/json"})
    assert answer.json() == {"availability": "busy"}
    conversation = desk.begin()
    assert ann.post(reverse("desk-next"))["location"] == reverse("desk-conversation", args=[conversation.pk])
    assert ann.post(reverse("desk-next"))["location"] == reverse("desk")


def test_strangers_and_others_see_nothing(desk: Desk, other_desk: Desk, client_of: Callable[[Any], Client]) -> None:
    conversation = desk.begin(text="A secret")
    other = client_of(other_desk.tenant.owner)
    for name in ("desk-conversation", "desk-fresh"):
        assert other.get(reverse(name, args=[conversation.pk])).status_code == 404
    assert act(other, conversation, "reply", text="Hi").status_code == 404
    member = client_of(desk.tenant.member)
    assert member.get(reverse("desk")).status_code == 403
    assert Client().get(reverse("desk")).status_code == 302
    with tenancy.scope(desk.tenant.id):
        assert not Message.objects.filter(kind="outgoing").exists()


def test_a_file_is_sent_and_opened_by_a_link(desk: Desk, ann: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    conversation = desk.begin()
    upload = SimpleUploadedFile("terms.txt", b"The terms")
    assert act(ann, conversation, "reply", text="Here", files=[upload]).status_code == 302
    page = ann.get(reverse("desk-conversation", args=[conversation.pk])).content.decode()
    link = page.partition('<li><a href="')[2].partition('"')[0]
    assert b"".join(_read(ann.get(link))) == b"The terms"
    bad = SimpleUploadedFile("run.exe", b"MZ")
    assert act(ann, conversation, "reply", text="Here", files=[bad]).status_code == 422


def _read(answer: Any) -> list[bytes]:
    import asyncio

    async def whole() -> list[bytes]:
        return [part async for part in answer.streaming_content]

    return asyncio.run(whole())
