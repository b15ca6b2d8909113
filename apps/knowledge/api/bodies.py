"""Collections, documents and passages as JSON."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from apps.core.fields import Id, StrictSerializer, Text, WholeNumber
from apps.core.jobs import Status
from apps.knowledge.models import Collection, Origin, Stage
from apps.knowledge.reading import Listed
from apps.knowledge.services import Passage
from apps.knowledge.services.collections import LONGEST_DESCRIPTION, LONGEST_NAME
from apps.knowledge.services.searching import LONGEST_QUERY, MOST_PASSAGES
from apps.knowledge.services.sources import LONGEST_TEXT, LONGEST_TITLE

# What says something holds more than spaces.
SOMETHING = RegexValidator(r"\S")


class CollectionBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["collection"])
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class DocumentBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["knowledge.document"])
    collection = serializers.UUIDField()
    title = serializers.CharField()
    origin = serializers.ChoiceField(Origin.choices)
    url = serializers.CharField(allow_blank=True, help_text="Of a web page.")
    version = serializers.IntegerField(help_text="The newest one's number.")
    status = serializers.ChoiceField(Status.choices, help_text="Of the newest version.")
    stage = serializers.ChoiceField(Stage.choices)
    reason = serializers.CharField(allow_blank=True, help_text="The code of why it was not read.")
    pages = serializers.IntegerField(allow_null=True)
    passages = serializers.IntegerField(help_text="Of the version that is searched.")
    sha256 = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class PassageBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["passage"])
    document = serializers.UUIDField()
    version = serializers.UUIDField()
    title = serializers.CharField()
    heading = serializers.ListField(child=serializers.CharField())
    page = serializers.IntegerField(allow_null=True)
    text = serializers.CharField()
    score = serializers.FloatField(help_text="From 0 to 1; 1 is the first by meaning and by words.")
    url = serializers.CharField(help_text="Where a citation leads.")


class PassageList(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = PassageBody(many=True)  # type: ignore[assignment]


class WriteCollection(StrictSerializer):
    name = Text(max_length=LONGEST_NAME, validators=[SOMETHING])
    description = Text(max_length=LONGEST_DESCRIPTION, required=False, allow_blank=True)


class AddDocument(StrictSerializer):
    """A text with its title, or the address of a web page."""

    collection = serializers.UUIDField()
    title = Text(max_length=LONGEST_TITLE, required=False, validators=[SOMETHING])
    text = Text(max_length=LONGEST_TEXT, required=False, validators=[SOMETHING], help_text="Markdown, with `title`.")
    url = Text(max_length=2000, required=False, help_text="A public https address, in the place of `text`.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("text" in attrs) == ("url" in attrs):
            raise serializers.ValidationError({"text": "Give either text or url."})
        if "text" in attrs and "title" not in attrs:
            raise serializers.ValidationError({"title": "A text needs a title."})
        return attrs


class AddDocumentSchema(OpenApiSerializerExtension):
    """Says in the schema as well that either a text with its title or an address is given; null is absent."""

    target_class = AddDocument

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        choices = [
            {"required": ["text", "title"], "not": {"required": ["url"]}},
            {"required": ["url"], "not": {"required": ["text"]}},
        ]
        return {**schema, "oneOf": choices}


class UploadDocument(StrictSerializer):
    collection = serializers.UUIDField()
    file = serializers.FileField(allow_empty_file=True, help_text="TXT, MD, HTML, DOCX or PDF.")
    title = Text(max_length=LONGEST_TITLE, required=False, validators=[SOMETHING])


class SearchPassages(StrictSerializer):
    query = Text(max_length=LONGEST_QUERY, validators=[SOMETHING])
    limit = WholeNumber(min_value=1, max_value=MOST_PASSAGES, required=False)
    collections = serializers.ListField(child=Id(), required=False, max_length=200)


def collection_body(row: Collection) -> dict[str, Any]:
    names = {"name": row.name, "description": row.description, "created_at": row.created_at.isoformat()}
    return {"id": str(row.pk), "object": "collection"} | names


def document_body(each: Listed) -> dict[str, Any]:
    source, version = each.source, each.version
    return {
        "id": str(source.pk),
        "object": "knowledge.document",
        "collection": str(source.collection_id),
        "title": source.title,
        "origin": source.origin,
        "url": source.url,
        "version": version.number,
        "status": version.status,
        "stage": version.stage,
        "reason": version.error_code,
        "pages": version.pages,
        "passages": source.passages,
        "sha256": version.sha256,
        "created_at": source.created_at.isoformat(),
    }


def passage_body(row: Passage) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "object": "passage",
        "document": str(row.document),
        "version": str(row.version),
        "title": row.title,
        "heading": list(row.heading),
        "page": row.page,
        "text": row.text,
        "score": row.score,
        "url": row.url,
    }
