"""Signing in at a mailbox's provider: leaving for it with PKCE, coming back, and whatever comes to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from apps.core import tenancy
from apps.core.crypto import unseal_from
from apps.support.models import MailAccount
from apps.support.services.mail import accounts
from tests.helpers.desk import Desk, open_desk
from tests.helpers.mail_provider import Tokens, wanted
from tests.helpers.mailing import account, look, mails
from tests.helpers.people import Tenant, add_person, audit_of

pytestmark = pytest.mark.django_db
CLIENT = {"address": "help@bank.example", "oauth_client_id": "client", "oauth_client_secret": "client-secret"}
PORTS = {"imap_port": "993", "imap_tls": "tls", "folder": "INBOX", "smtp_port": "587", "smtp_tls": "starttls"}


@pytest.fixture
def desk(org_a: Tenant) -> Desk:
    return open_desk(org_a, "Mail", kind="email")


@pytest.fixture
def owner(desk: Desk, client_of: Callable[[Any], Client]) -> Client:
    return client_of(desk.tenant.owner)


def page_of(desk: Desk) -> str:
    return reverse("desk-inbox-mail", args=[desk.inbox.pk])


def typed(tokens: Tokens, **more: Any) -> dict[str, Any]:
    given = wanted(tokens, oauth_authorize_url=tokens.authorize_url, folder="INBOX", active="on", **more)
    del given["oauth_refresh_token"]
    return given | {"sign_in": "own", "auth": "password"}


def left(client: Client, desk: Desk, form: dict[str, Any]) -> str:
    """Where the browser goes once the button is pressed."""
    answer = client.post(page_of(desk), form)
    assert answer.status_code == 200, answer.context["form"].errors
    return str(answer.context["url"])


def back(client: Client, address: str) -> Any:
    """The browser at the address that the provider sends it to, and where that leads."""
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}", follow=True)


def nothing_is_set(desk: Desk) -> bool:
    with tenancy.scope(desk.tenant.id):
        return not MailAccount.objects.exists()


def test_a_consent_opens_the_mailbox(desk: Desk, owner: Client, tokens: Tokens) -> None:
    address = tokens.consented(left(owner, desk, typed(tokens)))
    assert nothing_is_set(desk)
    shown = back(owner, address)
    assert shown.redirect_chain[-1][0] == page_of(desk)
    assert "has consented" in shown.content.decode()
    [asked] = tokens.asked
    # The provider has compared the verifier with the challenge.
    assert asked["grant_type"] == "authorization_code" and len(asked["code_verifier"]) >= 43
    row = account(desk)
    assert (row.auth, unseal_from(row, "oauth_refresh_token")) == ("oauth", tokens.refresh)
    assert tokens.refresh not in row.oauth_refresh_token
    look(desk)
    assert account(desk).problem == "" and mails(desk) == []
    [entry] = audit_of(desk.tenant, "support_inbox.changed")
    assert entry.after["mail_oauth_refresh_token"] == "set" and "client-secret" not in str(entry.after)


def test_consenting_anew_needs_no_secret_that_is_stored(desk: Desk, owner: Client, tokens: Tokens) -> None:
    accounts.set_up(desk.tenant.actor, desk.inbox.pk, wanted(tokens))
    back(owner, tokens.consented(left(owner, desk, typed(tokens, oauth_client_secret=""))))
    assert unseal_from(account(desk), "oauth_refresh_token") == tokens.refresh != "refresh-1"


@pytest.mark.parametrize(
    ("provider", "given", "place", "token_url", "scope", "more"),
    [
        (
            "google", {"imap_host": "imap.bank.example", "smtp_port": "25"},
            "https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token",
            "https://mail.google.com/", {"access_type": ["offline"], "prompt": ["consent"]},
        ),
        (
            "microsoft", {}, "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
            "https://login.microsoftonline.com/common/oauth2/v2.0/token",
            "offline_access https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send", {},
        ),
        (
            "microsoft", {"oauth_token_url": "https://login.microsoftonline.com/bank.example/oauth2/v2.0/token"},
            "https://login.microsoftonline.com/bank.example/oauth2/v2.0/authorize",
            "https://login.microsoftonline.com/bank.example/oauth2/v2.0/token",
            "offline_access https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send", {},
        ),
    ],
)  # fmt: skip
def test_an_address_and_a_client_are_enough_for_providers_that_are_known(
    desk: Desk, owner: Client, provider: str, given: dict[str, str], place: str, token_url: str, scope: str, more: Any,
    settings: Any,
) -> None:  # fmt: skip
    answer = owner.post(page_of(desk), CLIENT | PORTS | given | {"sign_in": provider})
    url = answer.context["url"]
    query = parse_qs(urlsplit(url).query)
    assert url.partition("?")[0] == place
    assert query["scope"] == [scope] and query["client_id"] == ["client"] and query["response_type"] == ["code"]
    assert query["redirect_uri"] == [f"{settings.BASE_URL}/desk/mail/consented/"]
    assert query["code_challenge_method"] == ["S256"] and query["login_hint"] == ["help@bank.example"]
    assert {name: query.get(name) for name in ("access_type", "prompt")} == {"access_type": None, "prompt": None} | more
    assert "client-secret" not in url
    [noted] = owner.session["support_mail_consents"].values()
    assert "client-secret" not in str(noted)
    # What the provider's documentation says is filled in, and comes back with what was typed.
    shown = owner.get(page_of(desk), {"draft": noted["draft"]}).context["form"].initial
    assert (shown["oauth_token_url"], shown["imap_user"]) == (token_url, "help@bank.example")
    # Their tokens go to their servers alone.
    servers = {"google": ("imap.gmail.com", "smtp.gmail.com")}.get(
        provider, ("outlook.office365.com", "smtp.office365.com")
    )
    assert (shown["imap_host"], shown["smtp_host"], shown["imap_port"], shown["smtp_port"]) == (*servers, 993, 587)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": "access_denied"}, "The consent was not given."),
        ({"error": "<b>invalid_scope"}, "The provider gave no token: binvalid_scope."),
        ({"code": "another"}, "does not take its own answer any more"),
        ({}, "does not take its own answer any more"),
    ],
)
def test_an_answer_without_consent_ends_on_the_page_with_all_that_was_typed(
    desk: Desk, owner: Client, tokens: Tokens, answer: dict[str, str], told: str
) -> None:
    state = parse_qs(urlsplit(left(owner, desk, typed(tokens, name="The Bank of Ada"))).query)["state"][0]
    shown = owner.get(reverse("desk-mail-consented"), {"state": state} | answer, follow=True)
    page = shown.content.decode()
    assert shown.redirect_chain[-1][0].startswith(page_of(desk))
    assert told in page and "The Bank of Ada" in page and "client-secret" in page and tokens.authorize_url in page
    assert nothing_is_set(desk)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"offline": False}, "gave no refresh token"),
        ({"answer": (401, b'{"error": "invalid_client"}')}, "does not know the client"),
        ({"answer": (400, b'{"error": "invalid_grant"}')}, "does not take its own answer any more"),
        ({"answer": (400, b"oops")}, "The provider gave no token: error."),
        ({"answer": (500, b"oops")}, "The token address does not answer"),
    ],
)
def test_a_code_that_is_not_redeemed_ends_on_the_page_with_all_that_was_typed(
    desk: Desk, owner: Client, tokens: Tokens, change: dict[str, Any], told: str
) -> None:
    address = tokens.consented(left(owner, desk, typed(tokens, name="The Bank of Ada")))
    for name, value in change.items():
        setattr(tokens, name, value)
    page = back(owner, address).content.decode()
    assert told in page and "The Bank of Ada" in page and "client-secret" in page
    assert nothing_is_set(desk)


def test_an_answer_that_comes_too_late_is_not_taken(
    desk: Desk, owner: Client, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tokens.consented(left(owner, desk, typed(tokens, name="The Bank of Ada")))
    session = owner.session
    noted = session["support_mail_consents"]
    session["support_mail_consents"] = {state: facts | {"at": time.time() - 601} for state, facts in noted.items()}
    session.save()
    page = back(owner, address).content.decode()
    assert "took longer than ten minutes" in page and "The Bank of Ada" in page
    assert nothing_is_set(desk) and tokens.asked == []


def test_a_code_of_google_goes_to_no_provider_that_was_typed(desk: Desk, owner: Client, tokens: Tokens) -> None:
    address = tokens.consented(left(owner, desk, typed(tokens)))
    page = back(owner, f"{address}&iss=https%3A%2F%2Faccounts.google.com").content.decode()
    assert "was not begun in this browser" in page
    assert nothing_is_set(desk) and tokens.asked == []


def test_an_answer_is_taken_once(desk: Desk, owner: Client, tokens: Tokens) -> None:
    address = tokens.consented(left(owner, desk, typed(tokens)))
    known = owner.session["support_mail_consents"]
    assert "has consented" in back(owner, address).content.decode()
    assert "was not begun in this browser" in back(owner, address).content.decode()
    # A second request at the same moment, whose session still knows the state.
    session = owner.session
    session["support_mail_consents"] = known
    session.save()
    assert "was not begun in this browser" in back(owner, address).content.decode()
    assert len(tokens.asked) == 1


def test_another_person_s_answer_is_not_taken(
    desk: Desk, owner: Client, tokens: Tokens, client_of: Callable[[Any], Client]
) -> None:
    address = tokens.consented(left(owner, desk, typed(tokens, name="The Bank of Ada")))
    admin = client_of(desk.tenant.admin)
    page = back(admin, address).content.decode()
    assert "was not begun in this browser" in page and "The Bank of Ada" not in page
    # Not in a session either that was made to know it, nor by its draft.
    session = admin.session
    session["support_mail_consents"] = owner.session["support_mail_consents"]
    session.save()
    [facts] = owner.session["support_mail_consents"].values()
    shown = back(admin, address)
    assert "was not begun in this browser" in shown.content.decode()
    assert "The Bank of Ada" not in admin.get(page_of(desk), {"draft": facts["draft"]}).content.decode()
    assert nothing_is_set(desk) and tokens.asked == []


def test_another_organization_has_nothing_of_it(
    desk: Desk, owner: Client, org_b: Tenant, tokens: Tokens, client_of: Callable[[Any], Client]
) -> None:
    theirs = client_of(org_b.owner)
    assert theirs.post(page_of(desk), typed(tokens)).status_code == 404
    address = tokens.consented(left(owner, desk, typed(tokens, name="The Bank of Ada")))
    session = theirs.session
    session["support_mail_consents"] = owner.session["support_mail_consents"]
    session.save()
    shown = back(theirs, address)
    assert shown.redirect_chain[-1][0] == reverse("desk-inboxes")
    assert "was not begun in this browser" in shown.content.decode()
    assert nothing_is_set(desk) and tokens.asked == []


def test_whoever_may_not_manage_the_desk_neither_leaves_nor_comes_back(
    desk: Desk, owner: Client, tokens: Tokens, client_of: Callable[[Any], Client]
) -> None:
    agent = client_of(add_person(desk.tenant, "agent", "agent"))
    assert agent.post(page_of(desk), typed(tokens)).status_code == 403
    address = tokens.consented(left(owner, desk, typed(tokens)))
    assert back(agent, address).status_code == 403
    assert nothing_is_set(desk) and tokens.asked == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"oauth_authorize_url": ""}, "oauth_authorize_url"),
        ({"oauth_authorize_url": "javascript:alert(1)"}, "oauth_authorize_url"),
        ({"oauth_authorize_url": "http://bank.example/authorize"}, "oauth_authorize_url"),
        ({"oauth_client_id": ""}, "oauth_client_id"),
        ({"oauth_token_url": "http://127.0.0.1/token"}, "oauth_token_url"),
    ],
)
def test_what_is_missing_or_doubtful_is_told_before_anybody_leaves(
    desk: Desk, owner: Client, tokens: Tokens, more: dict[str, str], field: str
) -> None:
    answer = owner.post(page_of(desk), typed(tokens) | more)
    assert answer.status_code == 422 and field in answer.context["form"].errors
    assert "support_mail_consents" not in owner.session


def test_nobody_leaves_for_a_mailbox_that_another_inbox_reads(desk: Desk, owner: Client, tokens: Tokens) -> None:
    accounts.set_up(desk.tenant.actor, open_desk(desk.tenant, "Other", kind="email").inbox.pk, wanted(tokens))
    answer = owner.post(page_of(desk), typed(tokens))
    assert answer.status_code == 422 and "imap_user" in answer.context["form"].errors


def test_what_was_typed_waits_sealed(desk: Desk, owner: Client, tokens: Tokens) -> None:
    left(owner, desk, typed(tokens))
    [facts] = owner.session["support_mail_consents"].values()
    key = f"support:mail-draft:{desk.tenant.id}:{desk.tenant.owner.pk}:{desk.inbox.pk}:{facts['draft']}"
    kept = cache.get(key)
    assert kept.startswith("v1.") and "client-secret" not in kept
