"""The help centre that everybody may read: what is published, and nothing else of the organization."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.decorators import csp
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, get_language_info, get_supported_language_variant
from django.views.decorators.http import require_safe

from apps.core import markdown, ratelimit, tenancy
from apps.core.callers import address_of
from apps.core.errors import MillraceError
from apps.core.ratelimit import Bucket
from apps.core.views import error_response
from apps.support.models import HelpCentre, Publication
from apps.support.services import articles

# Nothing but the page's own style: what stands in an article can do nothing.
POLICY = {
    "default-src": ["'none'"],
    "style-src": ["'self'"],
    "img-src": ["'self'"],
    "font-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}
SEARCHES_A_MINUTE = 60
LONGEST_QUERY = 200


Page = Callable[..., HttpResponse]


def _page(view: Page) -> Page:
    """A page under its own policy; a failure is told on a page of Millrace's, under that one's."""
    guarded: Any = csp(POLICY)(view)

    @require_safe
    @wraps(view)
    def page(request: HttpRequest, **places: str) -> HttpResponse:
        try:
            answer: HttpResponse = guarded(request, **places)
        except MillraceError as error:
            return error_response(request, error)
        return answer

    return page


@_page
def front(request: HttpRequest, centre: str) -> HttpResponse:
    """Articles by their category, or what a search by words has found."""
    found = articles.open_centre(centre)
    query = " ".join(request.GET.get("q", "").replace("\0", "").split())[:LONGEST_QUERY]
    if query:
        ratelimit.charge(f"help:{found.pk}:{address_of(request.META)}", [Bucket("requests", SEARCHES_A_MINUTE, 1)])
    with tenancy.scope(found.organization_id):
        # Titles alone: the texts of a whole help centre are large.
        rows = list(_published(found).defer("version__body"))
        locales = sorted({row.locale for row in rows})
        locale = _locale(request, found, locales)
        context = {
            "centre": found, "locale": locale, "locales": _named(locales), "query": query,
            "groups": _groups([row for row in rows if row.locale == locale]),
            "results": articles.found_by(found.organization_id, query, None, locale, 20) if query else [],
        }  # fmt: skip
    return render(request, "support/help/front.html", context)


@_page
def article(request: HttpRequest, centre: str, article: str) -> HttpResponse:
    """One article in the language that is asked for, or the one that there is."""
    found = articles.open_centre(centre)
    with tenancy.scope(found.organization_id):
        rows = list(_published(found).filter(article__slug=article))
    locales = sorted({row.locale for row in rows})
    locale = _locale(request, found, locales)
    if not rows:
        return render(request, "support/help/missing.html", {"centre": found, "locale": locale}, status=404)
    shown = next((row for row in rows if row.locale == locale), rows[0])
    context = {
        "centre": found, "locale": shown.locale, "locales": _named(locales), "published": shown,
        "version": shown.version, "html": markdown.render(shown.version.body),
    }  # fmt: skip
    return render(request, "support/help/article.html", context)


def _published(centre: HelpCentre) -> QuerySet[Publication]:
    rows = Publication.objects.select_related("article__category", "version").filter(article__archived_at=None)
    return rows.order_by("article__category__position", "version__title")


def _locale(request: HttpRequest, centre: HelpCentre, locales: list[str]) -> str:
    """What is asked for, else the reader's language, else the help centre's."""
    wanted = [request.GET.get("lang", ""), (get_language() or "").split("-")[0], centre.locale]
    for each in wanted:
        near = [locale for locale in locales if each and locale.split("-")[0] == each.split("-")[0]]
        if near:
            return each if each in near else near[0]
    return locales[0] if locales else centre.locale


def _named(locales: list[str]) -> list[tuple[str, str]]:
    """Each with what those who speak it call it."""
    return [(locale, _name_of(locale)) for locale in locales]


def _name_of(locale: str) -> str:
    code = locale.lower()
    try:
        return str(get_language_info(code)["name_local"])
    except KeyError:
        pass
    try:
        return str(get_language_info(get_supported_language_variant(code))["name_local"])
    except LookupError:
        return locale


def _groups(rows: list[Publication]) -> list[tuple[str, list[Any]]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.article.category.name if row.article.category else "", []).append(row)
    return sorted(found.items(), key=lambda pair: not pair[0])
