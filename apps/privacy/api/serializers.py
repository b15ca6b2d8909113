"""Bodies of the privacy API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request

from apps.accounts.access import Actor
from apps.accounts.models import User
from apps.accounts.sudo import require_recent
from apps.core.datakinds import Texts
from apps.core.errors import NotFound
from apps.core.fields import StrictSerializer, WholeNumber
from apps.core.jobs import Status
from apps.privacy import downloads
from apps.privacy.models import Erasure, Export, Scope


class KindBody(serializers.Serializer):
    name = serializers.CharField()
    what = serializers.CharField()
    why = serializers.CharField()
    basis = serializers.CharField()
    where = serializers.CharField()
    days = serializers.IntegerField(allow_null=True, help_text="Null for no limit in days.")
    on_erasure = serializers.CharField()


class RecipientBody(serializers.Serializer):
    name = serializers.CharField()
    where = serializers.CharField()
    what = serializers.CharField()


class DataBody(serializers.Serializer):
    object = serializers.ChoiceField(["data_processing"])
    data = KindBody(many=True)  # type: ignore[assignment]
    recipients = RecipientBody(many=True)


class ExportBody(serializers.Serializer):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["privacy.export"])
    scope = serializers.ChoiceField(Scope.values)
    person = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(Status.values)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    rows = serializers.IntegerField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField()
    download_url = serializers.CharField(allow_null=True, help_text="Works for 15 minutes; get the export again.")
    error = serializers.CharField(allow_null=True)


class ErasureBody(serializers.Serializer):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["privacy.erasure"])
    scope = serializers.ChoiceField(Scope.values)
    status = serializers.ChoiceField(Status.values)
    texts = serializers.ChoiceField(Texts.values)
    pseudonym = serializers.CharField()
    created_at = serializers.DateTimeField()
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows changed, by kind of data.")
    error = serializers.CharField(allow_null=True)


class TermBody(serializers.Serializer):
    kind = serializers.CharField()
    days = serializers.IntegerField(allow_null=True)
    least = serializers.IntegerField()
    most = serializers.IntegerField()
    chosen = serializers.BooleanField(help_text="Whether the organization has chosen it.")


class DueBody(serializers.Serializer):
    kind = serializers.CharField()
    days = serializers.IntegerField()
    due = serializers.IntegerField(help_text="Rows that this term would remove in the next night.")


class TermsBody(serializers.Serializer):
    object = serializers.ChoiceField(["list"])
    data = TermBody(many=True)  # type: ignore[assignment]


class CreateExport(StrictSerializer):
    scope = serializers.ChoiceField(Scope.choices, default=Scope.ORGANIZATION)
    person = serializers.UUIDField(required=False)


class CreateErasure(StrictSerializer):
    scope = serializers.ChoiceField([(Scope.MEMBER, ""), (Scope.ACCOUNT, "")], default=Scope.MEMBER)
    person = serializers.UUIDField(required=False)
    texts = serializers.ChoiceField(Texts.choices, default=Texts.KEEP)


class ErasurePreviewBody(serializers.Serializer):
    object = serializers.ChoiceField(["privacy.erasure_preview"])
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows that name the person, by kind.")


class ChangeTerm(StrictSerializer):
    days = WholeNumber(required=False, min_value=0, help_text="Left out: keep without a limit.")


def parsed(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    values: dict[str, Any] = body.validated_data
    return values


def fresh(request: Request) -> None:
    """A person must have signed in, or confirmed it, within the last minutes; raises ReauthenticationRequired."""
    inner = request._request
    if isinstance(inner.user, User):
        require_recent(inner)


def parse_id(value: str, what: str) -> UUID:
    """The id in a path; what cannot be one is answered like one that does not exist."""
    try:
        return UUID(value)
    except ValueError:
        raise NotFound(f"There is no {what} with this id.") from None


def export_body(export: Export, actor: Actor) -> dict[str, Any]:
    link = f"{settings.BASE_URL}{downloads.link_to(export, actor)}" if export.downloadable else None
    return {
        "id": str(export.pk),
        "object": "privacy.export",
        "scope": export.scope,
        "person": str(export.person_id) if export.person_id else None,
        "status": export.status,
        "created_at": export.created_at.isoformat(),
        "expires_at": export.expires_at.isoformat() if export.expires_at else None,
        "rows": export.rows,
        "size": export.size,
        "sha256": export.sha256,
        "download_url": link,
        "error": export.error_message or None,
    }


def erasure_body(erasure: Erasure) -> dict[str, Any]:
    return {
        "id": str(erasure.pk),
        "object": "privacy.erasure",
        "scope": erasure.scope,
        "status": erasure.status,
        "texts": erasure.texts,
        "pseudonym": erasure.pseudonym,
        "created_at": erasure.created_at.isoformat(),
        "counts": erasure.counts,
        "error": erasure.error_message or None,
    }
