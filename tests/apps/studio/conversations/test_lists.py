"""Finding conversations: by title and message, in English and Chinese, pinned, archived and deleted."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.core.jobs import Status
from apps.core.tenancy.migrations import APPLICATION_ROLE
from apps.privacy.services import retention
from apps.studio.models import Conversation, ConversationIndex, Generation, Turn
from apps.studio.services import Outcome, conversations
from apps.studio.services.conversations import ChatSettings, Draft
from tests.helpers.people import Tenant, acting, audit_of
from tests.helpers.studio import finish, start

pytestmark = pytest.mark.usefixtures("model")


def talk(tenant: Tenant, text: str, answer: str = "Fine.") -> Conversation:
    conversation = conversations.create_conversation(tenant.actor, ChatSettings(max_tokens=20))
    question = conversations.prepare_message(tenant.actor, conversation.pk, Draft(text))
    conversations.accept_question(tenant.actor, question)
    assert finish(start(), Outcome(Status.SUCCEEDED, answer, "stop", 10, 5))
    return conversation


def found(tenant: Tenant, **filters: Any) -> list[Any]:
    return [row.pk for row in conversations.list_conversations(tenant.actor, **filters).rows]


def test_messages_are_found_in_two_languages_and_by_what_models_answered(org_a: Tenant) -> None:
    tea = talk(org_a, "Which kettles boil quickly?", "The copper one.")
    chinese = talk(org_a, "请写一段关于人工智能的介绍", "神经网络很有趣。")
    for search in ("kettle", "KETTLES", "boiling", "copper", "kett"):
        assert found(org_a, search=search) == [tea.pk], search
    for search in ("人工智能", "智能", "神经网络", "有趣"):
        assert found(org_a, search=search) == [chinese.pk], search
    assert found(org_a, search="工人") == []
    assert found(org_a, search="zebra") == []
    assert set(found(org_a, search="  ")) == {tea.pk, chinese.pk}
    page = conversations.list_conversations(org_a.actor, search="copper")
    assert page.found[tea.pk] == [("The ", False), ("copper", True), (" one.", False)]


def test_signs_in_a_search_are_no_syntax(org_a: Tenant) -> None:
    tea = talk(org_a, "O'Brien & Sons (tea)")
    for search in ("o'brien", "& tea", "tea!", "'tea':*", "tea | zebra"):
        assert found(org_a, search=search) == ([] if "zebra" in search else [tea.pk]), search


def test_a_title_given_by_hand_stays_and_is_found(org_a: Tenant) -> None:
    tea = talk(org_a, "Hello there")
    conversations.rename_conversation(org_a.actor, tea.pk, "  Harbour   plans ")
    assert found(org_a, search="harbour") == [tea.pk]
    question = conversations.prepare_message(org_a.actor, tea.pk, Draft("More"))
    conversations.accept_question(org_a.actor, question)
    assert conversations.get_conversation(org_a.actor, tea.pk).title == "Harbour plans"
    with pytest.raises(InvalidRequest):
        conversations.rename_conversation(org_a.actor, tea.pk, "x" * 201)


def test_pages_go_on_where_they_ended_and_lists_tell_kinds_apart(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        now = timezone.now()
        rows = [
            Conversation(organization_id=org_a.id, title=str(n), changed_at=now - timedelta(minutes=n))
            for n in range(7)
        ]
        Conversation.objects.bulk_create(rows)
    first = conversations.list_conversations(org_a.actor, limit=4)
    second = conversations.list_conversations(org_a.actor, limit=4, before=str(first.next))
    assert [row.title for row in (*first.rows, *second.rows)] == [str(n) for n in range(7)]
    assert second.next is None
    conversations.pin_conversation(org_a.actor, rows[2].pk, True)
    conversations.archive_conversation(org_a.actor, rows[3].pk, True)
    pinned, others = conversations.list_with_pinned(org_a.actor, mine=False)
    assert [row.pk for row in pinned] == [rows[2].pk]
    assert len(others.rows) == 5
    assert found(org_a, archived=True) == [rows[3].pk]
    assert found(org_a, mine=True) == []


def test_everybody_has_a_list_of_their_own(org_a: Tenant) -> None:
    own = talk(org_a, "Mine")
    member = acting(org_a, org_a.member)
    assert [row.pk for row in conversations.list_conversations(member).rows] == [own.pk]
    assert conversations.list_conversations(member, mine=True).rows == []


def test_what_is_deleted_is_gone_and_can_be_had_back_for_a_week(org_a: Tenant) -> None:
    tea = talk(org_a, "Hello")
    conversations.delete_conversation(org_a.actor, tea.pk)
    assert found(org_a) == []
    with pytest.raises(NotFound):
        conversations.get_branch(org_a.actor, tea.pk)
    conversations.restore_conversation(org_a.actor, tea.pk)
    assert found(org_a) == [tea.pk]
    conversations.delete_conversation(org_a.actor, tea.pk)
    with tenancy.scope(org_a.id):
        Conversation.objects.update(deleted_at=timezone.now() - timedelta(days=8))
    with pytest.raises(NotFound):
        conversations.restore_conversation(org_a.actor, tea.pk)
    assert (len(audit_of(org_a, "conversation.deleted")), len(audit_of(org_a, "conversation.restored"))) == (2, 1)


def test_retention_removes_what_was_deleted_and_nothing_else(org_a: Tenant) -> None:
    from apps.core.datakinds import kind
    from apps.privacy.services.retention import due

    kept, gone = talk(org_a, "Keep"), talk(org_a, "Go")
    conversations.delete_conversation(org_a.actor, gone.pk)
    terms = kind("conversations")
    assert terms is not None
    with tenancy.scope(org_a.id):
        Conversation.objects.filter(pk=gone.pk).update(deleted_at=timezone.now() - timedelta(days=8))
        due(terms, 7).delete()
        assert list(Conversation.objects.values_list("pk", flat=True)) == [kept.pk]
        assert Turn.objects.count() == 2


def test_exports_hold_the_branch_as_markdown_and_the_tree_as_json(org_a: Tenant) -> None:
    tea = talk(org_a, "Which kettle?", "**Copper.**")
    turns = conversations.get_branch(org_a.actor, tea.pk).turns
    question = conversations.prepare_answer(org_a.actor, tea.pk, turns[-1].turn.pk)
    conversations.accept_question(org_a.actor, question)
    assert finish(start(), Outcome(Status.SUCCEEDED, "Steel.", "stop", 10, 5))
    _, markdown = conversations.as_markdown(org_a.actor, tea.pk)
    assert markdown == "# Which kettle?\n\n## Message\n\nWhich kettle?\n\n## house-text-1\n\nSteel.\n"
    body = json.loads(conversations.as_json(org_a.actor, tea.pk)[1])
    assert [turn["text"] for turn in body["turns"]] == ["Which kettle?", "**Copper.**", "Steel."]
    assert body["turns"][1]["parent"] == body["turns"][2]["parent"] == body["turns"][0]["id"]
    assert {"model", "seed", "temperature", "max_tokens"} <= body["turns"][1].keys()


def test_the_index_is_used_behind_the_wall(owner_connection: Any, org_a: Tenant) -> None:
    """Of the few rows of a test the planner thinks this and that: without other indexes it uses this one if it may."""
    with owner_connection.transaction(force_rollback=True), owner_connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'studio_conversationindex'::regclass"
            " AND contype IN ('p', 'u')"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE studio_conversationindex DROP CONSTRAINT "{name}" CASCADE')
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'studio_conversationindex'"
            " AND indexname <> 'conversation_search'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute(f"SET LOCAL ROLE {APPLICATION_ROLE}; SET LOCAL enable_seqscan = off")
        cursor.execute("SELECT set_config('app.org', %s, true), set_config('app.across', 'off', true)", [str(org_a.id)])
        cursor.execute("SELECT set_config('app.search', '''kettl''', true)")
        cursor.execute("EXPLAIN SELECT conversation_id FROM studio_conversationindex")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Bitmap Index Scan on conversation_search" in plan, plan


def test_a_search_holds_nothing_of_others(org_a: Tenant, org_b: Tenant) -> None:
    talk(org_a, "Which kettles boil quickly?")
    talk(org_b, "Which kettles sing?")
    with tenancy.scope(org_a.id), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.search', '''kettl''', true)")
        assert ConversationIndex.objects.count() == 2, "the title and the message"
        cursor.execute("SELECT set_config('app.search', '', true)")
    assert len(found(org_b, search="kettles")) == 1


def test_what_retention_removes_is_not_found_any_more(org_a: Tenant) -> None:
    tea = talk(org_a, "Which kettles boil quickly?", "The copper one.")
    assert found(org_a, search="copper") == [tea.pk]
    retention.set_term(org_a.actor, "generations", 1)
    with tenancy.scope(org_a.id):
        Generation.objects.update(finished_at=timezone.now() - timedelta(days=2))
    retention.apply(10.0)
    assert found(org_a, search="copper") == []
    assert found(org_a, search="kettles") == [tea.pk]
    assert found(org_a, search="of") == [], "a word that says nothing finds nothing"
