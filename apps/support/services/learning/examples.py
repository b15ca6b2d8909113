"""Examples of intents: typed, imported, or marked by an agent where the bot had read something else."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Organization
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, Unprocessable
from apps.support.access_bot import WRITE
from apps.support.models import Author, Conversation, ExampleSource, IntentExample, Message, TurnRecord
from apps.support.models.bot import LONGEST_EXAMPLE, LONGEST_INTENT
from ml.dialogue.entities.tagger import Annotated, Mark, Tagger
from ml.dialogue.types import DialogueError
from ml.safety.duties import masked
from ml.safety.masking import Originals

NO_EXAMPLE = gettext_noop("There is no example with this id.")
NO_RECORD = gettext_noop("There is no turn with this id.")
Marked = tuple[str, int, int]
BAD_MARKS = gettext_noop("Marks are whole words, one beside the other: [Anna](payee).")
_NOTATION = re.compile(r"\[((?:\[[A-Z_]+_\d+\]|[^\[\]])+)\]\(([a-z][a-z0-9_]*)\)")
_SLOT = re.compile(r"[a-z][a-z0-9_]{0,63}")
MOST_MARKS = 20
INTENT = re.compile(r"[A-Za-z][A-Za-z0-9_]*[?]?")
# As `services.bot.speaking` calls its answers.
TURN = re.compile(r"bot-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-")
MOST_EXAMPLES, MOST_AT_ONCE, MOST_BYTES = 100_000, 20_000, 5_000_000
# Of 256: which share of all texts is kept for measuring, and never learned from.
TEST_SHARE = 51


@dataclass(frozen=True, slots=True)
class Given:
    """An utterance and its intent; `oos` marks what no intent answers."""

    text: str
    intent: str


def read_csv(text: str) -> list[Given]:
    """Rows with the columns text and category, or text and intent; raises Unprocessable with the row."""
    rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    names = set(rows.fieldnames or ())
    column = next((name for name in ("intent", "category") if name in names), "")
    if "text" not in names or not column:
        raise Unprocessable("The file needs the columns text and intent.", param="file")
    found = []
    try:
        for row in rows:
            said, intent = (row["text"] or "").strip(), (row[column] or "").strip()
            if not said or not intent:
                raise Unprocessable(
                    "Row %(row)s: a text or its intent is missing.", values={"row": rows.line_num}, param="file"
                )
            found.append(Given(said, intent))
    except csv.Error as error:
        raise Unprocessable("This is not CSV: %(reason)s.", values={"reason": error}, param="file") from None
    return found


def add_examples(actor: Actor, given: Sequence[Given], source: ExampleSource = ExampleSource.TYPED) -> int:
    """Adds examples and returns how many are new; a text that is there already takes the intent that is given now."""
    actor.require(WRITE)
    actor.require_open()
    if not 1 <= len(given) <= MOST_AT_ONCE:
        raise InvalidRequest("Send 1 to %(most)s examples at once.", values={"most": MOST_AT_ONCE}, param="examples")
    wanted = {_text(each.text): _intent(each.intent) for each in given}
    with tenancy.scope(actor.organization_id):
        # In turn: two that add the same text would otherwise meet at its uniqueness.
        organization = Organization.objects.select_for_update(no_key=True).get(pk=actor.organization_id)
        known = {row.text: row for row in IntentExample.objects.filter(text__in=list(wanted))}
        if IntentExample.objects.count() + len(wanted) - len(known) > MOST_EXAMPLES:
            raise Conflict("An organization has at most %(most)s examples.", values={"most": MOST_EXAMPLES})
        changed = [row for text, row in known.items() if row.intent != wanted[text]]
        for row in changed:
            row.intent, row.is_sure = wanted[row.text], False
        IntentExample.objects.bulk_update(changed, ["intent", "is_sure"], batch_size=1_000)
        new = [
            IntentExample(
                organization_id=actor.organization_id,
                text=text,
                intent=intent,
                is_test=is_test(text),
                source=source,
                created_by_id=actor.user_id,
            )
            for text, intent in wanted.items()
            if text not in known
        ]
        IntentExample.objects.bulk_create(new, batch_size=1_000)
        audit.record(actor, "examples.added", organization, count=len(new), changed=len(changed))
        events.record("examples.added", organization.pk, {"count": len(new), "changed": len(changed)})
    return len(new)


def change_example(
    actor: Actor, id: UUID, intent: str, is_sure: bool = True, slots: Sequence[Marked] | None = None
) -> IntentExample:
    """Gives an example another intent, or the same one for sure: it is not doubted again. `slots` replace its marks."""
    actor.require(WRITE)
    intent = _intent(intent)
    with tenancy.scope(actor.organization_id):
        row = _locked(id)
        before = row.intent
        row.intent, row.is_sure = intent, is_sure
        if slots is not None:
            row.slots = _slots(row.text, slots)
        row.save(update_fields=["intent", "is_sure", "slots"])
        audit.record(actor, "example.changed", row, before={"intent": before}, after={"intent": intent})
        events.record("example.changed", row.pk, {"intent": intent})
    return row


def mark_slots(actor: Actor, id: UUID, notation: str) -> IntentExample:
    """Marks slots as they are written: `Send it to [Anna](payee)`, with the example's own words."""
    actor.require(WRITE)
    text, marks, position = "", list[Marked](), 0
    for found in _NOTATION.finditer(notation):
        text += notation[position : found.start()]
        marks.append((found[2], len(text), len(text) + len(found[1])))
        text += found[1]
        position = found.end()
    text += notation[position:]
    with tenancy.scope(actor.organization_id):
        row = _locked(id)
        if text.strip() != row.text:
            raise InvalidRequest("The words of an example stay as they are; only brackets come to them.", param="slots")
        row.slots = _slots(row.text, marks)
        row.save(update_fields=["slots"])
        audit.record(actor, "example.slots_marked", row, count=len(row.slots))
        events.record("example.slots_marked", row.pk, {"slots": len(row.slots)})
    return row


