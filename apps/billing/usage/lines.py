"""A month's sums by one thing, and the lines of a table made of them; with as many queries however much there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import F, Func, Sum, UUIDField
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import ApiKey, Membership, Team
from apps.billing.models import Spender
from apps.billing.usage.filters import (
    DAY,
    GROUPINGS,
    KEY,
    METER,
    METER_NAMES,
    MODEL,
    NOBODY,
    SPENDER,
    TEAM,
    TEXT,
    Filters,
    by_day,
    midnight,
)
from apps.billing.usage.totals import MONEY, NUMBERS, Counted, Totals, totals_of

# How many lines a table shows; the rest is one line, and whole in the export.
MOST_LINES = 50
COLUMNS = {MODEL: "model_name", SPENDER: "spender_id", KEY: "api_key_id"}
SUMS: dict[str, Any] = {f"sum_{name}": Sum(name) for name in (*NUMBERS, *(column for column, _ in MONEY.values()))}
CURRENCIES = ("currency", "charge_currency")


class _Unnest(Func):
    """A line for each element of an array."""

    function = "unnest"
    set_returning = True


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: its sums, their share of all in percent, and the address of what is behind them."""

    name: str | Promise
    totals: Totals
    percent: int
    query: str
    note: str | Promise = ""
    # What its quantity is of, where that is one meter.
    meter: str = ""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A month by one thing: all together, the lines with most, and what is in no line that is shown.

    `counted` is what each meter counted by day, also on the days before the month that were asked for.
    """

    total: Totals
    days: dict[date, Totals]
    lines: list[Line]
    rest: Totals
    counted: Counted


def breakdown(filters: Filters, by: str, since: date | None = None) -> Breakdown:
    """The month's sums by one thing; teams overlap, so that their lines add up to no total.

    What is `counted` begins with `since`. An organization may have a hundred thousand rows of a month: they are
    looked at once for all that is by day or by meter, and once more for the lines of anything else.
    """
    days, meters, counted = _look(filters, since)
    total = sum(days.values(), Totals())
    if by == TEAM:
        found = {} if filters.only is not None else _by_team(filters)
    elif by == METER:
        most = sorted(meters.items(), key=lambda pair: (pair[1].tokens, pair[1].requests), reverse=True)
        found = dict(most)
    else:
        found = days if by == DAY else _sums(filters, by)
    lines = _lines(filters, by, found, total)
    is_whole = by in {TEAM, METER, DAY}
    rest = Totals() if is_whole else total - sum((line.totals for line in lines), Totals())
    return Breakdown(total, days, lines, rest, counted)


def total_of(filters: Filters) -> Totals:
    """All that is meant, together."""
    days, _meters, _counted = _look(filters)
    return sum(days.values(), Totals())


def tokens_by_day(first: date) -> dict[date, int]:
    """Tokens of each day from the first one on on which there were any."""
    sums = by_day().filter(hour__gte=midnight(first)).order_by().values("day").annotate(sum=Sum("tokens"))
    return {row["day"]: row["sum"] for row in sums if row["sum"]}


def chosen(filters: Filters) -> list[tuple[str | Promise, str | Promise]]:
    """What a page is narrowed to, in words: each filter but the month, and the name of its value.

    Whoever sees their own only is told no names: an address may hold anybody's id.
    """
    found: list[tuple[str | Promise, str | Promise]] = []
    for by in (METER, MODEL) if filters.only is not None else (METER, MODEL, SPENDER, KEY, TEAM):
        if value := getattr(filters, by):
            wanted: Any = None if value == NOBODY else UUID(value) if by in {SPENDER, KEY, TEAM} else value
            wanted = "" if (by, value) in {(METER, TEXT), (MODEL, NOBODY)} else wanted
            name, _note = _names(by, [wanted]).get(wanted, (value, ""))
            found.append((GROUPINGS[by], name))
    return found


# ---------------------------------------------------------------- sums


def _look(filters: Filters, since: date | None = None) -> tuple[dict[date, Totals], dict[str, Totals], Counted]:
    """Sums by day, in their order, and by meter, and what each meter counted by day."""
    days, meters, counted = dict[date, Totals](), dict[str, Totals](), Counted()
    found = filters.rows(since).values("day", "meter", *CURRENCIES).annotate(**SUMS)
    for row in found.order_by("day"):
        day, meter, totals = row["day"], row["meter"], totals_of(row)
        counted.add(day, meter, totals)
        if day >= filters.first:
            days[day] = days.get(day, Totals()) + totals
            meters[meter] = meters.get(meter, Totals()) + totals
    return days, meters, counted


def _sums(filters: Filters, by: str) -> dict[Any, Totals]:
    """Sums of the values with most."""
    column = COLUMNS[by]
    found = filters.rows().values(column, *CURRENCIES).annotate(**SUMS)
    most = "-sum_quantity" if filters.has_quantity else "-sum_tokens"
    return _read(found.order_by(most, "-sum_requests", column)[:MOST_LINES], column)


def _by_team(filters: Filters) -> dict[Any, Totals]:
    """By the teams that whoever asked was in then."""
    rows = filters.rows().annotate(each_team=_Unnest(F("team_ids"), output_field=UUIDField()))
    found = _read(rows.order_by().values("each_team", *CURRENCIES).annotate(**SUMS), "each_team")
    here = set(Team.objects.filter(pk__in=found).values_list("pk", flat=True))
    measure = (lambda totals: totals.quantity) if filters.has_quantity else (lambda totals: totals.tokens)
    most = sorted(found.items(), key=lambda pair: (measure(pair[1]), pair[1].requests), reverse=True)
    return dict([(team, totals) for team, totals in most if team in here][:MOST_LINES])


def _read(rows: Any, column: str) -> dict[Any, Totals]:
    totals: dict[Any, Totals] = {}
    for row in rows:
        totals[row[column]] = totals.get(row[column], Totals()) + totals_of(row)
    return totals


# ---------------------------------------------------------------- lines


def _lines(filters: Filters, by: str, found: dict[Any, Totals], total: Totals) -> list[Line]:
    names = _names(by, found)
    lines = []
    for value, totals in found.items():
        narrowed = replace(filters, day=value) if by == DAY else _narrowed(filters, by, str(value or NOBODY))
        name, note = names.get(value, (str(value or _("None")), ""))
        lines.append(Line(name, totals, _share(filters, totals, total), narrowed.query, note, narrowed.meter))
    return lines


def _narrowed(filters: Filters, by: str, value: str) -> Filters:
    if by == METER:
        return replace(filters, meter=TEXT if value == NOBODY else value)
    narrower: dict[str, Any] = {by: value}
    return replace(filters, **narrower)


def _share(filters: Filters, totals: Totals, total: Totals) -> int:
    part, whole = (totals.quantity, total.quantity) if filters.has_quantity else (totals.tokens, total.tokens)
    return round(100 * part / whole) if whole else 0


def _names(by: str, values: Iterable[Any]) -> dict[Any, tuple[str | Promise, str | Promise]]:
    """What each value is called, and a note beside it."""
    if by == SPENDER:
        rows = Spender.objects.filter(pk__in=[value for value in values if value])
        spenders = list(rows.select_related("user", "service_account"))
        here = set(Membership.objects.filter(user__in=[row.user_id for row in spenders]).values_list("user", flat=True))
        names = {row.pk: (str(row), _spender_note(row, here)) for row in spenders}
        return names | {None: (_("No member"), _("keys that are nobody's"))}
    if by == KEY:
        keys = ApiKey.objects.filter(pk__in=[value for value in values if value]).with_owner()
        found = {key.pk: (f"{key.name} ({key.prefix}…)", key.owner_name) for key in keys}
        return found | {None: (_("Without a key"), _("the product's own pages"))}
    if by == METER:
        return {("" if meter == TEXT else meter): (name, "") for meter, name in METER_NAMES.items()}
    if by == TEAM:
        return {id: (name, "") for id, name in Team.objects.filter(pk__in=values).values_list("pk", "name")}
    return {"": (_("Unknown"), "")}


def _spender_note(spender: Spender, here: set[UUID]) -> str | Promise:
    if spender.service_account_id:
        return _("service account")
    return "" if spender.user_id in here else _("has left")
