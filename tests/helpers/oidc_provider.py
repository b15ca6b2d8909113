"""A real OpenID Connect provider (oidc-provider-mock, which is Authlib's server) on a port of this machine.

Between it and the client stands a layer that can turn keys and lie in tokens, and that checks PKCE, which the package
does not.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server
from werkzeug.test import EnvironBuilder, run_wsgi_app
from werkzeug.wrappers import Request, Response

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import oidc_provider_mock

Claims = dict[str, Any]


class Provider:
    """The provider at `issuer`. A test may replace `sign`, `change` and `document` to make it lie."""

    def __init__(self) -> None:
        self._app = oidc_provider_mock.app(require_nonce=True)
        self._app.debug = False
        self.keys = [RSAKey.generate_key(2048, {"kid": "first"})]
        self.challenges: dict[str, str] = {}
        self.requests: list[str] = []
        self.token_requests: list[dict[str, str]] = []
        self.change: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str] = self.signed
        self.document: Callable[[Claims], Claims] = lambda document: document
        self.issuer = ""

    def signed(self, claims: Claims, key: Any = None, **header: Any) -> str:
        """A token as the provider signs it, by its newest key."""
        key = key or self.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": key.kid} | header, claims, key, algorithms=["RS256"])

    def turn_keys(self) -> None:
        """Signs with a new key from now on, and publishes that one only."""
        self.keys = [RSAKey.generate_key(2048, {"kid": f"key-{time.monotonic_ns()}"})]

    def set_user(self, subject: str, **claims: Any) -> None:
        httpx.put(f"{self.issuer}/users/{subject}", json=claims).raise_for_status()

    def approve(self, url: str, subject: str) -> str:
        """What a person's browser does at the provider: signs in as `subject`; returns where it is sent back to."""
        answer = httpx.post(url, data={"sub": subject})
        assert answer.status_code == 302, answer.text
        location = answer.headers["location"]
        self.challenges[parse_qs(urlsplit(location).query)["code"][0]] = dict(parse_qsl(urlsplit(url).query)).get(
            "code_challenge", ""
        )
        return location

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        self.requests.append(request.path)
        if request.path == "/jwks":
            return self._json(KeySet(self.keys).as_dict())(environ, start_response)
        if request.path == "/oauth2/token":
            return self._token(request, environ)(environ, start_response)
        if request.path == "/.well-known/openid-configuration":
            body = json.loads(b"".join(run_wsgi_app(self._app, environ)[0]))
            return self._json(self.document(body))(environ, start_response)
        return self._app(environ, start_response)

    def _token(self, request: Request, environ: dict[str, Any]) -> Response:
        form = request.form.to_dict()
        self.token_requests.append(form)
        challenge = self.challenges.pop(form.get("code", ""), "")
        if create_s256_code_challenge(form.get("code_verifier", "")) != challenge:
            return self._json({"error": "invalid_grant"}, 400)
        body = request.get_data(cache=True, parse_form_data=False)
        again = EnvironBuilder(
            path="/oauth2/token",
            method="POST",
            data=body or form,
            headers=dict(request.headers),
            base_url=self.issuer,
        ).get_environ()
        parts, status, _ = run_wsgi_app(self._app, again)
        answer = json.loads(b"".join(parts))
        if "id_token" in answer:
            payload = answer["id_token"].split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            answer["id_token"] = self.sign(self.change(claims))
        return self._json(answer, int(status.split()[0]))

    @staticmethod
    def _json(body: Any, status: int = 200) -> Response:
        return Response(json.dumps(body), status, content_type="application/json")


@contextmanager
def running_provider() -> Iterator[Provider]:
    provider = Provider()
    server = make_server("127.0.0.1", 0, provider, threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
