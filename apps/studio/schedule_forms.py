"""Forms of the pages of schedules."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.core import zones
from apps.registry import services as registry
from apps.studio.bulk_forms import template_choices
from apps.studio.models import BulkRun, Frequency, Schedule
from apps.studio.requests import DEFAULT_MAX_TOKENS
from apps.studio.services.schedules import Plan
from apps.studio.services.schedules.setting import LONGEST_NAME, LONGEST_PROMPT, MOST_SOURCES

MOST_TABLES = 100


class ScheduleForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME, help_text=_("Also the subject of its mails."))
    template = forms.ChoiceField(label=_("Template"), required=False)
    table = forms.TypedChoiceField(
        label=_("Table"),
        required=False,
        coerce=UUID,
        empty_value=None,
        help_text=_("In place of a prompt: each time its rows are asked again, as a bulk run of their own."),
    )
    prompt = forms.CharField(
        label=_("What to write"),
        max_length=LONGEST_PROMPT,
        required=False,
        help_text=_("Without a template. {{ sources }} and {{ date }} stand for what was read, and the day."),
        widget=forms.Textarea({"rows": 5}),
    )
    sources = forms.CharField(
        label=_("Sources"),
        required=False,
        help_text=_("Addresses of feeds (RSS, Atom) or pages, one a line, at most ten."),
        widget=forms.Textarea({"rows": 3, "placeholder": "https://example.com/news.rss"}),
    )
    frequency = forms.ChoiceField(label=_("How often"), choices=Frequency.choices)
    weekday = forms.TypedChoiceField(
        label=_("Weekday"), choices=list(WEEKDAYS.items()), coerce=int, initial=0, help_text=_("Only for every week.")
    )
    day = forms.IntegerField(
        label=_("Day of the month"),
        min_value=1,
        max_value=31,
        initial=1,
        help_text=_("Only for every month; the last day where there are fewer."),
    )
    at = forms.TimeField(label=_("At"), initial="08:00", widget=forms.TimeInput({"type": "time"}, format="%H:%M"))
    zone = forms.ChoiceField(label=_("Time zone"), initial="UTC")
    model = forms.ChoiceField(label=_("Model"))
    max_tokens = forms.IntegerField(
        label=_("Most tokens"), min_value=1, max_value=1_000_000, initial=DEFAULT_MAX_TOKENS
    )

    def __init__(self, *args: Any, actor: Actor, schedule: Schedule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **{"initial": _values(schedule) if schedule else None, **kwargs})
        self.before = schedule
        found = template_choices(actor, schedule.template if schedule else "")
        chosen: Any = self.fields
        chosen["template"].choices = [("", _("None: the prompt below")), *found]
        chosen["table"].choices = [("", _("None")), *_tables(schedule)]
        chosen["model"].choices = [
            (name, name if name == version.name else f"{name} ({version.name})")
            for name, version in registry.available()
        ]
        # A program may have set another than those that people choose from.
        names = {*zones.offered(), *([schedule.zone] if schedule else [])}
        chosen["zone"].choices = [(name, name) for name in sorted(names)]

    def clean_sources(self) -> tuple[str, ...]:
        lines = tuple(line.strip() for line in self.cleaned_data["sources"].splitlines() if line.strip())
        if len(lines) > MOST_SOURCES:
            raise forms.ValidationError(_("At most %(most)s sources."), params={"most": MOST_SOURCES})
        return lines

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("table") and data.get("template"):
            self.add_error("table", _("Choose a template or a table, not both."))
        elif not data.get("table") and not data.get("template") and not (data.get("prompt") or "").strip():
            self.add_error("prompt", _("Say what to write, or choose a template."))
        return data

    def plan(self) -> Plan:
        values = dict(self.cleaned_data)
        values["model_name"] = values.pop("model")
        if values["template"] or values["table"]:
            values["prompt"] = ""
        return Plan(**values, variables=self._variables())

    def _variables(self) -> dict[str, Any]:
        """Only the API sets them: they stay, but for those of another template."""
        if self.before is None:
            return {}
        slugs = {reference.partition("@")[0] for reference in (self.before.template, self.cleaned_data["template"])}
        return dict(self.before.variables) if len(slugs) == 1 else {}


def _values(schedule: Schedule) -> dict[str, Any]:
    names = ("name", "template", "prompt", "frequency", "weekday", "day", "at", "zone", "max_tokens")
    found = {name: getattr(schedule, name) for name in names}
    return found | {"sources": "\n".join(schedule.sources), "model": schedule.model_name, "table": schedule.table_id}


def _tables(schedule: Schedule | None) -> list[tuple[UUID, str]]:
    """Runs that say what is asked about their rows, those made last first, and the one that is chosen."""
    rows = BulkRun.objects.for_pages().exclude(estimate=None).order_by("-id")
    found = list(rows.exclude(occurrences__isnull=False)[:MOST_TABLES])
    if schedule is not None and schedule.table is not None and schedule.table not in found:
        found.append(schedule.table)
    return [(run.pk, f"{run.name} · {date_format(run.created_at, 'SHORT_DATE_FORMAT')}") for run in found]


class RecipientForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), widget=forms.EmailInput({"placeholder": "name@example.com"}))
