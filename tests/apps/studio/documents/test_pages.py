"""The pages of documents: written, found, organized and shared by members, and by nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.core import tenancy
from apps.registry.models import ModelVersion
from apps.studio.models import Document, DocumentShare, Folder
from apps.studio.services import documents
from tests.helpers.counting import questions_of
from tests.helpers.people import Tenant, acting
from tests.helpers.studio import ask, finish, start

ClientOf = Callable[[Any], Client]
JSON = {"accept": "application/json"}
TEXT = "The mill stands by the river.\n"


@pytest.fixture
def document(org_a: Tenant) -> Document:
    return documents.create(org_a.actor, "Mill", TEXT)


def page_of(document: Document, name: str = "document", *more: Any) -> str:
    return reverse(name, args=[document.pk, *more])


def save(client: Client, document: Document, base: int, text: str, **more: Any) -> Any:
    body = {"base": base, "text": text, **more}
    return client.post(page_of(document, "document-save"), body, content_type="application/json", headers=JSON)


def test_an_empty_library_says_how_to_begin(org_a: Tenant, client_of: ClientOf) -> None:
    page = client_of(org_a.member).get(reverse("documents")).content.decode()
    assert "No documents yet" in page


def test_a_document_is_begun_written_and_read(org_a: Tenant, client_of: ClientOf) -> None:
    client = client_of(org_a.member)
    made = client.post(reverse("documents"), {"title": "  Watermill  "})
    page = client.get(made.url).content.decode()
    assert 'value="Watermill"' in page
    with tenancy.scope(org_a.id):
        document = Document.objects.get()
    saved = save(client, document, 1, "# Wheel & <b>water</b>\n", title="Wheel")
    assert saved.json() == {"revision": 2, "base": 2, "title": "Wheel"}
    assert "# Wheel &amp; &lt;b&gt;water" in client.get(made.url).content.decode()


def test_a_save_that_meets_another_one_is_merged_or_shows_both(
    org_a: Tenant, client_of: ClientOf, document: Document
) -> None:
    client = client_of(org_a.member)
    documents.save(org_a.actor, document.pk, 1, TEXT.replace("mill", "tower"))
    merged = save(client, document, 1, TEXT.replace("river", "lake")).json()
    assert (merged["text"], merged["base"], merged["revision"]) == ("The tower stands by the lake.\n", 3, 4)
    refused = save(client, document, 1, TEXT.replace("mill", "barn"))
    assert refused.status_code == 409
    answer = refused.json()
    assert answer["code"] == "document_conflict"
    assert {"mine": "barn", "theirs": "tower"} in answer["parts"]
    assert answer["text"] == merged["text"]


def test_without_scripts_a_conflict_shows_both_texts(org_a: Tenant, client_of: ClientOf, document: Document) -> None:
    documents.save(org_a.actor, document.pk, 1, "Theirs.\n")
    form = {"base": "1", "title": "Mill", "text": "Mine.\n"}
    answer = client_of(org_a.member).post(page_of(document, "document-save"), form)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Theirs." in page
    assert "Mine." in page
    assert 'name="base" value="2"' in page


@pytest.mark.parametrize("body", [{}, {"base": "x", "text": ""}, {"base": 1}, {"base": True, "text": "a"}, [1], "{"])
def test_a_save_that_makes_no_sense_is_refused(
    body: Any, org_a: Tenant, client_of: ClientOf, document: Document
) -> None:
    client = client_of(org_a.member)
    answer = client.post(page_of(document, "document-save"), body, content_type="application/json", headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_the_preview_is_what_the_sanitiser_lets_through(org_a: Tenant, client_of: ClientOf) -> None:
    text = "# Hi\n\n<script>alert(1)</script> ![x](https://evil.example/x.png) [a](javascript:alert(1)) **b**"
    answer = client_of(org_a.member).post(
        reverse("document-preview"), {"text": text}, content_type="application/json", headers=JSON
    )
    html = answer.json()["html"]
    assert "<h3>Hi</h3>" in html
    assert "<strong>b</strong>" in html
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


def test_a_deleted_document_can_be_put_back_at_once(org_a: Tenant, client_of: ClientOf, document: Document) -> None:
    client = client_of(org_a.member)
    after = client.post(page_of(document, "document-act", "delete"), follow=True).content.decode()
    assert "is in the trash now" in after
    assert "is in the trash now" not in client.get(reverse("documents")).content.decode(), "said once"
    assert client.get(page_of(document)).status_code == 404
    assert "Mill" in client.get(reverse("documents") + "?trash").content.decode()
    client.post(page_of(document, "document-act", "undelete"))
    assert client.get(page_of(document)).status_code == 200


def test_folders_tags_copies_and_search(org_a: Tenant, client_of: ClientOf, document: Document) -> None:
    client = client_of(org_a.member)
    led = client.post(reverse("document-folder-act", args=["new"]), {"name": "Drafts"})
    with tenancy.scope(org_a.id):
        folder = Folder.objects.get()
    assert led.url.endswith(f"?folder={folder.pk}")
    client.post(reverse("document-folder-act", args=["new"]), {"name": "Inside", "folder": str(folder.pk)})
    client.post(page_of(document, "document-act", "move"), {"folder": str(folder.pk)})
    client.post(page_of(document, "document-act", "tags"), {"tags": "Water，  mills, water"})
    inside = client.get(reverse("documents"), {"folder": str(folder.pk)}).content.decode()
    assert "Mill" in inside
    assert "Mill" in client.get(reverse("documents"), {"tag": "mills"}).content.decode()
    assert "Nothing here" in client.get(reverse("documents"), {"tag": "sail"}).content.decode()
    kept = client.post(reverse("document-folder-act", args=["delete"]), {"folder": str(folder.pk)}, follow=True)
    assert "not empty" in kept.content.decode()
    copy = client.post(page_of(document, "document-act", "duplicate"))
    assert "Copy of Mill" in client.get(copy.url).content.decode()
    found = client.get(reverse("documents"), {"search": "river"}).content.decode()
    assert "<mark>river</mark>" in found


def test_versions_are_compared_named_and_restored(org_a: Tenant, client_of: ClientOf, document: Document) -> None:
    client = client_of(org_a.member)
    save(client, document, 1, TEXT.replace("river", "lake"))
    page = client.get(page_of(document, "document-versions")).content.decode()
    assert "<del>river</del>" in page
    assert "<ins>lake</ins>" in page
    client.post(page_of(document, "document-version-act", 1, "name"), {"name": "First"})
    assert "First" in client.get(page_of(document, "document-versions")).content.decode()
    client.post(page_of(document, "document-version-act", 1, "restore"))
    assert documents.get(org_a.actor, document.pk).text == TEXT


def test_a_generation_is_saved_as_a_document(org_a: Tenant, model: ModelVersion, client_of: ClientOf) -> None:
    ask(org_a)
    generation = start()
    assert finish(generation)
    made = client_of(org_a.member).post(reverse("documents"), {"generation": str(generation.pk)})
    assert "Tea, at last." in client_of(org_a.member).get(made.url).content.decode()
    other = client_of(org_a.member).post(reverse("documents"), {"generation": str(uuid4())})
    assert other.status_code == 404


# ---------------------------------------------------------------- who sees it


def test_readers_read_and_others_see_nothing(
    org_a: Tenant, org_b: Tenant, outsider: Any, client_of: ClientOf, document: Document
) -> None:
    addresses = [page_of(document), page_of(document, "document-versions"), page_of(document, "document-margin")]
    addresses.append(page_of(document, "document-export", "md"))
    for address in addresses:
        assert client_of(org_a.member).get(address).status_code == 200
        theirs = client_of(org_b.owner).get(address)
        assert theirs.status_code == 404
        assert "The mill stands" not in theirs.content.decode()
        assert client_of(outsider).get(address).status_code == 404
        assert Client().get(address).status_code == 302
    for act in ("delete", "duplicate", "share"):
        assert client_of(org_b.owner).post(page_of(document, "document-act", act), {"days": 7}).status_code == 404
    assert save(client_of(org_b.owner), document, 1, "Stolen").status_code == 404


def test_a_folder_of_another_organization_is_none(
    org_a: Tenant, org_b: Tenant, client_of: ClientOf, document: Document
) -> None:
    theirs = documents.create_folder(org_b.actor, "Theirs")
    client = client_of(org_a.member)
    assert client.post(page_of(document, "document-act", "move"), {"folder": str(theirs.pk)}).status_code == 404
    assert "Theirs" not in client.get(reverse("documents"), {"folder": str(theirs.pk)}).content.decode()


@pytest.mark.parametrize("rows", [3, 60])
def test_pages_ask_the_same_whatever_there_is(
    rows: int, org_a: Tenant, client_of: ClientOf, document: Document
) -> None:
    client = client_of(org_a.member)
    selection = documents.Selection(1, 4, 8, "mill")
    for number in range(rows):
        documents.create(org_a.actor, f"Document {number}", "The mill.", tags=[f"tag {number}"])
        documents.create_folder(org_a.actor, f"Folder {number}")
        documents.comment(org_a.actor, document.pk, selection, f"Remark {number}")
        documents.save(acting(org_a, org_a.admin), document.pk, number + 1, f"{TEXT}{number}")
        documents.name_version(org_a.actor, document.pk, number + 2, f"Version {number}")
    for address in (
        reverse("documents"),
        reverse("documents") + "?search=mill",
        page_of(document),
        page_of(document, "document-versions"),
        page_of(document, "document-margin"),
    ):
        client.get(address)
        assert questions_of(client, address) <= 12, address


def test_the_list_goes_on_where_it_ends(org_a: Tenant, client_of: ClientOf) -> None:
    for number in range(30):
        documents.create(org_a.actor, f"Document {number:02}", "")
    client = client_of(org_a.member)
    first = client.get(reverse("documents")).content.decode()
    [before] = re.findall(r"\?before=([\w-]+)", first)
    second = client.get(reverse("documents"), {"before": before}).content.decode()
    shown = [set(re.findall(r"Document \d\d", page)) for page in (first, second)]
    assert len(shown[0]) == 25
    assert len(shown[0] | shown[1]) == 30
    assert not shown[0] & shown[1]


# ---------------------------------------------------------------- links


def link_of(client: Client, document: Document, **form: Any) -> str:
    page = client.post(page_of(document, "document-act", "share"), {"days": "7", **form}, follow=True)
    [path] = re.findall(r"(/shared/[\w-]+/)", page.content.decode())
    assert path not in client.get(page_of(document)).content.decode(), "shown once"
    return str(path)


def test_a_link_shows_the_document_and_nothing_else(org_a: Tenant, client_of: ClientOf, document: Document) -> None:
    path = link_of(client_of(org_a.member), document)
    answer = Client().get(path)
    page = answer.content.decode()
    assert "The mill stands by the river." in page
    for secret in (str(org_a.id), str(document.pk), org_a.member.email, org_a.organization.name, "Millrace"):
        assert secret not in page, secret
    assert "<script" not in page
    policy = answer["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "font-src 'self'" in policy, "its style sheet asks for a font"
    assert "noindex" in answer["x-robots-tag"]
    assert answer["referrer-policy"] == "no-referrer"
    assert "no-store" in answer["cache-control"]
    assert Client().post(path).status_code == 200, "it takes nothing"


def test_a_link_ends_when_it_is_revoked_expired_or_the_document_is_gone(
    org_a: Tenant, client_of: ClientOf, document: Document
) -> None:
    client = client_of(org_a.member)
    revoked, expired, gone = (link_of(client, document) for _ in range(3))
    with tenancy.scope(org_a.id):
        shares = list(DocumentShare.objects.order_by("id"))
        DocumentShare.objects.filter(pk=shares[1].pk).update(expires_at="2020-01-01T00:00:00Z")
    client.post(page_of(document, "document-act", "revoke"), {"share": str(shares[0].pk)})
    assert Client().get(revoked).status_code == 404
    assert Client().get(expired).status_code == 404
    assert Client().get(gone).status_code == 200
    documents.delete(org_a.actor, document.pk)
    nobodys = Client().get("/shared/nothing-here/")
    answer = Client().get(gone)
    assert answer.status_code == nobodys.status_code == 404
    assert "noindex" in answer["x-robots-tag"]
    documents.undelete(org_a.actor, document.pk)
    assert Client().get(gone).status_code == 404, "links stay revoked"


def test_a_link_with_a_password_asks_for_it_and_not_often(
    org_a: Tenant, client_of: ClientOf, document: Document
) -> None:
    path = link_of(client_of(org_a.member), document, password="millstone")
    reader = Client()
    assert "river" not in reader.get(path).content.decode()
    assert reader.post(path, {"password": "wrong"}).status_code == 403
    assert reader.post(path, {"password": "millstone"}).status_code == 302
    assert "river" in reader.get(path).content.decode()
    assert "river" not in Client().get(path).content.decode()
    guesses = [Client().post(path, {"password": f"guess {number}"}).status_code for number in range(12)]
    assert guesses[-1] == 429
