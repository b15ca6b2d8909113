"""Every event that any test has recorded is held against the catalogue: its type, its facts, its weight."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from apps.core.eventtypes import MOST_BYTES, catalogue
from apps.core.models import Event

Record = Callable[..., Event]
# Types of the tests of events themselves.
MADE_UP = "x."


@cache
def _validator(type: str) -> Draft202012Validator:
    return Draft202012Validator(
        catalogue()[type].schema(strict=True), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def checking(record: Record) -> Record:
    """The same function, which first asserts that the event is one of the catalogue's."""

    def checked(type: str, object_id: Any, data: dict[str, Any]) -> Event:
        if type.startswith(MADE_UP):
            return record(type, object_id, data)
        # As it is stored and read again, in which a subclass of str is a string.
        facts = json.loads(json.dumps(data))
        assert type in catalogue(), f"{type} is in no app's event_types.py"
        problems = [f"{error.json_path}: {error.message}" for error in _validator(type).iter_errors(facts)]
        assert not problems, f"{type} is not as the catalogue says: {problems}"
        assert len(json.dumps(facts, ensure_ascii=False).encode()) < MOST_BYTES - 1_000, f"{type} is too large"
        return record(type, object_id, data)

    return checked
