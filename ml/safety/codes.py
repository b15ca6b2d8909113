"""Security codes of cards (CVV, CVC, CID): named in a text, beside a card, or told in answer to who asks for one.

Three or four digits are a code only by what stands around them. Within a text that is its name; across texts somebody
has just asked for it, or its name comes by itself before or behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ml.safety.plain import plain

Span = tuple[int, int]
_BACK = r"(?:on|at|from) the (?:back|rear|reverse)(?: side)?(?: of (?:my|the|your|that) card)?"
_CODE_WORDS = (
    r"(?:\b(?:cvv2?|cvc2?|cvn2?|csc|cid|card verification (?:value|code|number)|card security code|security code"
    rf"|security number|(?:code|number) {_BACK}"
    rf"|(?:3|three|4|four)[ -]digits?(?: security)? (?:code|number)(?: {_BACK})?"
    rf"|(?:the )?(?:last )?(?:3|three|4|four) (?:digits|numbers) {_BACK}|kartenprüfnummer|prüfziffer|prüfnummer"
    r"|sicherheitscode|code de sécurité|cryptogramme(?: visuel)?|código de seguridad|codice di sicurezza)"
    r"|安全码|安全碼|校验码|校驗碼|卡背(?:面)?(?:的)?(?:后|後)?三位(?:数|數)?(?:字)?|背面(?:的)?(?:后|後)?三位(?:数|數)?(?:字)?)"
)
_WORD = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_NUMBER = rf"\d(?:[ -]?\d){{2,3}}|\b{_WORD}(?:[ ,-]{{1,2}}{_WORD}){{2,3}}\b|[零〇一二三四五六七八九]{{3,4}}"
# What makes a number a sum, a share, a time or a count: not a code, whoever has asked for one.
_UNIT = (
    r"(?:[%€$£¥元块塊万萬年天次个個岁歲分]|(?:eur|usd|gbp|cny|rmb|chf|euros?|dollars?|pounds?|bucks|yuan|percent|times"
    r"|days?|weeks?|months?|years?|hours?|minutes?|mins?|points?|items?|pieces|people|cards|am|pm|k|km)\b)"
)
_ENDS = rf"(?!\d|-\d|[.,:/]\d|\s?{_UNIT})"
# Up to a dozen small words and signs between the word and the number.
_CODE_AFTER = re.compile(
    rf"{_CODE_WORDS}(?:[\s:=#.,()/\"'*?!–-]|\b(?:is|are|code|no|number|num|the|was|be|digits?|ist|est|on|back|it|its|it's"
    rf"|says|reads)\b|[是为為：:？的])"
    rf"{{0,12}}({_NUMBER}){_ENDS}",
    re.IGNORECASE,
)
_CODE_BEFORE = re.compile(
    rf"(?<![\d.,-])(\d{{3,4}})\s{{0,2}}(?:\(|-|,|=|is|as|for|is the|is my|是)?\s{{0,2}}(?:the |my )?"
    rf"(?:{_CODE_WORDS}|{_BACK})(?!\w)",
    re.IGNORECASE,
)
# Behind a card: its date of expiry, perhaps, and then three digits by themselves; four for American Express.
_DATE = r"(?:0?[1-9]|1[0-2]) ?[/.-] ?(?:20)?[2-5]\d"
_BEHIND = re.compile(
    rf"[\s,;/|-]{{1,4}}(?:(?:exp(?:iry|ires|iration)?(?: date)?|valid(?: (?:thru|until|to))?|有效期)?[\s:.]{{0,3}}"
    rf"{_DATE}[\s,;/|-]{{1,4}})?(?:and )?(\d{{3,4}})(?![\d%€$£]|[.,:/-]?\d|\s?[A-Za-z%€$£元块])",
    re.IGNORECASE,
)


def security_codes(text: str, found: Sequence[Span]) -> Iterator[Span]:
    """Codes that are named, anywhere, and unnamed ones right behind one of the cards in `found`."""
    for pattern in (_CODE_AFTER, _CODE_BEFORE):
        for match in pattern.finditer(text):
            yield match.span(1)
    for start, end in found:
        behind = _BEHIND.match(text, end)
        digits = re.sub(r"\D", "", text[start:end])
        if behind and len(behind.group(1)) == (4 if digits[:2] in {"34", "37"} else 3):
            yield behind.span(1)


_NAMED = re.compile(rf"{_CODE_WORDS}(?![A-Za-z])", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？\n]*")
_WARNS = re.compile(
    r"\b(?:never|not|don'?t|won'?t|without|nie|niemals|kein\w*|nicht|jamais|nunca)\b|不要|切勿|请勿|請勿|不会|不會|无需|無需|别",
    re.IGNORECASE,
)
_REQUESTS = re.compile(
    r"[?？]|:\s*$|\b(?:enter|type|give|tell|send|provide|confirm|share|need|what|which|please|bitte|nennen|geben|indiquez"
    r"|saisissez|indique)\b|请|請|输入|輸入|提供|告诉|告訴|多少|需要",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"[?？]")
_ANY_DATE = re.compile(rf"\b{_DATE}\b|\b\d{{1,4}}[/.-]\d{{1,2}}[/.-]\d{{1,4}}\b|\b\d{{1,2}}:\d\d\b")
_LONE = re.compile(
    rf"(?<![\w.,:/#€$£¥+-])(?<!\d[ -])(?<![#€$£¥] )({_NUMBER})(?![\d\w]|[ -]\d|[.,:/]\d|\s?{_UNIT})"
    rf"|(?<=[\u4e00-\u9fff])({_NUMBER})(?!\d|[ -]\d|[.,:/]\d|\s?{_UNIT})",
    re.IGNORECASE,
)
_DIGITS = re.compile(_NUMBER, re.IGNORECASE)
# What a number is that has a noun of its own.
_OTHERWISE = re.compile(
    r"(?:\b(?:order|ticket|case|ref|reference|invoice|room|branch|extension|ext|error|flight|account|street|road|suite|atm"
    r"|amount|sum|of|about|around|transfer|pay|paid|pin|born|in|since|until|year|eur|usd|gbp|chf|another|only|nearly|over)"
    r"(?: (?:no|nr|number|is|code))?[\s.:#]{0,3}"
    r"|(?:订单|訂單|房间|金额|金額|工单|工單|账号|賬號|第|于|於|转|轉|转账|轉賬)号?[\s:：]?)$",
    re.IGNORECASE,
)
_SMALL = re.compile(
    r"(?:[\s.,;:!()*\"'=#–…-]|\b(?:it'?s|is|it|yes|yep|yeah|ok|okay|sure|here|you|go|the|my|code|number|thanks|thank|please|so"
    r"|and|then|its|that'?s|this|that|was|one|sec|um|uh|well|sorry|i|think|believe|says|reads|exp|expires|ja|es|ist|das|bitte"
    r"|danke|oui|c'?est|merci|gracias|digits?|on|back)\b|[是为為好的您你谢謝嗯那我这這了吧呢啊哦三位数字數：，。！])*",
    re.IGNORECASE,
)


def asks_for_code(text: str) -> bool:
    """Whether a text ends with asking for a card's code: a warning never to tell it does not, nor a later question."""
    asked = False
    for sentence in _SENTENCE.findall(plain(text).text):
        if _NAMED.search(sentence):
            asked = _WARNS.search(sentence) is None and _REQUESTS.search(sentence) is not None
        elif _QUESTION.search(sentence):
            asked = False
    return asked


