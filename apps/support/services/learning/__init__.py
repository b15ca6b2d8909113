"""What the bot learns from and how it is trained, measured, promoted and rolled back."""

from apps.support.services.learning.erasing import forget_conversations, forget_marked, hold_organization
from apps.support.services.learning.examples import (
    Given,
    add_examples,
    change_example,
    intents,
    mark_intent,
    mark_slots,
    notation_of,
    read_csv,
    records_of,
    remove_example,
    turns_of,
)
from apps.support.services.learning.promotion import model_numbered, models, promote
from apps.support.services.learning.training import (
    TRAIN,
    Trained,
    cancel_training,
    fail_training,
    finish_training,
    get_run,
    note_progress,
    request_training,
)

__all__ = [
    "TRAIN",
    "Given",
    "Trained",
    "add_examples",
    "cancel_training",
    "change_example",
    "fail_training",
    "finish_training",
    "forget_conversations",
    "forget_marked",
    "get_run",
    "hold_organization",
    "intents",
    "mark_intent",
    "mark_slots",
    "model_numbered",
    "models",
    "notation_of",
    "note_progress",
    "promote",
    "read_csv",
    "records_of",
    "remove_example",
    "request_training",
    "turns_of",
]
