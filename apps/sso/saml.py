"""SAML 2.0 as a service provider, with python3-saml; and what that library leaves open, checked here.

The assertion itself must be signed with one of the connection's certificates, be meant for this very connection
(audience, recipient, destination), answer the request that this browser made, be valid now, and never have been used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from lxml import etree
from onelogin.saml2.authn_request import OneLogin_Saml2_Authn_Request
from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from apps.core.errors import InvalidRequest, SsoRefused
from apps.sso.models import Connection
from apps.sso.vouched import LONGEST_EMAIL, LONGEST_NAME, LONGEST_SUBJECT, Vouched, first_of, groups_of

MOST_BYTES = 262_144
# For clocks that differ; the library allows itself as much for `Conditions`.
SKEW_SECONDS = 120
LONGEST_LIFE_SECONDS = 86_400
NS = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_CANONICAL = {"http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"}
_RSA_OR_ECDSA = {
    f"http://www.w3.org/2001/04/xmldsig-more#{kind}-sha{bits}" for kind in ("rsa", "ecdsa") for bits in (256, 384, 512)
}
_DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
}
# What providers send as the e-mail address, name and groups when nobody has said otherwise.
EMAIL_NAMES = (
    "email",
    "mail",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "urn:oid:1.2.840.113549.1.9.1.1",
)
NAME_NAMES = (
    "displayName",
    "name",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "urn:oid:2.16.840.1.113730.3.1.241",
)
GROUP_NAMES = ("groups", "memberOf", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups")
MFA_CONTEXTS = {
    "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken",
    "https://refeds.org/profile/mfa",
    "http://schemas.microsoft.com/claims/multipleauthn",
}
_METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where this service provider lives, for one connection."""

    entity_id: str
    acs: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an identity provider's metadata says."""

    entity_id: str
    sso_url: str
    certificates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An accepted answer, with what keeps it from being accepted again."""

    vouched: Vouched
    digest: str
    expires_at: datetime


def read_metadata(document: bytes) -> Metadata:
    """The provider's metadata; InvalidRequest when something that is needed is missing."""
    if len(document) > MOST_BYTES:
        raise InvalidRequest("This metadata is too large.", param="metadata")
    try:
        found = OneLogin_Saml2_IdPMetadataParser.parse(document).get("idp", {})
    except (ValueError, etree.LxmlError, OneLogin_Saml2_Error) as error:
        raise InvalidRequest("This is not the metadata of an identity provider.", param="metadata") from error
    several = found.get("x509certMulti", {}).get("signing", [])
    certificates = tuple(several or filter(None, [found.get("x509cert")]))
    metadata = Metadata(found.get("entityId", ""), found.get("singleSignOnService", {}).get("url", ""), certificates)
    if not (metadata.entity_id and metadata.sso_url and metadata.certificates):
        raise InvalidRequest(
            "The metadata must have an entity id, an HTTP-Redirect address for single sign-on, and a certificate.",
            param="metadata",
        )
    for certificate in metadata.certificates:
        _check_certificate(certificate)
    return metadata


def _check_certificate(text: str) -> None:
    try:
        x509.load_der_x509_certificate(base64.b64decode(text))
    except (ValueError, binascii.Error) as error:
        raise InvalidRequest("A certificate in the metadata cannot be read.", param="metadata") from error


def _settings(connection: Connection, addresses: Addresses) -> OneLogin_Saml2_Settings:
    return OneLogin_Saml2_Settings(
        {
            "strict": True,
            "debug": False,
            "sp": {
                "entityId": addresses.entity_id,
                "assertionConsumerService": {
                    "url": addresses.acs,
                    "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
                },
                "NameIDFormat": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
            },
            "idp": {
                "entityId": connection.issuer,
                "singleSignOnService": {
                    "url": connection.sso_url,
                    "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
                },
                "x509certMulti": {"signing": list(connection.certificates)},
            },
            "security": {
                "wantAssertionsSigned": True,
                "wantAttributeStatement": False,
                "rejectDeprecatedAlgorithm": True,
                "requestedAuthnContext": False,
            },
        },
        sp_validation_only=False,
    )


