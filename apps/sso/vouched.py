"""What an identity provider said about a person, once its answer has been proved genuine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_GROUPS = 500
LONGEST_SUBJECT, LONGEST_EMAIL, LONGEST_NAME, LONGEST_GROUP = 400, 254, 120, 200


@dataclass(frozen=True, slots=True)
class Vouched:
    """`subject` names the person for good; `email` and `groups` as the provider has them now, after the mapping.

    `mfa` is whether the provider says that it saw a second factor. `attributes` is all that it said, for the test page.
    """

    subject: str
    email: str
    name: str = ""
    groups: tuple[str, ...] = ()
    mfa: bool = False
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def texts_of(value: Any) -> tuple[str, ...]:
    """A claim or attribute as texts, whatever shape the provider gave it."""
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(str(each).strip() for each in values if isinstance(each, str | int | float) and str(each).strip())


def first_of(value: Any) -> str:
    return next(iter(texts_of(value)), "")


def groups_of(value: Any) -> tuple[str, ...]:
    """Group names, each once, at most as many as anybody can be in."""
    names = dict.fromkeys(text[:LONGEST_GROUP] for text in texts_of(value))
    return tuple(names)[:MOST_GROUPS]
