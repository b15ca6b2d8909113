"""Bodies of templates in the REST API: what may be sent, and what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.core.fields import Flag, Id, Number, StrictSerializer, Text, WholeNumber
from apps.studio.api.fields import Share, not_blank, slug_or_blank
from apps.studio.models import Template, TemplateApproval, TemplateLabel, TemplateVersion, Visibility
from apps.studio.requests import MAX_SEED, SHORTEST_DEADLINE_SECONDS
from apps.studio.services.templates import Rendered, TemplateFacts
from apps.webhooks.api.callbacks import CallbackFields
from ml.text.prompts import MAX_TEMPLATE_CHARS
from ml.text.variables import Type

LONGEST_SLUG = 60


class VariableBody(serializers.Serializer[Any]):
    """One variable; only for the schema, the definition is checked where it is stored."""

    name = serializers.CharField()
    type = serializers.ChoiceField([type.value for type in Type], required=False)
    label = serializers.CharField(required=False)  # type: ignore[assignment]
    help = serializers.CharField(required=False)
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]
    default = serializers.CharField(required=False)
    choices = serializers.ListField(child=serializers.CharField(), required=False)
    least = serializers.CharField(required=False, help_text="Characters, entries, or the least value of a number.")
    most = serializers.CharField(required=False, help_text="Characters, entries, or the highest value of a number.")
    many = serializers.BooleanField(required=False, help_text="Several files or pages.")  # type: ignore[assignment]


class VersionFields(StrictSerializer):
    """What a version says."""

    prompt = Text(max_length=MAX_TEMPLATE_CHARS, validators=[not_blank], help_text="With {{ name }} for each variable.")
    system = Text(max_length=MAX_TEMPLATE_CHARS, required=False, allow_blank=True)
    variables = serializers.ListField(child=serializers.DictField(), required=False, max_length=30)
    examples = serializers.ListField(child=serializers.DictField(), required=False, max_length=10)
    model = Text(max_length=120, required=False, allow_blank=True, help_text="Empty leaves it to whoever runs it.")
    sampling = serializers.DictField(required=False, help_text="Such as temperature, top_p, stop.")
    max_tokens = WholeNumber(min_value=1, max_value=1_000_000, required=False, allow_null=True)
    limits = serializers.DictField(
        child=WholeNumber(), required=False, help_text="What the text's place takes: characters, hashtags."
    )
    voice = Text(max_length=LONGEST_SLUG, required=False, allow_blank=True, help_text="A brand voice's slug.")
    note = Text(max_length=200, required=False, allow_blank=True, help_text="What changed.")

    def facts(self) -> TemplateFacts:
        data = {key: value for key, value in self.validated_data.items() if key in TemplateFacts.__dataclass_fields__}
        return TemplateFacts(**data, model_name=self.validated_data.get("model", ""))


class CreateTemplate(VersionFields):
    name = Text(max_length=120, validators=[not_blank])
    slug = Text(
        max_length=LONGEST_SLUG,
        required=False,
        allow_blank=True,
        validators=[slug_or_blank],
        help_text="By which it is called.",
    )
    description = Text(max_length=300, required=False, allow_blank=True)


class ChangeTemplate(StrictSerializer):
    name = Text(max_length=120, required=False, validators=[not_blank])
    description = Text(max_length=300, required=False, allow_blank=True)
    visibility = serializers.ChoiceField(Visibility.choices, required=False)
    teams = serializers.ListField(child=Id(), required=False, max_length=50)


class PutLabel(StrictSerializer):
    version = WholeNumber(min_value=1, max_value=999_999)
    note = Text(max_length=200, required=False, allow_blank=True, help_text="Of an approval.")


class RenderTemplate(StrictSerializer):
    """Which version, and what its variables are filled in with."""

    label = Text(max_length=40, required=False, help_text="Default `production`; `draft` is the newest version.")  # type: ignore[assignment]
    version = WholeNumber(min_value=1, max_value=999_999, required=False, help_text="In place of a label.")
    variables = serializers.DictField(
        required=False,
        help_text='By name. A file is {"name", "text"}; a page is its address, or {"name", "text"} as well.',
    )
    voice = Text(
        max_length=80,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="A brand voice's slug; null is the template's own, empty is none.",
    )

    def reference(self, slug: str) -> str:
        return reference_to(slug, self.validated_data)


def reference_to(slug: str, values: Mapping[str, Any]) -> str:
    return f"{slug}@{values.get('version') or values.get('label') or 'production'}"


class GenerateFromTemplate(CallbackFields, RenderTemplate):
    """The same, how to sample where that differs from what the template says, and where the result is sent."""

    model = Text(max_length=120, required=False)
    max_tokens = WholeNumber(min_value=1, max_value=1_000_000, required=False)
    temperature = Number(min_value=0, max_value=2, required=False)
    top_p = Share(required=False)
    seed = WholeNumber(min_value=-MAX_SEED, max_value=MAX_SEED, required=False)
    deadline_seconds = Number(
        min_value=SHORTEST_DEADLINE_SECONDS, max_value=settings.GENERATION_DEADLINE_SECONDS, required=False
    )

    OVERRIDES = ("model", "max_tokens", "temperature", "top_p", "seed", "deadline_seconds")

    def changes(self) -> dict[str, Any]:
        return {name: self.validated_data[name] for name in self.OVERRIDES if name in self.validated_data}


class UseEntry(StrictSerializer):
    language = serializers.ChoiceField(["en", "zh-hans"], required=False)


class TemplateSettingsBody(StrictSerializer):
    four_eyes = Flag(help_text="Whether somebody else than the author has to approve a version.")


class LabelBody(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    version = serializers.IntegerField()
    previous = serializers.IntegerField(allow_null=True)
    moved_at = serializers.DateTimeField()


class TemplateBody(serializers.Serializer[Any]):
    """A template as it stands; only for the schema."""

    object = serializers.ChoiceField(["template"])
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    content_type = serializers.CharField()
    library = serializers.CharField(allow_null=True, help_text="Of which entry of the library it is a copy.")
    visibility = serializers.ChoiceField(Visibility.choices)
    latest_version = serializers.IntegerField()
    labels = LabelBody(many=True)
    archived = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class VersionBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["template_version"])
    id = serializers.UUIDField()
    template = serializers.CharField()
    number = serializers.IntegerField()
    prompt = serializers.CharField()
    system = serializers.CharField()
    variables = VariableBody(many=True)
    examples = serializers.ListField(child=serializers.DictField())
    model = serializers.CharField()
    sampling = serializers.DictField()
    max_tokens = serializers.IntegerField(allow_null=True)
    limits = serializers.DictField(child=serializers.IntegerField())
    voice = serializers.CharField(allow_null=True)
    note = serializers.CharField()
    approved_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class DifferenceLineBody(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["same", "out", "in"])
    text = serializers.CharField()


class DifferenceBody(serializers.Serializer[Any]):
    field = serializers.CharField()
    lines = DifferenceLineBody(many=True)


class DiffBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["template_diff"])
    older = serializers.IntegerField()
    newer = serializers.IntegerField()
    differences = DifferenceBody(many=True)


class RenderedMessage(serializers.Serializer[Any]):
    role = serializers.CharField()
    content = serializers.CharField()


class RenderedBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["rendered_template"])
    template = serializers.CharField()
    version = serializers.IntegerField()
    voice = serializers.CharField(allow_null=True)
    model = serializers.CharField()
    max_tokens = serializers.IntegerField(allow_null=True)
    messages = RenderedMessage(many=True)


class EntryBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["library_entry"])
    key = serializers.CharField()
    language = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    content_type = serializers.CharField()


def label_body(label: TemplateLabel) -> dict[str, Any]:
    return {
        "label": label.name,
        "version": label.version.number,
        "previous": label.previous.number if label.previous else None,
        "moved_at": label.moved_at,
    }


def template_body(template: Template, labels: Iterable[TemplateLabel]) -> dict[str, Any]:
    return {
        "object": "template",
        "id": template.pk,
        "slug": template.slug,
        "name": template.name,
        "description": template.description,
        "content_type": template.content_type,
        "library": template.library or None,
        "visibility": template.visibility,
        "latest_version": template.latest,
        "labels": [label_body(label) for label in labels],
        "archived": template.archived_at is not None,
        "created_at": template.created_at,
    }


def version_body(version: TemplateVersion, approval: TemplateApproval | None = None) -> dict[str, Any]:
    same = ("prompt", "system", "variables", "examples", "sampling", "max_tokens", "limits", "note", "created_at")
    return {
        "object": "template_version",
        "id": version.pk,
        "template": version.template.slug,
        "number": version.number,
        **{name: getattr(version, name) for name in same},
        "model": version.model_name,
        "voice": version.voice.slug if version.voice else None,
        "approved_at": approval.created_at if approval else None,
    }


def rendered_body(rendered: Rendered) -> dict[str, Any]:
    voice = rendered.voice_version
    return {
        "object": "rendered_template",
        "template": rendered.version.template.slug,
        "version": rendered.version.number,
        "voice": f"{voice.voice.slug}@{voice.number}" if voice else None,
        "model": rendered.model,
        "max_tokens": rendered.max_tokens,
        "messages": [{"role": message.role, "content": message.content} for message in rendered.messages],
    }
