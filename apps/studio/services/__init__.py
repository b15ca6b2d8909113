"""Every write to generations: asking for one, stopping it, and ending it together with its charge."""

from apps.studio.services import conversations, feedback, runs, safety, templates, voices
from apps.studio.services.admission import (
    WAKE,
    Prepared,
    Standing,
    accept,
    accept_in_scope,
    get_generation,
    prepare,
    request_generation,
    standing_of,
)
from apps.studio.services.endings import (
    Outcome,
    cancel_generation,
    expire_generation,
    finish_generation,
)
from apps.studio.services.retries import repeat_generation, sources_of

__all__ = [
    "WAKE",
    "Outcome",
    "Prepared",
    "Standing",
    "accept",
    "accept_in_scope",
    "cancel_generation",
    "conversations",
    "expire_generation",
    "feedback",
    "finish_generation",
    "get_generation",
    "prepare",
    "repeat_generation",
    "request_generation",
    "runs",
    "safety",
    "sources_of",
    "standing_of",
    "templates",
    "voices",
]
