"""A real OpenID Connect provider on this machine: discovery, token endpoint, keys and signed identity tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ANOTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Provider:
    """`claims` of whoever signs in next; `signed_with` and `changes` make its token a wrong one."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    signed_with: Any = KEY
    exchanges: list[dict[str, list[str]]] = field(default_factory=list)

    def identity(self) -> str:
        now = int(time.time())
        token = {"iss": self.url, "aud": "client", "iat": now, "exp": now + 300, **self.claims, **self.changes}
        return jwt.encode(token, self.signed_with, algorithm="RS256", headers={"kid": "one"})


@contextmanager
def provider() -> Iterator[Provider]:
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "one", "use": "sig"}
            answers: dict[str, Any] = {
                "/.well-known/openid-configuration": {
                    "issuer": state.url,
                    "authorization_endpoint": f"{state.url}/authorize",
                    "token_endpoint": f"{state.url}/token",
                    "userinfo_endpoint": f"{state.url}/userinfo",
                    "jwks_uri": f"{state.url}/keys",
                },
                "/keys": {"keys": [keys]},
                "/userinfo": state.claims,
            }
            self._answer(answers[self.path])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            state.exchanges.append(parse_qs(body))
            self._answer({"access_token": "access", "token_type": "Bearer", "id_token": state.identity()})

        def _answer(self, value: Any) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, *args: Any) -> None:
            """Not into the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield state
        server.shutdown()
