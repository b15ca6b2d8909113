"""Errors of the support desk."""

from __future__ import annotations

from apps.core.errors import Conflict, NotAuthenticated, PermissionDenied, Unprocessable


class ConversationMoved(Conflict):
    """Somebody else has answered since what the sender has seen; sent with `force`, both answers are kept."""

    code = "conversation_moved"

    def __init__(self, *, author: str, sequence: int) -> None:
        super().__init__(
            "%(author)s has answered meanwhile. Read it, and send again if yours is still wanted.",
            values={"author": author},
            headers={"x-last-sequence": str(sequence)},
        )
        self.sequence = sequence


class AlreadyClaimed(Conflict):
    """Two wanted the same conversation, and the other one was first; the message says who."""

    code = "already_claimed"


class FileHeld(Conflict):
    """A virus scanner has not looked at the file yet, could not judge it, or has found something in it."""

    code = "file_held"


class ConversationMerged(Conflict):
    """The conversation has gone into another one, where it goes on."""

    code = "conversation_merged"


class BotSilent(Conflict):
    """A person has acted, or the conversation is not the bot's: what a bot says or does there is not taken."""

    code = "bot_silent"


class FileNotTaken(Unprocessable):
    """A file of a kind that the desk does not take, or one that is empty."""

    code = "file_not_taken"


class NoCounterpart(Unprocessable):
    """What a program written for Chatwoot asks for and the desk does not have; nothing of it is stored."""

    code = "no_counterpart"


class VisitorUnknown(NotAuthenticated):
    """What the browser holds opens nothing: it was signed out, or it is of another inbox."""

    code = "visitor_unknown"


class IdentityRefused(PermissionDenied):
    """The signature does not prove who the visitor says they are, or it has expired."""

    code = "identity_refused"


class ContactBlocked(PermissionDenied):
    """The desk takes nothing from this contact."""

    code = "contact_blocked"
