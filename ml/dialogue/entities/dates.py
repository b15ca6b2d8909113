"""Days and spans of days, absolute and relative, in English and Chinese."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from ml.dialogue.entities import numerals
from ml.dialogue.types import Entity

MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
MONTHS |= {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name} | {"sept": 9}
DAYS = {name.lower(): number for number, name in enumerate(calendar.day_name)}
DAYS |= {name.lower(): number for number, name in enumerate(calendar.day_abbr)} | {"tues": 1, "thur": 3, "thurs": 3}
_HAN_DAYS = {**dict(zip("一二三四五六日", range(7), strict=True)), "天": 6}
_HAN_RELATIVE = {
    "大前天": -3, "前天": -2, "昨天": -1, "昨日": -1, "今天": 0, "今日": 0, "明天": 1, "明日": 1, "后天": 2,
    "大后天": 3,
}  # fmt: skip
_RELATIVE = {"day before yesterday": -2, "yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1,
             "day after tomorrow": 2}  # fmt: skip
# Longer than anybody's account: what is further away is no date but another number.
EARLIEST, LATEST = 1900, 2199

Span = tuple[date, date]
Reader = Callable[[re.Match[str], date], "Span | None"]
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = "|".join(sorted(DAYS, key=len, reverse=True))
_COUNT = rf"(?:\d{{1,3}}|an?|{numerals.WORDS}|a couple of|a few)"
_HAN_COUNT = rf"(?:\d{{1,3}}|{numerals.CHINESE})"
_END = r"(?![\w-]|/\d)"


def find_dates(text: str, today: date, day_first: bool = True) -> Iterator[Entity]:
    """Dates of the text, the surer reading of a place first. 03/04/2026 is read with the day first, unless told
    otherwise or impossible; a date without a year is the nearest one.
    """
    readers = (*_READERS, (_NUMERIC, _numeric(day_first)))
    for pattern, read in readers:
        for match in pattern.finditer(text):
            try:
                span = read(match, today)
            except (ValueError, OverflowError):
                continue
            if span and EARLIEST <= span[0].year <= LATEST:
                yield Entity("date", match.start(), match.end(), match.group(), _value(span))


def _value(span: Span) -> str:
    first, last = span
    return first.isoformat() if first == last else f"{first.isoformat()}/{last.isoformat()}"


def _iso(match: re.Match[str], today: date) -> Span:
    day = date(int(match["year"]), int(match["month"]), int(match["day"]))
    return day, day


def _named(match: re.Match[str], today: date) -> Span:
    month = MONTHS[match["month"].lower()]
    year = match["year"]
    day = _nearest(month, int(match["day"]), today) if not year else date(_year(year), month, int(match["day"]))
    return day, day


def _month(match: re.Match[str], today: date) -> Span:
    month = MONTHS[match["month"].lower()]
    year = int(match["year"]) if match["year"] else _nearest(month, 1, today).year
    return _whole_month(year, month)


def _numeric(day_first: bool) -> Reader:
    def read(match: re.Match[str], today: date) -> Span:
        first, second = int(match["first"]), int(match["second"] or match["other"])
        day, month = (first, second) if (day_first and second <= 12) or first > 12 else (second, first)
        year = match["year"]
        found = date(_year(year), month, day) if year else _nearest(month, day, today)
        return found, found

    return read


def _relative(match: re.Match[str], today: date) -> Span:
    word = re.sub(r"\s+", " ", match["word"].lower())
    day = today + timedelta(days=_RELATIVE.get(word, _HAN_RELATIVE.get(word, 0)))
    return day, day


def _distance(match: re.Match[str], today: date) -> Span:
    """“3 days ago”, “in two weeks”, 三天前, 两周后."""
    count = _count(match["count"])
    back = bool(match["back"])
    day = _moved(today, match["unit"].lower(), -count if back else count)
    return day, day


def _weekday(match: re.Match[str], today: date) -> Span:
    """“last Monday” is before today, “next Monday” that of the week to come, “on Monday” the nearest not past."""
    wanted, which = DAYS[match["day"].lower()], (match["which"] or "").lower()
    if which in {"last", "past"}:
        day = today - timedelta(days=(today.weekday() - wanted) % 7 or 7)
    elif which == "next":
        day = today + timedelta(days=7 - today.weekday() + wanted)
    else:
        day = today + timedelta(days=(wanted - today.weekday()) % 7)
    return day, day


def _han_weekday(match: re.Match[str], today: date) -> Span:
    """上周五, 下下周一, 这周三: weeks begin on Monday."""
    which = match["which"] or ""
    weeks = which.count("下") - which.count("上")
    monday = today - timedelta(days=today.weekday())
    day = monday + timedelta(days=7 * weeks + _HAN_DAYS[match["day"]])
    if not which and day < today:
        day += timedelta(days=7)
    return day, day


def _period(match: re.Match[str], today: date) -> Span:
    """A whole week, month or year: “last month”, 上个月, 今年."""
    which, unit = match["which"].lower(), match["unit"].lower()
    step = -1 if which in {"last", "past", "上", "上个", "去"} else 1 if which in {"next", "下", "下个", "明"} else 0
    if unit in {"week", "周", "星期", "礼拜"}:
        monday = today - timedelta(days=today.weekday()) + timedelta(days=7 * step)
        return monday, monday + timedelta(days=6)
    if unit in {"month", "月"}:
        first = _moved(today.replace(day=1), "month", step)
        return _whole_month(first.year, first.month)
    return date(today.year + step, 1, 1), date(today.year + step, 12, 31)


def _han_date(match: re.Match[str], today: date) -> Span:
    """2026年11月26日, 11月26号, 上个月5号."""
    day = int(match["day"])
    if match["which"]:
        step = {"上": -1, "下": 1}.get(match["which"][0], 0)
        found = _moved(today.replace(day=1), "month", step).replace(day=day)
    elif match["year"]:
        found = date(_year(match["year"]), int(match["month"]), day)
    else:
        found = _nearest(int(match["month"]), day, today)
    return found, found


def _whole_month(year: int, month: int) -> Span:
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def _nearest(month: int, day: int, today: date) -> date:
    """The day of that name that is fewest days away; ValueError if there is none."""
    years = [year for year in range(today.year - 1, today.year + 2) if day <= calendar.monthrange(year, month)[1]]
    if not years:
        raise ValueError("no such day")
    return min((date(year, month, day) for year in years), key=lambda each: abs((each - today).days))


def _year(text: str) -> int:
    return int(text) + 2000 if len(text) == 2 else int(text)


def _count(text: str) -> int:
    text = text.lower()
    if text.isdecimal():
        return int(text)
    if text in {"a couple of", "a few"}:
        return 2 if text == "a couple of" else 3
    number = numerals.from_chinese(text) if text[0] > "\u2e80" else numerals.from_words(text)
    return int(number or 0)


def _moved(day: date, unit: str, count: int) -> date:
    unit = unit.removesuffix("s")
    if unit in {"day", "天", "日"}:
        return day + timedelta(days=count)
    if unit in {"week", "周", "个星期", "星期", "个礼拜"}:
        return day + timedelta(weeks=count)
    months = count * (12 if unit in {"year", "年"} else 1)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


# 26/11/2026, 26.11.26, 26-11-2026; without a year only 26/11, for 26.11 may be an amount.
_NUMERIC = re.compile(
    rf"(?<![\w/.$€£¥-])(?P<first>\d{{1,2}})(?:/(?P<second>\d{{1,2}})|[.-](?P<other>\d{{1,2}})(?=[.-]\d))"
    rf"(?:[/.-](?P<year>\d{{4}}|\d\d))?{_END}"
)
_UNIT = r"(?P<unit>days?|weeks?|months?|years?)"
_YEAR = r"(?P<year>(?:19|20)\d\d)"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_WHOLE_DAY = "|".join(day for day in DAYS if day.endswith("day"))
_READERS: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (_compiled(rf"(?<![\w-]){_YEAR}[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){_END}"), _iso),
    (
        _compiled(
            r"(?:(?P<year>\d{4}|\d\d)年)?(?:(?P<which>上个|下个|这个|本)月|(?P<month>\d{1,2})月)(?P<day>\d{1,2})[日号]"
        ),
        _han_date,
    ),
    (
        _compiled(
            rf"(?<!\w)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})\.?(?:,? {_YEAR})?(?![\w])"
        ),
        _named,
    ),
    (
        _compiled(
            rf"(?<!\w)(?P<month>{_MONTH})\.? (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,? {_YEAR})?(?![\w:])"
        ),
        _named,
    ),
    (_compiled(rf"(?<!\w)(?:in|since|for|from|of|during|until) (?P<month>{_MONTH})(?: {_YEAR})?(?!\w)"), _month),
    (_compiled(rf"(?<!\w)(?P<word>{'|'.join(_RELATIVE).replace(' ', r' +')})(?!\w)"), _relative),
    (_compiled(rf"(?P<word>{'|'.join(sorted(_HAN_RELATIVE, key=len, reverse=True))})"), _relative),
    (_compiled(rf"(?<!\w)(?P<count>{_COUNT}) {_UNIT} (?P<back>ago|before|earlier)(?!\w)"), _distance),
    (_compiled(rf"(?<!\w)in (?P<count>{_COUNT}) {_UNIT}(?:' time)?(?P<back>\b\B)?(?!\w)"), _distance),
    (
        _compiled(
            rf"(?P<count>{_HAN_COUNT})(?:个)?(?P<unit>天|日|周|星期|月|年)(?:之|以)?(?:(?P<back>前)|后)"
        ),
        _distance,
    ),
    (_compiled(rf"(?<!\w)(?:(?P<which>last|past|next|this|on|coming) )(?P<day>{_DAY})(?!\w)"), _weekday),
    (_compiled(rf"(?<!\w)(?P<which>\b\B)?(?P<day>{_WHOLE_DAY})(?!\w)"), _weekday),
    (_compiled(r"(?P<which>上+个?|下+个?|这个?|本)?(?:周|星期|礼拜)(?P<day>[一二三四五六日天])"), _han_weekday),
    (_compiled(r"(?<!\w)(?P<which>last|past|next|this) (?P<unit>week|month|year)(?!\w)"), _period),
    (_compiled(r"(?P<which>上个?|下个?|这个?|本|今|去|明)(?P<unit>月|周|星期|礼拜|年)"), _period),
)  # fmt: skip
