"""Words of the documents' pages that are not in a template."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

FORMATS: dict[str, str | Promise] = {
    "md": "Markdown",
    "html": "HTML",
    "docx": "Word (DOCX)",
    "pdf": "PDF",
    "txt": _("Plain text"),
}
LANGUAGES: dict[str, Promise] = {
    "en": _("English"),
    "zh-hans": _("Simplified Chinese"),
    "zh-hant": _("Traditional Chinese"),
    "de": _("German"),
    "es": _("Spanish"),
    "fr": _("French"),
    "it": _("Italian"),
    "ja": _("Japanese"),
    "ko": _("Korean"),
    "pt": _("Portuguese"),
}
_SCRIPT: dict[str, Promise] = {
    "saved": _("Saved"),
    "saving": _("Saving…"),
    "unsaved": _("Not saved yet"),
    "kept": _("Cannot be saved now. Your text is kept in this tab, and saved as soon as the server answers."),
    "refused": _("Not saved: {reason} Your text is kept in this tab."),
    "restored": _("What this tab could not save earlier is back."),
    "merged": _("Somebody else’s changes were merged with yours."),
    "updated": _("Somebody else has changed the document; you see their changes."),
    "conflict": _("You and somebody else have changed the same words. Choose what stays."),
    "mine": _("Yours"),
    "theirs": _("Theirs"),
    "nothingHere": _("(nothing)"),
    "select": _("Select some words first."),
    "tooLong": _("Select at most {most} characters."),
    "selected": _("{count} characters selected"),
    "words": _("{count} words"),
    "characters": _("{count} characters"),
    "here": _("Here now: {names}"),
    "alone": _("Nobody else is here."),
    "atLine": _("{name}, line {line}"),
    "accepted": _("Accepted. Undo takes it back."),
    "linkAddress": _("Address of the link"),
    "headingText": _("Heading"),
    "boldText": _("bold"),
    "italicText": _("italic"),
    "linkText": _("link"),
    "cellText": _("Column"),
}


def script_texts() -> dict[str, Any]:
    """What documents.js shows, in the language of the request."""
    return {"documents": {name: str(words) for name, words in _SCRIPT.items()}}
