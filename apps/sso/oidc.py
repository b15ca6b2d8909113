"""OpenID Connect as a relying party: authorization code with PKCE, `state` and `nonce`, and ID tokens checked in full.

JOSE and the claims' rules are Authlib's (joserfc); every request goes through `apps.core.outbound`. OpenID Connect Core
1.0, Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (issuer in the answer).
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from authlib.oidc.core import CodeIDToken
from django.conf import settings
from django.core.cache import cache
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from apps.core import outbound, roundtrips
from apps.core.crypto import unseal_from
from apps.core.errors import OutboundFailed, SsoRefused
from apps.sso.models import Connection
from apps.sso.vouched import LONGEST_EMAIL, LONGEST_NAME, LONGEST_SUBJECT, Vouched, first_of, groups_of, texts_of

# Signatures by a key that only the provider has: never `none`, and never HS256, whose key is a secret that we know too.
ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split()
SCOPE = "openid email profile"
LEEWAY_SECONDS = 60
OLDEST_TOKEN_SECONDS = 600
CACHE_SECONDS = 3600
# A token with an unknown key id makes us look for new keys, but not more often than this.
REFRESH_SECONDS = 30
DOCUMENT_BYTES = 262_144
DEFAULT_EMAIL, DEFAULT_NAME, DEFAULT_GROUPS = "email", "name", "groups"


@dataclass(frozen=True, slots=True)
class Provider:
    """What the provider's discovery document says of it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    secret_in_body: bool = False
    says_issuer: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A sign-in that is under way; what only this browser's session may know."""

    state: str
    nonce: str
    verifier: str


def new_request() -> Request:
    return Request(roundtrips.new_state(), secrets.token_urlsafe(24), roundtrips.new_verifier())


def _fetch(method: str, url: str, **options: Any) -> outbound.Response:
    return outbound.fetch(
        method, url, allow_private=settings.OUTBOUND_ALLOW_PRIVATE, limit_bytes=DOCUMENT_BYTES, **options
    )


