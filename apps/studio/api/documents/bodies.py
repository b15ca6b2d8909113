"""What the REST API of documents takes and shows."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from apps.core.fields import StrictSerializer, Text, WholeNumber
from apps.studio.models import (
    Document,
    DocumentComment,
    DocumentRevision,
    DocumentShare,
    Folder,
    Suggestion,
    SuggestionAction,
)
from apps.studio.services import documents
from apps.studio.services.documents.checks import LONGEST_NAME, LONGEST_TAG, LONGEST_TITLE, MOST_CHARS, MOST_TAGS
from apps.studio.services.documents.comments import LONGEST_COMMENT
from apps.studio.services.documents.organizing import LONGEST_FOLDER
from apps.studio.services.documents.shares import LONGEST_DAYS, LONGEST_PASSWORD, SHORTEST_PASSWORD
from ml.text.revising import LANGUAGES, LONGEST_PART

# What is called something holds more than spaces; tags are written with commas between them.
NAMED, WITHOUT_COMMAS = RegexValidator(r"\S"), RegexValidator(r"^[^,]+$")
CHARACTERS = "Characters (Unicode code points) from the beginning of the text."


class WrittenDocumentBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["document"])
    title = serializers.CharField()
    text = serializers.CharField(allow_blank=True, required=False, help_text="Markdown; not in lists.")
    revision = serializers.IntegerField(help_text="Counts changes of title and text; the ETag of the answer.")
    folder = serializers.UUIDField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    generation = serializers.UUIDField(allow_null=True, help_text="What it was saved from.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(allow_null=True)


class FoundDocumentBody(WrittenDocumentBody):
    snippet = serializers.CharField(required=False, help_text="Of a search: a piece of the text around what was found.")


class DocumentVersionBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["document_version"])
    number = serializers.IntegerField(help_text="The document's revision that this version is.")
    name = serializers.CharField(allow_blank=True)
    title = serializers.CharField()
    text = serializers.CharField(allow_blank=True, required=False, help_text="Not in lists.")
    created_at = serializers.DateTimeField()


class DocumentSuggestionBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["suggestion"])
    action = serializers.ChoiceField(SuggestionAction.choices)
    language = serializers.CharField(allow_blank=True)
    revision = serializers.IntegerField()
    start = serializers.IntegerField(help_text=CHARACTERS)
    end = serializers.IntegerField(help_text=CHARACTERS)
    quote = serializers.CharField()
    generation = serializers.UUIDField(help_text="Follow its stream to see the words as they are written.")
    status = serializers.ChoiceField(["writing", "ready", "failed", "gone", "accepted", "rejected"])
    text = serializers.CharField(allow_blank=True, help_text="What would stand there, once `status` is `ready`.")
    created_at = serializers.DateTimeField()


class DocumentCommentBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["comment"])
    thread = serializers.UUIDField(allow_null=True, help_text="The comment that this one answers.")
    text = serializers.CharField()
    revision = serializers.IntegerField()
    start = serializers.IntegerField(help_text=CHARACTERS)
    end = serializers.IntegerField(help_text=CHARACTERS)
    quote = serializers.CharField()
    gone = serializers.BooleanField(help_text="The quoted words are no longer in the document.")
    author = serializers.CharField(allow_null=True)
    mentions = serializers.ListField(child=serializers.UUIDField())
    resolved_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class DocumentShareBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["document_share"])
    url = serializers.CharField(required=False, help_text="Only in the answer that makes it.")
    has_password = serializers.BooleanField()
    opened = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class DocumentFolderBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["folder"])
    name = serializers.CharField()
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]


# ---------------------------------------------------------------- what is taken


class Tag(Text):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_TAG, validators=[WITHOUT_COMMAS], **options)


class WriteDocument(StrictSerializer):
    title = Text(max_length=LONGEST_TITLE)
    text = Text(max_length=MOST_CHARS, allow_blank=True, default="", help_text="Markdown.")
    folder = serializers.UUIDField(required=False)
    tags = serializers.ListField(child=Tag(), max_length=MOST_TAGS, default=list)
    generation = serializers.UUIDField(required=False, help_text="Saves this generation's text; leave `text` out.")


class ChangeDocument(StrictSerializer):
    title = Text(max_length=LONGEST_TITLE, required=False)
    text = Text(max_length=MOST_CHARS, allow_blank=True, required=False)
    folder = Text(required=False, allow_blank=True, help_text="A folder's id; empty takes it out of its folder.")
    tags = serializers.ListField(child=Tag(), max_length=MOST_TAGS, required=False)
    base_revision = WholeNumber(
        min_value=1,
        required=False,
        help_text="Instead of `If-Match`: the revision that was read. Changes made since are merged with yours.",
    )


class NameDocumentVersion(StrictSerializer):
    name = Text(max_length=LONGEST_NAME, validators=[NAMED])


class _Selected(StrictSerializer):
    revision = WholeNumber(min_value=1, help_text="The revision in which the words were selected.")
    start = WholeNumber(min_value=0, help_text=CHARACTERS)
    end = WholeNumber(min_value=0, help_text=CHARACTERS)
    quote = Text(max_length=LONGEST_PART, validators=[NAMED], help_text="The selected words, exactly.")

    def selection(self) -> documents.Selection:
        names = ("revision", "start", "end", "quote")
        return documents.Selection(**{name: self.validated_data[name] for name in names})


class AskSuggestion(_Selected):
    action = serializers.ChoiceField(SuggestionAction.choices)
    language = serializers.ChoiceField(sorted(LANGUAGES), required=False, help_text="For `translate`.")
    model = Text(max_length=120, default="default")
    max_tokens = WholeNumber(min_value=1, max_value=1_000_000, required=False)

    def wish(self) -> documents.Wish:
        data = self.validated_data
        return documents.Wish(data["action"], data.get("language", ""), data["model"], data.get("max_tokens"))


class WriteComment(_Selected):
    text = Text(max_length=LONGEST_COMMENT, validators=[NAMED])


class AnswerComment(StrictSerializer):
    text = Text(max_length=LONGEST_COMMENT, validators=[NAMED])


class MakeShare(StrictSerializer):
    days = WholeNumber(min_value=1, max_value=LONGEST_DAYS, default=7)
    password = Text(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD, required=False)


class WriteFolder(StrictSerializer):
    name = Text(max_length=LONGEST_FOLDER, validators=[NAMED])
    parent = serializers.UUIDField(required=False)  # type: ignore[assignment]


class RenameFolder(StrictSerializer):
    name = Text(max_length=LONGEST_FOLDER, validators=[NAMED])


# ---------------------------------------------------------------- rows as JSON


def document_body(row: Document, *, with_text: bool = True) -> dict[str, Any]:
    body = {
        "id": str(row.pk),
        "object": "document",
        "title": row.title,
        "revision": row.revision,
        "folder": _id(row.folder_id),
        "tags": row.tags,
        "generation": _id(row.generation_id),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deleted_at": row.deleted_at,
    }
    return body | {"text": row.text} if with_text else body


def version_body(row: DocumentRevision, *, with_text: bool = True) -> dict[str, Any]:
    body = {
        "object": "document_version",
        "number": row.number,
        "name": row.name,
        "title": row.title,
        "created_at": row.created_at,
    }
    return body | {"text": row.text} if with_text else body


def suggestion_body(row: Suggestion) -> dict[str, Any]:
    status = documents.status_of(row)
    return {
        "id": str(row.pk),
        "object": "suggestion",
        "action": row.action,
        "language": row.language,
        **_range(row),
        "generation": str(row.generation_id),
        "status": status,
        "text": documents.replacement(row) if row.generation.text.strip() and status != "writing" else "",
        "created_at": row.created_at,
    }


def comment_body(row: DocumentComment) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "object": "comment",
        "thread": _id(row.thread_id),
        "text": row.text,
        **_range(row),
        "gone": row.gone_at is not None,
        "author": row.created_by.email if row.created_by else None,
        "mentions": [str(id) for id in row.mentions],
        "resolved_at": row.resolved_at,
        "created_at": row.created_at,
    }


def share_body(row: DocumentShare) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "object": "document_share",
        "has_password": bool(row.password),
        "opened": row.opened,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
    }


def folder_body(row: Folder) -> dict[str, Any]:
    return {"id": str(row.pk), "object": "folder", "name": row.name, "parent": _id(row.parent_id)}


def _range(row: Suggestion | DocumentComment) -> dict[str, Any]:
    return {"revision": row.revision, "start": row.start, "end": row.end, "quote": row.quote}


def _id(value: Any) -> str | None:
    return str(value) if value else None
