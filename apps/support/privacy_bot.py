"""What the bot and the help centre store."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, Basis, DataKind, OnErasure, Retention

WITH_CONVERSATION = Retention(words=_("as long as the conversation"))


def _kind(name: str, model: str, label: Any, what: Any, why: Any, person: str = "", **more: Any) -> DataKind:
    values: dict[str, Any] = {"basis": Basis.CONTRACT, "retention": FOREVER} | more
    if person:
        values |= {"people": (person,), "also": (f"{person}__email",), "erasure": OnErasure.DETACH}
    return DataKind(name=name, model=f"support.{model}", label=label, what=what, why=why, **values)


_ARTICLES = (
    _kind(
        "help_centres", "HelpCentre", _("Help centres"), _("The public address and name of the help centre."),
        _("Visitors find it there."),
    ),
    _kind(
        "article_categories", "ArticleCategory", _("Categories of articles"), _("Names under which articles stand."),
        _("Articles are found by them."),
    ),
    _kind(
        "articles", "Article", _("Articles"), _("Addresses and categories of articles."),
        _("Questions are answered from them."),
    ),
    _kind(
        "article_versions", "ArticleVersion", _("Versions of articles"),
        _("The texts of articles, each as it was, and who wrote it."),
        _("Every answer can be traced back to the words it was taken from."), "created_by",
    ),
    _kind(
        "article_publications", "Publication", _("Published articles"), _("Which version is read in which language."),
        _("Only what is published is shown and cited."),
    ),
    _kind(
        "article_passages", "ArticlePassage", _("Passages of articles"),
        _("Published texts in pieces, with what finds them by words and by meaning."),
        _("They are what is found and cited."), secret=("lexemes", "embedding"),
    ),
)  # fmt: skip
_FLOWS = (
    _kind(
        "flow_versions", "FlowVersion", _("Flows of the bot"), _("What the bot does, in versions, and who wrote them."),
        _("Every reply can be traced back to the flows it follows."), "created_by",
    ),
    _kind(
        "flow_approvals", "FlowApproval", _("Approvals of flows"), _("Who has approved which version, and when."),
        _("Only what was approved goes live."), "approved_by",
    ),
    _kind(
        "bot_actions", "BotAction", _("Actions of the bot"), _("Addresses of systems that the bot asks."),
        _("Flows do something by them."), secret=("secret",),
    ),
    _kind(
        "story_runs", "StoryRun", _("Tests of flows"), _("Which stories passed, and who had them run."),
        _("What goes live was tested."), "created_by",
        retention=Retention(days=180, least=30, most=3650, since="finished_at",
                            only={"status__in": ("succeeded", "failed", "cancelled")}),
    ),
    _kind(
        "bot_settings", "BotSettings", _("Settings of the bot"), _("What is live, and from which probability on."),
        _("The bot goes by them."),
    ),
)  # fmt: skip
_LEARNING = (
    _kind(
        "intent_examples", "IntentExample", _("Examples of intents"),
        _("Masked utterances and what they are about, and who added them."), _("Models learn from them."),
        "created_by",
    ),
    _kind(
        "intent_datasets", "Dataset", _("Data sets of intents"), _("The examples of a model as they were."),
        _("What a model has learned from can be told."),
    ),
    _kind(
        "training_runs", "TrainingRun", _("Training of models"), _("What was measured, and who had it trained."),
        _("Models are promoted by what was measured."), "created_by",
    ),
    _kind(
        "dialogue_models", "DialogueModel", _("Models of the bot"), _("Where trained models lie, and their digests."),
        _("They read what visitors write."), where=_("PostgreSQL and the file store"),
    ),
    _kind(
        "turn_records", "TurnRecord", _("What the bot has read"),
        _("Masked words of visitors, how they were read, and on what the reply rests."),
        _("Replies can be accounted for, and wrong ones corrected."), retention=WITH_CONVERSATION,
    ),
    _kind(
        "dialogue_events", "DialogueEvent", _("The bot's memory of conversations"),
        _("What was asked, filled in and done, step by step; masked."),
        _("A conversation goes on where it was, also after a restart."), retention=WITH_CONVERSATION,
    ),
)  # fmt: skip
_WRITTEN = (
    _kind(
        "bot_resolutions", "BotResolution", _("What the bot has resolved"),
        _("When the bot resolved a conversation without a person, and whether that was counted."),
        _("What is paid for can be accounted for."),
    ),
    _kind(
        "desk_drafts", "DeskDraft", _("Drafts and summaries of the desk"),
        _("Suggested replies and summaries that a model wrote for agents, and who asked for them."),
        _("Agents answer and take over faster."), "created_by", retention=WITH_CONVERSATION,
    ),
)  # fmt: skip
BOT_KINDS = (*_ARTICLES, *_FLOWS, *_LEARNING, *_WRITTEN)
