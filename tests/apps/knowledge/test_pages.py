"""The pages: adding, seeing how far it has got, searching, citing and deleting, for those who may."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import tenancy
from apps.core.media import folder_of
from apps.knowledge.models import Chunk, Collection, Source, SourceVersion
from tests.helpers.knowledge import add, fresh, library, make_collection, read_all
from tests.helpers.people import PASSWORD, Tenant, audit_of

pytestmark = pytest.mark.django_db(transaction=True)


def signed_in(user: Any) -> Client:
    client = Client()
    assert client.login(username=user.email, password=PASSWORD)
    return client


def files_of(tenant: Tenant) -> list[Path]:
    return sorted((folder_of(tenant.id) / "knowledge").glob("*"))


def test_files_are_added_each_by_itself(org_a: Tenant) -> None:
    found, client = make_collection(org_a), signed_in(org_a.member)
    uploads = [
        SimpleUploadedFile("good.txt", b"Tea is served."),
        SimpleUploadedFile("bad.pdf", b"no pdf at all"),
        SimpleUploadedFile("tool.exe", b"MZ"),
    ]
    page = client.post(f"/knowledge/{found.pk}/files/", {"files": uploads}, follow=True)
    words = page.content.decode()
    assert "1 file is being read." in words
    assert "bad.pdf: The content is not what the file&#x27;s name says it is." in words
    assert "tool.exe: Files of this type are not read" in words
    assert "Waiting" in words
    assert len(files_of(org_a)) == 1
    assert [entry.object_name for entry in audit_of(org_a, "source.added")] == ["good.txt"]


def test_the_same_content_is_not_added_twice(org_a: Tenant) -> None:
    found, client = make_collection(org_a), signed_in(org_a.owner)
    for _ in range(2):
        page = client.post(
            f"/knowledge/{found.pk}/files/", {"files": [SimpleUploadedFile("tea.txt", b"Tea.")]}, follow=True
        )
    assert "The collection has this already, as “tea.txt”." in page.content.decode()
    assert len(files_of(org_a)) == 1


def test_a_search_shows_passages_that_lead_to_their_place(org_a: Tenant, answers: None) -> None:
    add(org_a, make_collection(org_a), "shop.md", "# Hours\n\nThe shop opens at nine.\n\n# Returns\n\nThirty days.\n")
    read_all()
    client = signed_in(org_a.member)
    with tenancy.scope(org_a.id):
        passage = Chunk.objects.get(text="The shop opens at nine.")
    page = client.get("/knowledge/search/", {"q": "when does the shop open"}).content.decode()
    assert f"/knowledge/passages/{passage.pk}/" in page
    with tenancy.scope(org_a.id):
        mine = str(passage.document.collection_id)
    others = [str(make_collection(org_a, name).pk) for name in ("Prices", "Terms")]
    for chosen, shows in (([mine, others[0]], True), (others, False), ([others[0], "odd"], False)):
        answer = client.get("/knowledge/search/", {"q": "when does the shop open", "collection": chosen})
        assert (f"/knowledge/passages/{passage.pk}/" in answer.content.decode()) is shows
    place = client.get(f"/knowledge/passages/{passage.pk}/").content.decode()
    assert "<mark>The shop opens at nine.</mark>" in place
    assert "Thirty days." in place


def test_a_failed_document_says_why_and_can_be_tried_again(org_a: Tenant) -> None:
    version = add(org_a, make_collection(org_a), "scan.html", "<html><body><script>x()</script></body></html>")
    read_all()
    assert fresh(org_a, version).error_code == "no_text"
    client = signed_in(org_a.owner)
    page = client.get(f"/knowledge/documents/{version.document_id}/").content.decode()
    assert "There is no text in the file." in page
    client.post(f"/knowledge/documents/{version.document_id}/retry/")
    assert fresh(org_a, version).status == "queued"


def test_deleting_a_document_leaves_no_row_vector_or_file(org_a: Tenant) -> None:
    version = add(org_a, make_collection(org_a), "tea.txt", "Tea is served.")
    read_all()
    client = signed_in(org_a.owner)
    address = f"/knowledge/documents/{version.document_id}/delete/"
    client.post(address, {"title": "something else"})
    assert len(files_of(org_a)) == 1
    client.post(address, {"title": "tea.txt"})
    assert files_of(org_a) == []
    with tenancy.scope(org_a.id):
        assert not (Source.objects.exists() or SourceVersion.objects.exists() or Chunk.objects.exists())


def test_deleting_a_collection_asks_for_its_name_and_takes_all_with_it(org_a: Tenant) -> None:
    found = make_collection(org_a, "Handbook")
    add(org_a, found, "tea.txt", "Tea is served.")
    read_all()
    client = signed_in(org_a.owner)
    client.post(f"/knowledge/{found.pk}/delete/", {"name": "Handbok"})
    with tenancy.scope(org_a.id):
        assert Collection.objects.exists()
    client.post(f"/knowledge/{found.pk}/delete/", {"name": "Handbook"})
    with tenancy.scope(org_a.id):
        assert not (Collection.objects.exists() or Chunk.objects.exists())
    assert files_of(org_a) == []


def test_a_stranger_sees_nothing(org_a: Tenant, org_b: Tenant) -> None:
    ids = library(org_a, "Swordfish")
    client = signed_in(org_b.owner)
    for address in (
        f"/knowledge/{ids['collection']}/",
        f"/knowledge/documents/{ids['document']}/",
        f"/knowledge/passages/{ids['passage']}/",
        f"/knowledge/versions/{ids['document version']}/file/",
    ):
        answer = client.get(address)
        assert answer.status_code == 404
        assert b"Swordfish" not in answer.content
    assert b"Swordfish" not in client.get("/knowledge/").content


@pytest.mark.parametrize("count", [3, 120])
def test_pages_ask_as_little_for_many_rows_as_for_few(org_a: Tenant, count: int) -> None:
    found = make_collection(org_a)
    with tenancy.scope(org_a.id):
        for number in range(count):
            mine = {"organization_id": org_a.id}
            source = Source.objects.create(
                **mine, collection=found, title=f"Document {number}", origin="text", versions_count=1
            )
            version = SourceVersion.objects.create(
                **mine, document=source, number=1, name="a.txt", status="succeeded", is_current=True
            )
            Chunk.objects.create(
                **mine, collection=found, document=source, version=version, position=0, text="x", tokens=1
            )
    client = signed_in(org_a.owner)
    for address in ("/knowledge/", f"/knowledge/{found.pk}/", f"/knowledge/documents/{source.pk}/"):
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        assert len([query for query in asked if query["sql"] not in {"BEGIN", "COMMIT"}]) <= 12


def test_pasted_text_and_web_pages_are_added(org_a: Tenant) -> None:
    found, client = make_collection(org_a), signed_in(org_a.owner)
    client.post(f"/knowledge/{found.pk}/text/", {"title": "Note", "text": "# Tea\n\nAt four."})
    refused = client.post(f"/knowledge/{found.pk}/url/", {"url": "http://10.0.0.1/"})
    assert refused.status_code == 422
    client.post(f"/knowledge/{found.pk}/url/", {"url": "https://docs.example/page"})
    with tenancy.scope(org_a.id):
        assert set(Source.objects.values_list("title", "origin")) == {
            ("Note", "text"),
            ("https://docs.example/page", "url"),
        }
