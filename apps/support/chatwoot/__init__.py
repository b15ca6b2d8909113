"""Chatwoot's shapes of what its webhooks, agent bots and account API tell, made of the rows as they are now.

Ids are whole numbers (`services.numbers`). A conversation's is its number; a message's is a number that no other
message of the account has.
"""

from apps.support.chatwoot.bodies import (
    account_body,
    contact_body,
    contact_event,
    conversation_bodies,
    conversation_body,
    file_body,
    inbox_name,
    message_event,
    opened_event,
    said_body,
    typist_body,
)
from apps.support.chatwoot.inboxes import inbox_body
from apps.support.chatwoot.names import (
    APART,
    CHANNELS,
    CONTACT_FIELDS,
    INBOX_FIELDS,
    PRIORITIES,
    STATUSES,
    changes_of,
    message_id,
    place_of,
)
from apps.support.chatwoot.people import ADMINISTRATORS, agent_body, bot_body, team_body

__all__ = [
    "ADMINISTRATORS",
    "APART",
    "CHANNELS",
    "CONTACT_FIELDS",
    "INBOX_FIELDS",
    "PRIORITIES",
    "STATUSES",
    "account_body",
    "agent_body",
    "bot_body",
    "changes_of",
    "contact_body",
    "contact_event",
    "conversation_bodies",
    "conversation_body",
    "file_body",
    "inbox_body",
    "inbox_name",
    "message_event",
    "message_id",
    "opened_event",
    "place_of",
    "said_body",
    "team_body",
    "typist_body",
]
