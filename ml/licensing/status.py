"""What a verification can find, and the exit code of each."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Distinct, so that a program and its operator know what to do next."""

    VALID = "valid"
    GRACE = "grace"
    UNREADABLE = "unreadable"
    MALFORMED = "malformed"
    FORGED = "forged"
    UNKNOWN_KEY = "unknown_key"
    RETIRED_KEY = "retired_key"
    WRONG_VENDOR = "wrong_vendor"
    WRONG_PRODUCT = "wrong_product"
    OTHER_MACHINE = "other_machine"
    CLOCK_ROLLED_BACK = "clock_rolled_back"
    LIST_ROLLED_BACK = "list_rolled_back"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    STALE = "stale"
    ARTEFACTS_DIFFER = "artefacts_differ"
    NOT_ENTITLED = "not_entitled"
    WRONG_RESPONSE = "wrong_response"
    STATE_DAMAGED = "state_damaged"


# 1 is Python's own for an exception, 2 is argparse's for a wrong command line.
EXIT_CODES: dict[Status, int] = {
    Status.VALID: 0,
    Status.GRACE: 3,
    Status.UNREADABLE: 10,
    Status.MALFORMED: 11,
    Status.FORGED: 12,
    Status.UNKNOWN_KEY: 13,
    Status.RETIRED_KEY: 14,
    Status.WRONG_VENDOR: 20,
    Status.WRONG_PRODUCT: 21,
    Status.OTHER_MACHINE: 22,
    Status.CLOCK_ROLLED_BACK: 30,
    Status.LIST_ROLLED_BACK: 31,
    Status.SUPERSEDED: 32,
    Status.STATE_DAMAGED: 33,
    Status.REVOKED: 40,
    Status.NOT_YET_VALID: 41,
    Status.EXPIRED: 42,
    Status.STALE: 43,
    Status.ARTEFACTS_DIFFER: 50,
    Status.NOT_ENTITLED: 51,
    Status.WRONG_RESPONSE: 60,
}


class Refused(Exception):
    """A file was not accepted; `status` says why in a word, the message in a sentence."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]
