"""Files and batches as OpenAI's clients read them; times are in Unix seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.fields import Flag, StrictSerializer, Text, WholeNumber
from apps.studio.models import Batch, BatchState, Purpose, StoredFile
from apps.studio.services.batches import ENDPOINTS, MOST_METADATA, WINDOW
from apps.studio.services.bulk import Progress
from apps.studio.services.files import PURPOSES
from apps.webhooks.api.callbacks import CallbackFields


@extend_schema_field({"type": "string", "format": "binary", "minLength": 1})
class Upload(serializers.FileField):
    """A part of a form with a file in it, which is not empty."""


class UploadFile(StrictSerializer):
    """A file, and what it is for."""

    file = Upload()
    purpose = serializers.ChoiceField([str(purpose) for purpose in PURPOSES])


class StoredFileBody(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.ChoiceField(["file"])
    bytes = serializers.IntegerField()
    created_at = serializers.IntegerField()
    expires_at = serializers.IntegerField(allow_null=True)
    filename = serializers.CharField()
    purpose = serializers.ChoiceField(Purpose.values)
    status = serializers.ChoiceField(["processed"])


class _List(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


class FileList(_List):
    data = StoredFileBody(many=True)  # type: ignore[assignment]


class DeletedFile(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.ChoiceField(["file"])
    deleted = Flag()


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MOST_METADATA,
        "additionalProperties": {"type": "string", "maxLength": 512},
    }
)
class Metadata(serializers.DictField):
    """A few texts by name."""


class CreateBatch(CallbackFields, StrictSerializer):
    """The file with the requests, and where they would otherwise be sent."""

    input_file_id = Text(max_length=100)
    endpoint = serializers.ChoiceField(ENDPOINTS)
    completion_window = serializers.ChoiceField([WINDOW])
    metadata = Metadata(child=Text(allow_blank=True, max_length=512), required=False, allow_null=True)


class BatchErrorBody(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    param = serializers.CharField(allow_null=True)
    line = serializers.IntegerField(allow_null=True)


class BatchErrors(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = BatchErrorBody(many=True)  # type: ignore[assignment]


class RequestCounts(serializers.Serializer[Any]):
    total = WholeNumber()
    completed = WholeNumber()
    failed = WholeNumber()


class BatchBody(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.ChoiceField(["batch"])
    endpoint = serializers.ChoiceField(ENDPOINTS)
    errors = BatchErrors(allow_null=True)  # type: ignore[assignment]
    input_file_id = serializers.CharField()
    completion_window = serializers.ChoiceField([WINDOW])
    status = serializers.ChoiceField(BatchState.values)
    output_file_id = serializers.CharField(allow_null=True)
    error_file_id = serializers.CharField(allow_null=True)
    created_at = serializers.IntegerField()
    in_progress_at = serializers.IntegerField(allow_null=True)
    expires_at = serializers.IntegerField()
    finalizing_at = serializers.IntegerField(allow_null=True)
    completed_at = serializers.IntegerField(allow_null=True)
    failed_at = serializers.IntegerField(allow_null=True)
    expired_at = serializers.IntegerField(allow_null=True)
    cancelling_at = serializers.IntegerField(allow_null=True)
    cancelled_at = serializers.IntegerField(allow_null=True)
    request_counts = RequestCounts()
    metadata = serializers.DictField(child=serializers.CharField(), allow_null=True)


class BatchList(_List):
    data = BatchBody(many=True)  # type: ignore[assignment]


def file_body(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.public_id,
        "object": "file",
        "bytes": file.size,
        "created_at": _seconds(file.created_at),
        "expires_at": None,
        "filename": file.filename,
        "purpose": str(file.purpose),
        "status": "processed",
    }


def batch_body(batch: Batch, progress: Progress | None) -> dict[str, Any]:
    counts = progress or Progress()
    return {
        "id": batch.public_id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "input_file_id": f"file-{batch.input_id.hex}",
        "completion_window": WINDOW,
        "status": str(batch.state),
        "output_file_id": f"file-{batch.output_file_id.hex}" if batch.output_file_id else None,
        "error_file_id": f"file-{batch.error_file_id.hex}" if batch.error_file_id else None,
        "created_at": _seconds(batch.created_at),
        "in_progress_at": _seconds(batch.in_progress_at),
        "expires_at": _seconds(batch.expires_at),
        "finalizing_at": _seconds(batch.finalizing_at),
        "completed_at": _seconds(batch.completed_at),
        "failed_at": _seconds(batch.failed_at),
        "expired_at": _seconds(batch.expired_at),
        "cancelling_at": _seconds(batch.cancelling_at),
        "cancelled_at": _seconds(batch.cancelled_at),
        "request_counts": {"total": counts.total, "completed": counts.succeeded, "failed": counts.failed},
        "metadata": batch.metadata or None,
    }


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None
