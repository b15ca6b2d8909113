"""A real SAML identity provider (pysaml2) in this process, whose assertions are signed by xmlsec."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.sigver import CryptoBackend
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

NS = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
Change = Callable[[Any], None]


def make_key(folder: Path, name: str) -> tuple[Path, Path]:
    """A private key and a certificate of its own signature, as PEM files."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    secret, public = folder / f"{name}.key", folder / f"{name}.pem"
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return secret, public


class Xmlsec(CryptoBackend):
    """pysaml2 signs by the program xmlsec1, which not every machine has; this is the same library, in the process."""

    def sign_statement(self, statement: Any, node_name: str, key_file: str, node_id: str) -> str:
        root = etree.fromstring(statement if isinstance(statement, bytes) else str(statement).encode())
        xmlsec.tree.add_ids(root, ["ID"])
        [node] = [element for element in root.iter() if element.get("ID") == node_id]
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_file(key_file, xmlsec.KeyFormat.PEM)
        context.sign(node.find("ds:Signature", NS))
        return str(etree.tostring(root, encoding="unicode"))


def sign(element: Any, key_file: Path, method: Any = xmlsec.Transform.RSA_SHA256, digest: Any = None) -> None:
    """Puts a signature behind the issuer of an assertion or response, over the whole of it."""
    template = xmlsec.template.create(element, xmlsec.Transform.EXCL_C14N, method, ns="ds")
    reference = xmlsec.template.add_reference(template, digest or xmlsec.Transform.SHA256, uri=f"#{element.get('ID')}")
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
    element.insert(1, template)
    xmlsec.tree.add_ids(element, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_file(str(key_file), xmlsec.KeyFormat.PEM)
    context.sign(template)


class IdentityProvider:
    """An identity provider at `entity_id`."""

    def __init__(self, folder: Path, name: str = "idp") -> None:
        self.key_file, self.certificate_file = make_key(folder, name)
        self.entity_id = f"https://{name}.example/metadata"
        self._config = IdPConfig().load(
            {
                "entityid": self.entity_id,
                "crypto_backend": "XMLSecurity",
                "key_file": str(self.key_file),
                "cert_file": str(self.certificate_file),
                "service": {
                    "idp": {
                        "endpoints": {
                            "single_sign_on_service": [(f"https://{name}.example/sso", BINDING_HTTP_REDIRECT)]
                        },
                        "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
                    }
                },
            }
        )
        self._config.context = "idp"
        self._server = Server(config=self._config)
        self._server.sec.crypto = Xmlsec()

    @property
    def metadata(self) -> bytes:
        """What an administrator pastes into the console."""
        return str(entity_descriptor(self._config)).encode()

    def read_request(self, url: str) -> tuple[str, str]:
        """The id and relay state of the request that a browser brings along."""
        query = parse_qs(urlsplit(url).query)
        request = self._server.parse_authn_request(query["SAMLRequest"][0], BINDING_HTTP_REDIRECT).message
        assert request.protocol_binding == BINDING_HTTP_POST
        return str(request.id), query["RelayState"][0]

    def answer(self, request_id: str | None, acs: str, audience: str, email: str, **said: Any) -> str:
        """A response as pysaml2 makes and signs it, in base64."""
        return base64.b64encode(self._response(request_id, acs, audience, email, **said).encode()).decode()

    def answer_changed(
        self,
        change: Change,
        request_id: str | None,
        acs: str,
        audience: str,
        email: str,
        key_file: Path | None = None,
        after: Change = lambda tree: None,
        **algorithms: Any,
    ) -> str:
        """A response that `change` alters before the assertion is signed, and `after` once it is."""
        tree = etree.fromstring(self._response(request_id, acs, audience, email).encode())
        for assertion in tree.findall("saml:Assertion", NS):
            assertion.remove(assertion.find("ds:Signature", NS))
        change(tree)
        for assertion in tree.findall("saml:Assertion", NS):
            sign(assertion, key_file or self.key_file, **algorithms)
        after(tree)
        return base64.b64encode(etree.tostring(tree)).decode()

    def _response(self, request_id: str | None, acs: str, audience: str, email: str, **said: Any) -> str:
        identity = {"email": [email], "displayName": ["Ada Lovelace"]} | said
        return str(
            self._server.create_authn_response(
                identity=identity,
                in_response_to=request_id,
                destination=acs,
                sp_entity_id=audience,
                name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text=f"id-of-{email}"),
                authn={"class_ref": PASSWORDPROTECTEDTRANSPORT},
                sign_assertion=True,
                sign_response=False,
                sign_alg=SIG_RSA_SHA256,
                digest_alg=DIGEST_SHA256,
            )
        )


def shift(tree: Any, delta: timedelta) -> None:
    """Moves every time of a response."""
    for element in tree.iter():
        for name in ("NotBefore", "NotOnOrAfter", "IssueInstant", "AuthnInstant", "SessionNotOnOrAfter"):
            if text := element.get(name):
                moment = datetime.fromisoformat(text) + delta
                element.set(name, moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
