"""Amounts of money: symbols, codes and words of currencies, in American and European digits, words and Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from ml.dialogue.entities import numerals
from ml.dialogue.types import Entity

SYMBOLS = {
    "$": "USD", "us$": "USD", "€": "EUR", "£": "GBP", "¥": "CNY", "￥": "CNY", "₹": "INR", "hk$": "HKD", "a$": "AUD",
    "c$": "CAD", "s$": "SGD", "zł": "PLN", "kč": "CZK",
}  # fmt: skip
CODES = (
    "USD EUR GBP CNY RMB INR CHF JPY HKD AUD CAD SGD PLN SEK NOK DKK CZK HUF NZD ZAR BRL MXN TRY KRW AED SAR".split()
)
WORDS = {
    "dollar": "USD", "buck": "USD", "euro": "EUR", "pound": "GBP", "quid": "GBP", "sterling": "GBP", "franc": "CHF",
    "yuan": "CNY", "renminbi": "CNY", "yen": "JPY", "rupee": "INR", "zloty": "PLN", "cent": "cent", "penny": "penny",
    "pence": "penny", "p": "penny",
}  # fmt: skip
CHINESE = {
    "人民币": "CNY", "元": "CNY", "块钱": "CNY", "块": "CNY", "美元": "USD", "美金": "USD", "欧元": "EUR",
    "英镑": "GBP",
    "日元": "JPY", "港币": "HKD", "港元": "HKD",
}  # fmt: skip
# A hundredth: how an amount of cents or pence is said in its currency.
_SMALL_CHANGE = {"cent": "", "penny": "GBP"}

_DIGITS = r"\d{1,3}(?:[ ’']\d{3})+(?:[.,]\d{1,2})?|\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
_FACTOR = r"(?: ?(?P<factor>k|thousand|grand|million|m|百万|千|万|萬|亿)(?![a-z]))?"
_MARK = "|".join(re.escape(mark) for mark in sorted(SYMBOLS, key=len, reverse=True))
_CODE = "|".join(CODES)
_WORD = "|".join(f"{word}{'' if word in {'pence', 'sterling', 'yuan', 'yen', 'p'} else 's?'}" for word in WORDS)
_HAN = "|".join(sorted(CHINESE, key=len, reverse=True))
_BEFORE = re.compile(
    rf"(?<![A-Za-z\d.,])(?:(?P<mark>{_MARK})|(?P<code>{_CODE})\b) ?(?P<number>{_DIGITS}){_FACTOR}(?!\d)", re.IGNORECASE
)
_BEHIND = re.compile(
    rf"(?<![A-Za-z\d.,])(?<!\d )(?P<number>{_DIGITS}){_FACTOR} ?"
    rf"(?:(?P<code>{_CODE})\b|(?P<word>{_WORD})\b|(?P<mark>{_MARK})(?!\w)|(?P<han>{_HAN}))",
    re.IGNORECASE,
)
_SAID = re.compile(rf"(?P<number>{numerals.WORDS}) (?:(?P<code>{_CODE})|(?P<word>{_WORD}))\b", re.IGNORECASE)
_HAN_SAID = re.compile(rf"(?P<number>{numerals.CHINESE})(?P<han>{_HAN})(?P<tenth>[一二三四五六七八九])?")
# 两万三 as the whole of an answer.
_HAN_BARE = re.compile(rf"(?P<number>{numerals.CHINESE})[。.!！]?")
# Without a currency, but with a factor or as what is asked to be moved: “transfer 200”, “send 1.5k to”.
_BARE = re.compile(
    rf"(?:\b(?:amount|sum|limit|transfer|send|pay|paid|spend|withdraw|withdrew|deposit|top[ -]?up|refund|charged?|move"
    rf"|meant|make it|about|of|only|be|was|is)\b|转账?|汇款?|取|存|付|充值?|是|改成)(?: of| is| by| about| to)? ?"
    rf"(?P<number>{_DIGITS}){_FACTOR}(?![\w/:%-]|[.,]\d|年|月|日|号|天|个|張|张| ?(?:days?|weeks?|months?|years?|hours?"
    rf"|minutes?|times?|cards?|january|february|march|april|may|june|july|august|september|october|november|december))",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"\s*(?P<number>{_DIGITS}){_FACTOR}\s*[.!]?\s*", re.IGNORECASE)
_FACTORS = {"k": 1_000, "thousand": 1_000, "grand": 1_000, "m": 10**6, "million": 10**6, "千": 1_000, "万": 10_000,
            "萬": 10_000, "百万": 10**6, "亿": 10**8}  # fmt: skip


def find_amounts(text: str) -> Iterator[Entity]:
    """Amounts of the text, those with a currency first; they may overlap, and the first is the better reading."""
    for pattern in (_BEFORE, _BEHIND, _SAID, _HAN_SAID):
        for match in pattern.finditer(text):
            if found := _amount(match):
                yield found
    for match in _BARE.finditer(text):
        if found := _amount(match):
            yield found
    for pattern in (_HAN_BARE, _ALONE):
        if (alone := pattern.fullmatch(text)) and (found := _amount(alone)):
            yield found


def _amount(match: re.Match[str]) -> Entity | None:
    parts = match.groupdict()
    value = _value(parts["number"])
    if value is None:
        return None
    value *= _FACTORS.get((parts.get("factor") or "").lower(), 1)
    unit = _unit(parts)
    if unit in _SMALL_CHANGE:
        value, unit = value / 100, _SMALL_CHANGE[unit]
    if parts.get("tenth"):
        value += Decimal(numerals.CHINESE_DIGITS[parts["tenth"]]) / 10
    said = unit or any(parts.get(name) for name in ("word", "code", "mark", "han"))
    start = match.start() if said else match.start("number")
    end = match.end() if said or "factor" not in parts else max(match.end("number"), match.end("factor"))
    while match.string[start:end].endswith((" ", ".", "!")):
        end -= 1
    return Entity("amount", start, end, match.string[start:end], f"{value.normalize():f}", unit)


def _value(number: str) -> Decimal | None:
    if number[0].isdecimal():
        return numerals.from_digits(number)
    if number[0] in numerals.CHINESE_DIGITS or number[0] in numerals.CHINESE_UNITS:
        return numerals.from_chinese(number) if numerals.is_chinese_number(number) else None
    return numerals.from_words(number)


def _unit(parts: dict[str, str | None]) -> str:
    """ISO 4217, or the name of a hundredth of something; nothing if no currency is said."""
    if code := parts.get("code"):
        return {"RMB": "CNY"}.get(code.upper(), code.upper())
    if mark := parts.get("mark"):
        return SYMBOLS[mark.lower()]
    if han := parts.get("han"):
        return CHINESE[han]
    if word := (parts.get("word") or "").lower():
        return WORDS.get(word) or WORDS[word.removesuffix("s")]
    return ""
