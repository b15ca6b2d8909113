"""What calls from outside may start: declared by each app in its `inbound.py`, and found here."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from uuid import UUID

from django.apps import apps
from django.utils.functional import Promise

# The name of an input that stands for any number of them: `variables.` and a name.
MANY = "variables"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is carried out: who for, with which inputs, and `key`, which is the same for a repeated one.

    `finish`, with the id of what was made, is called in the transaction that makes it: so it is made once.
    """

    actor: Any
    hook_id: UUID
    key: str
    inputs: Mapping[str, Any]
    finish: Callable[[UUID | None], None]


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that an action takes."""

    name: str
    label: str | Promise
    required: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What a call may do; `run` raises an expected failure, or has called the call's `finish`.

    Of the inputs named in `one_of` at least one must be there.
    """

    name: str
    label: str | Promise
    permission: str
    inputs: tuple[Input, ...]
    run: Callable[[Call], None]
    takes_variables: bool = False
    one_of: tuple[str, ...] = ()

    def missing(self, given: Container[str]) -> list[str]:
        """The inputs that are not among those given, and must be."""
        found = [each.name for each in self.inputs if each.required and each.name not in given]
        if self.one_of and not any(name in given for name in self.one_of):
            found.append(" / ".join(self.one_of))
        return found

    def takes(self, name: str) -> bool:
        known = {each.name for each in self.inputs}
        return name in known or (self.takes_variables and name.startswith(f"{MANY}.") and len(name) > len(MANY) + 1)


@cache
def actions() -> dict[str, Action]:
    """Every declared action by its name."""
    names = [f"{config.name}.inbound" for config in apps.get_app_configs() if config.name.startswith("apps.")]
    found = [each for name in names if find_spec(name) for each in getattr(import_module(name), "ACTIONS", ())]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}
