"""Texts that are stored long before they are asked about: masked when they are stored, as prompts are.

Where the rules put originals back into outputs, what was masked is kept sealed beside them until it has been asked
about: the prompt is then masked like any other, under the rules of that time. Elsewhere the originals are gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.studio.services.safety.guarding import masked_values
from apps.studio.services.safety.policies import policy_in_force
from ml.safety import Originals, put_back


@dataclass(frozen=True, slots=True)
class Stored:
    """Values as they may be stored, and what their placeholders stand for, as JSON to be sealed, or empty."""

    values: Any
    originals: str = ""


@dataclass(frozen=True, slots=True)
class Masker:
    """The rules in force when it was made."""

    _mask: Callable[[Any, Iterable[Any]], Stored] = field(default=lambda values, beside: Stored(values))

    @classmethod
    def of(cls, organization_id: UUID) -> Masker:
        found = policy_in_force(organization_id)
        if found is None or found[1].is_empty("prompt"):
            return cls()
        policy = found[1]

        def masked(values: Any, beside: Iterable[Any]) -> Stored:
            originals = Originals()
            for each in (values, *beside):
                for text in texts_in(each):
                    originals.reserve(text)
            clean = masked_values(values, policy, originals)
            kept = originals.by_placeholder if policy.restores else {}
            return Stored(clean, json.dumps(kept) if kept else "")

        return cls(masked)

    def masked(self, values: Any, beside: Iterable[Any] = ()) -> Stored:
        """The values as they may be stored; none of their placeholders stands in what is `beside` them already."""
        return self._mask(values, beside)


def unmasked(values: Any, originals: str) -> Any:
    """What `Masker` was given, where the originals were kept; otherwise the values as they are."""
    return _unmasked(values, json.loads(originals)) if originals else values


def texts_in(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, dict | list | tuple):
        for value in values.values() if isinstance(values, dict) else values:
            yield from texts_in(value)


def _unmasked(values: Any, originals: dict[str, str]) -> Any:
    if isinstance(values, str):
        return put_back(values, originals)
    if isinstance(values, dict):
        return {name: _unmasked(value, originals) for name, value in values.items()}
    if isinstance(values, list):
        return [_unmasked(value, originals) for value in values]
    return values
