"""What the desk's templates need: who wrote something, and what an activity says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.translation import gettext, ngettext

from apps.accounts.models import Membership
from apps.support import words_bot
from apps.support.automation import EVENTS
from apps.support.editors.choices import FIELD_SOURCES, Choices
from apps.support.errors_mail import ERRORS
from apps.support.models import (
    AttributeDefinition,
    Author,
    AutomationRule,
    BusinessHours,
    Contact,
    ConversationStatus,
    Macro,
    Message,
    MessageFile,
    Priority,
    SlaKind,
    SlaPolicy,
    TurnRecord,
)
from apps.support.services import files
from apps.support.services.messages import author_name
from apps.support.services.trying import Looked

register = template.Library()


@register.filter
def author(message: Message, contact: Contact) -> str:
    """Whoever wrote it, as the page calls them."""
    if message.author == Author.CONTACT:
        return str(contact)
    if message.author == Author.AGENT:
        return author_name(message)
    return str(Author(message.author).label)


@register.filter
def entry(names: dict[str, Any], name: str) -> Any:
    """What a table has for a name; the name itself where it has nothing."""
    return names.get(name, name)


@register.filter
def of_message(turns: dict[int, TurnRecord], message: Message) -> TurnRecord | None:
    """How the bot has read the turn that this message ends."""
    return turns.get(message.sequence) if turns else None


@register.filter
def outcome_words(turn: TurnRecord) -> str:
    """What came of a turn, and why."""
    words = words_bot.outcome(turn.outcome)
    return f"{words} ({words_bot.reason(turn.reason)})" if turn.reason else words


@register.filter
def provenance_words(message: Message) -> str:
    """Which versions a reply of the bot comes from."""
    return " · ".join(words_bot.provenance(message.provenance))


@register.filter
def file_link(file: MessageFile) -> str:
    return files.link(file)


@register.filter
def told(message: Message, agents: Iterable[Membership] = ()) -> str:
    """An activity as a sentence."""
    who = author_name(message)
    why = message.details.get("why", "")
    changes = message.details.get("changes", {})
    said = _because(why, message.details)
    parts = [said] if said else [_change(name, before, after, agents) for name, (before, after) in changes.items()]
    return f"{who}: " + "; ".join(part for part in parts if part)


def _because(why: str, details: dict[str, Any]) -> str:
    sentences = {
        "created": gettext("the conversation began"),
        "handed_over": gettext("handed over to people (%(reason)s)"),
        "taken_over": gettext("took over from the bot"),
        "participants": gettext("changed who takes part"),
        "returned_to_bot": gettext("gave it back to the bot"),
        "reopened": gettext("opened it again"),
        "given_out": gettext("gave it out in turn"),
        "muted": gettext("blocked the contact"),
        "unmuted": gettext("let the contact write again"),
        "submitted": gettext("answered message %(message)s"),
        "rule": gettext("followed the rule “%(rule)s”"),
        "macro": gettext("ran the macro “%(macro)s”"),
        "rated": gettext("rated it %(score)s of 5"),
        "file_infected": gettext("found a virus (%(finding)s) in a file and removed the file"),
        "file_unchecked": gettext("could not check a file for viruses; nobody is given it"),
        "masked_later": gettext("masked a number that was spread over several messages"),
        "message_deleted": gettext("took back message %(message)s"),
    }
    if why == "merged":
        return gettext("merged it with #%(number)s") % {"number": details.get("into") or details.get("from")}
    if why == "mail_failed":
        facts = {"message": details.get("message"), "why": problem_words(str(details.get("problem", "")))}
        return gettext("message %(message)s did not get there by mail: %(why)s") % facts
    words = sentences.get(why, "")
    details = details | {"reason": words_bot.reason(str(details.get("reason", "")))}
    try:
        return words % details if words else ""
    except KeyError:
        return words.partition("%")[0].strip()


def _change(name: str, before: Any, after: Any, agents: Iterable[Membership]) -> str:
    if name == "status":
        return gettext("status %(value)s") % {"value": ConversationStatus(after).label}
    if name == "assignee":
        person = next((each.user.email for each in agents or () if str(each.pk) == after), "–")
        return gettext("assigned to %(value)s") % {"value": person}
    if name == "priority":
        return gettext("priority %(value)s") % {"value": Priority(after).label}
    if name in ("labels", "skills"):
        return gettext("%(name)s: %(value)s") % {"name": gettext(name), "value": ", ".join(after) or "–"}
    if name == "subject":
        return gettext("subject “%(value)s”") % {"value": after}
    return ""


@register.filter
def problem_words(code: str) -> str:
    """What is wrong with a mail server, or with a mail."""
    error = ERRORS.get(code)
    return gettext(error.words) if error else code


@register.filter
def aside_words(reason: str) -> str:
    """Why a mail was set aside."""
    sentences = {
        "too_large": gettext("It is larger than 25 MB."),
        "malformed": gettext("It cannot be read as a mail."),
        "no_sender": gettext("It names no address that could be answered."),
        "invalid_request": gettext("It names no address that could be answered."),
        "nested_too_deeply": gettext("It has parts within parts without end."),
        "too_many_parts": gettext("It has more than 200 parts."),
        "header_too_long": gettext("It has a header of unusual length."),
        "too_many_lines": gettext("It has more than a million lines."),
        "too_costly": gettext("The desk did not come to an end with it in three attempts."),
        "not_fetched": gettext("The mail server broke off several times while it was fetched."),
        "unexpected": gettext("The desk failed at it. The operator finds the reason in the log."),
    }
    return sentences.get(reason, reason)


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as people say them; a dash where there are none."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return gettext("%(n)d s") % {"n": round(seconds)}
    if seconds < 3_600:
        return gettext("%(n)d min") % {"n": round(seconds / 60)}
    if seconds < 86_400:
        return gettext("%(n).1f h") % {"n": seconds / 3_600}
    return gettext("%(n).1f days") % {"n": seconds / 86_400}


# ---------------------------------------------------------------- settings in words


@register.filter
def condition_words(known: Choices, condition: dict[str, Any]) -> str:
    return known.condition(condition)


@register.filter
def action_words(known: Choices, action: dict[str, Any]) -> str:
    return known.action(action)


@register.filter
def known_words(known: Choices, looked: Looked) -> str:
    """What is known of a condition's field."""
    value = looked.known
    if isinstance(value, list):
        return ", ".join(value) or "–"
    source = FIELD_SOURCES.get(str(looked.condition["field"]), "text")
    return known.word(source, value) or "–"


