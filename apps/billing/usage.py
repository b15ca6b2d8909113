"""Usage as pages, API and exports read it: sums of a month by day, member, key, team and model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.models import ApiKey, Membership, Team
from apps.billing.entitlements import next_month
from apps.billing.models import BudgetPeriod, EntryKind, LedgerEntry, Spender, UsageDay
from apps.core.errors import InvalidRequest

# How many lines a table shows; the rest is one line, and whole in the export.
MOST_LINES = 50
NUMBERS = ("requests", "prompt_tokens", "completion_tokens", "tokens", "amount_micros")
SPENDER, KEY, MODEL, TEAM, DAY = "member", "key", "model", "team", "day"
COLUMNS = {SPENDER: "spender_id", KEY: "api_key_id", MODEL: "model_name", DAY: "day"}
GROUPINGS: dict[str, str | Promise] = {
    SPENDER: _("Member"),
    KEY: _("API key"),
    TEAM: _("Team"),
    MODEL: _("Model"),
    DAY: _("Day"),
}
# What tells of others.
OF_MEMBERS = frozenset({SPENDER, TEAM})
# What stands for work without a member (a key that is nobody's) and without a key (a person's own).
NOBODY = "none"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of settled work; amounts in micros by currency."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens: int = 0
    amounts: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: Totals) -> Totals:
        return self._with(other, 1)

    def __sub__(self, other: Totals) -> Totals:
        return self._with(other, -1)

    def _with(self, other: Totals, sign: int) -> Totals:
        amounts = dict(self.amounts)
        for currency, micros in other.amounts.items():
            amounts[currency] = amounts.get(currency, 0) + sign * micros
        return Totals(
            self.requests + sign * other.requests,
            self.prompt_tokens + sign * other.prompt_tokens,
            self.completion_tokens + sign * other.completion_tokens,
            self.tokens + sign * other.tokens,
            {currency: micros for currency, micros in amounts.items() if micros},
        )


@dataclass(frozen=True, slots=True)
class Filters:
    """Which usage is meant. `only` is the spender beside whose nobody else's is shown, whatever else is asked for."""

    month: date
    member: str = ""
    key: str = ""
    model: str = ""
    day: date | None = None
    only: UUID | None = None

    @property
    def query(self) -> str:
        """As a page's address says it, without what is not given."""
        given = {"month": f"{self.month:%Y-%m}", SPENDER: self.member, KEY: self.key, MODEL: self.model}
        given |= {DAY: self.day.isoformat() if self.day else ""}
        return urlencode({name: value for name, value in given.items() if value})

    def rows(self) -> Any:
        """The days' sums that are meant."""
        rows = UsageDay.objects.filter(day__gte=self.month, day__lt=next_month(self.month))
        return self._narrowed(rows.filter(day=self.day) if self.day else rows)

    def entries(self) -> Any:
        """The ledger's settlements behind them."""
        rows = self._narrowed(LedgerEntry.objects.filter(month=self.month, kind=EntryKind.SETTLE))
        return rows.filter(day=self.day) if self.day else rows

    def _narrowed(self, rows: Any) -> Any:
        if self.only is not None:
            rows = rows.filter(spender_id=self.only)
        for column, value in (("spender_id", self.member), ("api_key_id", self.key), ("model_name", self.model)):
            if value and column == "model_name":
                rows = rows.filter(model_name="" if value == NOBODY else value)
            elif value:
                rows = rows.filter(**{column: None if value == NOBODY else UUID(value)})
        return rows


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: its sums, their share of all in percent, and the address of what is behind them."""

    name: str | Promise
    totals: Totals
    percent: int
    query: str
    note: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A month by one thing: all together, the lines with most, and what is in no line that is shown."""

    total: Totals
    days: dict[date, Totals]
    lines: list[Line]
    rest: Totals


def filters_of(actor: Actor, given: Any, today: date) -> Filters:
    """The filters in an address, narrowed to their own for whoever may not see members; InvalidRequest for nonsense."""
    month = month_named(given.get("month", ""), today)
    only = None if "members:read" in actor.permissions else own_spender(actor)
    return Filters(
        month=month,
        member=_id(given.get(SPENDER, ""), SPENDER),
        key=_id(given.get(KEY, ""), KEY),
        model=_text(given.get(MODEL, "")),
        day=_day(given.get(DAY, ""), month),
        only=only,
    )


def month_named(text: str, today: date) -> date:
    """The first day of a month such as 2026-11; without one that of today."""
    if not text:
        return today.replace(day=1)
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise InvalidRequest("Give a month as YYYY-MM.", param="month") from None


