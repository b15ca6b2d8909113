"""What the acts at the support desk read like; `sentences.py` has them with all others."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

SUPPORT_SENTENCES: dict[str, Promise] = {
    "support_desk.changed": gettext_lazy("%(actor)s changed the settings of the support desk."),
    "support_desk.followed": gettext_lazy("%(actor)s began to follow all conversations of the support desk."),
    "support_inbox.created": gettext_lazy("%(actor)s opened the inbox “%(object)s” (%(kind)s)."),
    "support_inbox.changed": gettext_lazy("%(actor)s changed the inbox “%(object)s”."),
    "support_inbox.closed": gettext_lazy("%(actor)s closed the inbox “%(object)s”."),
    "support_inbox.agents_changed": gettext_lazy("%(actor)s changed who answers in the inbox “%(object)s”."),
    "support_inbox.secret_shown": gettext_lazy("%(actor)s looked at the signing secret of the inbox “%(object)s”."),
    "support_inbox.secret_renewed": gettext_lazy("%(actor)s changed the signing secret of the inbox “%(object)s”."),
    "support_agent_bot.created": gettext_lazy("%(actor)s connected the bot “%(object)s” (%(url)s)."),
    "support_agent_bot.changed": gettext_lazy("%(actor)s changed the bot “%(object)s” (%(changed)s)."),
    "support_agent_bot.deleted": gettext_lazy("%(actor)s took the bot “%(object)s” off."),
    "support_agent.changed": gettext_lazy("%(actor)s changed what %(object)s takes on at the support desk."),
    "support_setting.created": gettext_lazy("%(actor)s set up “%(object)s” (%(kind)s) for the support desk."),
    "support_setting.changed": gettext_lazy("%(actor)s changed “%(object)s” (%(kind)s) of the support desk."),
    "support_setting.deleted": gettext_lazy("%(actor)s deleted “%(object)s” (%(kind)s) of the support desk."),
    "support_contact.created": gettext_lazy("%(actor)s added the contact “%(object)s”."),
    "support_contact.changed": gettext_lazy("%(actor)s changed the contact “%(object)s” (%(changed)s)."),
    "support_contact.note_added": gettext_lazy("%(actor)s wrote a note about the contact “%(object)s”."),
    "support_contact.note_changed": gettext_lazy("%(actor)s changed a note about the contact “%(object)s”."),
    "support_contact.note_deleted": gettext_lazy("%(actor)s deleted a note about the contact “%(object)s”."),
    "support_contact.blocked": gettext_lazy("%(actor)s blocked the contact “%(object)s”."),
    "support_contact.unblocked": gettext_lazy("%(actor)s let the contact “%(object)s” write again."),
    "support_contact.merged": gettext_lazy("%(actor)s merged the contact “%(merged)s” into “%(object)s”."),
    "support_contact.erased": gettext_lazy(
        "%(actor)s erased the contact “%(object)s” with %(conversations)s conversations."
    ),
    "support_conversation.viewed": gettext_lazy("%(actor)s opened the conversation “%(object)s”."),
    "support_conversation.changed": gettext_lazy("%(actor)s changed the conversation “%(object)s”."),
    "support_conversation.status_changed": gettext_lazy(
        "%(actor)s changed the conversation “%(object)s” from %(before_status)s to %(after_status)s."
    ),
    "support_conversation.assigned": gettext_lazy("%(actor)s gave the conversation “%(object)s” to somebody else."),
    "support_conversation.claimed": gettext_lazy("%(actor)s claimed the conversation “%(object)s”."),
    "support_conversation.taken_over": gettext_lazy("%(actor)s took the conversation “%(object)s” over from the bot."),
    "support_conversation.returned_to_bot": gettext_lazy(
        "%(actor)s gave the conversation “%(object)s” back to the bot."
    ),
    "support_conversation.merged": gettext_lazy("%(actor)s merged #%(merged)s into the conversation “%(object)s”."),
    "support_conversation.macro_run": gettext_lazy(
        "%(actor)s ran the macro “%(macro)s” in the conversation “%(object)s”."
    ),
    "support_conversation.participants_changed": gettext_lazy(
        "%(actor)s changed who takes part in the conversation “%(object)s”."
    ),
    "support_conversation.marked_unread": gettext_lazy("%(actor)s marked the conversation “%(object)s” as unread."),
    "support_conversation.bulk_act": gettext_lazy(
        "%(actor)s acted on the conversation “%(object)s” among others (%(actions)s)."
    ),
    "support_conversation.bulk_undone": gettext_lazy(
        "%(actor)s took back what was done to the conversation “%(object)s” among others (%(fields)s)."
    ),
    "support_conversation.exported": gettext_lazy("%(actor)s exported the conversation “%(object)s”."),
    "support_message.deleted": gettext_lazy(
        "%(actor)s took back message %(sequence)s of the conversation “%(object)s”."
    ),
    "support_message.masked_later": gettext_lazy(
        "%(actor)s masked a number that was spread over messages of the conversation “%(object)s” (%(sequences)s)."
    ),
    "support_file.infected": gettext_lazy(
        "%(actor)s found a virus (%(finding)s) in a file of message %(sequence)s of the conversation “%(object)s” and"
        " removed the file."
    ),
    "support_file.unchecked": gettext_lazy(
        "%(actor)s could not check a file of message %(sequence)s of the conversation “%(object)s” for viruses."
    ),
    "support_file.checked_again": gettext_lazy(
        "%(actor)s had the files of message %(sequence)s of the conversation “%(object)s” checked again."
    ),
    "support_message.unmasked": gettext_lazy(
        "%(actor)s looked at what was masked in message %(sequence)s of the conversation “%(object)s” (%(reason)s)."
    ),
}
