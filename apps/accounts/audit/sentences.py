"""What each action reads like, one sentence an action; a test finds every action that has none.

A sentence may name `actor`, `object`, any key of the entry's `detail`, and `before_X` and `after_X` for what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.audit.bot_sentences import BOT_SENTENCES
from apps.accounts.audit.document_sentences import DOCUMENT_SENTENCES
from apps.accounts.audit.money_sentences import MONEY_SENTENCES
from apps.accounts.audit.support_sentences import SUPPORT_SENTENCES
from apps.accounts.audit.webhook_sentences import WEBHOOK_SENTENCES
from apps.accounts.models import AuditEntry

SENTENCES: dict[str, Promise] = {
    "api_key.created": gettext_lazy("%(actor)s created the API key “%(object)s” with the scopes %(scopes)s."),
    "api_key.rotated": gettext_lazy(
        "%(actor)s rotated the API key %(old)s, which works until %(until)s, to %(object)s."
    ),
    "api_key.revoked": gettext_lazy("%(actor)s revoked the API key “%(object)s”."),
    "audit.exported": gettext_lazy("%(actor)s exported the audit log (%(format)s, %(filters)s)."),
    "audit.person_erased": gettext_lazy("%(actor)s replaced the name of %(pseudonym)s in %(count)s entries."),
    "audit.pruned": gettext_lazy("%(count)s entries from before %(until)s were removed, as the retention rule says."),
    "audit.retention_changed": gettext_lazy(
        "%(actor)s changed how many days entries of the audit log are kept from %(before_days)s to %(after_days)s."
    ),
    "audit.stream_added": gettext_lazy("%(actor)s had the audit log sent to %(object)s."),
    "audit.stream_changed": gettext_lazy("%(actor)s changed the sending of the audit log to %(object)s: %(what)s."),
    "audit.stream_removed": gettext_lazy("%(actor)s ended the sending of the audit log to %(object)s."),
    "conversation.deleted": gettext_lazy("%(actor)s deleted the conversation “%(object)s”."),
    "conversation.restored": gettext_lazy("%(actor)s had the conversation “%(object)s” back."),
    **BOT_SENTENCES,
    **DOCUMENT_SENTENCES,
    **MONEY_SENTENCES,
    **SUPPORT_SENTENCES,
    **WEBHOOK_SENTENCES,
    "safety.policy_changed": gettext_lazy("%(actor)s changed the safety rules (%(object)s)."),
    "safety.classifier_asked": gettext_lazy("%(actor)s had the safety classifier “%(object)s” trained."),
    "safety.prompt_refused": gettext_lazy("A text of %(actor)s was refused by the safety rules (%(rule)s: %(name)s)."),
    "template.created": gettext_lazy("%(actor)s created the template “%(object)s”."),
    "template.version_added": gettext_lazy("%(actor)s wrote version %(number)s of the template “%(object)s”."),
    "template.changed": gettext_lazy("%(actor)s changed what the template “%(object)s” is called."),
    "template.shared": gettext_lazy(
        "%(actor)s changed who sees the template “%(object)s” from %(before_visibility)s to %(after_visibility)s "
        "(teams: %(teams)s)."
    ),
    "template.archived": gettext_lazy("%(actor)s archived the template “%(object)s”."),
    "template.restored": gettext_lazy("%(actor)s took the template “%(object)s” out of the archive."),
    "template.approved": gettext_lazy("%(actor)s approved version %(number)s of the template “%(object)s” (%(note)s)."),
    "template.label_moved": gettext_lazy(
        "%(actor)s put the label %(label)s of the template “%(template)s” on version %(number)s."
    ),
    "template.label_removed": gettext_lazy(
        "%(actor)s took the label %(label)s off the template “%(template)s”; it stood on version %(number)s."
    ),
    "template.settings_changed": gettext_lazy(
        "%(actor)s changed whether somebody else has to approve a template from %(before_four_eyes)s to "
        "%(after_four_eyes)s."
    ),
    "voice.created": gettext_lazy("%(actor)s created the brand voice “%(object)s”."),
    "voice.version_added": gettext_lazy("%(actor)s wrote version %(number)s of the brand voice “%(object)s”."),
    "voice.changed": gettext_lazy("%(actor)s changed what the brand voice “%(object)s” is called."),
    "voice.archived": gettext_lazy("%(actor)s archived the brand voice “%(object)s”."),
    "voice.restored": gettext_lazy("%(actor)s took the brand voice “%(object)s” out of the archive."),
    "membership.created": gettext_lazy("%(object)s became a member with the role %(role)s."),
    "membership.role_changed": gettext_lazy("%(actor)s changed the role of %(object)s to %(after_role)s."),
    "membership.removed": gettext_lazy(
        "%(actor)s removed %(object)s: %(sessions)s sessions lost their access, %(keys)s API keys were revoked, and"
        " what they owned (%(moved)s) went to %(moved_to)s."
    ),
    "membership.left": gettext_lazy(
        "%(object)s left: %(sessions)s sessions lost their access, %(keys)s API keys were revoked, and what they owned"
        " (%(moved)s) went to %(moved_to)s."
    ),
    "invitation.created": gettext_lazy("%(actor)s invited %(object)s with the role %(after_role)s."),
    "invitation.resent": gettext_lazy("%(actor)s sent the invitation of %(object)s again."),
    "invitation.revoked": gettext_lazy("%(actor)s revoked the invitation of %(object)s."),
    "invitation.replaced": gettext_lazy("%(actor)s replaced the expired invitation of %(object)s."),
    "invitation.accepted": gettext_lazy("%(actor)s accepted the invitation of %(object)s."),
    "team.created": gettext_lazy("%(actor)s created the team “%(object)s”."),
    "team.changed": gettext_lazy("%(actor)s changed the team “%(object)s”."),
    "team.deleted": gettext_lazy("%(actor)s deleted the team “%(object)s” of %(members)s members."),
    "team.member_added": gettext_lazy("%(actor)s put %(member)s into the team “%(team)s”."),
    "team.member_removed": gettext_lazy("%(actor)s took %(member)s out of the team “%(team)s”."),
    "sessions.ended": gettext_lazy("%(actor)s ended %(sessions)s sessions of %(object)s for the organization."),
    "sessions.all_ended": gettext_lazy(
        "%(actor)s ended %(sessions)s sessions of %(members)s members for the organization."
    ),
    "service_account.created": gettext_lazy(
        "%(actor)s created the service account “%(object)s” with the role %(after_role)s."
    ),
    "service_account.changed": gettext_lazy("%(actor)s changed the service account “%(object)s”."),
    "service_account.disabled": gettext_lazy(
        "%(actor)s switched the service account “%(object)s” off: its %(keys)s API keys stopped working."
    ),
    "service_account.enabled": gettext_lazy(
        "%(actor)s switched the service account “%(object)s” on: its %(keys)s API keys work again."
    ),
    "role.created": gettext_lazy("%(actor)s created the role “%(object)s” with the permissions %(after_permissions)s."),
    "role.changed": gettext_lazy("%(actor)s changed the role “%(object)s”."),
    "role.deleted": gettext_lazy("%(actor)s deleted the role “%(object)s”."),
    "ownership.offered": gettext_lazy("%(actor)s offered the organization to %(to)s."),
    "ownership.cancelled": gettext_lazy("%(actor)s took the offer of the organization to %(to)s back."),
    "ownership.declined": gettext_lazy("%(actor)s declined to own the organization."),
    "ownership.transferred": gettext_lazy("%(before_owner)s handed the organization over to %(after_owner)s."),
    "organization.changed": gettext_lazy("%(actor)s changed the settings of “%(object)s”."),
    "organization.deletion_scheduled": gettext_lazy("%(actor)s scheduled the deletion of “%(object)s”."),
    "organization.deletion_cancelled": gettext_lazy("%(actor)s called the deletion of “%(object)s” off."),
    "organization.removal_started": gettext_lazy("The removal of “%(object)s” began."),
    "privacy.consent_given": gettext_lazy("%(actor)s agreed to %(document)s, version %(version)s."),
    "privacy.consent_withdrawn": gettext_lazy("%(actor)s withdrew the consent to %(document)s."),
    "privacy.erasure_requested": gettext_lazy("%(actor)s asked for an erasure (%(scope)s, texts: %(texts)s)."),
    "privacy.export_downloaded": gettext_lazy("%(actor)s downloaded an export (%(scope)s)."),
    "privacy.export_removed": gettext_lazy("The file of an export (%(scope)s) was removed, as its time was over."),
    "privacy.export_requested": gettext_lazy("%(actor)s asked for an export (%(scope)s)."),
    "privacy.person_erased": gettext_lazy("The erasure %(object)s was carried out (%(scope)s)."),
    "privacy.retention_applied": gettext_lazy("%(rows)s rows of %(kind)s older than %(days)s days were removed."),
    "privacy.retention_changed": gettext_lazy(
        "%(actor)s changed how many days %(kind)s are kept from %(before_days)s to %(after_days)s."
    ),
    "support.allowed": gettext_lazy("%(actor)s allowed support by the operator's staff until %(after_until)s."),
    "support.forbidden": gettext_lazy("%(actor)s took the permission for support by the operator's staff back."),
    "support.started": gettext_lazy("%(actor)s began to act as %(object)s. Reason: %(reason)s."),
    "support.used_page": gettext_lazy("%(actor)s used the page %(page)s (%(method)s)."),
    "support.ended": gettext_lazy("%(actor)s no longer acts as %(object)s (%(how)s)."),
    "bulk_run.created": gettext_lazy("%(actor)s uploaded the table “%(object)s” of %(rows)s rows."),
    "bulk_run.started": gettext_lazy("%(actor)s started the bulk run “%(object)s” of %(rows)s rows."),
    "bulk_run.paused": gettext_lazy("%(actor)s paused the bulk run “%(object)s”."),
    "bulk_run.resumed": gettext_lazy("%(actor)s resumed the bulk run “%(object)s”."),
    "bulk_run.stopped": gettext_lazy("%(actor)s stopped the bulk run “%(object)s”."),
    "bulk_run.retried": gettext_lazy("%(actor)s had %(rows)s failed rows of the bulk run “%(object)s” asked again."),
    "bulk_run.deleted": gettext_lazy("%(actor)s deleted the bulk run “%(object)s”."),
    "bulk_run.downloaded": gettext_lazy("%(actor)s downloaded the bulk run “%(object)s” (%(format)s)."),
    "schedule.created": gettext_lazy("%(actor)s set the schedule “%(object)s”."),
    "schedule.changed": gettext_lazy("%(actor)s changed the schedule “%(object)s”."),
    "schedule.paused": gettext_lazy("%(actor)s paused the schedule “%(object)s”."),
    "schedule.resumed": gettext_lazy("%(actor)s resumed the schedule “%(object)s”."),
    "schedule.run": gettext_lazy("%(actor)s had the schedule “%(object)s” carried out once more."),
    "schedule.deleted": gettext_lazy("%(actor)s deleted the schedule “%(object)s”."),
    "schedule.recipient_added": gettext_lazy("%(actor)s added %(email)s to the recipients of “%(object)s”."),
    "schedule.recipient_removed": gettext_lazy("%(actor)s took %(email)s off the recipients of “%(object)s”."),
    "file.created": gettext_lazy("%(actor)s uploaded the file “%(object)s” (%(purpose)s)."),
    "file.deleted": gettext_lazy("%(actor)s deleted the file “%(object)s”."),
    "batch.created": gettext_lazy("%(actor)s asked for a batch of the requests in “%(file)s”."),
    "batch.cancelled": gettext_lazy("%(actor)s cancelled the batch %(object)s."),
    "generation.repeated": gettext_lazy("%(actor)s had a generation that failed (%(error)s) done again: %(object)s."),
    "person.disabled": gettext_lazy("%(actor)s shut the account of %(object)s. Reason: %(reason)s."),
    "person.enabled": gettext_lazy("%(actor)s opened the account of %(object)s again. Reason: %(reason)s."),
    "person.factors_reset": gettext_lazy("%(actor)s removed the second factors of %(object)s. Reason: %(reason)s."),
    "switch.changed": gettext_lazy("%(actor)s set the feature switch %(object)s to %(after_on)s."),
    "alias.moved": gettext_lazy("%(actor)s pointed the name %(after_alias)s at the model %(after_version)s."),
    "plan.changed": gettext_lazy("%(actor)s changed the plan %(object)s."),
    "security.policy_changed": gettext_lazy(
        "%(actor)s changed what the organization demands: single sign-on from %(after_sso_required_from)s, "
        "a second factor from %(after_mfa_required_from)s."
    ),
    "security.owner_codes_renewed": gettext_lazy("%(actor)s made %(count)s new owner codes; the old ones ended."),
    "security.owner_code_used": gettext_lazy(
        "%(actor)s came in with an owner code, past single sign-on; %(left)s codes are left."
    ),
    "security.owner_code_refused": gettext_lazy("%(actor)s tried to come in with an owner code and was refused."),
    "directory.token_created": gettext_lazy("%(actor)s made the directory token %(object)s."),
    "directory.token_ended": gettext_lazy("%(actor)s ended the directory token %(object)s."),
    "directory.user_created": gettext_lazy("%(actor)s provisioned %(object)s."),
    "directory.user_changed": gettext_lazy("%(actor)s changed what it says of %(object)s."),
    "directory.user_activated": gettext_lazy("%(actor)s switched the access of %(object)s on."),
    "directory.user_deactivated": gettext_lazy("%(actor)s switched the access of %(object)s off."),
    "directory.user_deleted": gettext_lazy("%(actor)s removed %(object)s."),
    "directory.group_created": gettext_lazy("%(actor)s made the group “%(object)s”."),
    "directory.group_changed": gettext_lazy("%(actor)s changed the group “%(object)s”."),
    "directory.group_members_changed": gettext_lazy(
        "%(actor)s changed the members of the group “%(object)s”: added %(added)s, removed %(removed)s."
    ),
    "directory.group_deleted": gettext_lazy("%(actor)s removed the group “%(object)s”."),
    "sso.connection_created": gettext_lazy("%(actor)s made the single sign-on connection “%(object)s”."),
    "sso.connection_changed": gettext_lazy("%(actor)s changed the single sign-on connection “%(object)s”."),
    "sso.connection_enabled": gettext_lazy("%(actor)s switched the single sign-on connection “%(object)s” on."),
    "sso.connection_disabled": gettext_lazy("%(actor)s switched the single sign-on connection “%(object)s” off."),
    "sso.connection_deleted": gettext_lazy("%(actor)s removed the single sign-on connection “%(object)s”."),
    "sso.domain_claimed": gettext_lazy("%(actor)s claimed the domain %(object)s."),
    "sso.domain_verified": gettext_lazy("%(actor)s verified the domain %(object)s."),
    "sso.domain_removed": gettext_lazy("%(actor)s gave the domain %(object)s up."),
    "sso.rule_created": gettext_lazy("%(actor)s gave the group “%(object)s” the role %(after_role)s."),
    "sso.rule_deleted": gettext_lazy("%(actor)s took the role %(before_role)s from the group “%(object)s”."),
    "sso.signed_in": gettext_lazy("%(actor)s signed in through “%(object)s”."),
    "sso.refused": gettext_lazy("A sign-in through “%(object)s” was refused (%(reason)s)."),
    "collection.created": gettext_lazy("%(actor)s made the collection “%(object)s”."),
    "collection.changed": gettext_lazy("%(actor)s changed the collection “%(object)s”."),
    "collection.deleted": gettext_lazy("%(actor)s deleted the collection “%(object)s” with its documents."),
    "source.added": gettext_lazy("%(actor)s added the document “%(object)s” to a collection."),
    "source.version_added": gettext_lazy("%(actor)s added version %(version)s of the document “%(object)s”."),
    "source.retried": gettext_lazy("%(actor)s had the document “%(object)s” read again."),
    "source.deleted": gettext_lazy("%(actor)s deleted the document “%(object)s” with its passages."),
    # What the database's triggers write: a change that went along with an act, or that no service knows of.
    "row.inserted": gettext_lazy("%(actor)s added %(type)s “%(object)s” as part of the same act."),
    "row.updated": gettext_lazy("%(actor)s changed %(type)s “%(object)s” as part of the same act."),
    "row.deleted": gettext_lazy("%(actor)s removed %(type)s “%(object)s” as part of the same act."),
    "database.inserted": gettext_lazy(
        "%(type)s “%(object)s” was added outside the application by the database role %(database_role)s."
    ),
    "database.updated": gettext_lazy(
        "%(type)s “%(object)s” was changed outside the application by the database role %(database_role)s."
    ),
    "database.deleted": gettext_lazy(
        "%(type)s “%(object)s” was removed outside the application by the database role %(database_role)s."
    ),
}


class _Words(dict[str, str]):
    """An old entry may lack what a newer sentence says: a dash then, and no error."""

    def __missing__(self, key: str) -> str:
        return "–"


def sentence(entry: AuditEntry) -> str:
    """The entry in plain words, in the reader's language."""
    words = _Words(_spoken(entry.detail))
    for side, values in (("before", entry.before), ("after", entry.after)):
        words |= {f"{side}_{name}": text for name, text in _spoken(values or {}).items()}
    words |= {"actor": actor_words(entry), "object": entry.object_name or str(entry.object_id)}
    words |= {"type": entry.object_type.rpartition(".")[2], "action": entry.action}
    if says := _in_words().get(entry.action):
        words |= says(_values(entry))
    template = SENTENCES.get(entry.action) or _("%(actor)s did %(action)s to “%(object)s”.")
    text = str(template) % words
    # What people typed at its end may have been a sentence.
    return text[:-1] if text.endswith("..") and not text.endswith("...") else text


