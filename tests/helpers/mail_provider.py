"""A provider of OAuth 2.0 for mailboxes: asks for consent, checks PKCE, and gives out tokens that mail servers take."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.helpers.mailing import values
from tests.helpers.mailservers import Imap, Smtp


class Tokens(ThreadingHTTPServer):
    """Gives out access tokens for a refresh token, each a new one, and has the mail servers take the last."""

    def __init__(self, imap: Imap, smtp: Smtp) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.imap, self.smtp = imap, smtp
        self.asked: list[dict[str, str]] = []
        self.refresh, self.seconds = "refresh-1", 3600
        # Whether each refresh token may be used once, and each use gives another.
        self.rotates = False
        self.offline = True
        # What was asked for with each code that was not redeemed yet.
        self.codes: dict[str, dict[str, str]] = {}
        self.answer: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/token"

    @property
    def authorize_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/authorize"

    def consented(self, url: str) -> str:
        """What a browser that goes to `url`, where the mailbox's user consents, is sent back to."""
        answer = httpx.get(url, follow_redirects=False)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])


class _Handler(BaseHTTPRequestHandler):
    server: Tokens

    def do_GET(self) -> None:
        """Asks nobody: whoever comes consents."""
        asked = {name: found[0] for name, found in parse_qs(urlsplit(self.path).query).items()}
        known = asked.get("client_id") == "client" and asked.get("response_type") == "code"
        if not known or asked.get("code_challenge_method") != "S256" or not asked.get("state"):
            self.send_response(400)
            self.end_headers()
            return
        code = token_urlsafe(8)
        self.server.codes[code] = asked
        self.send_response(302)
        self.send_header("location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        fields = {name: found[0] for name, found in parse_qs(body).items()}
        self.server.asked.append(fields)
        status, answer = self.server.answer or self._granted(fields)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def _granted(self, fields: dict[str, str]) -> tuple[int, bytes]:
        if fields.get("client_secret") != "client-secret":
            return 401, b'{"error": "invalid_client"}'
        if not self._is_good(fields):
            return 400, b'{"error": "invalid_grant"}'
        token = f"access-{len(self.server.asked)}"
        self.server.imap.tokens, self.server.smtp.tokens = {token}, {token}
        found = {"access_token": token, "expires_in": self.server.seconds, "token_type": "Bearer"}
        if self.server.offline and (self.server.rotates or "code" in fields):
            self.server.refresh = found["refresh_token"] = f"refresh-{len(self.server.asked) + 1}"
        return 200, json.dumps(found).encode()

    def _is_good(self, fields: dict[str, str]) -> bool:
        if fields.get("grant_type") == "refresh_token":
            return fields.get("refresh_token") == self.server.refresh
        asked = self.server.codes.pop(fields.get("code", ""), None)
        if asked is None or fields.get("redirect_uri") != asked["redirect_uri"]:
            return False
        return create_s256_code_challenge(fields.get("code_verifier", "")) == asked["code_challenge"]

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def running(imap: Imap, smtp: Smtp) -> Generator[Tokens]:
    server = Tokens(imap, smtp)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
    imap.tokens, smtp.tokens = set(), set()


def wanted(tokens: Tokens, **more: Any) -> dict[str, Any]:
    given = values(tokens.imap, tokens.smtp)
    del given["imap_password"], given["smtp_password"]
    return given | {
        "auth": "oauth", "oauth_token_url": tokens.url, "oauth_client_id": "client",
        "oauth_client_secret": "client-secret", "oauth_refresh_token": "refresh-1", "oauth_scope": "mail offline",
    } | more  # fmt: skip
