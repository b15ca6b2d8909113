"""Every write to schedules: setting and pausing them, whom they are sent to, and carrying each occurrence out once."""

from apps.studio.services.schedules.occurrences import LOOK, look
from apps.studio.services.schedules.planning import plan_due
from apps.studio.services.schedules.recipients import add_recipient, decide, find_recipient, remove_recipient
from apps.studio.services.schedules.setting import (
    Plan,
    change_schedule,
    create_schedule,
    delete_schedule,
    get_schedule,
    pause_schedule,
    resume_schedule,
    run_now,
)

__all__ = [
    "LOOK",
    "Plan",
    "add_recipient",
    "change_schedule",
    "create_schedule",
    "decide",
    "delete_schedule",
    "find_recipient",
    "get_schedule",
    "look",
    "pause_schedule",
    "plan_due",
    "remove_recipient",
    "resume_schedule",
    "run_now",
]
