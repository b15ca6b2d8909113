"""What the support desk stores."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, Basis, DataKind, OnErasure, Retention
from apps.support.privacy_bot import BOT_KINDS
from apps.support.privacy_mail import MAIL_KINDS
from apps.support.services.learning import forget_conversations

WITH_CONVERSATION = Retention(words=_("as long as the conversation"))


def _kind(name: str, model: str, label: Any, what: Any, why: Any, **more: Any) -> DataKind:
    values: dict[str, Any] = {"basis": Basis.CONTRACT, "retention": FOREVER} | more
    return DataKind(name=name, model=f"support.{model}", label=label, what=what, why=why, **values)


_SETTINGS = (
    _kind(
        "support_inboxes",
        "Inbox",
        _("Inboxes of the desk"),
        _("Ways in to the desk, their texts and settings; secrets are sealed."),
        _("Visitors and mails find the desk by them."),
        secret=("token",),
    ),
    _kind(
        "support_agent_bots",
        "AgentBot",
        _("Bots of yours"),
        _("Programs that answer at the desk: their address and inboxes, and who set them up; secrets are sealed."),
        _("Visitors are answered by them."),
        people=("created_by",),
        also=("created_by__email",),
        secret=("digest", "token_hint"),
        erasure=OnErasure.DETACH,
    ),
    _kind(
        "support_inbox_agents",
        "InboxAgent",
        _("Agents of inboxes"),
        _("Which members answer in which inbox."),
        _("Conversations are given to the right people."),
    ),
    _kind(
        "support_hours",
        "BusinessHours",
        _("Business hours"),
        _("When somebody answers, and holidays."),
        _("Visitors are told when to expect an answer, and promises pause out of hours."),
    ),
    _kind(
        "support_slas",
        "SlaPolicy",
        _("Promises of answers"),
        _("Within what time conversations are answered and resolved."),
        _("Agents see what is due."),
    ),
    _kind(
        "support_settings",
        "DeskSettings",
        _("Settings of the desk"),
        _("What is masked, and how long originals are kept."),
        _("They hold for every conversation."),
    ),
    _kind(
        "support_numbers",
        "RowNumber",
        _("Numbers of the desk's things"),
        _("A whole number for an inbox, a contact, a member or the like, where a program was told of it."),
        _("Programs that know no other ids name things by them; none is given twice, also after an erasure."),
    ),
    _kind(
        "support_agents",
        "Agent",
        _("Agents of the desk"),
        _("Whether a member is there, what they know and how many conversations they take."),
        _("Conversations are given out in turn."),
    ),
    _kind(
        "support_labels",
        "Label",
        _("Labels of the desk"),
        _("Words that conversations are marked with."),
        _("Conversations are found and counted by them."),
    ),
    _kind(
        "support_canned",
        "CannedReply",
        _("Ready texts"),
        _("Texts for answers, and who wrote them."),
        _("Agents answer faster."),
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
    ),
    _kind(
        "support_attributes",
        "AttributeDefinition",
        _("Attributes"),
        _("What attributes of contacts and conversations are called and like, and who has said so."),
        _("Values that are set are checked against them."),
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
    ),
    _kind(
        "support_macros",
        "Macro",
        _("Macros"),
        _("Acts that are done together."),
        _("Agents do them with one key."),
    ),
    _kind(
        "support_rules",
        "AutomationRule",
        _("Rules of the desk"),
        _("What is done by itself, and who set it up."),
        _("Conversations are handled without waiting for anybody."),
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
    ),
)
_CONVERSATIONS = (
    _kind(
        "support_contacts",
        "Contact",
        _("Contacts"),
        _("Name, addresses and further facts of whoever writes to the desk."),
        _("Agents know whom they answer."),
    ),
    _kind(
        "support_contact_notes",
        "ContactNote",
        _("Notes about contacts"),
        _("What agents wrote down about a contact, with numbers masked, and who."),
        _("Agents know whom they answer."),
        retention=Retention(words=_("as long as the contact")),
        people=("user",),
        also=("user__email",),
        erasure=OnErasure.DETACH,
    ),
    _kind(
        "support_sessions",
        "ContactSession",
        _("Browsers of contacts"),
        _("Through which browser or program a contact writes, as a digest of what it holds, and where they opened it."),
        _("A contact finds their conversations again."),
        secret=("digest",),
        retention=Retention(days=400, least=30, most=800, since="seen_at"),
    ),
    _kind(
        "support_conversations",
        "Conversation",
        _("Conversations of the desk"),
        _("Who wrote about what, who answers, and how far it has got."),
        _("It is the desk's work."),
        retention=Retention(
            days=None,
            least=30,
            most=3650,
            since="resolved_at",
            only={"status": "resolved"},
            leaving=forget_conversations,
        ),
    ),
    _kind(
        "support_messages",
        "Message",
        _("Messages of the desk"),
        _("What contacts, agents and the bot wrote, with numbers of cards, accounts and ids masked, and who did what."),
        _("It is the desk's work."),
        retention=WITH_CONVERSATION,
        people=("user",),
        also=("user__email",),
        erasure=OnErasure.DETACH,
    ),
    _kind(
        "support_originals",
        "Original",
        _("What was masked"),
        _("Numbers that were masked in messages, sealed."),
        _("Whoever has the permission and a reason may read them for a while."),
        retention=Retention(words=_("as many days as the desk's settings say")),
    ),
    _kind(
        "support_files",
        "MessageFile",
        _("Files of the desk"),
        _("Files that were sent with messages."),
        _("They belong to the conversation."),
        retention=WITH_CONVERSATION,
        where=_("PostgreSQL and the file store"),
    ),
    _kind(
        "support_mentions",
        "Mention",
        _("Mentions in notes"),
        _("Which member a note names."),
        _("They are told."),
        retention=WITH_CONVERSATION,
    ),
    _kind(
        "support_participants",
        "Participant",
        _("Who takes part"),
        _("Which members take part in a conversation, and what they were told of."),
        _("They are told what is said there."),
        retention=WITH_CONVERSATION,
    ),
    _kind(
        "support_cursors",
        "Cursor",
        _("What was seen"),
        _("Up to which message somebody has received and read a conversation."),
        _("Nothing is lost on a broken line, and unread messages are shown."),
        retention=WITH_CONVERSATION,
    ),
    _kind(
        "support_index",
        "MessageIndex",
        _("Index of the desk"),
        _("The words of masked messages."),
        _("Conversations are found by them."),
        retention=WITH_CONVERSATION,
    ),
    _kind(
        "support_timers",
        "SlaTimer",
        _("Running promises"),
        _("When an answer was due, and when it came."),
        _("Agents see what is due, and reports whether it was kept."),
        retention=WITH_CONVERSATION,
    ),
    _kind(
        "support_ratings",
        "Rating",
        _("Ratings"),
        _("What contacts thought of conversations."),
        _("The desk gets better by it."),
        retention=WITH_CONVERSATION,
    ),
    _kind(
        "support_bot_calls",
        "BotCall",
        _("Messages to bots of yours"),
        _("When a bot was told of which message, and what came of it."),
        _("A bot is told of everything once and in order."),
        retention=Retention(
            days=14, least=1, most=365, since="finished_at", only={"state__in": ("delivered", "failed", "dropped")}
        ),
    ),
    _kind(
        "support_turns",
        "BotTurn",
        _("Turns of the bot"),
        _("When the bot was to answer, and what came of it."),
        _("Nothing is answered twice or forgotten."),
        retention=Retention(
            days=30, least=1, most=365, since="finished_at", only={"status__in": ("succeeded", "failed", "cancelled")}
        ),
    ),
)
KINDS = (*_SETTINGS, *_CONVERSATIONS, *MAIL_KINDS, *BOT_KINDS)