def service_metadata(addresses: Addresses) -> bytes:
    """What the identity provider's administrator imports."""
    root = etree.Element(
        "{urn:oasis:names:tc:SAML:2.0:metadata}EntityDescriptor",
        {"entityID": addresses.entity_id},
        nsmap={"md": "urn:oasis:names:tc:SAML:2.0:metadata"},
    )
    descriptor = etree.SubElement(
        root,
        "{urn:oasis:names:tc:SAML:2.0:metadata}SPSSODescriptor",
        {
            "AuthnRequestsSigned": "false",
            "WantAssertionsSigned": "true",
            "protocolSupportEnumeration": NS["samlp"],
        },
    )
    etree.SubElement(
        descriptor,
        "{urn:oasis:names:tc:SAML:2.0:metadata}AssertionConsumerService",
        {"Binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", "Location": addresses.acs, "index": "1"},
    )
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def authentication_url(connection: Connection, addresses: Addresses, relay_state: str) -> tuple[str, str]:
    """Where the browser goes, and the id of the request, which the answer must name."""
    request = OneLogin_Saml2_Authn_Request(_settings(connection, addresses))
    query = urlencode({"SAMLRequest": request.get_request(), "RelayState": relay_state})
    joint = "&" if "?" in connection.sso_url else "?"
    return connection.sso_url + joint + query, str(request.get_id())


def accept(connection: Connection, addresses: Addresses, answer: str, request_id: str | None) -> Answer:
    """Who the identity provider says it is; `request_id` None for an answer that nobody asked for.

    Raises SsoRefused, saying what is wrong. The caller must still see that the assertion was never used.
    """
    if len(answer) > MOST_BYTES:
        raise SsoRefused("The identity provider's answer is too large.")
    try:
        response = OneLogin_Saml2_Response(_settings(connection, addresses), answer)
        response.is_valid(_request_data(addresses), request_id, raise_exceptions=True)
    except (OneLogin_Saml2_ValidationError, OneLogin_Saml2_Error) as error:
        raise SsoRefused(
            "The identity provider's answer is not valid: %(words)s", values={"words": _words(error)}
        ) from error
    except Exception as error:
        # Base64, XML, schema: the library lets its parsers' errors through, and all mean the same here.
        raise SsoRefused("The identity provider's answer cannot be read.") from error
    assertion = _signed_assertion(response)
    expires = _require_for_us(assertion, response, addresses, request_id)
    digest = hashlib.sha256(f"{connection.issuer}\n{assertion.get('ID')}".encode()).hexdigest()
    return Answer(_vouched(connection, response, assertion), digest, expires)


def _words(error: Exception) -> str:
    text = str(error.args[0] if error.args else "")
    return text[:200] if text.endswith(".") else f"{text[:200]}."


def _request_data(addresses: Addresses) -> Mapping[str, Any]:
    """The address that was really meant, not the one that the request's headers claim."""
    scheme, _, rest = addresses.acs.partition("://")
    host, _, path = rest.partition("/")
    return {
        "https": "on" if scheme == "https" else "off",
        "http_host": host,
        "script_name": f"/{path}",
        "get_data": {},
        "post_data": {},
    }


def _signed_assertion(response: OneLogin_Saml2_Response) -> Any:
    """The one assertion, which carries its own signature over the whole of itself and over nothing else.

    Against signature wrapping and clever transforms: one assertion where it belongs, one reference to its own id, only
    the transforms that a SAML signature needs.
    """
    document = response.get_xml_document()
    found = document.xpath("/samlp:Response/saml:Assertion", namespaces=NS)
    everywhere = document.xpath("//saml:Assertion", namespaces=NS)
    if len(found) != 1 or len(everywhere) != 1:
        raise SsoRefused("The answer must hold exactly one assertion.")
    ids = document.xpath("//@ID")
    if len(ids) != len(set(ids)):
        raise SsoRefused("The answer uses an id twice.")
    assertion = found[0]
    signatures = assertion.xpath("./ds:Signature", namespaces=NS)
    if len(signatures) != 1:
        raise SsoRefused("The assertion must be signed.")
    for signature in document.xpath("//ds:Signature", namespaces=NS):
        _check_signature(signature)
    return assertion


