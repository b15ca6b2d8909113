"""A week as spans of each day, and days off as rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.forms import formset_factory
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core import zones
from apps.support import hours
from apps.support.editors.base import PLAIN, Row, Rows, SettingForm

# A field for a time ends at 23:59; an end at 00:00 is the midnight after.
MIDNIGHT, END = "00:00", "24:00"
_TIME = forms.TimeInput({"type": "time", "step": "60"}, format="%H:%M")


class SpanRow(Row):
    start = forms.TimeField(label=pgettext_lazy("a span of time", "From"), required=False, widget=_TIME)
    end = forms.TimeField(label=_("Until"), required=False, widget=_TIME)

    @property
    def is_blank(self) -> bool:
        return self.cleaned_data.get("start") is None and self.cleaned_data.get("end") is None

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.errors or values.get("DELETE") or self.is_blank:
            return values
        start, end = values.get("start"), values.get("end")
        if start is None or end is None:
            self.add_error("start" if start is None else "end", _("A span has a beginning and an end."))
            return values
        until = f"{end:%H:%M}"
        until = END if until == MIDNIGHT else until
        if f"{start:%H:%M}" >= until:
            self.add_error("end", _("The end is after the beginning."))
            return values
        self.value = {"from": f"{start:%H:%M}", "until": until}
        return values


class _Day(Rows):
    def clean(self) -> None:
        """Spans of a day do not overlap; the later one is told so."""
        kept = sorted(self.kept(), key=lambda row: str(row.value["from"]))
        for before, after in pairwise(kept):
            if after.value["from"] < before.value["until"]:
                after.add_error("start", _("This overlaps another span of the day."))


class HolidayRow(Row):
    date = forms.DateField(label=_("Date"), required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    name = forms.CharField(
        label=_("Name"), required=False, max_length=hours.LONGEST_NAME, widget=forms.TextInput({"autocomplete": "off"})
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.errors or values.get("DELETE") or self.is_blank:
            return values
        if values.get("date") is None:
            self.add_error("date", _("Say on which day."))
        else:
            self.value = {"date": values["date"].isoformat(), "name": values["name"]}
        return values


class _Holidays(Rows):
    def clean(self) -> None:
        seen: set[str] = set()
        for row in self.kept():
            if row.value["date"] in seen:
                row.add_error("date", _("This day is there already."))
            seen.add(row.value["date"])


_MOST_SPANS = 6
DayRows: Any = formset_factory(
    SpanRow, formset=_Day, extra=1, can_delete=True, max_num=_MOST_SPANS, absolute_max=_MOST_SPANS * 2
)
HolidayRows: Any = formset_factory(
    HolidayRow,
    formset=_Holidays,
    extra=2,
    can_delete=True,
    max_num=hours.MOST_HOLIDAYS,
    absolute_max=hours.MOST_HOLIDAYS + 20,
)


class HoursForm(SettingForm):
    name = forms.CharField(label=_("Name"), max_length=80)
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=60,
        initial="UTC",
        widget=forms.TextInput(PLAIN | {"list": "time-zones"}),
        help_text=_("Write a city or a region, and choose."),
    )
    wide = True

    def rows_of(self, data: Any, initial: Mapping[str, Any]) -> dict[str, Any]:
        weekly = initial.get("weekly", [])
        days = {}
        for day in range(hours.DAYS):
            spans = sorted((each for each in weekly if each["day"] == day), key=lambda each: str(each["from"]))
            given = [
                {"start": each["from"], "end": MIDNIGHT if each["until"] == END else each["until"]} for each in spans
            ]
            days[f"day{day}"] = DayRows(data, initial=given, prefix=f"day{day}")
        given = sorted(
            (
                {"date": date.fromisoformat(each["date"]), "name": each.get("name", "")}
                for each in initial.get("holidays", [])
            ),
            key=lambda each: each["date"],
        )
        return days | {"holidays": HolidayRows(data, initial=given, prefix="holidays")}

    def days(self) -> list[tuple[int, Any, Any]]:
        """The number of each day, its name and its rows."""
        return [(day, WEEKDAYS[day], self.sets[f"day{day}"]) for day in range(hours.DAYS)]

    @staticmethod
    def zones() -> list[str]:
        return zones.offered()

    def clean_time_zone(self) -> str:
        given = " ".join(str(self.cleaned_data["time_zone"]).split()).replace(" ", "_")
        zones = {zone.casefold(): zone for zone in available_timezones()}
        if given.casefold() not in zones:
            near = [zone for zone in self.zones() if given.casefold() in zone.casefold()][:3]
            if len(near) == 1:
                return near[0]
            told = _("There is no time zone with this name.")
            raise forms.ValidationError(f"{told} {', '.join(near)}".strip())
        return zones[given.casefold()]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if all(each.is_valid() for each in self.sets.values()) and len(self._weekly()) > hours.MOST_PARTS:
            raise forms.ValidationError(_("A week has at most %(most)s spans."), params={"most": hours.MOST_PARTS})
        return values

    def _weekly(self) -> list[dict[str, Any]]:
        return [{"day": day, **span} for day, _name, rows in self.days() for span in rows.values()]

    def values(self) -> dict[str, Any]:
        holidays = sorted(self.sets["holidays"].values(), key=lambda each: str(each["date"]))
        return super().values() | {"weekly": self._weekly(), "holidays": holidays}
