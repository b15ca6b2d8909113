"""A vendor with two keys, and a licence of theirs that a test may change before it is signed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ml import licensing
from ml.licensing import Anchor, Artefact, Licence, RevocationList, SigningKeys, Surroundings, TrustAnchors

VENDOR = "0193b3a0-0000-7000-8000-000000000001"
LICENCE = "0193b3a0-0000-7000-8000-0000000000aa"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MACHINE = "a" * 64


@dataclass(frozen=True)
class Vendor:
    keys: SigningKeys
    anchors: TrustAnchors

    def licence(self, **changes: Any) -> bytes:
        return self.keys.sign("license", replace(STANDARD, **changes).to_payload())

    def revocations(self, sequence: int, *licences: str, issued: datetime = NOW) -> bytes:
        listed = RevocationList(VENDOR, sequence, issued, frozenset(licences))
        return self.keys.sign("revocations", listed.to_payload())


STANDARD = Licence(
    id=LICENCE,
    vendor=VENDOR,
    vendor_name="Northwind Models",
    product="writer-7b",
    policy="Team, yearly",
    licensee="Contoso",
    email="it@contoso.example",
    issued=NOW - timedelta(days=1),
    starts=NOW - timedelta(days=100),
    expires=NOW + timedelta(days=265),
    file_expires=NOW + timedelta(days=29),
    grace_days=14,
    machine_bound=True,
    machines=(MACHINE,),
    most_machines=2,
    seats=25,
    floating=False,
    entitlements=("fine_tuning", "support"),
    field_of_use="Internal use; no resale of outputs as a service.",
    artefacts=(Artefact("weights/model.safetensors", "0" * 64),),
)


@pytest.fixture(scope="session")
def vendor() -> Vendor:
    keys = SigningKeys("2026", {"2026": bytes(range(32)), "2025": bytes(range(1, 33))})
    anchors = (Anchor(kid, public) for kid, public in keys.public().items())
    return Vendor(keys, TrustAnchors.of(VENDOR, *anchors))


def at(moment: datetime = NOW, machine: str = MACHINE, *witnesses: datetime) -> Surroundings:
    return Surroundings(now=lambda: moment, fingerprint=lambda vendor: machine, witnesses=witnesses)


def verify(vendor: Vendor, data: bytes, **options: Any) -> licensing.Verdict:
    return licensing.verify(data, vendor.anchors, **{"surroundings": at()} | options)
