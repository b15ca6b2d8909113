"""A mail of a stranger as what the desk needs of it: who, about what, in answer to what, the words and the files.

Everything is bounded, and what cannot be read raises Unreadable with a short reason: one bad mail stops no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import getaddresses

from apps.support.mail.automatic import why_automatic
from apps.support.mail.words import clean, decoded, of_html

MOST_BYTES, MOST_HEADER, MOST_PARTS, MOST_WORDS = 25_000_000, 20_000, 200, 2_000_000
# With both ends of a line counted, and words that only look like kinds of parts.
MOST_LINES, MOST_NESTED = 2_000_000, 100
LONGEST_TEXT, LONGEST_SUBJECT, LONGEST_PERSON, MOST_IDS, LONGEST_ID = 20_000, 200, 120, 60, 300
# What is too long is cut only once it is masked, or half a number would stand at its end: so much is left on for that.
MARGIN = 500
_ID = re.compile(r"<[^<>\s]{1,298}>")
_ADDRESS = re.compile(r"[^@\s<>\",;:()\[\]\\]{1,64}@[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?", re.I)
# Where mail servers write to whom they have delivered.
_TO = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")


class Unreadable(Exception):
    """The mail is set aside; `reason` is a short code that pages have a sentence for."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Attached:
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail, read, its words not yet masked and up to MARGIN longer than they may be. `sender` is who wrote,
    `answer_to` who wants the answer; neither is proved. `written` is its date as it stands there, `cut` says that the
    text goes on, `automatic` why nobody's program may answer it, and `bounced` the Message-IDs that came back.
    """

    message_id: str
    sender: str
    sender_name: str
    answer_to: str
    subject: str
    written: str
    text: str
    cut: bool
    files: tuple[Attached, ...]
    answers: tuple[str, ...]
    recipients: tuple[str, ...]
    automatic: str
    bounced: tuple[str, ...]


def parse(raw: bytes) -> Incoming:
    if len(raw) > MOST_BYTES:
        raise Unreadable("too_large")
    _measure(raw)
    try:
        mail = BytesParser(policy=policy.default).parsebytes(raw)
        return _read(mail)
    except RecursionError:
        raise Unreadable("nested_too_deeply") from None
    except Unreadable:
        raise
    except Exception as error:
        # The standard library's reader has many ways to fail on what is no mail at all.
        raise Unreadable("malformed") from error


def _measure(raw: bytes) -> None:
    """What the library's reader would take minutes for is told before it reads."""
    if raw.count(b"\n") + raw.count(b"\r") > MOST_LINES:
        raise Unreadable("too_many_lines")
    lowered = raw.lower()
    if sum(lowered.count(kind) for kind in (b"multipart/", b"message/")) > MOST_NESTED:
        raise Unreadable("nested_too_deeply")
    head = re.split(rb"\r?\n\r?\n|\r\r", raw, maxsplit=1)[0]
    if any(len(each) > MOST_HEADER for each in re.split(rb"\r?\n(?![ \t])|\r(?![ \t\n])", head)):
        raise Unreadable("header_too_long")


def _read(mail: Message) -> Incoming:
    parts = _parts(mail)
    named, sender = _first_address(mail, "From")
    if not sender:
        raise Unreadable("no_sender")
    _name, wanted = _first_address(mail, "Reply-To")
    text = _text(parts)
    return Incoming(
        message_id=_first(_ids(header(mail, "Message-ID"))),
        sender=sender,
        sender_name=clean(named)[: LONGEST_PERSON + MARGIN],
        answer_to=wanted or sender,
        subject=" ".join(clean(header(mail, "Subject")).split())[: LONGEST_SUBJECT + MARGIN],
        written=header(mail, "Date"),
        text=text[: LONGEST_TEXT + MARGIN],
        cut=len(text) > LONGEST_TEXT,
        files=tuple(_files(parts)),
        answers=tuple(dict.fromkeys([*_ids(header(mail, "In-Reply-To")), *_ids(header(mail, "References"))[::-1]])),
        recipients=tuple(address for name in _TO for address in headers(mail, name))[:50],
        automatic=why_automatic(mail, wanted or sender),
        bounced=tuple(_returned(parts)),
    )


def glimpse(raw: bytes) -> tuple[str, str]:
    """Who a mail that cannot be read says it is from, and about what; empty where not even that can be seen."""
    try:
        mail = BytesParser(policy=policy.default).parsebytes(raw[: 10 * MOST_HEADER], headersonly=True)
        subject = " ".join(clean(header(mail, "Subject")).split())
        return clean(_first_address(mail, "From")[1]), subject[: LONGEST_SUBJECT + MARGIN]
    except Exception:
        return "", ""


