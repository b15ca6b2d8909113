"""Numbers in digits and in words, English and Chinese, as decimals."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
SMALL = {word: number for number, word in enumerate(f"{_UNITS} sixteen seventeen eighteen nineteen".split())} | {
    "a": 1,
    "an": 1,
}
TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
LARGE = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "grand": 1_000, "k": 1_000, "m": 1_000_000}
_ANY = "|".join(sorted({*SMALL, *TENS, "hundred", "thousand", "million"} - {"a", "an"}, key=len, reverse=True))
# A number in words, such as “one hundred and twenty-five” or “a thousand”, for `from_words`.
WORDS = rf"(?:(?:\ban? (?=hundred|thousand|million))?\b(?:{_ANY})\b(?:(?:[ -]| and )(?:{_ANY})\b)*)"
CHINESE_DIGITS = {**dict(zip("零一二三四五六七八九", range(10), strict=True)), "两": 2, "〇": 0, "兩": 2}
CHINESE_UNITS = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
CHINESE = f"[{''.join(CHINESE_DIGITS)}{''.join(CHINESE_UNITS)}]+"


def from_digits(text: str) -> Decimal | None:
    """A number as it is written in America (1,234.50), Europe (1.234,50), Switzerland (1'234.50) or with spaces.

    One comma or point before exactly three digits sets thousands apart, if there are digits before that make sense of
    it; any other is the decimal one. None for what is no number.
    """
    plain = re.sub(r"[\s'’]", "", text)
    comma, point = plain.rfind(","), plain.rfind(".")
    if comma >= 0 and point >= 0:
        mark, other = (",", ".") if comma > point else (".", ",")
        plain = plain.replace(other, "").replace(mark, ".") if plain.count(mark) == 1 else ""
    elif comma >= 0 or point >= 0:
        mark = "," if comma >= 0 else "."
        whole, *rest = plain.split(mark)
        grouped = all(len(part) == 3 for part in rest) and 1 <= len(whole) <= 3 and whole.lstrip("0") != ""
        if len(rest) > 1 and not grouped:
            return None
        plain = plain.replace(mark, "") if grouped else plain.replace(mark, ".")
    try:
        return Decimal(plain) if re.fullmatch(r"\d+(?:\.\d+)?", plain) else None
    except InvalidOperation:
        return None


def from_words(text: str) -> Decimal | None:
    """A number in English words; None for what is none."""
    total = current = 0
    for word in re.findall(r"[a-z]+", text.lower()):
        if word == "and":
            continue
        if word in SMALL:
            current += SMALL[word]
        elif word in TENS:
            current += TENS[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in LARGE:
            total += max(current, 1) * LARGE[word]
            current = 0
        else:
            return None
    return Decimal(total + current)


def from_chinese(text: str) -> Decimal | None:
    """A number in Chinese characters: 三百五十, 两万三, 一千零五; digits one after the other are read as such."""
    if not any(letter in CHINESE_UNITS for letter in text):
        digits = "".join(str(CHINESE_DIGITS[letter]) for letter in text)
        return Decimal(digits) if digits else None
    total = section = 0
    digit, unit = 0, 1
    for letter in text:
        if letter in CHINESE_DIGITS:
            digit = CHINESE_DIGITS[letter]
            unit = 1 if letter in "零〇" else unit
            continue
        unit = CHINESE_UNITS[letter]
        if unit >= 10_000:
            total = (total + section + digit) * unit
            section = 0
        else:
            section += (digit or (1 if unit == 10 else 0)) * unit
        digit = 0
    # 两万三 is 23,000: a last digit without a unit counts tenths of the unit before it.
    last = digit * unit // 10 if digit and unit > 10 and len(text) > 1 and text[-2] in CHINESE_UNITS else digit
    return Decimal(total + section + last)


def is_chinese_number(text: str) -> bool:
    """Whether something is counted: 万 alone counts nothing, 十 does."""
    return any(letter in CHINESE_DIGITS for letter in text) or text.startswith("十")