def _check_signature(signature: Any) -> None:
    references = signature.xpath("./ds:SignedInfo/ds:Reference", namespaces=NS)
    if len(references) != 1 or references[0].get("URI") != f"#{signature.getparent().get('ID')}":
        raise SsoRefused("A signature covers something else than what it stands in.")
    transforms = signature.xpath(".//ds:Transform/@Algorithm", namespaces=NS)
    if transforms.count(_ENVELOPED) != 1 or not set(transforms) <= {_ENVELOPED, *_CANONICAL}:
        raise SsoRefused("A signature uses transforms that are not accepted.")
    methods = signature.xpath("./ds:SignedInfo/ds:SignatureMethod/@Algorithm", namespaces=NS)
    digests = signature.xpath(".//ds:DigestMethod/@Algorithm", namespaces=NS)
    if not set(methods) <= _RSA_OR_ECDSA or not set(digests) <= _DIGESTS:
        raise SsoRefused("A signature uses an algorithm that is not accepted.")
    if signature.xpath("./ds:Object", namespaces=NS):
        raise SsoRefused("A signature carries objects of its own.")


def _require_for_us(
    assertion: Any, response: OneLogin_Saml2_Response, addresses: Addresses, request_id: str | None
) -> datetime:
    """What the library lets pass when it is missing or longer than it should be; returns when the assertion expires."""
    audiences = assertion.xpath("./saml:Conditions/saml:AudienceRestriction/saml:Audience/text()", namespaces=NS)
    if addresses.entity_id not in [audience.strip() for audience in audiences]:
        raise SsoRefused("The assertion is meant for another audience.")
    destination = response.get_xml_document().get("Destination")
    if destination is not None and destination != addresses.acs:
        raise SsoRefused("The answer is meant for another address.")
    in_response_to = response.get_in_response_to()
    if in_response_to != request_id:
        raise SsoRefused("The answer is not to a request of this browser.")
    now = datetime.now(UTC).timestamp()
    for confirmation in assertion.xpath("./saml:Subject/saml:SubjectConfirmation", namespaces=NS):
        if confirmation.get("Method") != BEARER:
            continue
        for data in confirmation.xpath("./saml:SubjectConfirmationData", namespaces=NS):
            until = _moment(data.get("NotOnOrAfter"))
            if (
                data.get("Recipient") == addresses.acs
                and data.get("InResponseTo") == request_id
                and until is not None
                and now < until.timestamp() + SKEW_SECONDS <= now + LONGEST_LIFE_SECONDS + SKEW_SECONDS
            ):
                return datetime.fromtimestamp(until.timestamp() + 2 * SKEW_SECONDS + 300, UTC)
    raise SsoRefused("The assertion does not name this recipient and request with a time at which it ends.")


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _vouched(connection: Connection, response: OneLogin_Saml2_Response, assertion: Any) -> Vouched:
    try:
        subject = response.get_nameid() or ""
        name_format = response.get_nameid_format() or ""
        attributes: dict[str, list[str]] = response.get_attributes()
    except (OneLogin_Saml2_ValidationError, OneLogin_Saml2_Error) as error:
        raise SsoRefused(
            "The identity provider's answer is not valid: %(words)s", values={"words": _words(error)}
        ) from error
    if not subject:
        raise SsoRefused("The assertion names nobody.")

    def value(chosen: str, usual: tuple[str, ...]) -> Any:
        names = (chosen,) if chosen else usual
        return next((attributes[name] for name in names if attributes.get(name)), [])

    email = first_of(value(connection.email_attribute, EMAIL_NAMES))
    if not email and not connection.email_attribute and "@" in subject:
        email = subject
    if name_format == TRANSIENT:
        # A transient name is another one each time: the address must stand for the person.
        subject = email
    contexts = assertion.xpath(".//saml:AuthnContextClassRef/text()", namespaces=NS)
    said = {context.strip() for context in contexts} | set(attributes.get(_METHODS, []))
    return Vouched(
        subject=subject.strip()[:LONGEST_SUBJECT],
        email=email[:LONGEST_EMAIL].lower(),
        name=first_of(value(connection.name_attribute, NAME_NAMES))[:LONGEST_NAME],
        groups=groups_of(value(connection.groups_attribute, GROUP_NAMES)),
        mfa=bool(said & MFA_CONTEXTS),
        attributes={name: tuple(map(str, values)) for name, values in attributes.items()},
    )
