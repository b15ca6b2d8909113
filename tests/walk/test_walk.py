"""Each page in both languages, three widths, the colours of both themes: nothing overflows or complains.

Nothing is left in English, axe finds nothing, and what Lighthouse's audits ask of a page's markup holds.
SCREENSHOTS=folder keeps pictures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation
from playwright.sync_api import Page

from apps.core.catalogue import collect
from tests.architecture.conftest import World
from tests.helpers.sources import ROOT
from tests.walk.conftest import Walker

pytestmark = pytest.mark.e2e

WIDTHS, THEMES = (1440, 768, 360), ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCRIPTS = ("axe", "words", "markup")
MOST_SCRIPT = 60_000
PICTURES = os.environ.get("SCREENSHOTS")

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HERE = Path(__file__).parent
RUN_AXE, WORDS, MARKUP = ((HERE / f"{name}.js").read_text(encoding="utf-8").rstrip(";\n") for name in SCRIPTS)


@pytest.fixture(scope="module")
def messages() -> set[str]:
    """All that is written to be translated and reads otherwise in Chinese, as it stands in English."""
    with translation.override("zh-hans"):
        return {message.text for message in collect(ROOT) if translation.gettext(message.text) != message.text}


def test_every_page(walker: Walker, pages: list[Any], world: World, messages: set[str]) -> None:
    assert len(pages) > 60
    faults: list[str] = []
    for name, path, stranger in pages:
        if walker.open(path, stranger=stranger) != 200:
            faults.append(f"{name}: not shown")
            continue
        faults += [f"{name}: {fault}" for fault in _faults(walker, name, messages)]
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults)


def _faults(walker: Walker, name: str, messages: set[str]) -> list[str]:
    page, english = walker.page, walker.language == "en"
    faults = [f"says {line}" for line in walker.visit.complaints]
    weight = sum(walker.visit.scripts.values())
    if weight > MOST_SCRIPT:
        faults.append(f"{weight} bytes of script")
    if english:
        faults += [str(fault) for fault in page.evaluate(MARKUP)]
    else:
        faults += [f"in English: {text}" for text in page.evaluate(WORDS) if text in messages and " " in text]
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        # A theme is colours: what is too wide in one is so in both.
        for width in WIDTHS if theme == "light" or PICTURES else ():
            faults += _at(page, theme, width, f"{name}-{walker.language}")
        if english:
            faults += _axe(page, theme)
    return faults


def _at(page: Page, theme: Any, width: int, name: str) -> list[str]:
    page.set_viewport_size({"width": width, "height": 900})
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}-{theme}-{width}.png")
    over = page.evaluate(TOO_WIDE)
    return [f"{over} px wider than {width}"] if over > 0 else []


def _axe(page: Page, theme: str) -> list[str]:
    """On the narrow screen that was shown last; in the dark only what the theme can change."""
    if theme == "light":
        options: dict[str, Any] = {
            "runOnly": {"type": "tag", "values": RULES},
        }
    else:
        options = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    # Without frames and without reading every style sheet again, neither of which any rule here needs.
    options |= {"resultTypes": ["violations"], "iframes": False, "preload": False}
    return [f"axe, {theme}: {found}" for found in page.evaluate(RUN_AXE, options)]
