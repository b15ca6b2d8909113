"""What billing stores. Only `Spender` names a person: the ledger and all sums refer to it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.billing.models import Spender
from apps.core import tenancy
from apps.core.datakinds import FOREVER, Basis, DataKind, Erasing, OnErasure, Retention

ACCOUNTS = Retention(words=_("as long as the organization exists; accounting law asks for up to ten years"))


def erase_spender(erasing: Erasing) -> int:
    """Puts the pseudonym in the person's place; what they used stays in the ledger and in every sum."""
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    with tenancy.scope(erasing.organization_id):
        named = Spender.objects.filter(user=erasing.person_id)
        return int(named.update(user=None, pseudonym=erasing.pseudonym))


KINDS = (
    DataKind(
        name="spenders",
        label=_("Spenders"),
        model="billing.Spender",
        what=_("Who has used tokens, as the ledger refers to them."),
        why=_("Usage is shown and limited by member."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        people=("user",),
        also=("user__email",),
        erasure=OnErasure.PSEUDONYM,
        erase=erase_spender,
    ),
    DataKind(
        name="budgets",
        label=_("Budgets"),
        model="billing.Budget",
        what=_("How many tokens a member, a team or everybody may use in a month."),
        why=_("The organization limits what is spent."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="budget_periods",
        label=_("Use of members and teams by month"),
        model="billing.BudgetPeriod",
        what=_("Tokens reserved and used by a member or a team in each month, and whether people were told."),
        why=_("Budgets are held against it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="usage_hours",
        label=_("Usage by hour"),
        model="billing.UsageHour",
        what=_("Tokens, quantities and amounts of each hour by member, key, model and meter."),
        why=_("The usage page is made of it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="subscriptions",
        label=_("Subscription"),
        model="billing.Subscription",
        what=_("The organization's plan."),
        why=_("It says what the organization may use."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="subscription_months",
        label=_("Subscription by month"),
        model="billing.SubscriptionMonth",
        what=_("What the organization's subscription came to in each month."),
        why=_("Whoever runs the installation sees how its revenue moves."),
        basis=Basis.INTEREST,
        retention=FOREVER,
    ),
    DataKind(
        name="usage",
        label=_("Usage by month"),
        model="billing.UsagePeriod",
        what=_("Tokens reserved, used and paid for in each month."),
        why=_("Allowances and caps are held against it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="ledger",
        label=_("Ledger"),
        model="billing.LedgerEntry",
        what=_("What each piece of work was charged: tokens, amount, time; no text and no name."),
        why=_("It is what invoices are made of, and is never changed."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
    DataKind(
        name="billing_account",
        label=_("Billing account"),
        model="billing.BillingAccount",
        what=_("The organization as a customer: name, address for mails, country, tax number, a card's last digits."),
        why=_("Invoices need it."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
    DataKind(
        name="plan_checkouts",
        label=_("Checkouts"),
        model="billing.PlanCheckout",
        what=_("Which plan was about to be taken at the payment provider, and whether it was."),
        why=_("Nobody can take two plans at once, or a trial twice."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="subscription_notices",
        label=_("Mails about the subscription"),
        model="billing.SubscriptionNotice",
        what=_("Of what about the subscription owners were told, and when."),
        why=_("They are told of each once."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="coupon_uses",
        label=_("Coupons"),
        model="billing.CouponUse",
        what=_("Which coupons the organization has used."),
        why=_("Each can be used once."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="credit_entries",
        label=_("Credits"),
        model="billing.CreditEntry",
        what=_("Prepaid credit that was bought, given or taken back."),
        why=_("It pays for what is used beyond the plan."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
    DataKind(
        name="spending_caps",
        label=_("Spending cap"),
        model="billing.SpendingCap",
        what=_("How much may be charged in a month beyond the plan."),
        why=_("The organization limits what is spent."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="usage_alerts",
        label=_("Alerts of use"),
        model="billing.UsageAlert",
        what=_("Which share of an allowance, the spending cap or credits the owners have been told of."),
        why=_("They are told once."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="meter_periods",
        label=_("Use of each meter by month"),
        model="billing.MeterPeriod",
        what=_("What is reserved and used of each meter in each month."),
        why=_("Allowances are held against it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="invoices",
        label=_("Invoices"),
        model="billing.Invoice",
        what=_("Invoices with their lines, as the payment provider issued them."),
        why=_("They are shown and can be downloaded."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
    DataKind(
        name="credit_notes",
        label=_("Credit notes"),
        model="billing.CreditNote",
        what=_("Corrections of invoices."),
        why=_("They are shown and can be downloaded."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
    DataKind(
        name="payments",
        label=_("Payments"),
        model="billing.Payment",
        what=_("Payments, and what was refunded or disputed of them; no card number."),
        why=_("Credits are taken back with them."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
    DataKind(
        name="orders",
        label=_("Purchases"),
        model="billing.Order",
        what=_("What was bought once, for how much, and whether it was delivered."),
        why=_("It is delivered, and taken back when it is refunded."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
    DataKind(
        name="payment_findings",
        label=_("Differences from the payment provider"),
        model="billing.StripeFinding",
        what=_("Which copies of invoices, payments and subscriptions differed from the payment provider's, and when."),
        why=_("Whoever runs this installation sees to it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="payment_operations",
        label=_("Requests to the payment provider"),
        model="billing.StripeOperation",
        what=_("What the payment provider was asked to do, and its answer's id."),
        why=_("Each is asked for exactly once."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
)
