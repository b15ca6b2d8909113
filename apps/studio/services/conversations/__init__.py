"""Conversations with models: every write to them, and how they are read."""

from apps.studio.services.conversations.asking import (
    Draft,
    Question,
    accept_question,
    prepare_answer,
    prepare_continuation,
    prepare_message,
)
from apps.studio.services.conversations.attachments import AttachmentRefused, File
from apps.studio.services.conversations.changing import (
    UNDO_DAYS,
    ChatSettings,
    archive_conversation,
    change_settings,
    choose_branch,
    collections_of,
    create_conversation,
    delete_conversation,
    pin_conversation,
    rename_conversation,
    restore_conversation,
)
from apps.studio.services.conversations.exporting import as_json, as_markdown
from apps.studio.services.conversations.reading import (
    Branch,
    ListPage,
    Shown,
    get_branch,
    get_conversation,
    get_turn,
    list_conversations,
    list_with_pinned,
)

__all__ = [
    "UNDO_DAYS",
    "AttachmentRefused",
    "Branch",
    "ChatSettings",
    "Draft",
    "File",
    "ListPage",
    "Question",
    "Shown",
    "accept_question",
    "archive_conversation",
    "as_json",
    "as_markdown",
    "change_settings",
    "choose_branch",
    "collections_of",
    "create_conversation",
    "delete_conversation",
    "get_branch",
    "get_conversation",
    "get_turn",
    "list_conversations",
    "list_with_pinned",
    "pin_conversation",
    "prepare_answer",
    "prepare_continuation",
    "prepare_message",
    "rename_conversation",
    "restore_conversation",
]
