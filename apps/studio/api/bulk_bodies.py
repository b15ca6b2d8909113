"""Bulk runs and their rows as JSON."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.errors import InvalidRequest
from apps.core.fields import Flag, Text, WholeNumber
from apps.studio.api.fields import SamplingFields, not_blank
from apps.studio.models import BulkRow, BulkRun, RunState
from apps.studio.services import bulk
from apps.studio.services.bulk.drafts import LONGEST_PROMPT, SAMPLING
from apps.studio.services.bulk.taking import LONGEST_NAME
from apps.webhooks.api.callbacks import CallbackFields
from ml.text.tables import Row

MOST_COLUMNS, LONGEST_COLUMN = 200, 100


@extend_schema_field(
    {
        "type": "object",
        "propertyNames": {"minLength": 1, "maxLength": LONGEST_COLUMN},
        "additionalProperties": {"type": "string", "maxLength": 100_000},
    }
)
class Cells(serializers.DictField):
    """A row: texts by the names of their columns."""


class CreateBulkRun(CallbackFields, SamplingFields):
    """Rows, what to ask about each, and whether to begin at once."""

    name = Text(max_length=LONGEST_NAME, validators=[not_blank])
    rows = serializers.ListField(
        child=Cells(child=Text(allow_blank=True, max_length=100_000)),
        min_length=1,
        max_length=settings.BULK_MAX_ROWS,
        help_text="Objects of texts; their names are the columns.",
    )
    prompt = Text(
        required=False,
        max_length=LONGEST_PROMPT,
        validators=[not_blank],
        help_text="With `{{ column }}` for a row's cell.",
    )
    template = Text(required=False, max_length=120, help_text="In place of a prompt: `slug`, `slug@label` or an id.")
    mapping = serializers.DictField(
        child=Text(max_length=100), required=False, help_text="Which column fills which of the template's variables."
    )
    model = Text(required=False, max_length=120, help_text="Default `default`.")
    start = Flag(required=False, help_text="Begin at once. Default false.")
    # A run has none: each of its rows is asked in its turn.
    deadline_seconds = None  # type: ignore[assignment]

    def table(self) -> tuple[list[str], list[Row]]:
        rows = [Row(dict(values)) for values in self.validated_data["rows"]]
        columns = list(dict.fromkeys(name for row in rows for name in row.values))
        if len(columns) > MOST_COLUMNS or any(not 1 <= len(name) <= LONGEST_COLUMN for name in columns):
            most = {"columns": MOST_COLUMNS, "characters": LONGEST_COLUMN}
            raise InvalidRequest(
                "At most %(columns)s columns with names of at most %(characters)s characters.",
                values=most,
                param="rows",
            )
        return columns, rows

    def draft(self) -> bulk.Draft:
        values = self.validated_data
        sampling = {name: values[name] for name in SAMPLING if name in values}
        if "stop" in sampling:
            sampling["stop"] = list(sampling["stop"])
        return bulk.Draft(
            prompt=values.get("prompt", ""),
            template=values.get("template", ""),
            mapping=values.get("mapping", {}),
            model=values.get("model", "default"),
            max_tokens=values.get("max_tokens") or 256,
            sampling=sampling,
        )


class CreateBulkRunSchema(OpenApiSerializerExtension):
    """Says in the schema as well that there is a prompt or a template, and a mapping only with the latter."""

    target_class = CreateBulkRun

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        choices = [{"required": ["prompt"]}, {"required": ["template"]}]
        return {**schema, "oneOf": choices, "not": {"required": ["prompt", "mapping"]}}


class CountsBody(serializers.Serializer[Any]):
    total = WholeNumber()
    invalid = WholeNumber(help_text="Cannot be asked about.")
    waiting = WholeNumber()
    running = WholeNumber()
    succeeded = WholeNumber()
    failed = WholeNumber()
    stopped = WholeNumber()
    prompt_tokens = WholeNumber()
    completion_tokens = WholeNumber()
    eta_seconds = WholeNumber(allow_null=True)


class EstimateBody(serializers.Serializer[Any]):
    rows = WholeNumber()
    invalid = WholeNumber()
    prompt_tokens = WholeNumber()
    completion_tokens = WholeNumber(help_text="At most.")
    exact = serializers.BooleanField(help_text="Whether every prompt was counted.")


class StopBody(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class BulkRunBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["bulk_run"])
    name = serializers.CharField()
    state = serializers.ChoiceField(RunState.choices)
    columns = serializers.ListField(child=serializers.CharField())
    prompt = serializers.CharField(allow_blank=True)
    template = serializers.CharField(allow_null=True)
    template_version = serializers.UUIDField(allow_null=True, help_text="What the template's name meant.")
    mapping = serializers.DictField(child=serializers.CharField())
    model = serializers.CharField()
    max_tokens = WholeNumber()
    sampling = serializers.DictField()
    estimate = EstimateBody(allow_null=True)
    counts = CountsBody()
    stopped_because = StopBody(allow_null=True, help_text="Why it does not run, where it stopped by itself.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class BulkRowBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["bulk_row"])
    number = WholeNumber()
    values = serializers.DictField(child=serializers.CharField())
    status = serializers.CharField()
    attempt = WholeNumber()
    generation = serializers.UUIDField(allow_null=True)
    text = serializers.CharField(allow_blank=True)
    error = StopBody(allow_null=True)


class BulkRowsBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = BulkRowBody(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()


def run_body(run: BulkRun, progress: bulk.Progress) -> dict[str, Any]:
    stop = {"code": run.stop_code, "message": run.stop_message} if run.stop_code else None
    return {
        "id": str(run.pk),
        "object": "bulk_run",
        "name": run.name,
        "state": str(run.state),
        "columns": run.columns,
        "prompt": run.prompt,
        "template": run.template or None,
        "template_version": str(run.template_version_id) if run.template_version_id else None,
        "mapping": run.mapping,
        "model": run.model_name,
        "max_tokens": run.max_tokens,
        "sampling": run.sampling,
        "estimate": run.estimate,
        "counts": progress.as_json(),
        "stopped_because": stop,
        "created_at": _time(run.created_at),
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
    }


def row_body(row: BulkRow) -> dict[str, Any]:
    written = row.generation
    code, message = (written.error_code, written.error_message) if written else (row.problem_code, row.problem)
    return {
        "object": "bulk_row",
        "number": row.number,
        "values": row.values,
        "status": row.standing,
        "attempt": row.attempt,
        "generation": str(written.pk) if written else None,
        "text": written.text if written else "",
        "error": {"code": code, "message": message} if code else None,
    }


def _time(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