@register.filter
def setting_words(row: Any) -> str:
    """What one setting does, in a few words."""
    if isinstance(row, AutomationRule):
        conditions, actions = len(row.conditions), len(row.actions)
        held = ngettext("%(n)d condition", "%(n)d conditions", conditions) % {"n": conditions}
        return f"{EVENTS.get(row.event, row.event)} · {held} · {_actions(actions)}"
    if isinstance(row, Macro):
        return _actions(len(row.actions))
    if isinstance(row, BusinessHours):
        days = len({each["day"] for each in row.weekly})
        return f"{row.time_zone} · {ngettext('%(n)d day a week', '%(n)d days a week', days) % {'n': days}}"
    if isinstance(row, SlaPolicy):
        names = ((row.first_reply, SlaKind.FIRST_REPLY), (row.next_reply, SlaKind.NEXT_REPLY))
        promised = [*names, (row.resolution, SlaKind.RESOLUTION)]
        return " · ".join(f"{kind.label}: {duration(seconds)}" for seconds, kind in promised if seconds)
    if isinstance(row, AttributeDefinition):
        return f"{row.get_of_display()} · {row.key} · {row.get_kind_display()}"
    return str(getattr(row, "content", "") or getattr(row, "about", ""))[:80]


def _actions(count: int) -> str:
    return ngettext("%(n)d action", "%(n)d actions", count) % {"n": count}
