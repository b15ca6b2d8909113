"""The pages of conversations: what they show, what their forms do, and how many questions they ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.models import Role
from apps.core import tenancy
from apps.core.jobs import Status
from apps.studio.models import Conversation, Document, Turn
from apps.studio.services import Outcome
from tests.helpers.counting import questions_of
from tests.helpers.people import Tenant, add_person
from tests.helpers.plans import include
from tests.helpers.studio import finish, start

SignIn = Callable[[Any], Client]
JSON = {"accept": "application/json"}
pytestmark = pytest.mark.usefixtures("model")


@pytest.fixture
def owner(org_a: Tenant, client_of: SignIn) -> Client:
    return client_of(org_a.owner)


def begin(client: Client, text: str = "Which kettle?", **fields: Any) -> str:
    """The address of a conversation that this message began."""
    response = client.post("/chat/", {"text": text, "max_tokens": "20"} | fields)
    assert response.status_code == 302, response.text
    address: str = response.url
    return address


def answer(text: str = "Copper.", status: Status = Status.SUCCEEDED) -> None:
    reason = "cancelled" if status == Status.CANCELLED else "stop"
    assert finish(start(), Outcome(status, text, reason, 10, 5))


def the_turns(tenant: Tenant) -> list[Turn]:
    with tenancy.scope(tenant.id):
        return list(Turn.objects.order_by("sequence"))


def test_a_first_message_begins_a_conversation_with_its_settings(owner: Client, org_a: Tenant) -> None:
    address = begin(owner, system="Be brief.", temperature="0.1", stop="END")
    with tenancy.scope(org_a.id):
        row = Conversation.objects.get()
    assert address == f"/chat/{row.pk}/"
    assert (row.title, row.system, row.temperature, row.max_tokens, row.stop) == (
        "Which kettle?",
        "Be brief.",
        0.1,
        20,
        ["END"],
    )
    assert row.created_by_id == org_a.owner.pk
    page = owner.get(address).text
    assert "Which kettle?" in page
    assert 'aria-busy="true"' in page
    assert 'data-socket="/ws/generations/' in page


def test_a_wrong_beginning_leaves_no_conversation(owner: Client, org_a: Tenant) -> None:
    assert owner.post("/chat/", {"text": " "}, headers=JSON).status_code == 400
    assert owner.post("/chat/", {"text": "Tea", "temperature": "9"}, headers=JSON).status_code == 400
    include(1)
    refused = owner.post("/chat/", {"text": "Tea"}, headers=JSON)
    assert (refused.status_code, "allowance" in refused.json()["message"]) == (429, True)
    assert "Tea" not in owner.get("/chat/").text


def test_a_models_markdown_is_shown_and_nothing_of_it_can_be_followed(owner: Client, org_a: Tenant) -> None:
    address = begin(owner)
    answer("**Bold** <script>alert(1)</script> [here](https://evil.example/x) ![p](https://evil.example/p.png)")
    page = owner.get(address).text
    assert "<strong>Bold</strong>" in page
    assert "here (https://evil.example/x)" in page
    assert "<script>alert" not in page
    assert 'href="https://evil.example' not in page
    assert "<img" not in page


def test_an_answer_is_saved_as_a_document_by_who_may_write_documents(
    owner: Client, org_a: Tenant, client_of: SignIn
) -> None:
    address = begin(owner)
    assert "Save as document" not in owner.get(address).text
    answer("**Copper** is best.")
    [_, written] = the_turns(org_a)
    assert f'name="generation" value="{written.generation_id}"' in owner.get(address).text
    made = owner.post("/documents/", {"generation": str(written.generation_id)})
    with tenancy.scope(org_a.id):
        document = Document.objects.get()
    assert made.url == f"/documents/{document.pk}/"
    assert (document.title, document.text) == ("Which kettle?", "**Copper** is best.")
    assert document.generation_id == written.generation_id
    auditor = client_of(add_person(org_a, "auditor", Role.AUDITOR)).get(address).text
    assert ("is best." in auditor, "Save as document" in auditor) == (True, False)


def test_editing_regenerating_and_switching_are_buttons(owner: Client, org_a: Tenant) -> None:
    address = begin(owner)
    answer("Alpha first.")
    question, first = the_turns(org_a)
    owner.post(f"{address}turns/{first.pk}/again/")
    answer("Beta second.")
    page = owner.get(address).text
    assert ("<span>2/2</span>" in page, "Beta second." in page, "Alpha first." in page) == (True, True, False)
    owner.post(f"{address}turns/{first.pk}/choose/")
    assert "<span>1/2</span>" in owner.get(address).text
    owner.post(f"{address}messages/", {"text": "Which pot?", "instead_of": str(question.pk)})
    page = owner.get(address).text
    assert ("Which pot?" in page, "Alpha first." in page) == (True, False)


def test_stopping_ends_the_answer_and_offers_to_go_on(owner: Client, org_a: Tenant) -> None:
    address = begin(owner)
    _, waiting = the_turns(org_a)
    owner.post(f"{address}turns/{waiting.pk}/stop/")
    page = owner.get(address).text
    assert ("Stopped before it began" in page, "Go on" in page) == (True, False)
    owner.post(f"{address}turns/{waiting.pk}/again/")
    answer("Once", Status.CANCELLED)
    page = owner.get(address).text
    assert "Go on" in page
    written = the_turns(org_a)[-1]
    assert owner.post(f"{address}turns/{written.pk}/continue/").status_code == 302
    assert owner.post(f"{address}turns/{written.pk}/nonsense/").status_code == 404


def test_a_script_is_told_what_is_wrong_and_sends_again_under_the_same_id(owner: Client, org_a: Tenant) -> None:
    address, client_id = begin(owner), str(uuid4())
    busy = owner.post(f"{address}messages/", {"text": "More", "client_id": client_id}, headers=JSON)
    assert (busy.status_code, "still being written" in busy.json()["message"]) == (409, True)
    answer()
    for _ in range(2):
        sent = owner.post(f"{address}messages/", {"text": "More", "client_id": client_id}, headers=JSON)
        assert sent.json() == {"url": address}
    assert len(the_turns(org_a)) == 4


def test_attachments_are_shown_and_pictures_refused_with_a_word(owner: Client, org_a: Tenant) -> None:
    address = begin(owner, files=SimpleUploadedFile("notes.md", b"# Tea\nis hot"))
    page = owner.get(address).text
    assert ("notes.md" in page, "is hot" in page) == (True, True)
    answer()
    png = SimpleUploadedFile("photo.png", b"\x89PNG\r\n\x1a\n")
    refused = owner.post(f"{address}messages/", {"text": "What is it?", "files": png}, headers=JSON)
    assert (refused.status_code, "is a picture" in refused.json()["message"]) == (422, True)


def test_renaming_pinning_archiving_deleting_and_undoing(owner: Client, org_a: Tenant) -> None:
    address = begin(owner)
    owner.post(f"{address}rename/", {"title": "Kettles"})
    owner.post(f"{address}pin/")
    page = owner.get("/chat/").text
    assert ("Kettles" in page, ">Pinned<" in page) == (True, True)
    owner.post(f"{address}archive/")
    assert ("Kettles" in owner.get("/chat/").text, "Kettles" in owner.get("/chat/?list=archived").text) == (False, True)
    owner.post(f"{address}unarchive/")
    deleted = owner.post(f"{address}delete/")
    assert owner.get(address).status_code == 404
    assert f'action="{address}restore/"' in owner.get(deleted.url).text
    owner.post(f"{address}restore/")
    assert owner.get(address).status_code == 200


def test_settings_are_used_from_the_next_answer_on(owner: Client, org_a: Tenant) -> None:
    address = begin(owner)
    answer()
    owner.post(f"{address}settings/", {"system": "Shout.", "temperature": "0", "seed": "5", "max_tokens": "30"})
    with tenancy.scope(org_a.id):
        row = Conversation.objects.get()
    assert (row.system, row.temperature, row.seed, row.max_tokens) == ("Shout.", 0, 5, 30)
    assert owner.post(f"{address}settings/", {"model": "none"}, headers=JSON).status_code == 400


def test_search_shows_where_it_was_found(owner: Client) -> None:
    begin(owner, "请写一段关于人工智能的介绍")
    answer()
    begin(owner, "Which kettle?")
    page = owner.get("/chat/?q=人工智能").text
    assert "<mark>人工</mark>" in page
    assert "Which kettle" not in page
    assert "Nothing was found" in owner.get("/chat/?q=zebra").text


def test_files_can_be_taken_away(owner: Client) -> None:
    address = begin(owner, "Tea / 茶?")
    answer()
    markdown = owner.get(f"{address}export.md")
    assert markdown.text.startswith("# Tea / 茶?")
    assert "attachment" in markdown["content-disposition"]
    assert owner.get(f"{address}export.json").json()["turns"][0]["text"] == "Tea / 茶?"


def test_earlier_messages_are_a_page_of_their_own(owner: Client, org_a: Tenant) -> None:
    address = begin(owner)
    _long(org_a, 80)
    page = owner.get(address).text
    assert ("message 79" in page, "message 5<" in page, "Earlier messages" in page) == (True, False, True)
    before = page.split("?before=")[1][:36]
    assert "message 5<" in owner.get(f"{address}?before={before}").text


def _long(tenant: Tenant, count: int) -> None:
    """A conversation of many messages, as bare rows."""
    with tenancy.scope(tenant.id):
        row = Conversation.objects.get()
        parent, turns = row.tip, []
        for n in range(count):
            turn = Turn(
                organization_id=tenant.id,
                conversation=row,
                parent_id=parent,
                sequence=row.turns_counted + n + 1,
                role="user",
                text=f"message {n}",
            )
            parent = turn.pk
            turns.append(turn)
        Turn.objects.bulk_create(turns)
        Conversation.objects.update(tip=parent)


@pytest.mark.parametrize("many", [3, 300])
def test_pages_ask_a_dozen_questions_however_much_there_is(owner: Client, org_a: Tenant, many: int) -> None:
    address = begin(owner, files=SimpleUploadedFile("notes.md", b"tea"))
    answer()
    _long(org_a, many)
    with tenancy.scope(org_a.id):
        Conversation.objects.bulk_create(
            Conversation(organization_id=org_a.id, title=f"kettle {n}", created_by_id=org_a.owner.pk)
            for n in range(many)
        )
    owner.get(address)
    for path in (address, "/chat/", "/chat/?q=kettle", "/chat/?list=all"):
        assert questions_of(owner, path) <= 12, path


@pytest.mark.parametrize("path", ["/chat/", f"/chat/{UUID(int=7)}/", f"/chat/{UUID(int=7)}/export.md"])
def test_strangers_sign_in_and_outsiders_find_nothing(
    client: Client, outsider: Any, client_of: SignIn, path: str
) -> None:
    assert client.get(path).url == f"/accounts/login/?next={path}"
    assert client_of(outsider).get(path).status_code == 404


def test_another_organization_finds_no_page_of_it(
    owner: Client, org_a: Tenant, org_b: Tenant, client_of: SignIn
) -> None:
    address = begin(owner)
    turn, other = the_turns(org_a)[1], client_of(org_b.owner)
    assert other.get(address).status_code == 404
    for path in ("messages/", f"turns/{turn.pk}/again/", f"turns/{turn.pk}/stop/", "settings/", "delete/", "rename/"):
        assert other.post(f"{address}{path}", {"text": "x", "title": "x"}).status_code == 404
    assert "Which kettle" not in other.get("/chat/?list=all").text


def test_pages_speak_chinese(owner: Client) -> None:
    owner.cookies["millrace_language"] = "zh-hans"
    assert '<html lang="zh-hans">' in owner.get("/chat/").text