def own_spender(actor: Actor) -> UUID:
    """The spender that the actor is; the nil id, which is nobody's, as long as they have used nothing."""
    rows = Spender.objects.filter(user_id=actor.user_id) if actor.user_id else _spender_of_key(actor.api_key_id)
    return rows.values_list("pk", flat=True).first() or UUID(int=0)


def _spender_of_key(key_id: UUID | None) -> Any:
    key = ApiKey.objects.filter(pk=key_id).select_related("member").first()
    if key is None or (key.member is None and key.service_account_id is None):
        return Spender.objects.none()
    if key.service_account_id:
        return Spender.objects.filter(service_account_id=key.service_account_id)
    return Spender.objects.filter(user_id=key.member.user_id)


def _id(text: str, name: str) -> str:
    if not text or text == NOBODY:
        return text
    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidRequest("%(name)s must be an id.", values={"name": name}, param=name) from None


def _text(text: str) -> str:
    if "\0" in text or len(text) > 120:
        raise InvalidRequest("There is no model of this name.", param=MODEL)
    return text


def _day(text: str, month: date) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest("Give a day as YYYY-MM-DD.", param=DAY) from None
    if day.replace(day=1) != month:
        raise InvalidRequest("The day is not in the month.", param=DAY)
    return day


# ---------------------------------------------------------------- sums


def breakdown(filters: Filters, by: str) -> Breakdown:
    """The month's sums by one thing, with as many queries however much there is."""
    days = _sums(filters.rows(), DAY)
    total = sum(days.values(), Totals())
    if by == TEAM:
        return Breakdown(total, days, _team_lines(filters, total), Totals())
    found = days if by == DAY else _sums(filters.rows(), by)
    lines = _lines(filters, by, found, total)
    rest = total - sum((line.totals for line in lines), Totals())
    return Breakdown(total, days, lines, rest)


def _sums(rows: Any, by: str) -> dict[Any, Totals]:
    """Sums of the values with most tokens; days in their order."""
    column = COLUMNS[by]
    sums = {name: Sum(name) for name in NUMBERS}
    found = rows.values(column, "currency").annotate(**{f"sum_{name}": each for name, each in sums.items()})
    ordered = found.order_by(column) if by == DAY else found.order_by("-sum_tokens", column)[:MOST_LINES]
    totals: dict[Any, Totals] = {}
    for row in ordered:
        requests, prompt, completion, tokens, micros = (row[f"sum_{name}"] for name in NUMBERS)
        each = Totals(requests, prompt, completion, tokens, {row["currency"]: micros} if micros else {})
        totals[row[column]] = totals.get(row[column], Totals()) + each
    return totals


def _lines(filters: Filters, by: str, found: dict[Any, Totals], total: Totals) -> list[Line]:
    names = _names(by, found)
    lines = []
    for value, totals in found.items():
        narrowed = replace(filters, day=value) if by == DAY else _narrowed(filters, by, str(value or NOBODY))
        name, note = names.get(value, (str(value or _("None")), ""))
        lines.append(Line(name, totals, _share(totals, total), narrowed.query, note))
    return lines


def _narrowed(filters: Filters, by: str, value: str) -> Filters:
    if by == SPENDER:
        return replace(filters, member=value)
    return replace(filters, key=value) if by == KEY else replace(filters, model=value)


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
    return {"": (_("Unknown"), "")}


def _spender_note(spender: Spender, here: set[UUID]) -> str | Promise:
    if spender.service_account_id:
        return _("service account")
    return "" if spender.user_id in here else _("has left")


def _share(totals: Totals, total: Totals) -> int:
    return round(100 * totals.tokens / total.tokens) if total.tokens else 0


def _team_lines(filters: Filters, total: Totals) -> list[Line]:
    """Teams by what was used in the month by whoever was in them then; whoever is in two counts in both."""
    if filters.only is not None:
        return []
    used = BudgetPeriod.objects.filter(month=filters.month, owner_id__in=Team.objects.values("id"), used_tokens__gt=0)
    rows = list(used.order_by("-used_tokens")[:MOST_LINES])
    names = dict(Team.objects.filter(pk__in=[row.owner_id for row in rows]).values_list("pk", "name"))
    lines = []
    for row in rows:
        totals = Totals(tokens=row.used_tokens)
        lines.append(Line(names[row.owner_id], totals, _share(totals, total), "", ""))
    return lines
