"""What each action reads like, one sentence an action; a test finds every action that has none.

A sentence may name `actor`, `object`, any key of the entry's `detail`, and `before_X` and `after_X` for what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.audit.bot_sentences import BOT_SENTENCES
from apps.accounts.audit.document_sentences import DOCUMENT_SENTENCES
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
    "budget.created": gettext_lazy(
        "%(actor)s set the budget of %(object)s to %(after_monthly_tokens)s tokens a month."
    ),
    "budget.changed": gettext_lazy(
        "%(actor)s changed the budget of %(object)s from %(before_monthly_tokens)s to %(after_monthly_tokens)s tokens "
        "a month."
    ),
    "budget.deleted": gettext_lazy(
        "%(actor)s removed the budget of %(object)s, which was %(before_monthly_tokens)s tokens a month."
    ),
    "budget.nearly_used": gettext_lazy(
        "%(object)s has used %(used)s of the budget of %(monthly_tokens)s tokens for %(month)s."
    ),
    "budget.used_up": gettext_lazy(
        "%(object)s has no room left in the budget of %(monthly_tokens)s tokens for %(month)s; %(used)s are used."
    ),
    "conversation.deleted": gettext_lazy("%(actor)s deleted the conversation “%(object)s”."),
    "conversation.restored": gettext_lazy("%(actor)s had the conversation “%(object)s” back."),
    **BOT_SENTENCES,
    **DOCUMENT_SENTENCES,
    **SUPPORT_SENTENCES,
    **WEBHOOK_SENTENCES,
    "safety.policy_changed": gettext_lazy("%(actor)s changed the safety rules (%(object)s)."),
    "safety.classifier_asked": gettext_lazy("%(actor)s had the safety classifier “%(object)s” trained."),
    "safety.prompt_refused": gettext_lazy("A text of %(actor)s was refused by the safety rules (%(rule)s: %(name)s)."),
    "offer.created": gettext_lazy("%(actor)s wrote the offer “%(object)s”."),
    "offer.changed": gettext_lazy("%(actor)s changed the offer “%(object)s”."),
    "offer.deleted": gettext_lazy("%(actor)s deleted the offer “%(object)s”."),
    "offer.file_added": gettext_lazy(
        "%(actor)s added the file %(file)s to the offer “%(object)s” (SHA-256 %(sha256)s)."
    ),
    "offer.file_removed": gettext_lazy("%(actor)s took the file %(file)s out of the offer “%(object)s”."),
    "offer.submitted": gettext_lazy("%(actor)s asked for the approval of the offer “%(object)s”."),
    "offer.published": gettext_lazy("%(actor)s published the offer “%(object)s”."),
    "offer.declined": gettext_lazy("%(actor)s gave the offer “%(object)s” back (%(note)s)."),
    "offer.withdrawn": gettext_lazy("%(actor)s withdrew the offer “%(object)s”."),
    "purchase.opened": gettext_lazy(
        "%(actor)s accepted the licence %(licence)s, version %(version)s (SHA-256 %(digest)s), of “%(object)s”."
    ),
    "purchase.delivered": gettext_lazy("“%(object)s” was delivered by %(seller)s."),
    "purchase.taken_back": gettext_lazy("The purchase of “%(object)s” was refunded or disputed, and its access ended."),
    "purchase.given_back": gettext_lazy("The access to “%(object)s” was given back; it is now: %(state)s."),
    "purchase.moved": gettext_lazy("The work on “%(object)s” is now: %(state)s (%(actor)s)."),
    "purchase.noted": gettext_lazy("%(actor)s: a message about the purchase “%(object)s” (file: %(file)s)."),
    "sale.made": gettext_lazy(
        "%(buyer)s bought “%(object)s” for %(amount_minor)s minor units of %(currency)s; the fee is %(fee_minor)s."
    ),
    "sale.reversed": gettext_lazy(
        "%(amount_minor)s minor units of %(currency)s of the sale “%(object)s” were refunded or disputed."
    ),
    "sale.restored": gettext_lazy(
        "%(amount_minor)s minor units of %(currency)s of the sale “%(object)s” came back; %(fee_minor)s of it is fee."
    ),
    "sale.moved": gettext_lazy("The work on the sale “%(object)s” is now: %(state)s (%(actor)s)."),
    "sale.noted": gettext_lazy("%(actor)s: a message about the sale “%(object)s” (file: %(file)s)."),
    "payout.recorded": gettext_lazy("%(actor)s paid out %(amount_minor)s minor units of %(currency)s (%(reference)s)."),
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
    "credits.bought": gettext_lazy("%(object)s bought credits of %(amount)s %(currency)s (%(note)s)."),
    "credits.given": gettext_lazy("%(object)s was given credits of %(amount)s %(currency)s (%(note)s)."),
    "credits.used": gettext_lazy("Credits of %(object)s paid for a month: %(amount)s %(currency)s."),
    "credits.expired": gettext_lazy(
        "Credits of %(object)s expired before they were used: %(amount)s %(currency)s (%(note)s)."
    ),
    "credits.taken_back": gettext_lazy(
        "Credits of %(object)s were taken back with a payment: %(amount)s %(currency)s (%(note)s)."
    ),
    "spending_cap.created": gettext_lazy("%(actor)s set the spending cap to %(after_amount)s a month."),
    "spending_cap.changed": gettext_lazy(
        "%(actor)s changed the spending cap from %(before_amount)s to %(after_amount)s a month."
    ),
    "spending_cap.removed": gettext_lazy("%(actor)s removed the spending cap, which was %(before_amount)s a month."),
    "usage.month_closed": gettext_lazy(
        "The month %(month)s was closed; %(billed_minor)s minor units of %(currency)s were billed beyond the plan."
    ),
    "held_licence.received": gettext_lazy(
        "A licence of %(product_name)s (%(policy_name)s) by %(vendor_name)s was received."
    ),
    "held_licence.key_made": gettext_lazy("%(actor)s made a new key of the licence of %(object)s."),
    "licence.issued": gettext_lazy(
        "%(actor)s issued a licence of %(product)s (%(policy)s) to %(object)s, until %(until)s."
    ),
    "licence.renewed": gettext_lazy("%(actor)s renewed the licence of %(object)s until %(after_until)s."),
    "licence.suspended": gettext_lazy("%(actor)s suspended the licence of %(object)s: %(reason)s."),
    "licence.revoked": gettext_lazy("%(actor)s revoked the licence of %(object)s: %(reason)s."),
    "licence.reinstated": gettext_lazy("%(actor)s reinstated the licence of %(object)s."),
    "licence.transferred": gettext_lazy("%(actor)s transferred the licence of %(before_licensee)s to %(object)s."),
    "licence.key_replaced": gettext_lazy("%(actor)s replaced the key of the licence of %(object)s."),
    "licence.activated": gettext_lazy("%(actor)s activated the licence of %(licensee)s on %(object)s."),
    "licence.deactivated": gettext_lazy("%(actor)s released %(object)s from the licence of %(licensee)s."),
    "licence.signed": gettext_lazy("The licence file of %(object)s was signed with the key %(key)s."),
    "licence_product.created": gettext_lazy("%(actor)s created the product “%(object)s”."),
    "licence_policy.created": gettext_lazy("%(actor)s created the policy “%(object)s” of %(product)s."),
    "licence_policy.changed": gettext_lazy("%(actor)s changed the policy “%(object)s”: %(what)s."),
    "allowance.reached": gettext_lazy(
        "%(percent)s percent of the allowance of %(meter)s for %(month)s are used: %(used)s of %(included)s."
    ),
    "spending_cap.reached": gettext_lazy(
        "%(percent)s percent of the spending cap of %(cap)s %(currency)s for %(month)s are used:"
        " %(charged)s %(currency)s."
    ),
    "credits.low": gettext_lazy("%(percent)s percent of the credits are used; %(left)s %(currency)s are left."),
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
    "subscription.checkout_started": gettext_lazy(
        "%(actor)s went to pay for the plan %(after_plan)s with %(after_seats)s seats."
    ),
    "subscription.updated": gettext_lazy(
        "The subscription is now %(after_plan)s with %(after_seats)s seats; its state is %(after_status)s."
    ),
    "billing.customer_noted": gettext_lazy("What Stripe and purchases say of the organization was noted."),
    "subscription.copied": gettext_lazy("The dates and terms of the subscription were copied from Stripe."),
    "subscription.change_confirmed": gettext_lazy(
        "%(actor)s confirmed the change to %(after_plan)s with %(after_seats)s seats (%(after_when)s)."
    ),
    "subscription.change_withdrawn": gettext_lazy("%(actor)s withdrew the change that was to come."),
    "subscription.cancelled": gettext_lazy("%(actor)s cancelled the subscription (%(after_when)s)."),
    "subscription.kept": gettext_lazy("%(actor)s took the cancellation of the subscription back."),
    "subscription.paused": gettext_lazy("%(actor)s paused the subscription until %(after_until)s."),
    "subscription.resumed": gettext_lazy("%(actor)s ended the pause of the subscription."),
    "billing.details_changed": gettext_lazy("%(actor)s changed what stands on invoices."),
    "order.delivered": gettext_lazy("%(object)s was paid for and delivered."),
    "order.reversed": gettext_lazy(
        "Of %(object)s, %(after_reversed_minor)s (in minor units of %(after_currency)s) is refunded or disputed."
    ),
    "order.taken_back": gettext_lazy("What %(object)s had given was taken back in proportion to its refund."),
    "subscription.second_ended": gettext_lazy(
        "A second subscription (%(subscription)s) was found at Stripe; it is ended there and its money given back."
    ),
    "subscription.second_refunded": gettext_lazy(
        "What was paid for the second subscription (%(subscription)s) has gone back: "
        "%(amount_minor)s in minor units of %(currency)s."
    ),
    "billing.operation_unknown": gettext_lazy(
        "Nobody can tell whether Stripe has done what it was asked for (%(kind)s); it is not asked for again."
    ),
    "billing.drift_mended": gettext_lazy(
        "%(count)s copies (%(kind)s) were not what Stripe has, and were written anew: %(places)s."
    ),
    "billing.finding_acknowledged": gettext_lazy(
        "%(actor)s saw to what the comparison with Stripe had found (%(object)s: %(detail)s)."
    ),
    "billing.operation_found": gettext_lazy("%(actor)s found at Stripe what had been asked of it (%(kind)s)."),
    "billing.operation_closed": gettext_lazy(
        "%(actor)s closed a request to Stripe as not done (%(kind)s), of which nobody knew what became of it."
    ),
    "stripe_event.retried": gettext_lazy("%(actor)s had an event of Stripe's handled again (%(after_event)s)."),
    "order.started": gettext_lazy("%(actor)s ordered %(object)s."),
    "subscription.changed": gettext_lazy(
        "%(actor)s changed the plan from %(before_plan)s to %(after_plan)s. Reason: %(reason)s."
    ),
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
    "usage.drift_found": gettext_lazy(
        "%(count)s sums of usage (%(sums)s) were found not to equal the ledger: %(places)s."
    ),
    "usage.exported": gettext_lazy("%(actor)s exported the usage of %(month)s."),
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
    template = SENTENCES.get(entry.action) or _("%(actor)s did %(action)s to “%(object)s”.")
    return str(template) % words


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
