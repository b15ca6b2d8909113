"""The bot's turns: claimed when a burst is over, thought about by a worker, and stored only while the bot may speak."""

from apps.support.services.bot.answering import asked_before, note_asked, require_silence, writing_actor
from apps.support.services.bot.claiming import claim_turns, late_turns, overdue_turns, reap_turns, seconds_until_due
from apps.support.services.bot.memory import Remembered, remembered
from apps.support.services.bot.speaking import (
    ACTING,
    Cited,
    NotMine,
    Rests,
    Silenced,
    Step,
    Superseded,
    end_silenced,
    end_turn,
    give_up,
    pass_on,
    store,
)
from apps.support.services.bot.turns import Prepared, inputs_restored, prepare

__all__ = [
    "ACTING",
    "Cited",
    "NotMine",
    "Prepared",
    "Remembered",
    "Rests",
    "Silenced",
    "Step",
    "Superseded",
    "asked_before",
    "claim_turns",
    "end_silenced",
    "end_turn",
    "give_up",
    "inputs_restored",
    "late_turns",
    "note_asked",
    "overdue_turns",
    "pass_on",
    "prepare",
    "reap_turns",
    "remembered",
    "require_silence",
    "seconds_until_due",
    "store",
    "writing_actor",
]
