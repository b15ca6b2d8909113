"""Pages hold no script, no style and no unescaped text, so that a strict policy can forbid them all."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from tests.helpers.sources import files, name_of

TEMPLATES = files("*.html", "templates", "apps")
# Where HTML is made in Python, and why it is safe.
SAFE_HTML_IN_PYTHON: set[str] = {
    "apps/core/templatetags/ui.py",
    # Through the sanitiser, which its own tests attack.
    "apps/core/markdown.py",
    # Hand that HTML on.
    "apps/market/templatetags/market.py",
    "apps/studio/templatetags/chat.py",
}
FORBIDDEN = {
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>", re.I),
    "an inline style": re.compile(r"<style\b|\sstyle\s*=", re.I),
    "an inline handler": re.compile(r"<[^>]*\son[a-z]+\s*=", re.I),
    "a javascript address": re.compile(r"javascript:", re.I),
    "unescaped text": re.compile(r"\|\s*safe(seq)?\b|\{%\s*autoescape\s+off|\{%\s*filter\s+safe"),
    "another site's file": re.compile(r"<(script|link|img|iframe)[^>]*(src|href)=\"(https?:)?//", re.I),
}


def without_comments(path: Path) -> str:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"))
    return re.sub(r"\{%\s*comment\b.*?endcomment\s*%\}", "", text, flags=re.S)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_holds(what: str) -> None:
    found = [name_of(path) for path in TEMPLATES if FORBIDDEN[what].search(without_comments(path))]
    assert not found


def test_every_form_that_writes_has_its_token() -> None:
    for path in TEMPLATES:
        for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", without_comments(path), re.S | re.I):
            assert "csrf_token" in form, name_of(path)


def test_html_from_python_is_reviewed() -> None:
    makers = re.compile(r"\bmark_safe\b|\bSafeString\b|\bformat_html\b|__html__|is_safe=True")
    found = {name_of(path) for path in files("*.py", "apps", "config") if makers.search(path.read_text())}
    assert found <= SAFE_HTML_IN_PYTHON


def test_scripts_never_set_html_from_text() -> None:
    """The model's words reach the page as text; only the server's sanitiser makes HTML of them."""
    setters = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function)")
    found = [name_of(path) for path in files("*.js", "static") if setters.search(path.read_text(encoding="utf-8"))]
    assert not found


def test_every_named_file_exists() -> None:
    for path in TEMPLATES:
        for name in re.findall(r"\{%\s*static\s+[\"']([^\"']+)[\"']", without_comments(path)):
            assert finders.find(name), f"{name_of(path)} names {name}"
