"""Licences as signed files that are verified offline.

A licensee's program imports this package alone: it needs Python's library and `cryptography`, no network, no database,
and none of the models beside it. A program that is sold under a licence writes

    ANCHORS = TrustAnchors.parse(b'{"v": 1, "vendor": "…", "keys": […]}')
    verdict = verify_files(Path("licence.lic"), ANCHORS, product="my-model", state=Path("state.json"))
    if not verdict.may_start_new: ...

with anchors from the vendor's own build, never from its settings (see `keys`). The command line does the same:
`python -m ml.licensing --help`. Whoever has the source can take the check out; what enforces a licence is the contract.
"""

from ml.licensing.activation import (
    InvalidLicenceKey,
    Request,
    Response,
    apply,
    check_proof,
    key_digest,
    licence_of,
    make_request,
    new_key,
    read_request,
)
from ml.licensing.artefacts import Problem, differences, digests
from ml.licensing.documents import FILE_LIFETIME, GRACE, Artefact, Licence, RevocationList, is_inside
from ml.licensing.keys import Anchor, InvalidAnchors, SigningKeys, TrustAnchors
from ml.licensing.machine import NoFingerprint, fingerprint, is_fingerprint, machine_name
from ml.licensing.status import EXIT_CODES, Refused, Status
from ml.licensing.verification import (
    CLOCK_TOLERANCE,
    Surroundings,
    Verdict,
    open_licence,
    open_revocations,
    verify,
    verify_files,
)

__all__ = [
    "CLOCK_TOLERANCE",
    "EXIT_CODES",
    "FILE_LIFETIME",
    "GRACE",
    "Anchor",
    "Artefact",
    "InvalidAnchors",
    "InvalidLicenceKey",
    "Licence",
    "NoFingerprint",
    "Problem",
    "Refused",
    "Request",
    "Response",
    "RevocationList",
    "SigningKeys",
    "Status",
    "Surroundings",
    "TrustAnchors",
    "Verdict",
    "apply",
    "check_proof",
    "differences",
    "digests",
    "fingerprint",
    "is_fingerprint",
    "is_inside",
    "key_digest",
    "licence_of",
    "machine_name",
    "make_request",
    "new_key",
    "open_licence",
    "open_revocations",
    "read_request",
    "verify",
    "verify_files",
]
