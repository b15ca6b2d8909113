"""Where a reply ends and what it quotes begins. Looks at each line once: strangers write what is read here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_INTRODUCTION, LONGEST_LINE = 4, 1_000
# What mail programs put above what they quote, at the end of a line: "On … wrote:" in the languages they speak.
_INTRODUCES = re.compile(
    r"\b(wrote|writes|schrieb|écrit|escribió|escreveu|scritto|schreef|skrev|napisał(\(a\))?|kirjoitti|написал\w*|"
    r"пишет)( ?[:：]?| [^:：]{1,200}[:：])$|(写道|寫道|のメール|작성) ?[:：]?$"
)
_BEGINS_INTRODUCTION = re.compile(
    r"((On|Am|Le|El|Em|Il|Op|Den|Dnia|W dniu|På) |在|于|於|\d{1,4}[-./年]\d{1,2}[-./月]\d{1,4})"
)
_DIVIDES = re.compile(
    r"\s*(-{2,}\s*(Original Message|Original-Nachricht|Ursprüngliche Nachricht|Message d'origine|Mensaje original|"
    r"Messaggio originale|Oorspronkelijk bericht|原始邮件|原始郵件|Forwarded message)\s*-{2,}|_{20,})\s*$",
    re.I,
)
_HEADER = re.compile(
    r"\s*\*?(From|Von|De|Da|Van|发件人|寄件者|Sent|Gesendet|Envoyé|Enviado|Inviato|Verzonden|Date|Datum|发送时间|日期|"
    r"To|An|À|Para|Aan|收件人|Subject|Betreff|Objet|Asunto|Oggetto|Onderwerp|主题|主旨|Cc|抄送)\s*[:：]\*?\s",
    re.I,
)


_PREFIX = re.compile(r"[ \t]*(?:>[ \t]?)+")


def changed(text: str, change: Callable[[str], str]) -> str:
    """With what is quoted changed as the text that it was, without the marks that stand within it."""
    done: list[str] = []
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        end = place
        while end < len(lines) and _PREFIX.match(lines[end]):
            end += 1
        if end == place:
            done.append(lines[place])
            place += 1
            continue
        run = lines[place:end]
        before = [_PREFIX.sub("", line, count=1) for line in run]
        after = change("\n".join(before)).split("\n")
        if after != before:
            marks = [line[: len(line) - len(bare)] for line, bare in zip(run, before, strict=True)]
            # What reached over lines has become one.
            run = [f"{marks[min(n, len(marks) - 1)]}{line}" for n, line in enumerate(after)]
        done.extend(run)
        place = end
    return "\n".join(done)


@dataclass(frozen=True, slots=True)
class Parted:
    """A reply, and what stands behind it: nothing is lost of the two together."""

    said: str
    quoted: str = ""


def part(text: str) -> Parted:
    """Cuts where nothing but a quotation follows, and nowhere where somebody answers between quoted lines."""
    lines = text.split("\n")
    place = _divided_at(lines)
    if place is None:
        place = _quoted_from(lines)
    if place is None:
        return Parted(text.strip())
    said = "\n".join(lines[:place]).strip()
    # Whoever writes only below what they quote, or nothing at all, is shown with all of it.
    return Parted(said, "\n".join(lines[place:]).strip()) if said else Parted(text.strip())


def _divided_at(lines: list[str]) -> int | None:
    """A line that programs put between an answer and the whole mail before it, or the headers of that one."""
    for place, line in enumerate(lines):
        if len(line) > LONGEST_LINE:
            continue
        if _DIVIDES.match(line) and _headers_follow(lines, place + 1):
            return place
        if _HEADER.match(line) and _headers_follow(lines, place) and (place == 0 or not lines[place - 1].strip()):
            return place
    return None


def _headers_follow(lines: list[str], place: int) -> bool:
    shown = [line for line in lines[place : place + 8] if line.strip()][:5]
    return sum(bool(_HEADER.match(line)) for line in shown if len(line) <= LONGEST_LINE) >= 3


def _quoted_from(lines: list[str]) -> int | None:
    """Where the lines at the end begin that all are quoted, with what introduces them."""
    place = len(lines)
    while place and (not lines[place - 1].strip() or lines[place - 1].lstrip().startswith(">")):
        place -= 1
    if not any(line.strip() for line in lines[place:]):
        return _introduced_from(lines)
    return _introduction_before(lines, place)


def _introduction_before(lines: list[str], place: int) -> int:
    """The line or lines that say who wrote what follows, which programs break where they like."""
    first = max(0, place - LONGEST_INTRODUCTION)
    for start in range(place - 1, first - 1, -1):
        words = " ".join(" ".join(lines[start:place]).split())
        if len(words) <= LONGEST_LINE and _BEGINS_INTRODUCTION.match(words) and _INTRODUCES.search(words):
            return start
    return place


def _introduced_from(lines: list[str]) -> int | None:
    """Of a mail that was HTML nothing marks the quoted lines: the introduction is all there is, with an address in it.

    Only the last one counts, so that what stands before it is never cut.
    """
    for place in range(len(lines) - 1, -1, -1):
        line = lines[place]
        if len(line) > LONGEST_LINE or not _INTRODUCES.search(" ".join(line.split())):
            continue
        start = _introduction_before(lines, place + 1)
        if start <= place and "@" in " ".join(lines[start : place + 1]):
            return start
    return None