# ---------------------------------------------------------------- headers
def headers(mail: Message, name: str) -> list[str]:
    """Every header of this name as a person reads it, bounded; whatever is wrong with it."""
    return [_shown(each) for each in _written(mail, name)]


def _written(mail: Message, name: str) -> list[str]:
    """As they stand there, with encoded words undecoded."""
    found = [str(value) for key, value in mail.raw_items() if key.lower() == name.lower()][:20]
    # Bytes that were not ASCII came through as lone surrogates.
    return [
        " ".join(raw[:MOST_HEADER].encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())
        for raw in found
    ]


def header(mail: Message, name: str) -> str:
    return _first(headers(mail, name))


def _first(texts: list[str]) -> str:
    return texts[0] if texts else ""


def _shown(text: str) -> str:
    if "=?" not in text:
        return text
    try:
        return str(make_header(decode_header(text)))
    except (LookupError, ValueError, HeaderParseError):
        return text


def _first_address(mail: Message, header_name: str) -> tuple[str, str]:
    """A name and an address. Encoded words stand in names alone and are decoded last: commas in them part nothing."""
    for name, address in getaddresses(_written(mail, header_name)[:1]):
        if _ADDRESS.fullmatch(address) and len(address) <= 254:
            return _shown(name), address
    return "", ""


def _ids(value: str) -> list[str]:
    """Message-IDs, those nearest to the mail kept where there are too many."""
    return [each for each in _ID.findall(value) if len(each) <= LONGEST_ID][-MOST_IDS:]


# ---------------------------------------------------------------- parts
def _parts(mail: Message) -> list[EmailMessage]:
    found: list[EmailMessage] = []
    for part in mail.walk():
        if len(found) >= MOST_PARTS:
            raise Unreadable("too_many_parts")
        if any(len(str(value)) > MOST_HEADER for _name, value in part.raw_items()):
            raise Unreadable("header_too_long")
        found.append(part)  # type: ignore[arg-type]
    return found


def _text(parts: list[EmailMessage]) -> str:
    """The words: of the plain texts where there are any with words in them, otherwise what the HTML says."""
    within = _within(parts)
    own = [part for part in parts if not _is_file(part) and id(part) not in within]
    for kind in ("text/plain", "text/html"):
        words = [_words(part) for part in own if part.get_content_type() == kind]
        if any(words):
            return "\n\n".join(each for each in words if each)
    return ""


def _is_file(part: EmailMessage) -> bool:
    text = part.get_content_maintype() == "text" and not part.is_attachment()
    return not part.is_multipart() and not (text and not part.get_filename())


def _within(parts: list[EmailMessage]) -> set[int]:
    """The parts of mails that are attached to the mail."""
    outer = [part for part in parts if part.get_content_maintype() == "message"]
    return {id(each) for part in outer for each in part.walk() if each is not part}


def _words(part: Message) -> str:
    # Of a text that goes on like a book its beginning is enough to see that.
    text = decoded(_bytes(part)[:MOST_WORDS], part.get_content_charset() or "")
    return clean(of_html(text) if part.get_content_type() == "text/html" else text).strip()


def _bytes(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _files(parts: list[EmailMessage]) -> Iterator[Attached]:
    """What is attached, and pictures within the text; of a mail within the mail only that it is there."""
    within = _within(parts)
    for place, part in enumerate(parts):
        if id(part) in within or part.get_content_type() == "message/delivery-status":
            continue
        name = clean(part.get_filename() or "").strip()
        if part.get_content_maintype() == "message":
            yield Attached(name or "message.eml", b"")
        elif _is_file(part):
            yield Attached(name or f"file-{place}.{part.get_content_subtype()}", _bytes(part))


def _returned(parts: list[EmailMessage]) -> Iterator[str]:
    """The ids of the mails that a report of delivery brings back."""
    if not any(part.get_content_type() == "message/delivery-status" for part in parts):
        return
    if not any(each.lower().startswith("failed") for part in parts for each in headers(part, "Action")):
        return
    for part in parts[1:]:
        yield from _ids(header(part, "Message-ID"))
        if part.get_content_type() == "text/rfc822-headers":
            head = BytesParser(policy=policy.default).parsebytes(_bytes(part), headersonly=True)
            yield from _ids(header(head, "Message-ID"))
