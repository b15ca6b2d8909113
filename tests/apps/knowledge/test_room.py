"""How many passages a plan has room for: told, kept by whoever reads at the same time, and each organization's own."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.utils import timezone

from apps.billing.models import Subscription
from apps.core import tenancy
from apps.knowledge import services as knowledge
from apps.knowledge.errors import KnowledgeFull
from apps.knowledge.files import Content
from apps.knowledge.models import SourceVersion
from apps.knowledge.services import indexing
from apps.knowledge.services.sources import passages_of, require_room
from ml.embeddings import DIMENSIONS
from ml.text.chunks import Chunk
from tests.helpers.knowledge import add, fresh, make_collection, read_all
from tests.helpers.people import PASSWORD, Tenant
from tests.helpers.plans import make_plan

pytestmark = pytest.mark.django_db(transaction=True)
THREE = "# A\n\nOne.\n\n# B\n\nTwo.\n\n# C\n\nThree.\n"
VECTOR = f"[{','.join(['1'] * DIMENSIONS)}]"


def give_room(tenant: Tenant, passages: int) -> None:
    plan = make_plan(f"room-{uuid4().hex[:8]}", 10**6, max_passages=passages, name=uuid4().hex)
    with tenancy.scope(tenant.id):
        Subscription.objects.create(organization_id=tenant.id, plan=plan)


def signed_in(user: Any) -> Client:
    client = Client()
    assert client.login(username=user.email, password=PASSWORD)
    return client


def used(tenant: Tenant) -> int:
    with tenancy.scope(tenant.id):
        return passages_of(tenant.id)


def test_a_plan_without_room_takes_no_more(org_a: Tenant, org_b: Tenant) -> None:
    give_room(org_a, 1)
    found = make_collection(org_a)
    version = add(org_a, found, "two.md", "# A\n\nOne.\n\n# B\n\nTwo.\n")
    read_all()
    assert fresh(org_a, version).error_code == "knowledge_full"
    add(org_a, found, "one.txt", "One.")
    read_all()
    client = signed_in(org_a.owner)
    page = client.post(f"/knowledge/{found.pk}/files/", {"files": [SimpleUploadedFile("x.txt", b"More.")]}, follow=True)
    assert "The plan has room for 1 passages" in page.content.decode()
    assert "1 of 1 passages" in client.get("/knowledge/").content.decode()
    assert knowledge.get_collection(org_a.actor, found.pk) == found
    theirs = add(org_b, make_collection(org_b), "one.txt", "One.")
    read_all()
    assert fresh(org_b, theirs).status == "succeeded", "another organization's room is its own"


def test_a_program_is_told_that_the_plan_is_full(org_a: Tenant) -> None:
    give_room(org_a, 0)
    found, client = make_collection(org_a), Client()
    body = {"collection": str(found.pk), "title": "Tea", "text": "At four."}
    answer = client.post("/api/v1/knowledge/documents", body, content_type="application/json", headers=org_a.bearer)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "knowledge_full")
    limits = client.get("/api/v1/usage", headers=org_a.bearer).json()["limits"]
    assert limits["max_passages"] == 0


def test_no_plan_has_more_room_than_the_installation(org_a: Tenant, settings: Any) -> None:
    give_room(org_a, 10)
    settings.KNOWLEDGE_MAX_PASSAGES = 3
    assert knowledge.most_passages(org_a.id) == 3


def test_what_becomes_shorter_fits_on_a_smaller_plan(org_a: Tenant) -> None:
    version = add(org_a, make_collection(org_a), "tea.md", THREE)
    read_all()
    give_room(org_a, 1)
    source = fresh(org_a, version).document
    shorter = knowledge.add_version(org_a.actor, source.pk, Content("tea.md", b"# A\n\nOne.\n\n# B\n\nTwo.\n"))
    read_all()
    assert fresh(org_a, shorter).status == "succeeded"
    longer = knowledge.add_version(org_a.actor, source.pk, Content("tea.md", THREE.encode()))
    read_all()
    assert (fresh(org_a, longer).error_code, used(org_a)) == ("knowledge_full", 2)


def test_two_that_are_read_at_once_do_not_both_take_the_last_room(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_room(org_a, 1)
    found = make_collection(org_a)
    for name in ("tea.txt", "cake.txt"):
        add(org_a, found, name, name)
    # One document of an organization is read at a time; its worker may have been given up for lost all the same.
    with tenancy.scope(org_a.id):
        SourceVersion.objects.update(status="running", attempt=1, lease_until=timezone.now() + timedelta(minutes=1))
        versions = list(SourceVersion.objects.select_related("document"))
    ended: list[str] = []

    def slowly(organization_id: UUID, more: int = 1) -> None:
        require_room(organization_id, more)
        time.sleep(0.3)

    monkeypatch.setattr(indexing, "require_room", slowly)

    def finish(version: SourceVersion) -> None:
        try:
            cut = Chunk(text="Tea.", heading=(), page=None, tokens=1)
            knowledge.finish_version(version, "", None, [cut], [VECTOR], "words")
            ended.append("ready")
        except KnowledgeFull:
            ended.append("full")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=finish, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["full", "ready"]
    assert used(org_a) == 1
