"""What acts on plans, credit, use, licences and offers read like; `sentences.py` has them with all others."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

MONEY_SENTENCES: dict[str, Promise] = {
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
    "sale.made": gettext_lazy("%(buyer)s bought “%(object)s” for %(amount_minor)s; the fee is %(fee_minor)s."),
    "sale.reversed": gettext_lazy("%(amount_minor)s of the sale “%(object)s” were refunded or disputed."),
    "sale.restored": gettext_lazy("%(amount_minor)s of the sale “%(object)s” came back; %(fee_minor)s of it is fee."),
    "sale.moved": gettext_lazy("The work on the sale “%(object)s” is now: %(state)s (%(actor)s)."),
    "sale.noted": gettext_lazy("%(actor)s: a message about the sale “%(object)s” (file: %(file)s)."),
    "payout.recorded": gettext_lazy("%(actor)s paid out %(amount_minor)s (%(reference)s)."),
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
    "usage.month_closed": gettext_lazy("The month %(month)s was closed; %(billed_minor)s were billed beyond the plan."),
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
    "order.reversed": gettext_lazy("Of %(object)s, %(after_reversed_minor)s is refunded or disputed."),
    "order.other_currency": gettext_lazy(
        "%(object)s was paid for in %(currency)s, but the organization pays in %(fixed)s: its money is given back."
    ),
    "order.given_back": gettext_lazy("What was paid for %(object)s has gone back: %(amount)s %(currency)s."),
    "order.taken_back": gettext_lazy("What %(object)s had given was taken back in proportion to its refund."),
    "subscription.second_ended": gettext_lazy(
        "A second subscription (%(subscription)s) was found at Stripe; it is ended there and its money given back."
    ),
    "subscription.second_refunded": gettext_lazy(
        "What was paid for the second subscription (%(subscription)s) has gone back: %(amount_minor)s."
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
    "usage.drift_found": gettext_lazy(
        "%(count)s sums of usage (%(sums)s) were found not to equal the ledger: %(places)s."
    ),
    "usage.exported": gettext_lazy("%(actor)s exported the usage of %(month)s."),
}