def discover(issuer: str) -> Provider:
    """The provider's own description; SsoRefused when it is not the issuer that it is asked for."""
    answer = _fetch("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    document = answer.json() if answer.status == 200 else None
    if not isinstance(document, dict):
        raise OutboundFailed("The identity provider has no discovery document at this issuer.")
    if document.get("issuer") != issuer:
        raise SsoRefused("The identity provider calls itself another issuer; enter exactly the one that it names.")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if not all(isinstance(document.get(name), str) for name in names):
        raise OutboundFailed("The identity provider's discovery document is incomplete.")
    for name in names:
        outbound.target_of(document[name], settings.OUTBOUND_ALLOW_PRIVATE)
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Provider(
        issuer=issuer,
        authorization_endpoint=document["authorization_endpoint"],
        token_endpoint=document["token_endpoint"],
        jwks_uri=document["jwks_uri"],
        userinfo_endpoint=first_of(document.get("userinfo_endpoint")),
        secret_in_body="client_secret_basic" not in methods and "client_secret_post" in methods,
        says_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def provider_of(connection: Connection) -> Provider:
    """The provider, discovered at most once an hour."""
    key = f"sso:provider:{connection.pk}:{connection.issuer}"
    provider: Provider | None = cache.get(key)
    if provider is None:
        provider = discover(connection.issuer)
        cache.set(key, provider, CACHE_SECONDS)
    return provider


def authorization_url(connection: Connection, request: Request, redirect_uri: str, hint: str = "") -> str:
    """Where the browser goes; `hint` is the address that the person typed."""
    provider = provider_of(connection)
    query = {
        "response_type": "code",
        "client_id": connection.client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": request.state,
        "nonce": request.nonce,
        **roundtrips.challenge_of(request.verifier),
    } | ({"login_hint": hint} if hint else {})
    joint = "&" if "?" in provider.authorization_endpoint else "?"
    return provider.authorization_endpoint + joint + urlencode(query)


def redeem(connection: Connection, request: Request, answer: Mapping[str, str], redirect_uri: str) -> Vouched:
    """Who the provider says it is; `answer` is the query of the callback, whose `state` the caller has checked."""
    provider = provider_of(connection)
    if answer.get("error"):
        raise SsoRefused("The identity provider refused: %(reason)s.", values={"reason": answer["error"][:100]})
    if (provider.says_issuer or "iss" in answer) and answer.get("iss") != provider.issuer:
        raise SsoRefused("The answer comes from another identity provider than was asked.")
    tokens = _tokens(connection, provider, request, answer.get("code", ""), redirect_uri)
    claims = _claims(connection, provider, request, tokens)
    if not first_of(claims.get(connection.email_attribute or DEFAULT_EMAIL)) and provider.userinfo_endpoint:
        claims = {**_user_info(provider, tokens, claims["sub"]), **claims}
    return _vouched(connection, claims)


def _tokens(
    connection: Connection, provider: Provider, request: Request, code: str, redirect_uri: str
) -> dict[str, Any]:
    if not code:
        raise SsoRefused("The identity provider sent no code.")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": request.verifier,
        "client_id": connection.client_id,
    }
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    secret = unseal_from(connection, "client_secret")
    if secret and provider.secret_in_body:
        form["client_secret"] = secret
    elif secret:
        # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
        pair = f"{quote(connection.client_id, safe='')}:{quote(secret, safe='')}"
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    answer = _fetch("POST", provider.token_endpoint, headers=headers, body=urlencode(form).encode())
    tokens = answer.json()
    if answer.status != 200 or not isinstance(tokens, dict) or not isinstance(tokens.get("id_token"), str):
        reason = str(tokens.get("error", ""))[:100] if isinstance(tokens, dict) else ""
        raise SsoRefused(
            "The identity provider did not redeem the code%(reason)s.",
            values={"reason": f": {reason}" if reason else ""},
        )
    return tokens


def _claims(connection: Connection, provider: Provider, request: Request, tokens: dict[str, Any]) -> dict[str, Any]:
    """The ID token's claims, its signature and every rule of Core section 3.1.3.7 checked."""
    token = tokens["id_token"]
    try:
        decoded = jwt.decode(token, _keys(connection, provider, _key_id(token)), algorithms=ALGORITHMS)
        now = int(time.time())
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": connection.client_id},
            },
            params={
                "nonce": request.nonce,
                "client_id": connection.client_id,
                "access_token": tokens.get("access_token"),
            },
        )
        claims.validate(now, LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise SsoRefused(
            "The identity provider's token is not valid: %(reason)s.", values={"reason": _reason(error)}
        ) from error
    if not isinstance(claims["iat"], int | float) or claims["iat"] < now - OLDEST_TOKEN_SECONDS:
        raise SsoRefused("The identity provider's token is not valid: it is too old.")
    return dict(claims)


def _reason(error: Exception) -> str:
    """What of an error helps an administrator; the libraries' words name claims and algorithms, never values."""
    return str(getattr(error, "description", "") or getattr(error, "error", "") or "it cannot be read").rstrip(".")[
        :150
    ]


def _key_id(token: str) -> str | None:
    """The key that an unverified header names, by which new keys are noticed."""
    try:
        first = token.split(".")[0]
        header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    found = header.get("kid") if isinstance(header, dict) else None
    return found if isinstance(found, str) else None


def _keys(connection: Connection, provider: Provider, key_id: str | None) -> KeySet:
    """The provider's keys; fetched anew when the token names one that is not among those we know."""
    key = f"sso:keys:{connection.pk}:{provider.jwks_uri}"
    known: dict[str, Any] | None = cache.get(key)
    named = {entry.get("kid") for entry in known["keys"]} if known else set()
    if known is None or (key_id not in named and cache.add(f"{key}:asked", 1, REFRESH_SECONDS)):
        answer = _fetch("GET", provider.jwks_uri)
        document = answer.json() if answer.status == 200 else None
        if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
            raise OutboundFailed("The identity provider's keys cannot be read.")
        known = {"keys": [entry for entry in document["keys"] if isinstance(entry, dict)]}
        cache.set(key, known, CACHE_SECONDS)
    return KeySet([found for entry in known["keys"] if (found := _key(entry)) is not None])


def _key(entry: dict[str, Any]) -> Any:
    """One key; None for a kind that we do not know, for encryption, or a shared secret, which proves nothing."""
    if entry.get("kty") not in {"RSA", "EC", "OKP"} or entry.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _user_info(provider: Provider, tokens: dict[str, Any], subject: str) -> dict[str, Any]:
    bearer = {"authorization": f"Bearer {tokens.get('access_token', '')}", "accept": "application/json"}
    answer = _fetch("GET", provider.userinfo_endpoint, headers=bearer)
    document = answer.json() if answer.status == 200 else None
    if not isinstance(document, dict):
        raise OutboundFailed("The identity provider's user information cannot be read.")
    if document.get("sub") != subject:
        raise SsoRefused("The identity provider's user information is about somebody else.")
    return document


def _vouched(connection: Connection, claims: dict[str, Any]) -> Vouched:
    if claims.get("email_verified") in (False, "false"):
        raise SsoRefused("The identity provider says that this e-mail address is not verified.")
    given = [first_of(claims.get("given_name")), first_of(claims.get("family_name"))]
    name = first_of(claims.get(connection.name_attribute or DEFAULT_NAME)) or " ".join(filter(None, given))
    return Vouched(
        subject=str(claims["sub"])[:LONGEST_SUBJECT],
        email=first_of(claims.get(connection.email_attribute or DEFAULT_EMAIL))[:LONGEST_EMAIL].lower(),
        name=name[:LONGEST_NAME],
        groups=groups_of(claims.get(connection.groups_attribute or DEFAULT_GROUPS, [])),
        # RFC 8176: `mfa` says it outright; single methods do not.
        mfa="mfa" in texts_of(claims.get("amr", [])),
        attributes={name: texts_of(value) for name, value in claims.items()},
    )
