"""Metadata, ours and the identity provider's."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from lxml import etree

from apps.core.errors import InvalidRequest
from apps.sso import services
from tests.apps.sso.test_saml import Trip, trip
from tests.helpers.people import Tenant
from tests.helpers.saml_provider import IdentityProvider

__all__ = ["trip"]


def test_our_metadata_can_be_read_by_a_provider(trip: Trip, client: Client) -> None:
    page = client.get(f"/sso/saml/{trip.connection.pk}/metadata/")
    root = etree.fromstring(page.content)
    assert root.get("entityID") == trip.addresses.entity_id
    [service] = root.iterfind(".//{*}AssertionConsumerService")
    assert service.get("Location") == trip.addresses.acs


@pytest.mark.parametrize(
    "document",
    [b"", b"<a/>", b"not xml", b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", b"x" * 300_000],
    ids=["nothing", "element", "text", "entity", "large"],
)
def test_what_is_no_metadata_is_refused(acme: Tenant, document: bytes) -> None:
    with pytest.raises(InvalidRequest):
        services.create_saml(acme.actor, services.Mapping("ADFS"), document)


def test_metadata_of_another_provider_does_not_replace_the_connection(acme: Tenant, trip: Trip, tmp_path: Path) -> None:
    evil = IdentityProvider(tmp_path, "evil")
    with pytest.raises(InvalidRequest):
        services.change_connection(acme.actor, trip.connection.pk, services.Mapping("ADFS"), metadata=evil.metadata)
