"""Sign-in with other services, each of them off until the environment names a client of it.

Read by the settings, so nothing of Django's models is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps.core import env


@dataclass(frozen=True, slots=True)
class Service:
    """A service that people may sign in with.

    `origin` is where its sign-in page lies, which forms must be allowed to lead to. `proves_email`: an address that it
    calls verified belongs to the person, so that an account with the same verified address may be linked by itself.
    """

    id: str
    name: str
    client_id: str
    secret: str
    origin: str
    proves_email: bool
    settings: dict[str, Any] = field(default_factory=dict)

    def configuration(self) -> dict[str, Any]:
        app = {
            "client_id": self.client_id,
            "secret": self.secret,
            "name": self.name,
            "settings": self.settings | {"email_authentication": self.proves_email},
        }
        if self.id == "openid_connect":
            app["provider_id"] = "main"
        return {"APPS": [app], "OAUTH_PKCE_ENABLED": True}


def configured() -> list[Service]:
    """The services that the environment names a client id of.

    Microsoft lets a directory's administrator write any address into an account, so its addresses prove nothing.
    """
    issuer = env.text("OIDC_ISSUER").rstrip("/")
    services = [
        Service(
            "google",
            "Google",
            env.text("GOOGLE_CLIENT_ID"),
            env.text("GOOGLE_CLIENT_SECRET"),
            "https://accounts.google.com",
            proves_email=True,
        ),
        Service(
            "github",
            "GitHub",
            env.text("GITHUB_CLIENT_ID"),
            env.text("GITHUB_CLIENT_SECRET"),
            "https://github.com",
            proves_email=True,
        ),
        Service(
            "microsoft",
            "Microsoft",
            env.text("MICROSOFT_CLIENT_ID"),
            env.text("MICROSOFT_CLIENT_SECRET"),
            "https://login.microsoftonline.com",
            proves_email=False,
            settings={"tenant": env.text("MICROSOFT_TENANT", "organizations")},
        ),
        Service(
            "openid_connect",
            env.text("OIDC_NAME", "OpenID Connect"),
            env.text("OIDC_CLIENT_ID") if issuer else "",
            env.text("OIDC_CLIENT_SECRET"),
            "/".join(issuer.split("/")[:3]),
            proves_email=env.flag("OIDC_TRUST_EMAIL"),
            settings={"server_url": issuer},
        ),
    ]
    return [service for service in services if service.client_id]
