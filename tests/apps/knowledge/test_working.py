"""What the worker does: web pages, lost workers, erasures, and what remains of an organization."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from apps.accounts import audit
from apps.accounts import services as accounts
from apps.accounts.models import Organization
from apps.billing.models import LedgerEntry
from apps.core import jobs, outbound, tenancy
from apps.core.datakinds import Erasing, Texts, kind
from apps.core.errors import OutboundFailed
from apps.core.jobs import Status
from apps.core.outbound import Response
from apps.knowledge import files
from apps.knowledge import services as knowledge
from apps.knowledge.models import EmbeddingCall, Source, SourceVersion
from apps.knowledge.services import calls, indexing, sources
from ml.embeddings import EmbeddingFailed
from tests.helpers.knowledge import WordEncoder, add, fresh, make_collection, read_all
from tests.helpers.people import Tenant
from tests.helpers.plans import include
from workers import embedding

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = b"<html><head><title>Tea times</title></head><body><h1>Tea</h1><p>Tea is served at four.</p></body></html>"


def serve(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Response]) -> list[str]:
    """What addresses answer, below the checks of the address, which stay as they are."""
    asked: list[str] = []

    def fetch(method: str, url: str, **options: Any) -> Response:
        asked.append(url)
        outbound.target_of(url, options["allow_private"])
        if url not in answers:
            raise OutboundFailed("Nobody is there.")
        return answers[url]

    monkeypatch.setattr("apps.core.outbound.fetch", fetch)
    return asked


def html(body: bytes = PAGE) -> Response:
    return Response(200, {"content-type": "text/html; charset=utf-8"}, body)


def test_a_web_page_is_fetched_along_its_redirection_and_named_by_its_title(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch, answers: None
) -> None:
    moved = Response(301, {"location": "/tea"}, b"")
    asked = serve(monkeypatch, {"https://shop.example/": moved, "https://shop.example/tea": html()})
    version = knowledge.add_url(org_a.actor, make_collection(org_a).pk, "https://shop.example/")
    read_all()
    version = fresh(org_a, version)
    assert (version.status, version.document.title, version.kind) == ("succeeded", "Tea times", "html")
    assert asked == ["https://shop.example/", "https://shop.example/tea"]
    assert knowledge.search(org_a.actor, "when is tea served")[0].text == "Tea is served at four."
    serve(monkeypatch, {"https://shop.example/": html(PAGE.replace(b"four", b"five"))})
    knowledge.add_version(org_a.actor, version.document_id)
    read_all()
    assert [p.text for p in knowledge.search(org_a.actor, "when is tea served")] == ["Tea is served at five."]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(404, {}, b""), "not_fetched"),
        (Response(302, {"location": "http://shop.example/"}, b""), "address_refused"),
        (Response(302, {"location": "https://shop.example/"}, b""), "not_fetched"),
        (Response(200, {"content-type": "image/png"}, b"\x89PNG"), "unknown_type"),
        (Response(200, {"content-type": "application/pdf"}, PAGE), "unknown_type"),
    ],
)
def test_a_page_that_cannot_be_read_says_why(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch, answer: Response, reason: str
) -> None:
    serve(monkeypatch, {"https://shop.example/": answer})
    version = knowledge.add_url(org_a.actor, make_collection(org_a).pk, "https://shop.example/")
    read_all()
    assert (fresh(org_a, version).status, fresh(org_a, version).error_code) == ("failed", reason)


def test_the_servers_own_network_is_not_fetched(org_a: Tenant) -> None:
    """The real resolver and the real check: a name that leads home is refused in the worker."""
    version = knowledge.add_url(org_a.actor, make_collection(org_a).pk, "https://localhost/")
    read_all()
    assert fresh(org_a, version).error_code == "address_refused"


def test_a_worker_that_was_only_slow_changes_nothing(org_a: Tenant) -> None:
    add(org_a, make_collection(org_a), "tea.txt", "Tea.")
    [slow] = jobs.claim(SourceVersion, "slow", 1)
    with tenancy.scope(org_a.id):
        SourceVersion.objects.update(lease_until=timezone.now())
    read_all()
    assert fresh(org_a, slow).status == "succeeded"
    assert not indexing.finish_version(slow, "", None, [], [], "x")
    assert not indexing.fail_version(slow, "indexing_failed")
    assert fresh(org_a, slow).chunks == 1


def test_what_loses_two_workers_fails(org_a: Tenant) -> None:
    version = add(org_a, make_collection(org_a), "tea.txt", "Tea.")
    for _ in range(2):
        assert jobs.claim(SourceVersion, "lost", 1)
        with tenancy.scope(org_a.id):
            SourceVersion.objects.update(lease_until=timezone.now())
        if _ == 0:
            jobs.reap(SourceVersion)
    read_all()
    assert fresh(org_a, version).error_code == "worker_lost"


def test_an_erased_person_is_no_longer_named_and_the_documents_stay(org_a: Tenant) -> None:
    version = add(org_a, make_collection(org_a), "tea.txt", "Tea.")
    declared = kind("source_versions")
    assert declared is not None
    with tenancy.scope(org_a.id):
        assert declared.rows_of(org_a.owner.pk).count() == 1
        assert declared.erasure == "detach"
        assert Erasing(org_a.owner.pk, org_a.id, "x", Texts.KEEP, False)
    columns = kind("passages").columns()  # type: ignore[union-attr]
    assert "embedding" not in columns
    assert "lexemes" not in columns
    assert fresh(org_a, version).created_by_id == org_a.owner.pk


def test_nothing_is_left_of_an_organization_that_is_removed(org_a: Tenant, org_b: Tenant, media_folder: Any) -> None:
    for tenant in (org_a, org_b):
        add(tenant, make_collection(tenant), "tea.txt", "Tea.")
    read_all()
    accounts.schedule_deletion(org_a.actor, org_a.organization.name)
    with tenancy.scope(org_a.id):
        Organization.objects.filter(pk=org_a.id).update(deletes_at=timezone.now())
    assert accounts.remove_due(lambda id, begun: None) == 1
    with tenancy.scope(org_a.id):
        assert not Source.objects.exists()
    left = {path.name for path in (media_folder / "organizations").iterdir()}
    assert left == {str(org_b.id)}


def test_the_demo_is_given_documents_once(org_a: Tenant) -> None:
    org_a.owner.email = "owner@acme.example"
    org_a.owner.save()
    for _ in range(2):
        call_command("seed_knowledge")
    read_all()
    with tenancy.scope(org_a.id):
        assert Source.objects.count() == 4
        assert set(SourceVersion.objects.values_list("status", flat=True)) == {"succeeded"}


@pytest.mark.parametrize("whole", [False, True], ids=["document", "collection"])
def test_what_a_worker_fetches_while_it_is_deleted_leaves_no_file(
    org_a: Tenant, media_folder: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """The worker would give a version its file between the look at its files and the deletion."""
    collection = make_collection(org_a)
    version = add(org_a, collection, "a.txt", "Tea.")
    [claimed] = jobs.claim(SourceVersion, "w", 1)
    stored = files.store(org_a.id, files.Content("b.txt", b"Other tea."))
    noted: list[bool] = []
    begun = threading.Event()

    def note() -> None:
        begun.set()
        noted.append(indexing.note_fetched(claimed, stored))
        connections.close_all()

    thread = threading.Thread(target=note)
    before = audit.record

    def record(*given: Any, **more: Any) -> Any:
        # Between the look and the deletion.
        thread.start()
        begun.wait(10)
        thread.join(0.5)
        return before(*given, **more)

    monkeypatch.setattr(audit, "record", record)
    if whole:
        knowledge.delete_collection(org_a.actor, collection.pk)
    else:
        knowledge.delete_source(org_a.actor, version.document_id)
    thread.join(20)
    assert noted == [False]
    assert [path for path in media_folder.rglob("*") if path.is_file()] == []


def test_files_without_a_version_are_removed_once_they_are_a_day_old(org_a: Tenant, media_folder: Path) -> None:
    version = add(org_a, make_collection(org_a), "a.txt", "Tea.")
    here = files.path_of(org_a.id, version.path)
    lost = [files.path_of(org_a.id, files.store(org_a.id, files.Content("b.txt", b"x")).path) for _ in range(2)]
    for each in (here, lost[0]):
        os.utime(each, (1, 1))
    assert sources.remove_strays() == 1
    assert (here.exists(), lost[0].exists(), lost[1].exists()) == (True, False, True)


def entries(tenant: Tenant) -> list[tuple[str, int]]:
    with tenancy.scope(tenant.id):
        return list(LedgerEntry.objects.order_by("id").values_list("kind", "prompt_tokens"))


def test_passages_are_charged_like_any_texts_that_are_embedded(org_a: Tenant, media_folder: Path) -> None:
    version = fresh(org_a, add(org_a, make_collection(org_a), "a.txt", "Tea is served at four."))
    read_all()
    # Five words and a full stop, in their frame of two.
    assert entries(org_a) == [("hold", 8), ("settle", 8)]
    with tenancy.scope(org_a.id):
        call = EmbeddingCall.objects.get()
    assert (call.state, call.tokens, call.version_id, call.created_by_id) == ("settled", 8, version.pk, org_a.owner.pk)


@pytest.mark.django_db
def test_without_quota_nothing_is_embedded(org_a: Tenant, word_encoder: WordEncoder) -> None:
    include(0)
    version = add(org_a, make_collection(org_a), "a.txt", "Tea is served at four.")
    read_all()
    found = fresh(org_a, version)
    assert (found.status, found.error_code) == (Status.FAILED, "insufficient_quota")
    assert entries(org_a) == []


def test_what_comes_to_nothing_costs_nothing(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(texts: Any) -> Any:
        raise EmbeddingFailed("No.")

    monkeypatch.setattr(embedding.encoder, "in_parts", fails)
    add(org_a, make_collection(org_a), "a.txt", "Tea is served at four.")
    read_all()
    assert [kind for kind, _ in entries(org_a)] == ["hold", "release"]


def test_a_hold_lasts_as_long_as_its_attempt(org_a: Tenant) -> None:
    add(org_a, make_collection(org_a), "a.txt", "Tea is served at four.")
    [claimed] = jobs.claim(SourceVersion, "w", 1)
    calls.open_indexing(claimed, 1, 7)
    with tenancy.scope(org_a.id):
        EmbeddingCall.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert calls.release_forgotten() == 0, "a large document takes its time"
    with tenancy.scope(org_a.id):
        SourceVersion.objects.update(attempt=2)
    assert calls.release_forgotten() == 1
    assert [kind for kind, _ in entries(org_a)] == ["hold", "release"]
