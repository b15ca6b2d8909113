"""Each path finds what Django's own search through all patterns finds, among a few."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, include, path, re_path
from django.urls.resolvers import RoutePattern

from apps.core.routing import Addresses
from config.urls import everything


def _page(request: HttpRequest, **_: str) -> HttpResponse:
    return HttpResponse()


def _paths(patterns: list[URLPattern | URLResolver], before: str = "") -> list[str]:
    """A path of each pattern, and some that are none."""
    found = []
    for each in patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            found += _paths(each.url_patterns, route)
        else:
            for value in ("7", "x", "0190c2f0-0000-7000-8000-000000000000"):
                parts = [part.partition(">")[2] if ">" in part else part for part in route.split("<")]
                found += [value.join(parts), value.join(parts).rstrip("/"), value.join(parts) + "/more"]
    return found


def _found(resolver: URLResolver, path: str) -> tuple[object, ...] | None:
    try:
        match = resolver.resolve(path)
    except Resolver404:
        return None
    return match.func, match.args, match.kwargs, match.view_name, match.route


def test_it_finds_what_the_whole_search_finds() -> None:
    whole = URLResolver(RoutePattern(""), everything)
    chosen = Addresses(everything)
    paths = {"", "/", "nowhere", "api", "api/", "accounts", *_paths(everything)}
    assert len(paths) > 1_500
    found = {each: _found(whole, each) for each in paths}
    assert len({each[-1] for each in found.values() if each}) > 600
    assert {each: _found(chosen, each) for each in paths} == found


def test_the_product_is_found_by_it() -> None:
    [first] = get_resolver().url_patterns
    assert isinstance(first, Addresses)
    deep = "public/api/v1/inboxes/x/contacts/me/conversations/1/messages"
    words = tuple(word if word in first._known else None for word in deep.split("/")[:4])
    assert 0 < len(first._like(words).url_patterns) < 40


@pytest.mark.parametrize(
    ("path_", "name"), [("a/b", "first"), ("a/bc", "open"), ("a/", "list"), ("a/7/c", "number"), ("z", "regex")]
)
def test_prefixes_lists_and_expressions_keep_their_order(path_: str, name: str) -> None:
    patterns = [
        path("a/b", _page, name="first"),
        path("a/b", _page, name="second"),
        # What is included may go on within a word.
        path("a/b", include([path("c", _page, name="open")])),
        path("", include([path("a/", _page, name="list"), path("a/<int:id>/c", _page, name="number")])),
        re_path("^z", _page, name="regex"),
        path("z", _page, name="late"),
    ]
    assert Addresses(patterns).resolve(path_).view_name == name
