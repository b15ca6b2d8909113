"""Answers as mails: threaded for the reader's program, marked where a program wrote them, and with one id for ever."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from apps.support.errors_mail import MailNotPossible

MOST_REFERENCES = 20
LINE = 76
_WHOLE = re.compile(rb"[!-9;-~]+:[^\r\n]*(\r\n[ \t][^\r\n]*)*\r\n")
_RE = re.compile(r"^\s*(re|aw|antw|sv|vs|回复|答复|回覆)\s*[:：]", re.I)


class _Policy(EmailPolicy):
    """Never breaks an id, nor writes one as an encoded word, which no program would know again."""

    def fold(self, name: str, value: Any) -> str:
        return _of_ids(name, value) if name in _IDS else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return _of_ids(name, value).encode("ascii") if name in _IDS else super().fold_binary(name, value)


_IDS = frozenset(("Message-ID", "In-Reply-To", "References"))
_POLICY = _Policy(linesep="\r\n", max_line_length=78)


def _of_ids(name: str, value: object) -> str:
    lines = [f"{name}:"]
    for id in str(value).split():
        if len(lines[-1]) + len(id) > LINE and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {id}"
    return "\r\n".join(lines) + "\r\n"


@dataclass(frozen=True, slots=True)
class Leaving:
    """A mail that is to be written. `earlier` are the ids of the conversation's mails in their order, and `answers`
    the one that this is the answer to.
    """

    sender: str
    sender_name: str
    answer_to: str
    to: str
    to_name: str
    subject: str
    text: str
    mail_id: str
    written: datetime
    automatic: bool
    answers: str = ""
    earlier: Sequence[str] = ()
    files: Sequence[tuple[str, bytes]] = ()


def compose(leaving: Leaving) -> EmailMessage:
    """Raises MailNotPossible where what is stored would become another header than the one it belongs to."""
    mail = _headed(leaving)
    mail.set_content(leaving.text.rstrip() + "\n", cte="quoted-printable")
    for name, data in leaving.files:
        kind, _, part = (mimetypes.guess_type(name)[0] or "application/octet-stream").partition("/")
        # A text as bytes too: its charset is whatever it is.
        mail.add_attachment(data, maintype=kind, subtype=part, filename=_plain(name))
    _check(mail)
    return mail


def _headed(leaving: Leaving) -> EmailMessage:
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = _address(leaving.sender_name, leaving.sender)
    mail["To"] = _address(leaving.to_name, leaving.to)
    mail["Reply-To"] = leaving.answer_to
    mail["Subject"] = _plain(leaving.subject)
    mail["Date"] = format_datetime(leaving.written)
    mail["Message-ID"] = leaving.mail_id
    if _is_id(leaving.answers):
        mail["In-Reply-To"] = leaving.answers
    earlier = [each for each in leaving.earlier if _is_id(each)]
    if earlier:
        # The first one and the last ones (RFC 5322, section 3.6.4, lets the middle be left out).
        some = [*earlier[:1], *earlier[1:][-MOST_REFERENCES:]]
        mail["References"] = " ".join(some)
    if leaving.automatic:
        mail["Auto-Submitted"] = "auto-replied"
        mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    return mail


def _plain(text: str) -> str:
    """On one line, and with nothing that the library would decode once more: what it finds there it believes."""
    return " ".join(text.split()).replace("=?", "= ?")


def _is_id(id: str) -> bool:
    return bool(id) and id.isascii() and id.isprintable() and "=?" not in id


def _check(mail: EmailMessage) -> None:
    """Each header, as it will be written with and without SMTPUTF8, is one header."""
    for part in mail.walk():
        for name, value in part.items():
            for way in (_POLICY, _POLICY.clone(utf8=True)):
                if not _WHOLE.fullmatch(way.fold_binary(name, value)):
                    raise MailNotPossible


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(_plain(name), local, domain)


def subject_of(subject: str, number: int, *, answers: bool) -> str:
    """`Re:` before what the contact has written about, once."""
    words = " ".join(subject.split()) or f"#{number}"
    return f"Re: {words}" if answers and not _RE.match(words) else words
