"""What is stored of an organization's demands on sessions."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, Basis, DataKind, OnErasure

KINDS = (
    DataKind(
        name="security_policies",
        label=_("Sign-in rules"),
        model="accounts.SecurityPolicy",
        what=_("Since when single sign-on or a second factor is demanded, and how long they last."),
        why=_("Sessions are held against it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="single_sign_ons",
        label=_("Single sign-ons"),
        model="accounts.SingleSignOn",
        what=_("When a member last came in through the organization's identity provider."),
        why=_("API keys may depend on it."),
        basis=Basis.INTEREST,
        retention=FOREVER,
        people=("user",),
        erasure=OnErasure.DELETE,
    ),
    DataKind(
        name="owner_codes",
        label=_("Owner codes"),
        model="accounts.OwnerCode",
        what=_("A hash of each code, and which owner used it when."),
        why=_("An owner comes in when single sign-on is broken."),
        basis=Basis.INTEREST,
        retention=FOREVER,
        people=("used_by",),
        secret=("digest",),
        erasure=OnErasure.DETACH,
    ),
)
