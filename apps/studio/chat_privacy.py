"""What conversations and runs store; `privacy.py` takes it in."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core import tenancy
from apps.core.datakinds import FOREVER, Basis, DataKind, Erasing, OnErasure, Retention, Texts
from apps.studio.models import Attachment, Conversation, ConversationIndex, Feedback, RunVote, Turn
from apps.studio.services.conversations import UNDO_DAYS

WITH_CONVERSATION = Retention(words=_("as long as its conversation"))
WITH_TEXT = Retention(words=_("as long as the text that it is about"))
WITH_RUN = Retention(words=_("as long as its run"))


def erase_conversations(erasing: Erasing) -> int:
    """Takes the person's name off conversations that they began; with the texts, title and system prompt go too."""
    emptied = {"title": "", "system": ""} if erasing.texts == Texts.ERASE else {}
    if emptied:
        _forget_words(erasing, turn=None, conversation__created_by=erasing.person_id)
    return _detach(Conversation, erasing, emptied)


def erase_turns(erasing: Erasing) -> int:
    """Takes the person's name off messages; with the texts, what they wrote and attached goes, and its place stays."""
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    if erasing.texts != Texts.ERASE:
        return _detach(Turn, erasing, {})
    with tenancy.scope(erasing.organization_id):
        Attachment.objects.filter(turn__created_by=erasing.person_id).delete()
    _forget_words(erasing, turn__created_by=erasing.person_id)
    return _detach(Turn, erasing, {"text": ""})


def _forget_words(erasing: Erasing, **about: Any) -> None:
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    with tenancy.scope(erasing.organization_id):
        ConversationIndex.objects.filter(**about).delete()


def erase_votes(erasing: Erasing) -> int:
    return _detach(RunVote, erasing, _without_comment(erasing))


def erase_feedback(erasing: Erasing) -> int:
    return _detach(Feedback, erasing, _without_comment(erasing))


def _without_comment(erasing: Erasing) -> dict[str, Any]:
    return {"comment": ""} if erasing.texts == Texts.ERASE else {}


def _detach(model: Any, erasing: Erasing, emptied: dict[str, Any]) -> int:
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    with tenancy.scope(erasing.organization_id):
        rows = model.objects.filter(created_by=erasing.person_id)
        return int(rows.update(created_by=None, **emptied))


KINDS = (
    DataKind(
        name="conversations",
        label=_("Conversations"),
        model="studio.Conversation",
        what=_("Titles, system prompts and settings of conversations with models, and where each of them stands."),
        why=_("It is the service: conversations can be found, gone on with and set up."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.CHOICE,
        erase=erase_conversations,
        # Deleted ones alone: who has deleted a conversation may want it back.
        retention=Retention(days=UNDO_DAYS, least=0, most=365, since="deleted_at"),
    ),
    DataKind(
        name="conversation_messages",
        label=_("Messages of conversations"),
        model="studio.Turn",
        what=_("What people wrote in conversations; what models answered is among the generations."),
        why=_("Models are given it with every further message."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.CHOICE,
        erase=erase_turns,
        retention=WITH_CONVERSATION,
    ),
    DataKind(
        name="conversation_index",
        label=_("Index of conversations"),
        model="studio.ConversationIndex",
        what=_("The words by which conversations are found."),
        why=_("Searching would take too long without it."),
        basis=Basis.CONTRACT,
        secret=("search",),
        retention=WITH_CONVERSATION,
    ),
    DataKind(
        name="message_attachments",
        label=_("Attachments of messages"),
        model="studio.Attachment",
        what=_("Names and texts of files that were sent with messages; the files themselves are not kept."),
        why=_("Models are given them with the message."),
        basis=Basis.CONTRACT,
        retention=WITH_CONVERSATION,
    ),
    DataKind(
        name="runs",
        label=_("Runs"),
        model="studio.Run",
        what=_("Which texts were asked for together, by whom, and from which earlier one."),
        why=_("They are compared side by side, and gone on from."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="run_variants",
        label=_("Variants of runs"),
        model="studio.Variant",
        what=_("The places of a run's texts, and which models wrote them; the texts are among the generations."),
        why=_("They are compared side by side."),
        basis=Basis.CONTRACT,
        retention=WITH_RUN,
    ),
    DataKind(
        name="run_votes",
        label=_("Votes between models"),
        model="studio.RunVote",
        what=_("Which of two texts somebody found better, and why."),
        why=_("Models are compared by them."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.CHOICE,
        erase=erase_votes,
        retention=WITH_RUN,
    ),
    DataKind(
        name="feedback",
        label=_("Opinions on texts"),
        model="studio.Feedback",
        what=_("Thumbs up and down for texts, with reasons and remarks."),
        why=_("Models are evaluated and improved with them."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.CHOICE,
        erase=erase_feedback,
        retention=WITH_TEXT,
    ),
    DataKind(
        name="favourites",
        label=_("Favourites"),
        model="studio.Favourite",
        what=_("Which texts somebody wants to find again."),
        why=_("The person has marked them."),
        basis=Basis.CONTRACT,
        people=("user",),
        also=("user__email",),
        erasure=OnErasure.DELETE,
        retention=WITH_TEXT,
    ),
)
