"""Articles: each save is a version of its own, and publishing chooses which of them is read, found and cited."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now
from django.utils.text import slugify
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, jobs, tenancy
from apps.core.errors import Conflict, NotFound
from apps.support.access_bot import APPROVE, READ, WRITE
from apps.support.errors_bot import ArticleInvalid
from apps.support.models import Article, ArticleCategory, ArticlePassage, ArticleVersion, Publication
from apps.support.services.articles.indexing import INDEX, write_passages

LONGEST_TITLE, LONGEST_BODY, LONGEST_CATEGORY, MOST_ARTICLES = 160, 200_000, 80, 5_000
LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
NO_ARTICLE = gettext_noop("There is no article with this id.")
NO_VERSION = gettext_noop("The article has no version with this number.")


@dataclass(frozen=True, slots=True)
class ArticleDraft:
    """What somebody writes: `body` is Markdown; an empty `slug` is made from the title, `category` is its name."""

    title: str
    body: str
    locale: str = "en"
    slug: str = ""
    category: str = ""
    source: str = ""


def get_article(actor: Actor, id: UUID) -> Article:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        found: Article | None = Article.objects.select_related("category").filter(pk=id).first()
    if found is None:
        raise NotFound(NO_ARTICLE)
    return found


def write_article(actor: Actor, draft: ArticleDraft, id: UUID | None = None) -> ArticleVersion:
    """A new article, or with `id` a new version of one; nothing is published by it. Raises ArticleInvalid."""
    actor.require(WRITE)
    actor.require_open()
    title, body = " ".join(draft.title.replace("\0", "").split()), draft.body.replace("\0", "").strip()
    category = " ".join(draft.category.split())
    _check(title, body, draft.locale, category)
    with tenancy.scope(actor.organization_id):
        article = _locked(id) if id else _made(actor, draft.slug or title)
        if draft.category:
            article.category = _category(actor, category)
            Article.objects.filter(pk=article.pk).update(category=article.category)
        Article.objects.filter(pk=article.pk).update(versions_count=F("versions_count") + 1)
        version: ArticleVersion = ArticleVersion.objects.create(
            organization_id=actor.organization_id,
            article=article,
            number=article.versions_count + 1,
            locale=draft.locale,
            title=title,
            body=body,
            source=draft.source[:200],
            created_by_id=actor.user_id,
        )
        article.versions_count += 1
        _record(actor, "article.written", article, version)
    return version


def publish(actor: Actor, id: UUID, number: int) -> Publication:
    """Shows this version in its language, in place of the one before; going back to an older one is the same act."""
    actor.require(APPROVE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        article = _locked(id)
        version: ArticleVersion | None = ArticleVersion.objects.filter(article=article, number=number).first()
        if version is None:
            raise NotFound(NO_VERSION, param="number")
        if article.archived_at:
            raise Conflict("The article has been put away: take it out again first.")
        published: Publication = Publication.objects.update_or_create(
            organization_id=actor.organization_id,
            article=article,
            locale=version.locale,
            defaults={"version": version, "published_at": Now()},
        )[0]
        write_passages(article, version)
        _record(actor, "article.published", article, version)
        jobs.ring(INDEX)
    return published


def retire(actor: Actor, id: UUID, locale: str) -> None:
    """From now on it is neither shown, found nor cited in this language."""
    actor.require(APPROVE)
    with tenancy.scope(actor.organization_id):
        article = _locked(id)
        published = Publication.objects.select_related("version").filter(article=article, locale=locale).first()
        if published is None:
            raise NotFound("The article is not published in this language.", param="locale")
        version = published.version
        published.delete()
        ArticlePassage.objects.filter(article=article, locale=locale).delete()
        _record(actor, "article.retired", article, version)


def set_archived(actor: Actor, id: UUID, archived: bool) -> Article:
    """Puts an article away with all that is published of it, or takes it out again; its versions stay."""
    actor.require(APPROVE)
    with tenancy.scope(actor.organization_id):
        article = _locked(id)
        Article.objects.filter(pk=id).update(archived_at=Now() if archived else None)
        if archived:
            Publication.objects.filter(article=article).delete()
            ArticlePassage.objects.filter(article=article).delete()
        action = "article.archived" if archived else "article.restored"
        audit.record(actor, action, article)
        events.record(action, article.pk, {"slug": article.slug})
        article.refresh_from_db()
    return article


def _check(title: str, body: str, locale: str, category: str) -> None:
    if not 1 <= len(title) <= LONGEST_TITLE:
        raise ArticleInvalid("An article needs a title of up to 160 characters.", param="title")
    if not body or len(body) > LONGEST_BODY:
        raise ArticleInvalid("An article has 1 to %(most)s characters.", values={"most": LONGEST_BODY}, param="body")
    if not LOCALE.fullmatch(locale):
        raise ArticleInvalid("A language is written like en or zh-Hans.", param="locale")
    if len(category) > LONGEST_CATEGORY:
        raise ArticleInvalid("A category's name has at most 80 characters.", param="category")


def _made(actor: Actor, name: str) -> Article:
    if Article.objects.count() >= MOST_ARTICLES:
        raise Conflict("An organization has at most %(most)s articles.", values={"most": MOST_ARTICLES})
    base = slugify(name, allow_unicode=True)[:70] or "article"
    taken = set(Article.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    slug = next(each for n in range(len(taken) + 1) if (each := f"{base}-{n + 1}" if n else base) not in taken)
    made: Article = Article.objects.create(organization_id=actor.organization_id, slug=slug)
    return made


def _category(actor: Actor, name: str) -> ArticleCategory:
    found: ArticleCategory = ArticleCategory.objects.get_or_create(
        organization_id=actor.organization_id, name=name, defaults={"position": ArticleCategory.objects.count()}
    )[0]
    return found


def _locked(id: UUID) -> Article:
    found: Article | None = Article.objects.select_for_update(of=("self",)).filter(pk=id).first()
    if found is None:
        raise NotFound(NO_ARTICLE)
    return found


def _record(actor: Actor, action: str, article: Article, version: ArticleVersion) -> None:
    facts: dict[str, Any] = {"version": version.number, "locale": version.locale}
    audit.record(actor, action, article, title=version.title, **facts)
    events.record(action, article.pk, {"slug": article.slug, **facts})
