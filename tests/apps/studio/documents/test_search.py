"""Finding documents: by English and Chinese words, the best first, and never those of others."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from apps.core import tenancy
from apps.studio.models import Document, DocumentIndex
from apps.studio.services import documents
from tests.helpers.people import Tenant


@pytest.fixture
def library(org_a: Tenant, org_b: Tenant) -> dict[str, Document]:
    texts = {
        "Mill": "# Wheels\n\nThe wheels were turning all night. O'Brien's \\ 100% \"flour\".",
        "磨坊": "磨坊在河边，水轮转动。",
        "Bread": "Flour and water, and a mill that grinds.",
        "Tea": "Green tea for a snake_case evening.",
    }
    for title, text in texts.items():
        documents.create(org_b.actor, title, text)
    return {title: documents.create(org_a.actor, title, text) for title, text in texts.items()}


def found(tenant: Tenant, text: str, **filters: Any) -> list[str]:
    return [each.document.title for each in documents.search(tenant.actor, text, **filters)]


def test_words_are_found_in_any_form_and_all_must_be_there(org_a: Tenant, library: dict[str, Document]) -> None:
    assert found(org_a, "turn wheel") == ["Mill"]
    assert found(org_a, "flour tea") == []
    assert found(org_a, "snake case") == ["Tea"]
    assert found(org_a, "gri") == ["Bread"], "the last word may be a beginning"


def test_what_stands_in_a_title_comes_first(org_a: Tenant, library: dict[str, Document]) -> None:
    assert found(org_a, "mill") == ["Mill", "Bread"]


def test_chinese_is_found_without_a_dictionary(org_a: Tenant, library: dict[str, Document]) -> None:
    for text in ("磨坊", "水轮", "河边", "水轮转动", "轮", "动"):
        assert found(org_a, text) == ["磨坊"], text
    assert found(org_a, "河水") == []
    assert found(org_a, "磨坊 tea") == []


@pytest.mark.parametrize("text", ["", "   ", "'", "\\", "a & b | !c", "':*", "\0", "%", "(((", "o'brien 'x", "é" * 500])
def test_no_search_breaks_anything(text: str, org_a: Tenant, library: dict[str, Document]) -> None:
    assert isinstance(found(org_a, text), list)


def test_others_documents_are_not_found(org_a: Tenant, org_b: Tenant, library: dict[str, Document]) -> None:
    assert {each.document.pk for each in documents.search(org_a.actor, "flour")} == {
        library["Mill"].pk,
        library["Bread"].pk,
    }
    with tenancy.scope(org_a.id), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM studio_documentindex")
        assert cursor.fetchone() == (4,), "and what was looked for is forgotten"


def test_changes_renames_tags_and_the_trash_are_followed(org_a: Tenant, library: dict[str, Document]) -> None:
    tea = library["Tea"]
    documents.save(org_a.actor, tea.pk, 1, "Black coffee.", "Coffee")
    assert found(org_a, "green") == []
    assert found(org_a, "coffee") == ["Coffee"]
    documents.set_tags(org_a.actor, tea.pk, ["Breakfast"])
    assert found(org_a, "breakfast") == ["Coffee"]
    assert found(org_a, "coffee", tag="breakfast") == ["Coffee"]
    assert found(org_a, "flour", tag="breakfast") == []
    folder = documents.create_folder(org_a.actor, "Drinks")
    documents.move(org_a.actor, tea.pk, folder.pk)
    assert found(org_a, "coffee", folder=folder.pk) == ["Coffee"]
    documents.delete(org_a.actor, tea.pk)
    assert found(org_a, "coffee") == []
    documents.undelete(org_a.actor, tea.pk)
    assert found(org_a, "coffee") == ["Coffee"]


def test_a_piece_of_the_text_shows_what_was_found(org_a: Tenant, library: dict[str, Document]) -> None:
    [each] = documents.search(org_a.actor, "grinds")
    assert ("grinds", True) in each.snippet
    [each] = documents.search(org_a.actor, "水轮")
    assert [words for words, wanted in each.snippet if wanted] == ["水轮"]


def test_the_index_is_used_behind_the_wall(org_a: Tenant, library: dict[str, Document]) -> None:
    """The reason for the policy's second half: without it every row would be read."""
    with tenancy.scope(org_a.id), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SELECT set_config('app.search', '''wheel''', true)")
        cursor.execute("EXPLAIN SELECT document_id FROM studio_documentindex")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Bitmap Index Scan on document_search" in plan, plan
        assert DocumentIndex.objects.count() == 1
        cursor.execute("SELECT set_config('app.search', '', true)")
