"""Requests to addresses that customers chose reach the internet only, once, bounded in size and time."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core import outbound
from apps.core.addresses import may_be_reached
from apps.core.errors import OutboundFailed, OutboundRefused
from apps.core.outbound import fetch, target_of
from tests.helpers.servers import Server

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
PRIVATE = ["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1"]
PRIVATE += ["fc00::1", "fd12:3456::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"]
PRIVATE += ["::ffff:0:10.0.0.1"]
EVERY = "0.0.0.0"  # noqa: S104 (not listened at)
NEVER = [EVERY, "0.1.2.3", "169.254.1.1", "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
NEVER += ["169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "224.0.0.1", "::"]
NEVER += ["239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"]
NEVER += ["fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2001:0:7f00:1::", "100::1"]
NEVER += [
    "64:ff9b:1::a00:1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "",
    "nonsense",
    "127.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_on_the_internet_may_be_reached(address: str) -> None:
    assert may_be_reached(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_may_be_reached_only_where_that_is_allowed(address: str) -> None:
    assert not may_be_reached(address)
    assert may_be_reached(address, allow_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_metadata_and_reserved_addresses_are_never_reached(address: str) -> None:
    assert not may_be_reached(address)
    assert not may_be_reached(address, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "example.com",
        "https://",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com\\@127.0.0.1/",
        "https://exam ple.com/",
        "https://example.com/\r\nX: y",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://exa%6dple.com/",
        "https://example.com/ü",
        "https://" + "a" * 300 + ".com/",
        "https://exam_ple!.com/",
    ],
)
def test_a_doubtful_url_is_refused(url: str) -> None:
    with pytest.raises(OutboundRefused):
        target_of(url)


# Every way to write 127.0.0.1 that a resolver understands, and what hides it in IPv6.
SPELLINGS = "127.0.0.1 localhost 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 0 [::] [::1] [::ffff:7f00:1]"
SPELLINGS += " [::ffff:127.0.0.1] [64:ff9b::7f00:1] ①②⑦.⓪.⓪.① 127。0。0。1"


@pytest.mark.parametrize("host", [*SPELLINGS.split(), EVERY])
def test_no_spelling_of_this_machine_is_asked(host: str) -> None:
    with pytest.raises((OutboundRefused, OutboundFailed)):
        fetch("GET", f"https://{host}/", timeout=3)


# ---------------------------------------------------------------- names


def test_a_server_of_the_own_network_is_opened_alone(settings: Any) -> None:
    settings.OUTBOUND_TRUSTED = ["127.0.0.1:9", "10.0.0.7:80"]
    with pytest.raises(OutboundFailed):
        fetch("GET", "http://127.0.0.1:9/", timeout=2)
    for other in ("https://127.0.0.1:10/", "https://127.0.0.1/", "https://10.0.0.7/", "https://u@127.0.0.1:9/"):
        with pytest.raises(OutboundRefused):
            fetch("GET", other, timeout=2)


def test_one_private_address_among_public_ones_refuses_the_name(named: Any) -> None:
    named("mixed.example", "8.8.8.8", "10.0.0.1")
    with pytest.raises(OutboundRefused):
        fetch("GET", "https://mixed.example/")


def test_the_message_does_not_tell_where_the_name_leads(named: Any) -> None:
    named("inside.example", "10.20.30.40")
    with pytest.raises(OutboundRefused) as refusal:
        fetch("GET", "https://inside.example/")
    assert "10.20" not in refusal.value.message


def test_a_name_without_an_address_fails(named: Any) -> None:
    named("nowhere.example")
    with pytest.raises(OutboundFailed):
        fetch("GET", "https://nowhere.example/")


# ---------------------------------------------------------------- a server on this machine


def test_the_connection_goes_to_the_checked_address_under_the_name(secure: Server, named: Any) -> None:
    """TLS asks for the name, the Host header carries it, and it is looked up once."""
    asked = named("idp.example", "127.0.0.1")
    port = secure.server_port
    answer = fetch("POST", f"https://IdP.example:{port}/x?y=1", body=b"hello", allow_private=True)
    assert (answer.status, answer.json()) == (200, {"ok": True})
    [(method, path, headers, body)] = secure.seen
    assert (method, path, body) == ("POST", "/x?y=1", b"hello")
    assert headers["host"] == f"idp.example:{port}"
    assert asked == ["idp.example"]


def test_a_certificate_of_another_name_is_refused(secure: Server, named: Any) -> None:
    named("other.example", "127.0.0.1")
    with pytest.raises(OutboundFailed):
        fetch("GET", f"https://other.example:{secure.server_port}/", allow_private=True)
    assert secure.seen == []


def test_a_dead_address_leaves_the_next_one_to_try(plain: Server, named: Any) -> None:
    named("two.example", "127.0.0.2", "127.0.0.1")
    assert fetch("GET", f"http://two.example:{plain.server_port}/", allow_private=True).status == 200


def test_a_redirect_is_an_answer_and_not_followed(plain: Server) -> None:
    answer = fetch("GET", f"http://127.0.0.1:{plain.server_port}/redirect", allow_private=True)
    assert (answer.status, answer.headers["location"]) == (302, "http://169.254.169.254/")
    assert len(plain.seen) == 1


@pytest.mark.parametrize("path", ["/large", "/packed"])
def test_an_answer_that_is_too_large_or_compressed_is_given_up(plain: Server, path: str) -> None:
    with pytest.raises(OutboundFailed):
        fetch("GET", f"http://127.0.0.1:{plain.server_port}{path}", allow_private=True, limit_bytes=4000)


def test_a_server_that_drips_is_given_up_at_the_deadline(plain: Server) -> None:
    with pytest.raises(OutboundFailed, match="in time"):
        fetch("GET", f"http://127.0.0.1:{plain.server_port}/drip", allow_private=True, timeout=0.5)


def test_a_port_where_nobody_listens_fails(plain: Server) -> None:
    plain.shutdown()
    plain.server_close()
    with pytest.raises(OutboundFailed):
        fetch("GET", f"http://127.0.0.1:{plain.server_port}/", allow_private=True, timeout=3)


def test_what_is_not_json_is_a_failure(plain: Server) -> None:
    with pytest.raises(OutboundFailed):
        outbound.Response(200, {}, b"<html>").json()
