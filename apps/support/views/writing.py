"""Pages on which articles are written, imported and published."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core import markdown
from apps.core.errors import MillraceError, NotFound
from apps.core.keyset import page_of
from apps.support.access_bot import APPROVE, READ, WRITE
from apps.support.forms_bot import ArticleForm, CentreForm, ImportForm
from apps.support.models import Article, ArticleVersion, Publication
from apps.support.services import articles
from apps.support.services.articles import ArticleDraft, CentreDraft

PAGE_ROWS = 50


@require_http_methods(["GET", "POST"])
@organization_page
def articles_page(request: HttpRequest) -> HttpResponse:
    """Every article with what is published of it, and a form for another."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if request.method == "POST" else READ)
    form = ArticleForm(request.POST or None)
    made: list[ArticleVersion] = []
    if form.is_valid() and attempt(form, lambda: made.append(articles.write_article(actor, _draft(form)))):
        messages.success(request, _("The article is there, as a draft."))
        return redirect("article", made[0].article_id)
    page = page_of(Article.objects.select_related("category"), request.GET.get("before"), PAGE_ROWS)
    versions = ArticleVersion.objects.filter(article__in=[row.pk for row in page.rows]).order_by("number")
    titles = _titles(versions.defer("body"))
    published: dict[UUID, list[str]] = {}
    for row in Publication.objects.order_by("locale"):
        published.setdefault(row.article_id, []).append(row.locale)
    context = {
        "rows": [(row, titles.get(row.pk, row.slug), published.get(row.pk, [])) for row in page.rows],
        "page": page, "form": form, "centre": articles.centre_of(actor), "may_write": WRITE in actor.permissions,
        "tab": "articles",
    }  # fmt: skip
    return render(request, "support/bot/articles.html", context, status=first_errors([form]))


def _titles(versions: Iterable[ArticleVersion]) -> dict[UUID, str]:
    """Of each article its newest title in the reader's language, or in whichever there is."""
    reader = (get_language() or "").split("-")[0]
    by_nearness = sorted(versions, key=lambda row: (row.locale.split("-")[0] == reader, row.number))
    return {row.article_id: row.title for row in by_nearness}


@require_http_methods(["GET", "POST"])
@organization_page
def import_page(request: HttpRequest) -> HttpResponse:
    """Articles from a file."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if APPROVE not in actor.permissions:
        del form.fields["publish"]
    written: list[ArticleVersion] = []

    def take() -> None:
        values = form.cleaned_data
        upload = values["file"]
        publish = values.get("publish", False)
        written.extend(articles.import_file(actor, upload.name or "", upload.read(), values["locale"], publish))

    if form.is_valid() and attempt(form, take):
        told = ngettext("%(count)s article has been imported.", "%(count)s articles have been imported.", len(written))
        messages.success(request, told % {"count": len(written)})
        return redirect("articles")
    context = {"form": form, "title": _("Import articles"), "submit": _("Import"), "tab": "articles"}
    return render(request, "support/bot/form.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def centre_page(request: HttpRequest) -> HttpResponse:
    """The public help centre's name and address."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(APPROVE)
    found = articles.centre_of(actor)
    names = ("name", "slug", "locale", "is_open")
    initial = {name: getattr(found, name) for name in names} if found else {}
    form = CentreForm(request.POST or None, initial=initial)
    if form.is_valid() and attempt(form, lambda: articles.set_centre(actor, CentreDraft(**form.cleaned_data))):
        messages.success(request, _("The help centre has been set up."))
        return redirect("articles")
    context = {"form": form, "title": _("Help centre"), "submit": _("Save"), "tab": "articles"}
    return render(request, "support/bot/form.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def article_page(request: HttpRequest, id: UUID) -> HttpResponse:
    """An article's versions and what is published; saving writes another version."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if request.method == "POST" else READ)
    found = articles.get_article(actor, id)
    versions = list(found.versions.select_related("created_by").order_by("-number")[:PAGE_ROWS])
    chosen = next((row for row in versions if str(row.number) == request.GET.get("version")), None)
    shown = chosen or (versions[0] if versions else None)
    initial = {
        "title": shown.title if shown else "", "locale": shown.locale if shown else "en",
        "category": found.category.name if found.category else "", "body": shown.body if shown else "",
    }  # fmt: skip
    form = ArticleForm(request.POST or None, initial=initial)
    if form.is_valid() and attempt(form, lambda: articles.write_article(actor, _draft(form), id)):
        messages.success(request, _("The article has another version now; publish it to have it read."))
        return redirect("article", id)
    published = {row.version_id: row.locale for row in Publication.objects.filter(article=found)}
    context = {
        "article": found, "versions": [(row, published.get(row.pk, "")) for row in versions], "shown": shown,
        "html": markdown.render(shown.body) if shown else "", "form": form, "may_write": WRITE in actor.permissions,
        "may_publish": APPROVE in actor.permissions, "locales": sorted(published.values()), "tab": "articles",
    }  # fmt: skip
    return render(request, "support/bot/article.html", context, status=first_errors([form]))


@require_POST
@organization_page
def article_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """Publishes a version, takes an article out of a language, or puts it away."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(APPROVE)
    articles.get_article(actor, id)
    number = request.POST.get("number", "")
    try:
        if act == "publish":
            articles.publish(actor, id, int(number) if number.isdecimal() and len(number) < 9 else 0)
            messages.success(request, _("The article is published."))
        elif act == "retire":
            articles.retire(actor, id, request.POST.get("locale", ""))
            messages.success(request, _("The article is no longer published in this language."))
        elif act in {"archive", "restore"}:
            articles.set_archived(actor, id, act == "archive")
            messages.success(request, _("The article has been put away.") if act == "archive" else _("It is back."))
        else:
            raise NotFound(_("There is nothing at this address."))
    except MillraceError as error:
        if act not in {"publish", "retire"}:
            raise
        messages.error(request, error.shown())
    return redirect("article", id)


def _draft(form: ArticleForm) -> ArticleDraft:
    return ArticleDraft(**form.cleaned_data)
