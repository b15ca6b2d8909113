"""Mailboxes that are opened by OAuth 2.0, with real servers for mail and an own one for tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core import tenancy
from apps.core.crypto import unseal_from
from apps.core.errors import InvalidRequest
from apps.support.api.mail import account_body
from apps.support.errors_mail import ERRORS, MailAccessRefused, MailServerRefused, MailTokenRefused
from apps.support.services.mail import access, accounts
from tests.helpers.desk import Desk, open_desk
from tests.helpers.mail_provider import Tokens, wanted
from tests.helpers.mailing import account, begun, change, look, mails, replied, said, send, values
from tests.helpers.people import Tenant
from tests.helpers.threads import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def consenting(org_a: Tenant, tokens: Tokens) -> Desk:
    desk = open_desk(org_a, "Mail", kind="email")
    accounts.set_up(org_a.actor, desk.inbox.pk, wanted(tokens))
    change(desk, begins_at=timezone.now() - timedelta(hours=1))
    return desk


def test_a_token_opens_both_servers_until_it_ends_and_is_then_asked_for_anew(consenting: Desk, tokens: Tokens) -> None:
    conversation = begun(consenting, tokens.imap)
    assert [row.content for row in said(consenting)] == ["It is lost."]
    replied(consenting, conversation)
    assert send(consenting) == 1
    assert len(tokens.smtp.taken) == 1
    # One token for both, asked for by the book.
    [asked] = tokens.asked
    assert asked == {
        "grant_type": "refresh_token", "refresh_token": "refresh-1", "client_id": "client",
        "client_secret": "client-secret", "scope": "mail offline",
    }  # fmt: skip
    change(consenting, oauth_expires_at=timezone.now() + timedelta(seconds=30))
    look(consenting)
    assert len(tokens.asked) == 2 and account(consenting).problem == ""


@pytest.mark.django_db(transaction=True)
def test_of_those_who_need_a_token_at_once_one_asks_and_the_others_use_it(consenting: Desk, tokens: Tokens) -> None:
    """Where each refresh token may be used once, a second one who asks would end the consent."""
    stale = account(consenting)

    def opened() -> str:
        with access.servers(stale) as (incoming, _outgoing):
            return incoming.token

    assert len(set(together([opened] * 4))) == 1
    assert len(tokens.asked) == 1


def test_trying_what_is_stored_keeps_the_refresh_token_that_it_was_given(consenting: Desk, tokens: Tokens) -> None:
    tokens.answer = 200, b'{"access_token": "x", "expires_in": 60, "refresh_token": "refresh-2"}'
    tokens.imap.tokens = tokens.smtp.tokens = {"x"}
    accounts.try_out(consenting.tenant.actor, consenting.inbox.pk, {"name": "The Bank"})
    row = account(consenting)
    assert unseal_from(row, "oauth_refresh_token") == "refresh-2"
    assert row.oauth_access_token == ""


def test_no_secret_lies_in_clear(consenting: Desk, tokens: Tokens) -> None:
    begun(consenting, tokens.imap)
    with tenancy.scope(consenting.tenant.id), connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM support_mailaccount t")
        stored = cursor.fetchone()[0]
    assert not any(secret in stored for secret in ("client-secret", "refresh-1", "access-1"))
    told = str(account_body(account(consenting)))
    assert "client-secret" not in told and "refresh-1" not in told and "'auth': 'oauth'" in told


def test_a_refresh_token_that_takes_the_place_of_the_old_one_is_kept(consenting: Desk, tokens: Tokens) -> None:
    tokens.answer = 200, b'{"access_token": "x", "expires_in": 1, "refresh_token": "refresh-2"}'
    tokens.imap.tokens = {"x"}
    look(consenting)
    tokens.answer, tokens.refresh = None, "refresh-2"
    look(consenting)
    assert [each["refresh_token"] for each in tokens.asked] == ["refresh-1", "refresh-2"]
    assert account(consenting).problem == ""


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((400, b'{"error": "invalid_grant"}'), "mail_token_refused"),
        ((401, b'{"error": "invalid_client"}'), "mail_token_refused"),
        ((500, b"oops"), "mail_token_unreachable"),
        ((200, b"[]"), "mail_token_unreachable"),
        ((200, b'{"access_token": "two\\nlines"}'), "mail_token_unreachable"),
        ((200, b'{"access_token": "unknown-to-the-server"}'), "mail_access_refused"),
    ],
)
def test_what_is_wrong_is_told_in_the_console(
    consenting: Desk, tokens: Tokens, answer: tuple[int, bytes], problem: str
) -> None:
    tokens.answer = answer
    look(consenting)
    assert account(consenting).problem == problem
    client = Client()
    client.force_login(consenting.tenant.owner)
    page = client.get(reverse("desk-inbox-mail", args=[consenting.inbox.pk])).content.decode()
    assert ERRORS[problem].words.partition(".")[0] in page
    # Whatever was kept of it is not tried again.
    tokens.answer = None
    look(consenting)
    assert account(consenting).problem == ""


def test_a_token_that_was_taken_back_is_asked_for_anew(consenting: Desk, tokens: Tokens) -> None:
    look(consenting)
    tokens.imap.tokens = set()
    look(consenting)
    assert account(consenting).problem == "mail_access_refused"
    look(consenting)
    assert (account(consenting).problem, len(tokens.asked)) == ("", 2)


def test_trying_out_says_where_it_fails_and_keeps_nothing(org_a: Tenant, tokens: Tokens) -> None:
    desk = open_desk(org_a, "Mail", kind="email")
    with pytest.raises(MailTokenRefused) as refused:
        accounts.try_out(org_a.actor, desk.inbox.pk, wanted(tokens, oauth_refresh_token="wrong"))
    assert refused.value.param == "oauth_token_url"
    accounts.try_out(org_a.actor, desk.inbox.pk, wanted(tokens))
    tokens.answer = 200, b'{"access_token": "unknown"}'
    with pytest.raises(MailAccessRefused) as refused_there:
        accounts.try_out(org_a.actor, desk.inbox.pk, wanted(tokens))
    assert refused_there.value.param == "imap_host"


def test_what_is_saved_after_a_try_works_though_the_try_has_spent_the_typed_token(
    org_a: Tenant, tokens: Tokens
) -> None:
    tokens.rotates = True
    desk = open_desk(org_a, "Mail", kind="email")
    # Twice: what came with the first try is spent by the second.
    accounts.try_out(org_a.actor, desk.inbox.pk, wanted(tokens))
    accounts.try_out(org_a.actor, desk.inbox.pk, wanted(tokens))
    accounts.set_up(org_a.actor, desk.inbox.pk, wanted(tokens))
    assert unseal_from(account(desk), "oauth_refresh_token") == tokens.refresh
    look(desk)
    assert account(desk).problem == ""
    # The stored one typed anew, and spent by a try that nobody saves.
    accounts.try_out(org_a.actor, desk.inbox.pk, wanted(tokens, oauth_refresh_token=tokens.refresh))
    change(desk, oauth_access_token="", oauth_expires_at=None)
    look(desk)
    assert account(desk).problem == ""


def test_what_a_try_was_given_is_kept_for_the_same_inbox_client_and_address_alone(
    org_a: Tenant, org_b: Tenant, tokens: Tokens
) -> None:
    tokens.rotates = True
    mine, other = open_desk(org_a, "Mail", kind="email"), open_desk(org_a, "Other", kind="email")
    theirs = open_desk(org_b, "Mail", kind="email")
    accounts.try_out(org_a.actor, mine.inbox.pk, wanted(tokens))
    for desk, more in (
        (theirs, {}), (other, {}), (mine, {"oauth_client_id": "another"}),
        (mine, {"oauth_token_url": tokens.url + "/x"}),
    ):  # fmt: skip
        row = accounts.prepared(desk.tenant.actor, desk.inbox.pk, wanted(tokens, **more))
        assert unseal_from(row, "oauth_refresh_token") == "refresh-1"
    row = accounts.prepared(org_a.actor, mine.inbox.pk, wanted(tokens))
    assert unseal_from(row, "oauth_refresh_token") == tokens.refresh


def test_secrets_go_to_no_other_place_than_they_were_typed_for(consenting: Desk, tokens: Tokens) -> None:
    actor, inbox = consenting.tenant.actor, consenting.inbox.pk
    for moved in (
        {"oauth_token_url": tokens.url + "/other"}, {"oauth_client_id": "other"}, {"imap_host": "localhost"},
        {"smtp_port": tokens.smtp.port + 1}, {"imap_user": "other"},
    ):  # fmt: skip
        with pytest.raises(InvalidRequest) as refused:
            accounts.set_up(actor, inbox, moved | ({"imap_tls": "tls"} if "imap_host" in moved else {}) | (
                {"smtp_tls": "tls"} if "smtp_port" in moved else {}
            ))  # fmt: skip
        assert refused.value.param == "oauth_refresh_token", moved
    accounts.set_up(actor, inbox, {"name": "Another name"})
    look(consenting)
    assert account(consenting).problem == ""
    # Back to a password: nothing of the consent stays.
    accounts.set_up(actor, inbox, values(tokens.imap, tokens.smtp, auth="password"))
    row = account(consenting)
    assert (row.oauth_refresh_token, row.oauth_client_secret, row.oauth_access_token) == ("", "", "")


def test_tokens_are_asked_for_at_no_address_within(consenting: Desk, tokens: Tokens, settings: Any) -> None:
    settings.OUTBOUND_TRUSTED = [f"127.0.0.1:{each.port}" for each in (tokens.imap, tokens.smtp)]
    with pytest.raises(InvalidRequest) as refused:
        accounts.set_up(
            consenting.tenant.actor, consenting.inbox.pk, wanted(tokens, oauth_token_url="http://127.0.0.1/token")
        )
    assert refused.value.param == "oauth_token_url"
    # A name that was good and is not any more.
    change(consenting, oauth_token_url=f"https://127.0.0.1:{tokens.server_port}/token")
    look(consenting)
    assert account(consenting).problem == MailServerRefused.code
    assert tokens.asked == []


def test_what_waits_leaves_once_the_consent_is_there_again(consenting: Desk, tokens: Tokens) -> None:
    conversation = begun(consenting, tokens.imap)
    change(consenting, oauth_expires_at=None)
    tokens.refresh = "another"
    replied(consenting, conversation)
    assert send(consenting) == 0
    [row] = mails(consenting)
    assert (row.status, row.problem) == ("waiting", "mail_token_refused")
