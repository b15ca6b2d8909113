"""What the bot has done and why, in words for whoever reads the desk's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

OUTCOMES: dict[str, Any] = {
    "replied": _("answered"),
    "cited": _("cited an article"),
    "generated": _("wrote an answer from articles"),
    "unknown": _("said that it does not know"),
    "handed_over": _("handed over"),
}
# A flow may give reasons of its own, which stand as they are.
REASONS: dict[str, Any] = {
    "human": _("wish for a person"),
    "fraud": _("fraud"),
    "complaint": _("complaint"),
    "unsure": _("unsure what is meant"),
    "no_valid_answer": _("no answer that fits"),
    "changed_afterwards": _("changed afterwards"),
    "outside": _("nothing that it knows of"),
    "action_failed": _("an action failed"),
    "bot_unreachable": _("the bot could not be reached"),
    "bot_removed": _("the bot was removed"),
    "bot_failed": _("the bot failed"),
    "bot_off": _("the bot is switched off"),
}


def outcome(code: str) -> str:
    return str(OUTCOMES.get(code, code))


def reason(code: str) -> str:
    return str(REASONS.get(code, code))


def provenance(found: Mapping[str, Any]) -> list[str]:
    """Where a reply comes from, a line for each thing that there is; programs are given it as it is stored."""
    titles = [str(each.get("title") or each.get("article")) for each in found.get("articles") or ()]
    return [
        *(gettext("article: %(title)s") % {"title": title} for title in titles),
        *([gettext("flows v%(number)s") % {"number": found["flows"]}] if found.get("flows") else []),
        *([gettext("model m%(number)s") % {"number": found["model"]}] if found.get("model") else []),
        *([gettext("written by %(model)s") % {"model": found["writer"]}] if found.get("writer") else []),
    ]
