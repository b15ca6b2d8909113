"""Writing documents: versions, merges, and that no accepted edit is ever lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import DocumentChanged, DocumentConflict, InvalidRequest, NotFound, PayloadTooLarge
from apps.core.errors import PermissionDenied as Denied
from apps.studio.models import Document, DocumentRevision
from apps.studio.services import documents
from ml.text.edits import Clash
from tests.helpers.people import Tenant, acting, audit_of, events_of

TEXT = "# Mill\n\nThe mill stands by the river.\n\nIts wheel turns slowly.\n"


@pytest.fixture
def document(org_a: Tenant) -> Document:
    return documents.create(org_a.actor, "Mill", TEXT)


def versions(tenant: Tenant, document: Document) -> list[tuple[int, str]]:
    with tenancy.scope(tenant.id):
        rows = DocumentRevision.objects.filter(document=document).order_by("number")
        return list(rows.values_list("number", "kind"))


def text_of(tenant: Tenant, document: Document) -> str:
    return documents.get(tenant.actor, document.pk).text


def test_a_document_is_written_audited_and_told(org_a: Tenant, document: Document) -> None:
    assert (document.title, document.text, document.revision) == ("Mill", TEXT, 1)
    assert versions(org_a, document) == [(1, "version")]
    [entry] = audit_of(org_a, "document.created")
    assert entry.object_name == "Mill"
    assert "document.created" in events_of(org_a)


def test_autosaves_of_one_session_are_one_version(org_a: Tenant, document: Document) -> None:
    for number in range(1, 5):
        documents.save(org_a.actor, document.pk, number, f"{TEXT}Draft {number}\n")
    kinds = dict(versions(org_a, document))
    assert kinds == {1: "version", 2: "step", 3: "step", 4: "step", 5: "version"}
    assert len(audit_of(org_a, "document.changed")) == 1
    with tenancy.scope(org_a.id):
        long_ago = timezone.now() - timedelta(minutes=6)
        DocumentRevision.objects.filter(number=5).update(created_at=long_ago)
    documents.save(org_a.actor, document.pk, 5, f"{TEXT}Another day\n")
    assert dict(versions(org_a, document))[5] == "version"
    documents.save(acting(org_a, org_a.member), document.pk, 6, f"{TEXT}Somebody else\n")
    assert dict(versions(org_a, document))[6] == "version", "each writer has versions of their own"


def test_a_named_version_stays(org_a: Tenant, document: Document) -> None:
    documents.save(org_a.actor, document.pk, 1, "Second")
    documents.name_version(org_a.actor, document.pk, 2, "  For   print ")
    documents.save(org_a.actor, document.pk, 2, "Third")
    assert documents.version(org_a.actor, document.pk, 2).name == "For print"
    assert documents.version(org_a.actor, document.pk, 2).text == "Second"


def test_restoring_is_a_version_of_its_own_and_loses_nothing(org_a: Tenant, document: Document) -> None:
    documents.save(org_a.actor, document.pk, 1, "Second", "Other title")
    restored = documents.restore(org_a.actor, document.pk, 1)
    assert (restored.text, restored.title, restored.revision) == (TEXT, "Mill", 3)
    assert documents.version(org_a.actor, document.pk, 2).text == "Second"
    with pytest.raises(NotFound):
        documents.restore(org_a.actor, document.pk, 9)


def test_a_text_that_is_the_same_is_no_revision(org_a: Tenant, document: Document) -> None:
    assert documents.save(org_a.actor, document.pk, 1, TEXT.replace("\n", "\r\n")).document.revision == 1


def test_two_writers_are_merged_and_both_are_told_what_they_stand_on(org_a: Tenant, document: Document) -> None:
    other = acting(org_a, org_a.member)
    documents.save(other, document.pk, 1, TEXT.replace("river", "lake"))
    saved = documents.save(org_a.actor, document.pk, 1, TEXT.replace("slowly", "all night"))
    assert saved.merged
    assert saved.document.text == TEXT.replace("river", "lake").replace("slowly", "all night")
    # Typed while the answer was on its way: on top of what was sent, not of what came back.
    typed = TEXT.replace("slowly", "all night long")
    again = documents.save(org_a.actor, document.pk, saved.base, typed)
    assert again.document.text == TEXT.replace("river", "lake").replace("slowly", "all night long")


def test_the_same_words_changed_twice_are_shown_and_nothing_is_stored(org_a: Tenant, document: Document) -> None:
    documents.save(acting(org_a, org_a.member), document.pk, 1, TEXT.replace("river", "lake"))
    with pytest.raises(DocumentConflict) as caught:
        documents.save(org_a.actor, document.pk, 1, TEXT.replace("river", "sea"))
    merge: Any = caught.value.merge
    assert [part for part in merge.parts if isinstance(part, Clash)] == [Clash("sea", "lake")]
    assert caught.value.revision == 2
    assert text_of(org_a, document) == TEXT.replace("river", "lake")


def test_a_title_is_not_overwritten_by_somebody_who_only_wrote_text(org_a: Tenant, document: Document) -> None:
    documents.save(acting(org_a, org_a.member), document.pk, 1, TEXT, "Watermill")
    saved = documents.save(org_a.actor, document.pk, 1, TEXT + "More.\n", "Mill")
    assert saved.document.title == "Watermill"
    with pytest.raises(DocumentConflict):
        documents.save(org_a.actor, document.pk, 1, TEXT, "Windmill")


def test_strict_callers_get_no_merge(org_a: Tenant, document: Document) -> None:
    documents.save(org_a.actor, document.pk, 1, "Second")
    with pytest.raises(DocumentChanged) as caught:
        documents.save(org_a.actor, document.pk, 1, "Third", strict=True)
    assert caught.value.headers["etag"] == '"2"'
    with pytest.raises(DocumentChanged):
        documents.save(org_a.actor, document.pk, 7, "From the future")


def test_what_cannot_be_stored_is_refused(org_a: Tenant, document: Document) -> None:
    for text, error in (("a\0b", InvalidRequest), ("\ud800", InvalidRequest), ("x" * 200_001, PayloadTooLarge)):
        with pytest.raises(error):
            documents.save(org_a.actor, document.pk, 1, text)


def test_nobody_writes_without_the_permission_or_from_another_organization(
    org_a: Tenant, org_b: Tenant, document: Document
) -> None:
    reader = Actor(org_a.id, frozenset({"documents:read"}))
    with pytest.raises(Denied):
        documents.save(reader, document.pk, 1, "No")
    for act in (
        lambda: documents.get(org_b.actor, document.pk),
        lambda: documents.save(org_b.actor, document.pk, 1, "Stolen"),
        lambda: documents.version(org_b.actor, document.pk, 1),
        lambda: documents.restore(org_b.actor, document.pk, 1),
        lambda: documents.delete(org_b.actor, document.pk),
        lambda: documents.duplicate(org_b.actor, document.pk),
        lambda: documents.get(org_a.actor, uuid4()),
    ):
        with pytest.raises(NotFound):
            act()
    assert text_of(org_a, document) == TEXT


LINES = st.sampled_from(["The mill.\n", "A wheel.\n", "\n", "磨坊在河边。\n", "- water\n", "# Mill\n"])


@st.composite
def change(draw: st.DrawFn) -> tuple[float, float, str]:
    """Where somebody replaces a part of what they see, and by what: unlike anything else in the text."""
    start = draw(st.floats(0, 1))
    return start, draw(st.floats(start, min(1, start + 0.3))), f"<{draw(st.uuids()).hex[:8]}>"


@pytest.mark.django_db(transaction=True)
@given(st.lists(LINES, min_size=1, max_size=8), st.lists(st.tuples(st.integers(0, 2), change()), max_size=8))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_accepted_edit_is_ever_lost(org_a: Tenant, lines: list[str], steps: list[Any]) -> None:
    """Three writers at whatever they read last: each accepted word stands until somebody who saw it replaces it."""
    document = documents.create(org_a.actor, "Mill", "".join(lines))
    seen = [(1, document.text)] * 3
    alive: set[str] = set()
    for writer, (start, end, word) in steps:
        base, text = seen[writer]
        a, b = int(start * len(text)), int(end * len(text))
        written = text[:a] + word + text[b:]
        replaced = {each for each in alive if each in text and each not in written}
        try:
            saved = documents.save(org_a.actor, document.pk, base, written)
        except DocumentConflict:
            present = documents.get(org_a.actor, document.pk)
            seen[writer] = present.revision, present.text
            assert all(each in present.text for each in alive)
            continue
        alive = (alive - replaced) | {word}
        seen[writer] = saved.document.revision, saved.document.text
        assert all(each in saved.document.text for each in alive), saved.document.text
    with tenancy.scope(org_a.id):
        Document.objects.filter(pk=document.pk).delete()


@pytest.mark.django_db(transaction=True)
def test_many_who_save_at_once_all_stay(org_a: Tenant) -> None:
    document = documents.create(org_a.actor, "List", "".join(f"- item {number}\n\n" for number in range(12)))

    def add(number: int) -> None:
        try:
            text = document.text.replace(f"item {number}\n", f"item {number}, done by {number}\n")
            documents.save(org_a.actor, document.pk, 1, text)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(12)))
    text = text_of(org_a, document)
    assert all(f"item {number}, done by {number}\n" in text for number in range(12))
