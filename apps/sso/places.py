"""Addresses of this installation that identity providers are told."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.urls import reverse

from apps.sso.saml import Addresses


def absolute(name: str, *arguments: object) -> str:
    """The public address of a route; never by the request's Host header."""
    return f"{settings.BASE_URL}{reverse(name, args=list(arguments))}"


def oidc_callback(connection_id: UUID) -> str:
    return absolute("sso-oidc-callback", connection_id)


def saml_addresses(connection_id: UUID) -> Addresses:
    return Addresses(
        entity_id=absolute("sso-saml-metadata", connection_id), acs=absolute("sso-saml-acs", connection_id)
    )


def scim_base() -> str:
    return f"{settings.BASE_URL}/scim/v2"
