"""Flows in versions: written, tested by stories, approved, put live; the systems that they call; what is in force."""

from apps.support.services.flows.actions import ActionDraft, Answer, call_action, delete_action, save_action
from apps.support.services.flows.settings import BotChange, change_bot, is_bot_on, is_in_plan, settings_of
from apps.support.services.flows.stories import RUN_STORIES, fail_run, finish_run, latest_run, request_run
from apps.support.services.flows.versions import (
    Checked,
    Standing,
    approve,
    check,
    get_version,
    go_live,
    newest_number,
    problems_of,
    save_version,
    standing_of,
)

__all__ = [
    "RUN_STORIES",
    "ActionDraft",
    "Answer",
    "BotChange",
    "Checked",
    "Standing",
    "approve",
    "call_action",
    "change_bot",
    "check",
    "delete_action",
    "fail_run",
    "finish_run",
    "get_version",
    "go_live",
    "is_bot_on",
    "is_in_plan",
    "latest_run",
    "newest_number",
    "problems_of",
    "request_run",
    "save_action",
    "save_version",
    "settings_of",
    "standing_of",
]