def notation_of(row: IntentExample) -> str:
    """The example's words with its marks, as `mark_slots` reads them."""
    text = row.text
    for name, start, end in sorted(row.slots, key=lambda mark: -mark[1]):
        text = f"{text[:start]}[{text[start:end]}]({name}){text[end:]}"
    return text


def _slots(text: str, marks: Sequence[Marked]) -> list[list[Any]]:
    """Marks that can be learned from: whole words, none over another, named as slots are."""
    if len(marks) > MOST_MARKS or any(not _SLOT.fullmatch(name) for name, _, _ in marks):
        raise InvalidRequest("A slot's name has small letters, digits and _, up to 64 of them.", param="slots")
    if any(not 0 <= start < end <= len(text) for _, start, end in marks):
        raise InvalidRequest(BAD_MARKS, param="slots")
    try:
        Tagger.train([Annotated(text, tuple(Mark(*mark) for mark in marks))], epochs=1)
    except DialogueError:
        raise InvalidRequest(BAD_MARKS, param="slots") from None
    return [list(mark) for mark in sorted(marks, key=lambda mark: mark[1])]


def remove_example(actor: Actor, id: UUID) -> None:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        row = _locked(id)
        audit.record(actor, "example.removed", row, intent=row.intent)
        events.record("example.removed", row.pk, {"intent": row.intent})
        row.delete()


def mark_intent(actor: Actor, record_id: UUID, intent: str) -> IntentExample:
    """An agent says what was meant: the turn is marked, and its words are an example from now on."""
    actor.require(WRITE)
    actor.require_open()
    intent = _intent(intent)
    with tenancy.scope(actor.organization_id):
        # Held, so that nobody erases the conversation while its words become an example.
        talks = Conversation.objects.select_for_update(of=("self",))
        talks.filter(pk__in=TurnRecord.objects.filter(pk=record_id).values("conversation")).first()
        record: TurnRecord | None = TurnRecord.objects.select_for_update().filter(pk=record_id).first()
        if record is None:
            raise NotFound(NO_RECORD)
        text = _text(record.text)
        record.corrected = intent
        record.save(update_fields=["corrected"])
        row: IntentExample = IntentExample.objects.update_or_create(
            organization_id=actor.organization_id,
            text=text,
            defaults={"intent": intent, "is_sure": True},
            create_defaults={
                "intent": intent,
                "is_sure": True,
                "is_test": is_test(text),
                "source": ExampleSource.AGENT,
                "record": record,
                "created_by_id": actor.user_id,
            },
        )[0]
        read = record.best[0] if record.best else ""
        audit.record(actor, "example.marked", row, read=read or "–", meant=intent)
        events.record("example.marked", row.pk, {"read": read, "meant": intent})
    return row


def records_of(conversation: Conversation, messages: Sequence[Message]) -> Any:
    """How the bot has read what is shown, as a query for `turns_of`; in scope."""
    through = [row.sequence for row in messages]
    records = TurnRecord.objects.filter(conversation=conversation)
    return records.filter(Q(turn__in=list(_answers(messages))) | Q(through__in=through)).order_by("through", "id")


def turns_of(records: Iterable[TurnRecord], messages: Sequence[Message]) -> dict[int, TurnRecord]:
    """What `records_of` has given, by the number of the bot's last answer of each turn, or where it has given none, of
    the last message that it read.
    """
    answers = _answers(messages)
    return {answers.get(str(row.turn_id), row.through): row for row in records if row.text}


def _answers(messages: Sequence[Message]) -> dict[str, int]:
    """The number of the bot's last answer of each turn."""
    said = [(row.sequence, TURN.match(row.client_id or "")) for row in messages if row.author == Author.BOT]
    return {turn[1]: sequence for sequence, turn in said if turn}


def intents() -> Any:
    """All that examples have, by their names, as a query; in scope."""
    return IntentExample.objects.order_by("intent").values_list("intent", flat=True).distinct()


def is_test(text: str) -> bool:
    """By the text's own hash, so that it is the same for ever, also after it was removed and added again."""
    return hashlib.sha256(" ".join(text.lower().split()).encode()).digest()[0] < TEST_SHARE


def _text(text: str) -> str:
    """Masked like everything that is stored: an example may have been copied from a conversation."""
    text = masked(" ".join(text.replace("\0", "").split()), Originals()).text[:LONGEST_EXAMPLE].strip()
    if not text:
        raise InvalidRequest("An example needs a text.", param="text")
    return text


def _intent(intent: str) -> str:
    if not INTENT.fullmatch(intent) or len(intent) > LONGEST_INTENT:
        raise InvalidRequest("An intent's name has letters, digits and _, up to 64 of them.", param="intent")
    return intent


def _locked(id: UUID) -> IntentExample:
    found: IntentExample | None = IntentExample.objects.select_for_update().filter(pk=id).first()
    if found is None:
        raise NotFound(NO_EXAMPLE)
    return found
