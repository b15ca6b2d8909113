"""Schedules and their occurrences as JSON."""

from __future__ import annotations

import re
from datetime import time
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.fields import Id, StrictSerializer, Text, WholeNumber
from apps.studio.api.fields import not_blank
from apps.studio.models import Frequency, Occurrence, OccurrenceState, Recipient, RecipientState, Schedule
from apps.studio.services import schedules
from apps.studio.services.schedules.recipients import MOST_RECIPIENTS
from apps.studio.services.schedules.setting import LONGEST_NAME, LONGEST_PROMPT, MOST_SOURCES

TIME_OF_DAY = "([01][0-9]|2[0-3]):[0-5][0-9]"
ADDRESS = r"^https://([a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?\.){1,4}[a-z]{2,20}(/[!-~]*)?$"


@extend_schema_field({"type": "string", "pattern": f"^{TIME_OF_DAY}$"})
class TimeOfDay(Text):
    """Hours and minutes."""

    default_error_messages = {"format": "Must be a time such as 08:00."}

    def to_internal_value(self, data: Any) -> time:  # type: ignore[override]
        if not re.fullmatch(TIME_OF_DAY, super().to_internal_value(data)):
            self.fail("format")
        return time.fromisoformat(data)


@extend_schema_field({"type": "string", "format": "uri", "pattern": ADDRESS, "maxLength": 2_000})
class Address(Text):
    """Where a feed or a page lies; what exactly may be read is judged where it is kept."""


class SetSchedule(StrictSerializer):
    """What is asked, from which sources, when; and who gets it, where the schedule is new."""

    name = Text(max_length=LONGEST_NAME, validators=[not_blank])
    prompt = Text(required=False, max_length=LONGEST_PROMPT, validators=[not_blank])
    template = Text(required=False, max_length=120, help_text="In place of a prompt: `slug` or `slug@label`.")
    table = Id(required=False, help_text="In place of a prompt: a bulk run, whose rows are asked again each time.")
    variables = serializers.DictField(required=False)
    sources = serializers.ListField(
        child=Address(max_length=2_000), required=False, max_length=MOST_SOURCES, help_text="Feeds or pages, by https."
    )
    model = Text(required=False, max_length=120)
    max_tokens = WholeNumber(required=False, min_value=1, max_value=1_000_000)
    frequency = serializers.ChoiceField(Frequency.values, required=False)
    weekday = WholeNumber(required=False, min_value=0, max_value=6, help_text="0 is Monday; for `weekly`.")
    day = WholeNumber(
        required=False, min_value=1, max_value=31, help_text="For `monthly`; the last day if there are fewer."
    )
    at = TimeOfDay(help_text="Such as `08:00`.")
    zone = Text(required=False, max_length=60, help_text="Such as `Europe/Berlin`. Default `UTC`.")
    recipients = serializers.ListField(
        child=serializers.EmailField(max_length=254), required=False, max_length=MOST_RECIPIENTS
    )

    @staticmethod
    def plan(values: dict[str, Any]) -> schedules.Plan:
        known = {name: value for name, value in values.items() if name not in {"model", "recipients", "sources"}}
        sources = tuple(values.get("sources", ()))
        return schedules.Plan(model_name=values.get("model", "default"), sources=sources, **known)


class SetScheduleSchema(OpenApiSerializerExtension):
    """Says in the schema as well that there is a prompt, a template or a table."""

    target_class = SetSchedule

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "oneOf": [{"required": [name]} for name in ("prompt", "template", "table")]}


class ScheduleRecipientBody(serializers.Serializer[Any]):
    email = serializers.CharField()
    state = serializers.ChoiceField(RecipientState.choices)


class ScheduleBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["schedule"])
    name = serializers.CharField()
    prompt = serializers.CharField(allow_blank=True)
    template = serializers.CharField(allow_null=True)
    table = serializers.UUIDField(allow_null=True)
    variables = serializers.DictField()
    sources = serializers.ListField(child=serializers.CharField())
    model = serializers.CharField()
    max_tokens = WholeNumber()
    frequency = serializers.ChoiceField(Frequency.choices)
    weekday = WholeNumber()
    day = WholeNumber()
    at = serializers.CharField()
    zone = serializers.CharField()
    next_at = serializers.DateTimeField(allow_null=True, help_text="`null` while it is paused.")
    failures = WholeNumber(help_text="In a row.")
    last_error = serializers.CharField(allow_null=True)
    recipients = ScheduleRecipientBody(many=True)
    created_at = serializers.DateTimeField()


class OccurrenceBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["occurrence"])
    due_at = serializers.DateTimeField()
    by_hand = serializers.BooleanField()
    skipped = WholeNumber(help_text="Earlier times that downtime left out.")
    state = serializers.ChoiceField(OccurrenceState.choices)
    generation = serializers.UUIDField(allow_null=True)
    bulk_run = serializers.UUIDField(allow_null=True)
    sources = serializers.ListField(child=serializers.DictField())
    mailed = WholeNumber()
    error = serializers.DictField(allow_null=True)


def schedule_body(schedule: Schedule, recipients: list[Recipient]) -> dict[str, Any]:
    plain = ("name", "prompt", "variables", "sources", "max_tokens", "weekday", "day", "zone", "failures")
    return {
        "id": str(schedule.pk),
        "object": "schedule",
        **{name: getattr(schedule, name) for name in plain},
        "template": schedule.template or None,
        "table": str(schedule.table_id) if schedule.table_id else None,
        "model": schedule.model_name,
        "frequency": str(schedule.frequency),
        "at": f"{schedule.at:%H:%M}",
        "next_at": _time(schedule.next_at),
        "last_error": schedule.last_error or None,
        "recipients": [{"email": each.email, "state": str(each.state)} for each in recipients],
        "created_at": _time(schedule.created_at),
    }


def occurrence_body(row: Occurrence) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "object": "occurrence",
        "due_at": _time(row.due_at),
        "by_hand": row.by_hand,
        "skipped": row.skipped,
        "state": str(row.state),
        "generation": str(row.generation_id) if row.generation_id else None,
        "bulk_run": str(row.run_id) if row.run_id else None,
        "sources": [{name: value for name, value in each.items() if name != "said"} for each in row.read],
        "mailed": row.mailed,
        "error": {"code": row.error_code, "message": row.error_message} if row.error_code else None,
    }


def _time(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
