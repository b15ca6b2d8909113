"""ID tokens of a real provider that lies: each rule of OpenID Connect Core section 3.1.3.7, broken by itself."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable

import pytest
from django.test import Client
from joserfc.jwk import RSAKey

from apps.accounts.models import User
from tests.apps.sso.conftest import Connect, through_oidc
from tests.helpers.oidc_provider import Claims, Provider
from tests.helpers.people import Tenant

Lie = Callable[[Provider, Claims], str]


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unsigned(provider: Provider, claims: Claims) -> str:
    return f"{_part(json.dumps({'alg': 'none'}).encode())}.{_part(json.dumps(claims).encode())}."


def _by_public_key_as_secret(provider: Provider, claims: Claims) -> str:
    """The classic: HS256 with the provider's public key as the shared secret; a library would refuse to make it."""
    key = provider.keys[-1]
    header = {"alg": "HS256", "kid": key.kid}
    signed = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
    return f"{signed}.{_part(hmac.digest(key.as_pem(private=False), signed.encode(), 'sha256'))}"


LIES: dict[str, Lie] = {
    "another audience": lambda p, c: p.signed(c | {"aud": "another-client"}),
    "no audience": lambda p, c: p.signed({k: v for k, v in c.items() if k != "aud"}),
    "two audiences and no party": lambda p, c: p.signed(c | {"aud": ["millrace", "another-client"]}),
    "another party": lambda p, c: p.signed(c | {"azp": "another-client"}),
    "another issuer": lambda p, c: p.signed(c | {"iss": "https://evil.example"}),
    "no issuer": lambda p, c: p.signed({k: v for k, v in c.items() if k != "iss"}),
    "expired": lambda p, c: p.signed(c | {"exp": int(time.time()) - 120}),
    "no expiry": lambda p, c: p.signed({k: v for k, v in c.items() if k != "exp"}),
    "not yet valid": lambda p, c: p.signed(c | {"nbf": int(time.time()) + 600}),
    "issued in the future": lambda p, c: p.signed(c | {"iat": int(time.time()) + 600}),
    "issued long ago": lambda p, c: p.signed(c | {"iat": int(time.time()) - 3600}),
    "another nonce": lambda p, c: p.signed(c | {"nonce": "x" * 32}),
    "no nonce": lambda p, c: p.signed({k: v for k, v in c.items() if k != "nonce"}),
    "no subject": lambda p, c: p.signed({k: v for k, v in c.items() if k != "sub"}),
    "another access token": lambda p, c: p.signed(c | {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    "another key": lambda p, c: p.signed(c, RSAKey.generate_key(2048, {"kid": p.keys[-1].kid})),
    "an unknown key": lambda p, c: p.signed(c, RSAKey.generate_key(2048, {"kid": "unknown"})),
    "no signature": _unsigned,
    "a public key as secret": _by_public_key_as_secret,
    "a broken signature": lambda p, c: p.signed(c)[:-6] + "AAAAAA",
    "no token": lambda p, c: "",
    "nonsense": lambda p, c: "a.b.c",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_proves_nothing_is_refused(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client, lie: str
) -> None:
    connection = connect_oidc(acme)
    provider.sign = lambda claims: LIES[lie](provider, claims)
    answer = through_oidc(client, provider, connection, "ada", email="ada@org-a.example")
    assert answer.status_code == 403, lie
    assert "_auth_user_id" not in client.session
    assert not User.objects.filter(email="ada@org-a.example").exists()


def test_clocks_may_differ_by_a_little(acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client) -> None:
    provider.change = lambda claims: claims | {"exp": int(time.time()) - 20, "iat": int(time.time()) + 20}
    connection = connect_oidc(acme)
    assert through_oidc(client, provider, connection, "ada", email="ada@org-a.example").status_code == 302


def test_new_keys_are_found_and_old_ones_forgotten(acme: Tenant, provider: Provider, connect_oidc: Connect) -> None:
    connection = connect_oidc(acme)
    assert through_oidc(Client(), provider, connection, "ada", email="ada@org-a.example").status_code == 302
    old = provider.keys[-1]
    provider.turn_keys()
    assert through_oidc(Client(), provider, connection, "ada").status_code == 302
    provider.sign = lambda claims: provider.signed(claims, old)
    assert through_oidc(Client(), provider, connection, "ada").status_code == 403


def test_unknown_keys_do_not_make_us_ask_again_and_again(
    acme: Tenant, provider: Provider, connect_oidc: Connect
) -> None:
    connection = connect_oidc(acme)
    provider.sign = lambda claims: provider.signed(claims, RSAKey.generate_key(2048, {"kid": "unknown"}))
    for _ in range(4):
        through_oidc(Client(), provider, connection, "ada", email="ada@org-a.example")
    assert provider.requests.count("/jwks") <= 2


def test_user_information_about_somebody_else_is_refused(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    """Without an address in the token the provider is asked, and must speak of the same person."""
    connection = connect_oidc(acme)
    provider.set_user("ada", email="ada@org-a.example")
    provider.change = lambda claims: {k: v for k, v in claims.items() if k != "email"}
    assert through_oidc(Client(), provider, connection, "ada").status_code == 302
    provider.change = lambda claims: {k: v for k, v in claims.items() if k != "email"} | {"sub": "bob"}
    assert through_oidc(client, provider, connection, "ada").status_code == 403
