"""The help centre: versions that never change, what is published and found, imports, and the pages for everybody."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction
from django.db.models.signals import post_init
from django.test import Client
from django.urls import reverse

from apps.accounts.models import Role
from apps.core import tenancy
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.support.errors_bot import ArticleInvalid, ImportRefused
from apps.support.models import ArticlePassage, ArticleVersion
from apps.support.services import articles
from apps.support.services.articles import ArticleDraft, CentreDraft
from tests.helpers.knowledge import answering
from tests.helpers.people import Tenant, acting, actor_of, add_person
from workers import support as worker

pytestmark = pytest.mark.django_db


def published(tenant: Tenant, title: str, body: str, locale: str = "en") -> ArticleVersion:
    version = articles.write_article(tenant.actor, ArticleDraft(title, body, locale))
    articles.publish(tenant.actor, version.article_id, version.number)
    return version


def words(tenant: Tenant, query: str, locale: str = "") -> list[tuple[str, int]]:
    with tenancy.scope(tenant.id):
        return [(each.title, each.number) for each in articles.found_by(tenant.id, query, None, locale)]


def test_a_version_never_changes(org_a: Tenant) -> None:
    version = articles.write_article(org_a.actor, ArticleDraft("Fees", "Nothing is free."))
    with pytest.raises(DatabaseError), transaction.atomic(), tenancy.scope(org_a.id):
        ArticleVersion.objects.filter(pk=version.pk).update(body="Everything is free.")


def test_only_what_is_published_is_found_and_cited_by_its_exact_version(org_a: Tenant) -> None:
    first = articles.write_article(org_a.actor, ArticleDraft("Fees", "A withdrawal costs four euros."))
    assert words(org_a, "withdrawal") == []
    articles.publish(org_a.actor, first.article_id, 1)
    assert words(org_a, "withdrawal") == [("Fees", 1)]
    articles.write_article(org_a.actor, ArticleDraft("Fees", "A withdrawal costs five euros."), first.article_id)
    assert words(org_a, "withdrawal") == [("Fees", 1)]
    articles.publish(org_a.actor, first.article_id, 2)
    assert words(org_a, "withdrawal") == [("Fees", 2)]
    articles.publish(org_a.actor, first.article_id, 1)
    assert words(org_a, "withdrawal") == [("Fees", 1)]


def test_a_retired_article_is_never_cited(org_a: Tenant) -> None:
    version = published(org_a, "Fees", "A withdrawal costs four euros.")
    articles.retire(org_a.actor, version.article_id, "en")
    assert words(org_a, "withdrawal") == []
    articles.publish(org_a.actor, version.article_id, 1)
    articles.set_archived(org_a.actor, version.article_id, True)
    assert words(org_a, "withdrawal") == []
    with pytest.raises(Conflict):
        articles.publish(org_a.actor, version.article_id, 1)


def test_chinese_is_found_by_its_pairs(org_a: Tenant) -> None:
    published(org_a, "营业时间", "我们周一至周五九点到五点营业。", "zh")
    published(org_a, "Fees", "A withdrawal costs four euros.")
    assert words(org_a, "几点营业", "zh") == [("营业时间", 1)]
    assert words(org_a, "withdrawal", "zh") == []


def test_an_organization_finds_its_own_alone(org_a: Tenant, org_b: Tenant) -> None:
    version = published(org_a, "Fees", "A withdrawal costs four euros.")
    assert words(org_b, "withdrawal") == []
    with pytest.raises(NotFound):
        articles.publish(org_b.actor, version.article_id, 1)


def test_a_worker_gives_passages_their_vectors(org_a: Tenant, transactional_db: None) -> None:
    published(org_a, "PIN", "After three wrong attempts the PIN is blocked until midnight.")
    published(org_a, "Bread", "Bread is baked for an hour.")
    with answering():
        worker.index()
        with tenancy.scope(org_a.id):
            assert not ArticlePassage.objects.filter(embedder="").exists()
        found = articles.find(org_a.actor, "I typed the wrong code three times and now my PIN is blocked")
    assert found[0].title == "PIN"
    assert found[0].likeness > found[-1].likeness


def test_without_a_worker_that_embeds_words_find_it_and_it_is_tried_again(
    org_a: Tenant, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "EMBEDDING_SECONDS", 0.05)
    published(org_a, "PIN", "After three wrong attempts the PIN is blocked.")
    worker.index()
    assert words(org_a, "attempts") == [("PIN", 1)]
    monkeypatch.setattr(worker, "EMBEDDING_SECONDS", 20.0)
    with answering():
        worker.index()
    with tenancy.scope(org_a.id):
        assert not ArticlePassage.objects.filter(embedder="").exists()


def test_what_an_article_must_be(org_a: Tenant) -> None:
    for draft in (
        ArticleDraft("", "x"),
        ArticleDraft("x", " "),
        ArticleDraft("x" * 161, "x"),
        ArticleDraft("x", "x", "EN!"),
    ):
        with pytest.raises(ArticleInvalid):
            articles.write_article(org_a.actor, draft)
    with pytest.raises(PermissionDenied):
        articles.write_article(actor_of(org_a.member), ArticleDraft("x", "x"))


def test_who_may_only_write_puts_nothing_live_and_takes_nothing_out(
    org_a: Tenant, client_of: Callable[[Any], Client]
) -> None:
    version = published(org_a, "Fees", "A withdrawal costs four euros.")
    person = add_person(org_a, "ann", Role.AGENT)
    ann, id = acting(org_a, person), version.article_id
    articles.write_article(ann, ArticleDraft("Fees", "A withdrawal costs five euros."), id)
    for act in (
        lambda: articles.publish(ann, id, 2),
        lambda: articles.retire(ann, id, "en"),
        lambda: articles.set_archived(ann, id, True),
        lambda: articles.import_file(ann, "a.md", b"# A", is_published=True),
    ):
        with pytest.raises(PermissionDenied):
            act()
    assert words(org_a, "withdrawal") == [("Fees", 1)]
    assert articles.import_file(ann, "a.md", b"# A\n\nB")
    browser = client_of(person)
    assert b"/publish/" not in browser.get(f"/support/articles/{id}/").content
    assert b"/publish/" in client_of(org_a.owner).get(f"/support/articles/{id}/").content
    assert b'name="publish"' not in browser.get("/support/articles/import/").content
    assert browser.post(f"/support/articles/{id}/archive/").status_code == 403


# ---------------------------------------------------------------- imports


def archive(**files: str) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as found:
        for name, text in files.items():
            found.writestr(name.replace("__", "/").replace("_md", ".md").replace("_html", ".html"), text)
    return content.getvalue()


def test_an_archive_becomes_articles_with_categories_languages_and_titles(org_a: Tenant) -> None:
    content = archive(
        Cards__pin_md="---\ntitle: Your PIN\n---\nIt has four digits.",
        Cards__pin_zh_md="# 密码\n\n密码有四位数字。".replace("_zh", ""),
        page_html="<html><head><title>x</title></head><body><nav>Menu</nav><h1>Fees &amp; rates</h1>"
        "<p>A <b>card</b> is <a href='https://bank.example/'>free</a>.</p><ul><li>one</li><li>two</li></ul>"
        "<script>alert(1)</script></body></html>",
    )  # fmt: skip
    written = articles.import_file(org_a.actor, "all.zip", content, is_published=True)
    with tenancy.scope(org_a.id):
        rows = {row.title: row for row in ArticleVersion.objects.select_related("article__category")}
    assert len(written) == 3
    assert rows["Your PIN"].article.category.name == "Cards"
    assert rows["Fees & rates"].body == "A **card** is [free](https://bank.example/).\n\n- one\n- two"


def test_the_same_name_in_another_language_is_the_same_article(org_a: Tenant) -> None:
    articles.import_file(org_a.actor, "fees.md", b"# Fees\n\nFour euros.", is_published=True)
    [version] = articles.import_file(org_a.actor, "fees.zh.md", "# 费用\n\n四欧元。".encode(), is_published=True)
    assert (version.number, version.locale) == (2, "zh")
    assert words(org_a, "费用", "zh") and words(org_a, "fees", "en")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.docx", b"PK"),
        ("broken.zip", b"PK\x03\x04 no archive"),
        ("empty.zip", archive()),
        ("wrong.md", b"\xff\xfe\x00\xd8\x00"),
    ],
)
def test_files_that_are_none_leave_nothing_behind(org_a: Tenant, name: str, content: bytes) -> None:
    with pytest.raises((ImportRefused, ArticleInvalid)):
        articles.import_file(org_a.actor, name, content)
    with tenancy.scope(org_a.id):
        assert not ArticleVersion.objects.exists()


def test_an_archive_that_unfolds_to_too_much_is_refused(org_a: Tenant) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as found:
        found.writestr("bomb.md", "0" * 2_000_000)
    with pytest.raises(ImportRefused):
        articles.import_file(org_a.actor, "bomb.zip", content.getvalue())


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("---\ntitle: Fees\n---  \n\n# Hidden\n\nFour euros.", "Fees", "Four euros."),
        ("#  Fees  ##\nFour euros.", "Fees", "Four euros."),
        # Many blanks, where a pattern would be tried from each of them.
        ("# x" + " " * 200_000 + "y\nFour euros.", "x y", "Four euros."),
        ("---" + "\n" * 100_000 + "x", "A fee", "---" + "\n" * 100_000 + "x"),
        ("#Fees", "A fee", "#Fees"),
    ],
)
def test_a_title_stands_in_front_or_in_the_heading(org_a: Tenant, text: str, title: str, body: str) -> None:
    [version] = articles.import_file(org_a.actor, "a-fee.md", text.encode())
    assert (version.title, version.body) == (title, body)


# ---------------------------------------------------------------- for everybody


@pytest.fixture
def centre(org_a: Tenant) -> ArticleVersion:
    articles.set_centre(org_a.actor, CentreDraft("bank-help", "Bank help", "en", True))
    return published(org_a, "Fees", "A **withdrawal** costs four euros. <script>alert(1)</script>")


def test_everybody_reads_and_searches_an_open_help_centre(org_a: Tenant, centre: ArticleVersion) -> None:
    browser = Client()
    front = browser.get("/help/bank-help/")
    assert front.status_code == 200 and b"Fees" in front.content
    assert b"/help/bank-help/fees/" in browser.get("/help/bank-help/?q=withdrawal").content
    assert b"Nothing found" in browser.get("/help/bank-help/?q=zebra").content
    page = browser.get("/help/bank-help/fees/")
    assert b"<strong>withdrawal</strong>" in page.content and b"<script>alert" not in page.content
    # Another language is named as its readers name it, and asked the same.
    published(org_a, "费用", "取款", "zh")
    found = browser.get("/help/bank-help/?q=withdrawal").content.decode()
    assert '?lang=zh&amp;q=withdrawal" lang="zh">简体中文<' in found
    assert "script-src" not in page["content-security-policy"] or "'none'" in page["content-security-policy"]


def test_a_closed_help_centre_is_not_there(org_a: Tenant, centre: ArticleVersion) -> None:
    articles.set_centre(org_a.actor, CentreDraft("bank-help", "Bank help", "en", False))
    for path in ("/help/bank-help/", "/help/bank-help/fees/", "/help/nobody/"):
        assert Client().get(path).status_code == 404


def test_drafts_and_what_is_put_away_are_not_shown(org_a: Tenant, centre: ArticleVersion) -> None:
    articles.write_article(org_a.actor, ArticleDraft("Secret plans", "Nobody may read this."))
    assert b"Secret plans" not in Client().get("/help/bank-help/").content
    articles.set_archived(org_a.actor, centre.article_id, True)
    assert Client().get("/help/bank-help/fees/").status_code == 404


def test_an_article_that_is_not_there_is_missed_within_the_help_centre(centre: ArticleVersion) -> None:
    missing, elsewhere = Client().get("/help/bank-help/nothing/"), Client().get("/help/nobody/nothing/")
    assert (missing.status_code, elsewhere.status_code) == (404, 404)
    assert b"Bank help" in missing.content
    assert "default-src 'none'" in missing["content-security-policy"]
    # Millrace's own page, whose scripts run.
    assert "default-src 'none'" not in elsewhere["content-security-policy"]


def test_an_address_belongs_to_one_organization(org_a: Tenant, org_b: Tenant, centre: ArticleVersion) -> None:
    with pytest.raises(Conflict):
        articles.set_centre(org_b.actor, CentreDraft("bank-help", "Other", "en", True))


def test_an_article_is_written_and_published_on_its_page(org_a: Tenant, client_of: Callable[[Any], Client]) -> None:
    browser = client_of(org_a.owner)
    made = browser.post("/support/articles/", {"title": "Hours", "body": "Nine to five.", "locale": "en"})
    assert made.status_code == 302
    page = browser.get(made["location"])
    assert b"Nine to five." in page.content
    browser.post(f"{made['location']}publish/", {"number": "1"})
    assert words(org_a, "nine") == [("Hours", 1)]
    id = UUID(made["location"].split("/")[-2])
    articles.write_article(org_a.actor, ArticleDraft("营业时间", "九点到五点", "zh"), id)
    assert ">Hours</a>" in browser.get("/support/articles/").content.decode()
    assert client_of(org_a.member).get("/support/articles/").status_code == 403


def test_pages_for_everybody_read_no_texts_that_they_do_not_show(org_a: Tenant, client: Client) -> None:
    for number in range(3):
        published(org_a, f"Fees {number}", "A withdrawal costs four euros.")
    articles.set_centre(org_a.actor, CentreDraft("bank-help", "Bank help", "en", True))
    read: list[bool] = []

    def note(sender: Any, instance: ArticleVersion, **more: Any) -> None:
        read.append("body" not in instance.get_deferred_fields())

    post_init.connect(note, sender=ArticleVersion)
    try:
        assert client.get(reverse("help-centre", args=["bank-help"])).status_code == 200
        assert read == [False] * 3
        read.clear()
        assert client.get(reverse("help-article", args=["bank-help", "fees-1"])).status_code == 200
        assert read == [True]
    finally:
        post_init.disconnect(note, sender=ArticleVersion)
