"""Which usage is meant: what an address or a call asks for, checked and narrowed to what its sender may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models.functions import TruncDate
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.models import ApiKey
from apps.billing.entitlements import next_month
from apps.billing.models import EntryKind, LedgerEntry, Meter, Spender, UsageHour
from apps.core.errors import InvalidRequest

METER, MODEL, SPENDER, KEY, TEAM, DAY = "meter", "model", "member", "key", "team", "day"
GROUPINGS: dict[str, str | Promise] = {
    METER: _("Meter"),
    MODEL: _("Model"),
    SPENDER: _("Member"),
    KEY: _("API key"),
    TEAM: _("Team"),
    DAY: _("Day"),
}
# What tells of others.
OF_MEMBERS = frozenset({SPENDER, TEAM})
# What stands for work without a member (a key that is nobody's) and without a key (a person's own).
NOBODY = "none"
# What an address calls the lines without a meter: texts that were generated, which have tokens in and out.
TEXT = "text"
METER_NAMES: dict[str, str | Promise] = {TEXT: _("Text generation"), **dict(Meter.choices)}
# What the ledger holds beside holds and releases: what was used.
USED = (EntryKind.SETTLE, EntryKind.USAGE)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which usage is meant. `only` is the spender beside whose nobody else's is shown, whatever else is asked for."""

    month: date
    meter: str = ""
    member: str = ""
    key: str = ""
    model: str = ""
    team: str = ""
    day: date | None = None
    only: UUID | None = None

    @property
    def query(self) -> str:
        """As a page's address says it, without what is not given."""
        return urlencode(self.given)

    @property
    def given(self) -> dict[str, str]:
        given = {"month": f"{self.month:%Y-%m}", METER: self.meter, MODEL: self.model, SPENDER: self.member}
        given |= {KEY: self.key, TEAM: self.team, DAY: self.day.isoformat() if self.day else ""}
        return {name: value for name, value in given.items() if value}

    @property
    def has_quantity(self) -> bool:
        """Whether all that is meant is counted in one unit other than tokens of texts."""
        return self.meter not in {"", TEXT}

    @property
    def first(self) -> date:
        """The first day that is meant."""
        return self.day or self.month

    def rows(self, since: date | None = None) -> Any:
        """The hours' sums that are meant, each with its day; and those of the days from `since` on before them."""
        last = self.day + timedelta(days=1) if self.day else next_month(self.month)
        first = min(since or self.first, self.first)
        return self._narrowed(by_day().filter(hour__gte=midnight(first), hour__lt=midnight(last)))

    def entries(self) -> Any:
        """The ledger's lines behind them."""
        rows = self._narrowed(LedgerEntry.objects.filter(month=self.month, kind__in=USED))
        return rows.filter(day=self.day) if self.day else rows

    def _narrowed(self, rows: Any) -> Any:
        if self.only is not None:
            rows = rows.filter(spender_id=self.only)
        if self.team:
            rows = rows.filter(team_ids__contains=[UUID(self.team)])
        if self.meter:
            rows = rows.filter(meter="" if self.meter == TEXT else self.meter)
        for column, value in (("spender_id", self.member), ("api_key_id", self.key), ("model_name", self.model)):
            if value and column == "model_name":
                rows = rows.filter(model_name="" if value == NOBODY else value)
            elif value:
                rows = rows.filter(**{column: None if value == NOBODY else UUID(value)})
        return rows


def filters_of(actor: Actor, given: Any, today: date) -> Filters:
    """The filters in an address, narrowed to their own for whoever may not see members; InvalidRequest for nonsense."""
    month = month_named(given.get("month", ""), today)
    only = None if "members:read" in actor.permissions else own_spender(actor)
    return Filters(
        month=month,
        meter=_meter(given.get(METER, "")),
        member=_id(given.get(SPENDER, ""), SPENDER),
        key=_id(given.get(KEY, ""), KEY),
        model=_text(given.get(MODEL, "")),
        team=_team(given.get(TEAM, ""), only),
        day=_day(given.get(DAY, ""), month),
        only=only,
    )


def month_named(text: str, today: date) -> date:
    """The first day of a month such as 2026-11; without one that of today."""
    if not text:
        return today.replace(day=1)
    try:
        found = date.fromisoformat(f"{text}-01")
        next_month(next_month(found))
    except ValueError:
        raise InvalidRequest("Give a month as YYYY-MM.", param="month") from None
    return found


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


def _meter(text: str) -> str:
    if text and text not in METER_NAMES:
        raise InvalidRequest(
            "meter must be one of %(choices)s.", values={"choices": ", ".join(METER_NAMES)}, param=METER
        )
    return text


def _team(text: str, only: UUID | None) -> str:
    """Nobody who may not see members learns who is in a team."""
    if text == NOBODY:
        raise InvalidRequest("%(name)s must be an id.", values={"name": TEAM}, param=TEAM)
    return _id(text, TEAM) if only is None else ""


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


def midnight(day: date) -> datetime:
    """The moment at which a day (UTC) begins."""
    return datetime.combine(day, time.min, UTC)


def by_day() -> Any:
    """The hours' sums, each with its day (UTC)."""
    return UsageHour.objects.annotate(day=TruncDate("hour", tzinfo=UTC))