def names_code(text: str) -> bool:
    """Whether a code is spoken of at all."""
    return _NAMED.search(plain(text).text) is not None


def points_at_code(text: str) -> bool:
    """Whether a text says nothing but that something is a code: “that was my CVV”, “安全码”."""
    meant = plain(text).text
    named = _NAMED.search(meant)
    rest = meant[: named.start()] + " " + meant[named.end() :] if named else ""
    return named is not None and _SMALL.fullmatch(rest) is not None


def may_hold_code(text: str) -> bool:
    """Whether there are digits enough for a code, for those who ask before they look at other texts."""
    return _DIGITS.search(plain(text).text) is not None


def codes_told(text: str, *, asked: bool) -> list[Span]:
    """What is a code in a text that follows a question for one (`asked`), or only the name of one.

    Asked for it is each number of three or four digits that nothing else is said of; where a code was only named, a
    text has to consist of the number.
    """
    meant = plain(text)
    blanked = _ANY_DATE.sub(lambda found: (" \0" * len(found.group()))[: len(found.group())], meant.text)
    matches = [match.span(1) if match.group(1) else match.span(2) for match in _LONE.finditer(blanked)]
    found = [span for span in matches if not _OTHERWISE.search(blanked[: span[0]])]
    if not asked:
        rest = blanked
        for start, end in reversed(found):
            rest = rest[:start] + rest[end:]
        found = found if len(found) == 1 and _SMALL.fullmatch(rest.replace("\0", " ")) else []
    return [meant.span(*span) for span in found]