@cache
def _in_words() -> dict[str, Callable[[Mapping[str, Any]], dict[str, str]]]:
    """By action, what its sentence says in place of codes; the domains above this one know the words of theirs."""
    found: dict[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {}
    for path in settings.AUDIT_WORDS:
        found |= import_string(path)
    return found


def _values(entry: AuditEntry) -> dict[str, Any]:
    """What the entry holds, under the names that its sentence has for it."""
    values = {**entry.detail, "object": entry.object_name}
    for side, held in (("before", entry.before), ("after", entry.after)):
        values |= {f"{side}_{name}": value for name, value in (held or {}).items()}
    return values


def actor_words(entry: AuditEntry) -> str:
    """Who acted, and for whom, if staff acted as somebody else."""
    name = entry.actor_name or _("Somebody unknown")
    if entry.impersonator_id:
        return _("%(staff)s, acting as %(name)s,") % {"staff": entry.impersonator_name or "–", "name": name}
    return name


def _spoken(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    if value in (None, "", [], {}):
        return _("none")
    match value:
        case bool():
            return _("yes") if value else _("no")
        case list():
            return ", ".join(map(_text, value))
        case dict():
            return ", ".join(f"{name}: {_text(inner)}" for name, inner in value.items()) or _("none")
    return str(value)
