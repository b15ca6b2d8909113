"""Whom a request comes from, and who may claim to be somebody else."""

from typing import Any

import pytest

from apps.core.callers import address_of, agent_of


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "found"),
    [
        ("192.0.2.1", "", False, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", False, "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", True, "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", True, "198.51.100.7"),
        ("10.0.0.1", "", True, "10.0.0.1"),
        ("::ffff:192.0.2.1", "", False, "192.0.2.1"),
        ("10.0.0.1", "[2001:DB8::1]", True, "2001:db8::1"),
        ("10.0.0.1", "nonsense", True, ""),
        ("", "", False, ""),
    ],
)
def test_only_the_operators_own_proxy_is_believed(
    settings: Any, peer: str, forwarded: str, trusted: bool, found: str
) -> None:
    settings.TRUST_PROXY = trusted
    assert address_of({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}) == found


def test_an_agent_can_always_be_stored() -> None:
    assert agent_of({"HTTP_USER_AGENT": "x\0" * 1000}) == "x" * 300
