"""What the market stores: nothing of it names a person; messages say which side wrote them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, Basis, DataKind, Retention

ACCOUNTS = Retention(words=_("as long as the organization exists; accounting law asks for up to ten years"))

KINDS = (
    DataKind(
        name="offers",
        label=_("Offers"),
        model="market.Offer",
        what=_("Data sets and services that the organization offers to others."),
        why=_("The organization sells them."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="offer_files",
        label=_("Files of offers"),
        model="market.OfferFile",
        what=_("Names, sizes and digests of the files of a data set; the files lie in the organization's folder."),
        why=_("Buyers are given them."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        where=_("PostgreSQL and the file store"),
    ),
    DataKind(
        name="listings",
        label=_("Published offers"),
        model="market.Listing",
        what=_("What members of other organizations see of an offer."),
        why=_("The organization has published it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="purchases",
        label=_("Bought data and services"),
        model="market.Purchase",
        what=_("What was bought from another organization, and the licence that was accepted."),
        why=_("It says what the organization may use, and how."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
        where=_("PostgreSQL and the file store"),
    ),
    DataKind(
        name="sales",
        label=_("Sales"),
        model="market.Sale",
        what=_("Which organization bought what, for how much."),
        why=_("The seller is paid for it."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
    DataKind(
        name="earnings",
        label=_("Earnings"),
        model="market.Earning",
        what=_("What sales brought, the operator's fee, refunds and payouts."),
        why=_("The operator owes the seller the sum."),
        basis=Basis.LAW,
        retention=ACCOUNTS,
    ),
    DataKind(
        name="market_notes",
        label=_("Messages about purchases"),
        model="market.Note",
        what=_("Briefs, messages and files that buyer and seller exchange; it says which side wrote them, not who."),
        why=_("The work that was bought is agreed on there."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        where=_("PostgreSQL and the file store"),
    ),
)
