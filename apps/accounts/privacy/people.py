"""What is stored of people, allauth's and Django's tables included."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.datakinds import WITH_ACCOUNT, Basis, DataKind, Erasing, OnErasure, Retention

ERASED_DOMAIN = "erased.invalid"


def erase_person(erasing: Erasing) -> int:
    """Leaves an id and a pseudonym of the account, to which the audit log goes on to refer; nobody can sign in."""
    if not erasing.whole_account:
        return 0
    person = User.objects.filter(pk=erasing.person_id).first()
    if person is None:
        return 0
    person.email, person.name = f"{erasing.pseudonym}@{ERASED_DOMAIN}", ""
    person.is_active = person.is_staff = person.is_superuser = False
    person.last_login = None
    person.set_unusable_password()
    person.save()
    return 1


KINDS = (
    DataKind(
        name="people",
        label=_("People"),
        model="accounts.User",
        what=_("E-mail address, name, a hash of the password, when the account was made and last used."),
        why=_("To sign in, and to show colleagues who has done what."),
        basis=Basis.CONTRACT,
        retention=WITH_ACCOUNT,
        people=("id",),
        secret=("password",),
        erasure=OnErasure.PSEUDONYM,
        erase=erase_person,
    ),
    DataKind(
        name="addresses",
        label=_("E-mail addresses"),
        model="account.EmailAddress",
        what=_("A person's addresses, and which of them are confirmed."),
        why=_("Links to confirm an address and to choose a new password are sent there."),
        basis=Basis.CONTRACT,
        retention=WITH_ACCOUNT,
        people=("user",),
        erasure=OnErasure.DELETE,
    ),
    DataKind(
        name="address_confirmations",
        label=_("Confirmations under way"),
        model="account.EmailConfirmation",
        what=_("A link that was sent to an address and not yet used."),
        why=_("An address must be confirmed before it counts."),
        basis=Basis.CONTRACT,
        retention=Retention(words=_("until it is used or the account ends")),
        people=("email_address__user",),
        secret=("key",),
        erasure=OnErasure.DELETE,
    ),
    DataKind(
        name="sessions",
        label=_("Sessions"),
        model="accounts.BrowserSession",
        what=_("A signed-in browser: since when, last use, address and program; a random key."),
        why=_("To stay signed in, and to see and end one's sessions."),
        basis=Basis.CONTRACT,
        retention=Retention(words=_("two weeks after the last use")),
        people=("user",),
        secret=("session_key", "session_data"),
        erasure=OnErasure.DELETE,
    ),
    DataKind(
        name="factors",
        label=_("Second factors"),
        model="mfa.Authenticator",
        what=_("Which second factors and passkeys a person has, since when and when last used."),
        why=_("Nobody else can sign in with a stolen password."),
        basis=Basis.CONTRACT,
        retention=WITH_ACCOUNT,
        people=("user",),
        secret=("data",),
        erasure=OnErasure.DELETE,
    ),
    DataKind(
        name="factor_secrets",
        label=_("Secrets of second factors"),
        model="accounts.FactorSecret",
        what=_("The sealed key of an authenticator app, or the seed of recovery codes."),
        why=_("Codes are checked with it."),
        basis=Basis.CONTRACT,
        retention=Retention(words=_("until an hour after the factor is removed")),
        people=("user",),
        erasure=OnErasure.DELETE,
    ),
    DataKind(
        name="social_accounts",
        label=_("Accounts at other services"),
        model="socialaccount.SocialAccount",
        what=_("Which account at another service a person signs in with, and what that service says of them."),
        why=_("To sign in with it."),
        basis=Basis.CONTRACT,
        retention=WITH_ACCOUNT,
        people=("user",),
        erasure=OnErasure.DELETE,
    ),
    DataKind(
        name="social_tokens",
        label=_("Tokens of other services"),
        model="socialaccount.SocialToken",
        what=_("Nothing: no token is kept."),
        why=_("The library that signs people in brings the table along."),
        basis=Basis.CONTRACT,
        retention=WITH_ACCOUNT,
        people=("account__user",),
        secret=("token", "token_secret"),
        erasure=OnErasure.DELETE,
    ),
)
