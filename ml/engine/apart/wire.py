"""What passes between a worker and its engine's process: two pairs of sockets, opened by the worker.

Over `orders` the worker asks: a "submit" is answered, "cancel" and "close" are not. Over `reports` the engine's process
tells, without being asked: that it is ready or why not, what a step has produced, how the engine stands, and what it
has to log. Both ends are the same program on the same machine, so objects go as Python pickles them; outputs, of which
there are thousands a second, as marshalled tuples, which cost a tenth of that.
"""

from __future__ import annotations

import marshal
import pickle
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Literal

from ml.types import StepOutput

Kind = Literal["ready", "failed", "log", "stats", "outputs"]

_FIELDS = attrgetter(*(field.name for field in fields(StepOutput)))
_OUTPUTS = b"o"
_OTHER = b"p"


def outputs_message(outputs: Sequence[StepOutput]) -> bytes:
    return _OUTPUTS + marshal.dumps([_FIELDS(output) for output in outputs])


def message(kind: Kind, *content: Any) -> bytes:
    return _OTHER + pickle.dumps((kind, *content))


def read(received: bytes) -> tuple[Any, ...]:
    """The kind of a message, and what it holds: for "outputs" a list of StepOutput."""
    if received[:1] == _OUTPUTS:
        return "outputs", [StepOutput(*values) for values in marshal.loads(received[1:])]  # noqa: S302
    found: tuple[Any, ...] = pickle.loads(received[1:])  # noqa: S301
    return found
