"""Suggestions and comments: bound to their words, which move, and to nothing else of the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail as outbox
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core import mail, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, TextGone
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio.models import Document, DocumentComment, Generation, Suggestion
from apps.studio.services import Outcome, documents
from apps.studio.services.documents import Selection, Wish
from ml.text.revising import instructions
from tests.helpers.people import Tenant, acting, audit_of, events_of
from tests.helpers.studio import finish, start

TEXT = "# Mühle 🙂\n\nThe mill stands by the river. It turns.\n\nThe mill is old.\n"
QUOTE = "The mill stands by the river."
ClientOf = Callable[[Any], Client]


@pytest.fixture
def document(org_a: Tenant, model: ModelVersion) -> Document:
    return documents.create(org_a.actor, "Mill", TEXT)


def chosen(text: str = TEXT, quote: str = QUOTE, revision: int = 1) -> Selection:
    start = text.index(quote)
    return Selection(revision, start, start + len(quote), quote)


def suggested(tenant: Tenant, document: Document, words: str = "A mill by the water.", **wish: Any) -> Suggestion:
    made = documents.suggest(tenant.actor, document.pk, chosen(), Wish(**{"action": "rewrite"} | wish))
    assert finish(start(), Outcome(Status.SUCCEEDED, words, "stop", 10, 5))
    return documents.suggestion(tenant.actor, document.pk, made.pk)


def text_of(tenant: Tenant, document: Document) -> str:
    return documents.get(tenant.actor, document.pk).text


def test_a_suggestion_is_a_generation_asked_about_the_words_alone(org_a: Tenant, document: Document) -> None:
    made = documents.suggest(org_a.actor, document.pk, chosen(), Wish("shorten"))
    with tenancy.scope(org_a.id):
        generation = Generation.objects.get(pk=made.generation_id)
    assert generation.origin == "document"
    assert f"<passage>\n{QUOTE}\n</passage>" in generation.messages[-1]["content"]
    assert documents.status_of(made) == "writing"
    assert text_of(org_a, document) == TEXT
    assert events_of(org_a)[-1] == "suggestion.requested"


@pytest.mark.parametrize("action", ["rewrite", "shorten", "expand", "translate", "continue"])
def test_every_action_names_its_task_and_marks_the_passage(action: str) -> None:
    _system, user = instructions(action, "Mill", "Before.\n\nWords.\n\nAfter.", 9, 15, "zh-hans")
    assert "<passage>\nWords.\n</passage>" in user
    assert "<before>\nBefore.\n</before>" in user
    assert ("Simplified Chinese" in user) == (action == "translate")
    assert ("<after>" in user) == (action != "continue")


def test_accepting_changes_the_quoted_words_and_not_a_byte_besides(org_a: Tenant, document: Document) -> None:
    suggestion = suggested(org_a, document, "  A mill by the water.\n")
    accepted = documents.accept(org_a.actor, document.pk, suggestion.pk)
    assert accepted.text == TEXT.replace(QUOTE, "A mill by the water.")
    assert documents.version(org_a.actor, document.pk, 1).text == TEXT, "and it can be taken back"
    assert len(audit_of(org_a, "suggestion.accepted")) == 1
    with pytest.raises(NotFound):
        documents.accept(org_a.actor, document.pk, suggestion.pk)


@given(
    before=st.text("ab 磨🙂\n", max_size=12),
    after=st.text("ab 磨🙂\n", max_size=12),
    words=st.text("xy 水\n", min_size=1),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_around_the_words_stays(
    org_a: Tenant, model: ModelVersion, before: str, after: str, words: str
) -> None:
    if not words.strip():
        return
    document = documents.create(org_a.actor, "Mill", f"{before}<QUOTE>{after}")
    selection = Selection(1, len(before), len(before) + 7, "<QUOTE>")
    made = documents.suggest(org_a.actor, document.pk, selection, Wish("rewrite"))
    assert finish(start(), Outcome(Status.SUCCEEDED, words, "stop", 10, 5))
    assert documents.accept(org_a.actor, document.pk, made.pk).text == f"{before}{words.strip()}{after}"


def test_a_continuation_comes_behind_the_words(org_a: Tenant, document: Document) -> None:
    suggestion = suggested(org_a, document, "Nobody knows why.", action="continue")
    text = documents.accept(org_a.actor, document.pk, suggestion.pk).text
    assert text == TEXT.replace(QUOTE, f"{QUOTE} Nobody knows why.")


def test_a_suggestion_moves_with_its_words(org_a: Tenant, document: Document) -> None:
    suggestion = suggested(org_a, document)
    changed = TEXT.replace("# Mühle 🙂", "# A longer heading").replace("old", "very old")
    documents.save(org_a.actor, document.pk, 1, changed)
    documents.accept(org_a.actor, document.pk, suggestion.pk)
    assert text_of(org_a, document) == changed.replace(QUOTE, "A mill by the water.")


def test_a_suggestion_is_refused_in_words_when_its_place_is_gone(
    org_a: Tenant, client_of: ClientOf, document: Document
) -> None:
    suggestion = suggested(org_a, document)
    documents.save(org_a.actor, document.pk, 1, TEXT.replace("stands", "stood"))
    assert documents.status_of(documents.suggestion(org_a.actor, document.pk, suggestion.pk)) == "gone"
    with pytest.raises(TextGone):
        documents.accept(org_a.actor, document.pk, suggestion.pk)
    path = reverse("document-suggestion-act", args=[document.pk, suggestion.pk, "accept"])
    answer = client_of(org_a.member).post(path, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (409, "text_gone")
    assert "no longer in the document" in answer.json()["message"]
    documents.save(org_a.actor, document.pk, 2, TEXT)
    documents.accept(org_a.actor, document.pk, suggestion.pk)
    assert text_of(org_a, document) == TEXT.replace(QUOTE, "A mill by the water."), "back when the words are"


def test_rejecting_leaves_everything(org_a: Tenant, document: Document) -> None:
    suggestion = suggested(org_a, document)
    documents.reject(org_a.actor, document.pk, suggestion.pk)
    assert (text_of(org_a, document), documents.get(org_a.actor, document.pk).revision) == (TEXT, 1)
    assert documents.status_of(documents.suggestion(org_a.actor, document.pk, suggestion.pk)) == "rejected"


def test_what_has_no_words_yet_is_not_accepted(org_a: Tenant, document: Document) -> None:
    made = documents.suggest(org_a.actor, document.pk, chosen(), Wish("expand"))
    with pytest.raises(Conflict):
        documents.accept(org_a.actor, document.pk, made.pk)
    assert finish(start(), Outcome(Status.FAILED, "Half", error_code="engine_error"))
    with pytest.raises(Conflict):
        documents.accept(org_a.actor, document.pk, made.pk)


def test_what_cannot_be_asked_is_refused_and_charges_nothing(org_a: Tenant, document: Document) -> None:
    wrong = [
        (chosen(), Wish("sing")),
        (chosen(), Wish("translate")),
        (Selection(1, 0, 5, "   "), Wish("rewrite")),
        (Selection(1, 9, 3, "mill"), Wish("rewrite")),
    ]
    for selection, wish in wrong:
        with pytest.raises(InvalidRequest):
            documents.suggest(org_a.actor, document.pk, selection, wish)
    with pytest.raises(TextGone):
        documents.suggest(org_a.actor, document.pk, Selection(1, 0, 5, "never there"), Wish("rewrite"))
    with tenancy.scope(org_a.id):
        assert Generation.objects.count() == Suggestion.objects.count() == 0


# ---------------------------------------------------------------- comments


def test_a_thread_is_answered_resolved_and_reopened(org_a: Tenant, document: Document) -> None:
    head = documents.comment(org_a.actor, document.pk, chosen(), "Is it?")
    member = acting(org_a, org_a.member)
    documents.answer(member, document.pk, head.pk, "It is.")
    documents.resolve(member, document.pk, head.pk)
    with tenancy.scope(org_a.id):
        [thread] = documents.threads(document)
    assert [each.text for each in thread.replies] == ["It is."]
    assert thread.resolved_by == org_a.member
    documents.answer(member, document.pk, thread.replies[0].pk, "Or not.")
    with tenancy.scope(org_a.id):
        [thread] = documents.threads(document)
    assert thread.resolved_at is None
    assert len(thread.replies) == 2
    documents.delete_comment(org_a.actor, document.pk, head.pk)
    with tenancy.scope(org_a.id):
        assert documents.threads(document) == []


def test_a_comment_stays_at_its_words_or_says_that_they_are_gone(org_a: Tenant, document: Document) -> None:
    head = documents.comment(org_a.actor, document.pk, chosen(), "Here")
    documents.save(org_a.actor, document.pk, 1, f"Before.\n\n{TEXT}")
    with tenancy.scope(org_a.id):
        head.refresh_from_db()
    assert text_of(org_a, document)[head.start : head.end] == QUOTE
    documents.save(org_a.actor, document.pk, 2, "Nothing of it.")
    with tenancy.scope(org_a.id):
        head.refresh_from_db()
    assert head.gone_at is not None


def test_who_is_mentioned_is_told_by_mail_and_nobody_else(
    org_a: Tenant, org_b: Tenant, document: Document, settings: Any
) -> None:
    settings.BASE_URL = "https://mill.example"
    words = f"@member and @{org_a.admin.email}, @nobody, @{org_b.owner.email}, me@member.example and @owner"
    found = documents.comment(org_a.actor, document.pk, chosen(), words)
    assert set(found.mentions) == {org_a.member.pk, org_a.admin.pk, org_a.owner.pk}
    mail.deliver_due()
    told = {message.to[0]: message for message in outbox.outbox}
    assert set(told) == {org_a.member.email, org_a.admin.email}, "not whoever wrote it"
    message = told[org_a.member.email]
    assert "Mill" in message.subject
    assert f"https://mill.example/documents/{document.pk}/" in message.body


# ---------------------------------------------------------------- others


def test_nobody_of_another_organization_gets_near(
    org_a: Tenant, org_b: Tenant, outsider: Any, client_of: ClientOf, document: Document
) -> None:
    suggestion = suggested(org_a, document)
    head = documents.comment(org_a.actor, document.pk, chosen(), "Ours")
    own = documents.create(org_b.actor, "Theirs", TEXT)
    for act in (
        lambda: documents.suggest(org_b.actor, document.pk, chosen(), Wish("rewrite")),
        lambda: documents.accept(org_b.actor, document.pk, suggestion.pk),
        lambda: documents.accept(org_b.actor, own.pk, suggestion.pk),
        lambda: documents.reject(org_b.actor, own.pk, suggestion.pk),
        lambda: documents.comment(org_b.actor, document.pk, chosen(), "Mine"),
        lambda: documents.answer(org_b.actor, own.pk, head.pk, "Mine"),
        lambda: documents.resolve(org_b.actor, own.pk, head.pk),
        lambda: documents.delete_comment(org_b.actor, own.pk, head.pk),
        lambda: documents.suggestion(org_a.actor, document.pk, uuid4()),
    ):
        with pytest.raises(NotFound):
            act()
    path = reverse("document-suggestion-act", args=[document.pk, suggestion.pk, "accept"])
    assert client_of(org_b.owner).post(path).status_code == 404
    assert client_of(outsider).post(path).status_code == 404
    assert Client().post(path).status_code == 302
    assert text_of(org_a, document) == TEXT
    with tenancy.scope(org_a.id):
        assert DocumentComment.objects.count() == 1


def test_a_page_asks_follows_and_decides(org_a: Tenant, client_of: ClientOf, document: Document) -> None:
    client, headers = client_of(org_a.member), {"accept": "application/json"}
    begin = TEXT.index(QUOTE)
    body = {"revision": 1, "start": begin, "end": begin + len(QUOTE), "quote": QUOTE, "action": "rewrite"}
    path = reverse("document-suggest", args=[document.pk])
    asked = client.post(path, body, content_type="application/json", headers=headers)
    assert asked.status_code == 201
    margin = client.get(reverse("document-margin", args=[document.pk])).content.decode()
    assert f'data-generation="{asked.json()["generation"]}"' in margin
    assert "data-busy" in margin
    assert finish(start(), Outcome(Status.SUCCEEDED, "<b>Bold</b> words.", "stop", 10, 5))
    margin = client.get(reverse("document-margin", args=[document.pk])).content.decode()
    assert "&lt;b&gt;Bold&lt;/b&gt; words." in margin
    act = reverse("document-suggestion-act", args=[document.pk, asked.json()["id"], "accept"])
    assert client.post(act, headers=headers).json()["text"] == TEXT.replace(QUOTE, "<b>Bold</b> words.")
