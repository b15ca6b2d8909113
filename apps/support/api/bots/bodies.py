"""What is sent and what is answered about articles and flows."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.fields import Flag, Number, StrictSerializer, Text, WholeNumber
from apps.support.models import Article, ArticleVersion, BotAction, BotSettings, FlowVersion, HelpCentre, StoryRun
from apps.support.services.articles import Found
from apps.support.services.flows import Standing, is_in_plan

JOB_STATUS = ["queued", "running", "succeeded", "failed", "cancelled"]


class WriteArticle(StrictSerializer):
    title = Text(max_length=160)
    body = Text(max_length=200_000, help_text="Markdown.")
    locale = Text(max_length=12, default="en")
    slug = Text(max_length=80, default="", allow_blank=True)
    category = Text(max_length=80, default="", allow_blank=True)


class PublishArticle(StrictSerializer):
    number = WholeNumber(min_value=1, help_text="The version that is to be read, found and cited.")


class RetireArticle(StrictSerializer):
    locale = Text(max_length=12)


class ArchiveArticle(StrictSerializer):
    archived = Flag()


class ImportArticles(serializers.Serializer[Any]):
    file = serializers.FileField(help_text="A Markdown or HTML file, or a ZIP archive of them.")
    locale = serializers.CharField(max_length=12, default="en")
    publish = serializers.BooleanField(default=False)


class SearchArticles(StrictSerializer):
    query = Text(max_length=500)
    locale = Text(max_length=12, default="", allow_blank=True)
    limit = WholeNumber(min_value=1, max_value=20, default=8)


class ArticleVersionFields(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    locale = serializers.CharField()
    title = serializers.CharField()
    body = serializers.CharField()
    source = serializers.CharField(help_text="Where an imported one came from.")  # type: ignore[assignment]
    created_at = serializers.DateTimeField()


class PublishedBody(serializers.Serializer[Any]):
    locale = serializers.CharField()
    number = serializers.IntegerField()


class ArticleBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["article"])
    slug = serializers.CharField()
    category = serializers.CharField(allow_null=True)
    versions = serializers.IntegerField()
    published = PublishedBody(many=True)
    archived = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class ArticleVersionBody(ArticleVersionFields):
    object = serializers.ChoiceField(["article_version"])
    article = serializers.UUIDField()


class ImportedBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = ArticleVersionBody(many=True)  # type: ignore[assignment]


class FoundBody(serializers.Serializer[Any]):
    article = serializers.UUIDField()
    slug = serializers.CharField()
    number = serializers.IntegerField(help_text="The exact version that the passage is of.")
    locale = serializers.CharField()
    title = serializers.CharField()
    heading = serializers.ListField(child=serializers.CharField())
    text = serializers.CharField()
    likeness = serializers.FloatField()
    score = serializers.FloatField()


class FoundList(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = FoundBody(many=True)  # type: ignore[assignment]


class SetCentre(StrictSerializer):
    slug = Text(max_length=60)
    name = Text(max_length=80)
    locale = Text(max_length=12, default="en")
    is_open = Flag(default=False)


class CentreBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["help_centre"])
    slug = serializers.CharField()
    name = serializers.CharField()
    locale = serializers.CharField()
    is_open = serializers.BooleanField()


class WriteFlows(StrictSerializer):
    text = Text(max_length=400_000, help_text="Flows and answers as YAML.")
    stories = Text(max_length=400_000, default="", allow_blank=True, help_text="Stories that test them, as YAML.")
    note = Text(max_length=200, default="", allow_blank=True)


class ProblemBody(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    message = serializers.CharField()


class FlowsCheckBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["flows_check"])
    problems = ProblemBody(many=True)


class FlowsBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["flows"])
    number = serializers.IntegerField()
    standing = serializers.ChoiceField([each.value for each in Standing])
    note = serializers.CharField()
    text = serializers.CharField()
    stories = serializers.CharField()
    created_at = serializers.DateTimeField()


class RunStories(StrictSerializer):
    calls = Flag(default=False, help_text="Really calls what the stories do not script.")
    model = WholeNumber(min_value=1, required=False, help_text="Reads with this model in place of the live one.")


class ResultBody(serializers.Serializer[Any]):
    story = serializers.CharField()
    line = serializers.IntegerField()
    problems = ProblemBody(many=True)


class StoryRunBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["story_run"])
    flows = serializers.IntegerField()
    status = serializers.ChoiceField(JOB_STATUS)
    passed = serializers.IntegerField()
    failed = serializers.IntegerField()
    results = ResultBody(many=True)
    created_at = serializers.DateTimeField()


class WriteAction(StrictSerializer):
    name = Text(max_length=64)
    url = Text(max_length=2000)
    changes = Flag(default=True, help_text="A call does something that cannot be undone.")


class ActionBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["bot_action"])
    name = serializers.CharField()
    url = serializers.CharField()
    changes = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class SavedActionBody(ActionBody):
    secret = serializers.CharField(allow_null=True, help_text="Signs the calls; shown once, with each new address.")


class ChangeBot(StrictSerializer):
    is_on = Flag(required=False)
    accept = Number(min_value=0, max_value=1, required=False)
    margin = Number(min_value=0, max_value=1, required=False)
    quiet_seconds = Number(min_value=0, max_value=10, required=False)
    least_likeness = Number(min_value=0, max_value=1, required=False)
    duties = serializers.DictField(child=Text(max_length=20), required=False)
    four_eyes = Flag(required=False)
    writer = Text(max_length=120, required=False, allow_blank=True)
    answer_seconds = Number(min_value=2, max_value=120, required=False)
    idle_hours = WholeNumber(min_value=0, max_value=720, required=False)


class BotBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["bot"])
    is_on = serializers.BooleanField()
    flows = serializers.IntegerField(allow_null=True, help_text="The version that is live.")
    model = serializers.IntegerField(allow_null=True, help_text="The model that reads.")
    accept = serializers.FloatField(help_text="From this probability on an intent is acted on.")
    margin = serializers.FloatField(help_text="Two intents that are nearer than this are asked about.")
    quiet_seconds = serializers.FloatField(help_text="A burst of messages is over after so long a pause.")
    least_likeness = serializers.FloatField(help_text="How near a passage must come to the question to be cited.")
    duties = serializers.DictField(
        child=serializers.CharField(), help_text="Intents that always go to a person, with the reason."
    )
    four_eyes = serializers.BooleanField(help_text="Nobody approves the flows that they wrote.")
    writer = serializers.CharField(
        allow_blank=True, help_text="The model that writes answers from passages; empty: they are cited as they stand."
    )
    answer_seconds = serializers.FloatField(help_text="After so long without its answer the passage is cited.")
    idle_hours = serializers.IntegerField(
        help_text="So long after the bot's last word a conversation is resolved; 0 for never."
    )
    in_plan = serializers.BooleanField(help_text="Whether the organization's plan brings the bot.")


def article_body(row: Article) -> dict[str, Any]:
    published = row.publications.select_related("version").order_by("locale")
    return {
        "id": row.pk,
        "object": "article",
        "slug": row.slug,
        "category": row.category.name if row.category else None,
        "versions": row.versions_count,
        "published": [{"locale": each.locale, "number": each.version.number} for each in published],
        "archived": row.archived_at is not None,
        "created_at": row.created_at,
    }


def version_body(row: ArticleVersion) -> dict[str, Any]:
    names = "number locale title body source created_at"
    return {"object": "article_version", "article": row.article_id} | {
        name: getattr(row, name) for name in names.split()
    }


def found_body(row: Found) -> dict[str, Any]:
    names = "slug number locale title text likeness score"
    return {"article": row.article_id, "heading": list(row.heading)} | {
        name: getattr(row, name) for name in names.split()
    }


def centre_body(row: HelpCentre) -> dict[str, Any]:
    return {"object": "help_centre"} | {name: getattr(row, name) for name in ("slug", "name", "locale", "is_open")}


def flows_body(row: FlowVersion, standing: Standing) -> dict[str, Any]:
    names = "number note text stories created_at"
    return {"object": "flows", "standing": str(standing)} | {name: getattr(row, name) for name in names.split()}


def run_body(row: StoryRun) -> dict[str, Any]:
    names = "status passed failed results created_at"
    return {"id": row.pk, "object": "story_run", "flows": row.version.number} | {
        name: getattr(row, name) for name in names.split()
    }


def action_body(row: BotAction) -> dict[str, Any]:
    return {"id": row.pk, "object": "bot_action"} | {
        name: getattr(row, name) for name in ("name", "url", "changes", "created_at")
    }


def bot_body(row: BotSettings) -> dict[str, Any]:
    names = "is_on accept margin quiet_seconds least_likeness duties four_eyes writer answer_seconds idle_hours"
    return {
        "object": "bot",
        "in_plan": is_in_plan(row.organization_id),
        "flows": row.flows.number if row.flows else None,
        "model": row.model.number if row.model else None,
    } | {name: getattr(row, name) for name in names.split()}
