"""What only several messages together say: a card's number in parts, and a security code that somebody has asked for.

It is masked before it is stored, and what is stored already once the message comes that says what it was.

What was delivered before that cannot be taken back: see docs/support.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts import audit
from apps.core.crypto import seal_into, unseal_from
from apps.core.errors import SealedValueUnreadable
from apps.support.masking import CARD, Span, clean
from apps.support.models import (
    Conversation,
    DialogueEvent,
    IntentExample,
    Message,
    MessageKind,
    Original,
    TurnRecord,
)
from apps.support.services.desk import settings_of
from apps.support.services.indexing import index_message
from apps.support.services.storing import (
    SYSTEM,
    Draft,
    change,
    keep_original,
    message_changed,
    texts_with_placeholders,
)
from apps.support.splitting import MOST_PARTS, has_digits, parts_of_card
from ml.safety.codes import asks_for_code, codes_told, may_hold_code, names_code, points_at_code

# So long may a contact take for all parts.
WITHIN = timedelta(minutes=10)
# Of what came before so many messages are looked through for parts.
MOST_BEFORE = 20
# So many messages of the contact may stand between a question, or a code's name, and the code.
STILL_ANSWERS = 2


def completed(held: Conversation, draft: Draft) -> tuple[Draft, list[Message]]:
    """The draft with its own part marked, and the earlier messages that hold the others, masked by now.

    The conversation's row is held: of two parts that come at once the later one sees the earlier.
    """
    found = _number(held, draft) if has_digits(draft.content) else None
    if found is not None:
        return found
    if may_hold_code(draft.content) and (told := _told(held, draft.content)):
        return replace(draft, codes=tuple(told)), []
    return draft, _pointed_at(held) if points_at_code(draft.content) else []


def _number(held: Conversation, draft: Draft) -> tuple[Draft, list[Message]] | None:
    """The same for the parts of a card's number; None where they make up none."""
    # What is said between parts without any digit hides none of them.
    holding = [each for each in _recent(held, MessageKind.INCOMING)[:MOST_BEFORE] if has_digits(each.content)]
    before = holding[: MOST_PARTS - 1][::-1]
    spans = parts_of_card([*(each.content for each in before), draft.content]) if before else []
    if not spans:
        return None
    earlier = before[-(len(spans) - 1) :]
    for message, span in zip(earlier, spans, strict=False):
        _mask(held, message, parts=[span])
    return replace(draft, hidden=(spans[-1],)), earlier


def _told(held: Conversation, text: str) -> list[Span]:
    """Codes in an answer to whoever has asked for one, or behind a message that names one."""
    said = list(_recent(held, MessageKind.INCOMING, MessageKind.OUTGOING)[: 2 * STILL_ANSWERS])
    theirs = [each.content for each in said if each.kind == MessageKind.INCOMING][:STILL_ANSWERS]
    question = next((place for place, each in enumerate(said) if each.kind == MessageKind.OUTGOING), None)
    ours = said[question].content if question is not None and question <= STILL_ANSWERS else ""
    if ours and asks_for_code(ours):
        return codes_told(text, asked=True)
    return codes_told(text, asked=False) if any(names_code(each) for each in (ours, *theirs)) else []


def _pointed_at(held: Conversation) -> list[Message]:
    """The contact's last message, masked, if it was the code that the next one names; what was masked is none."""
    last: Message | None = _recent(held, MessageKind.INCOMING).first()
    if last is None:
        return []
    spans = codes_told(last.content, asked=False)
    for span in spans:
        _mask(held, last, codes=[span])
    return [last] if spans else []


def _recent(held: Conversation, *kinds: MessageKind) -> QuerySet[Message]:
    """What was said a short time ago, the latest first."""
    since = timezone.now() - WITHIN
    rows: QuerySet[Message] = Message.objects.filter(conversation=held, kind__in=kinds, created_at__gte=since)
    return rows.order_by("-sequence")


def tell(held: Conversation, earlier: Sequence[Message]) -> None:
    """In the conversation, in the audit log, and to whoever is told of changed messages."""
    if not earlier:
        return
    places = [each.sequence for each in earlier]
    change(held, SYSTEM, "masked_later", {"messages": places})
    audit.record(audit.system(held.organization_id), "support_message.masked_later", held, sequences=places)
    for message in earlier:
        message_changed(held, message, ["content"])


def _mask(held: Conversation, message: Message, parts: Sequence[Span] = (), codes: Sequence[Span] = ()) -> None:
    """The one place becomes a placeholder wherever it is kept: message, index, and what the bot remembers."""
    [(start, end)] = (*parts, *codes)
    part = message.content[start:end]
    said = clean(message.content, (), texts_with_placeholders(held), parts, codes)
    message.content, message.masked = said.text, sorted({*message.masked, CARD})
    message.save(update_fields=["content", "masked"])
    if said.originals:
        _keep(message, said.originals, settings_of(held.organization_id).original_days)
    index_message(message)
    [placeholder] = said.placeholders
    _forget(held, part, placeholder)


def _forget(held: Conversation, part: str, placeholder: str) -> None:
    """In what the bot has read and remembers, as it was written and with its digits joined."""
    digits = "".join(each for each in part if each.isdigit()) or re.escape(part)
    wanted = re.compile(rf"(?<!\d)(?:{re.escape(part)}|{digits})(?!\d)")
    for record in TurnRecord.objects.filter(conversation=held, text__contains=part[0]):
        if (text := wanted.sub(placeholder, record.text)) != record.text:
            TurnRecord.objects.filter(pk=record.pk).update(text=text)
            # An agent may have made an example of it meanwhile, which teaches nothing with or without the number.
            IntentExample.objects.filter(record=record).delete()
    for event in DialogueEvent.objects.filter(conversation=held):
        found = json.loads(event.body)
        if (put := _put(found, wanted, placeholder)) != found:
            DialogueEvent.objects.filter(pk=event.pk).update(body=json.dumps(put, ensure_ascii=False))


def _put(value: Any, wanted: re.Pattern[str], placeholder: str) -> Any:
    """In every text within JSON; what else there is, such as a moment, only looks like a part."""
    if isinstance(value, str):
        return wanted.sub(placeholder, value)
    if isinstance(value, dict):
        return {name: _put(each, wanted, placeholder) for name, each in value.items()}
    return [_put(each, wanted, placeholder) for each in value] if isinstance(value, list) else value


def _keep(message: Message, originals: str, days: int) -> None:
    """Beside what was masked in the message before, under the same seal and for as long."""
    kept = message.moved_from or message.pk
    row: Original | None = Original.objects.select_for_update(of=("self",)).filter(message=kept).first()
    if row is None:
        if days and message.moved_from is None:
            keep_original(message, originals, days)
        return
    try:
        known = json.loads(unseal_from(row, "content"))
    except (SealedValueUnreadable, ValueError):
        return
    seal_into(row, "content", json.dumps(known | json.loads(originals)))
    row.save(update_fields=["content"])
