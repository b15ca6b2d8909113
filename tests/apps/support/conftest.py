"""Desks of the two organizations."""

from collections.abc import Generator
from typing import Any

import pytest

from tests.helpers.desk import Desk, open_desk
from tests.helpers.live import live_server
from tests.helpers.mail_provider import Tokens, running
from tests.helpers.mailing import with_mail
from tests.helpers.mailservers import Imap, Smtp
from tests.helpers.people import Tenant


@pytest.fixture
def desk(org_a: Tenant) -> Desk:
    return open_desk(org_a)


@pytest.fixture
def bot_desk(org_a: Tenant) -> Desk:
    """A desk whose conversations begin with the bot."""
    return open_desk(org_a, "Bot", bot_enabled=True)


@pytest.fixture
def other_desk(org_b: Tenant) -> Desk:
    return open_desk(org_b)


@pytest.fixture
def server() -> Generator[str]:
    """The address of the web process, for clients that need a connection; the test must be transactional."""
    with live_server() as url:
        yield url


@pytest.fixture(scope="module")
def servers() -> Generator[tuple[Imap, Smtp]]:
    imap, smtp = Imap(), Smtp()
    yield imap, smtp
    imap.stop()
    smtp.stop()


@pytest.fixture
def imap(servers: tuple[Imap, Smtp]) -> Imap:
    with servers[0].client() as client:
        client.select("INBOX")
        client.store("1:*", "+FLAGS", "\\Deleted")
        client.expunge()
    return servers[0]


@pytest.fixture
def smtp(servers: tuple[Imap, Smtp]) -> Smtp:
    server = servers[1]
    server.taken.clear()
    server.answers.clear()
    server.refused.clear()
    server.deferred.clear()
    server.tries = 0
    return server


@pytest.fixture
def trusted(settings: Any, imap: Imap, smtp: Smtp) -> None:
    settings.OUTBOUND_TRUSTED = [f"127.0.0.1:{imap.port}", f"127.0.0.1:{smtp.port}"]


@pytest.fixture
def mail_desk(org_a: Tenant, imap: Imap, smtp: Smtp, trusted: None) -> Desk:
    return with_mail(open_desk(org_a, "Mail", kind="email"), imap, smtp)


@pytest.fixture
def tokens(imap: Imap, smtp: Smtp, settings: Any) -> Generator[Tokens]:
    """A provider of OAuth 2.0 for the mail servers, all of which the operator trusts."""
    with running(imap, smtp) as server:
        settings.OUTBOUND_TRUSTED = [f"127.0.0.1:{port}" for port in (imap.port, smtp.port, server.server_port)]
        yield server
