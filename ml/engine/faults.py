"""What a failed pass means for the requests in it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch

log = logging.getLogger(__name__)

# Rows [start, stop) and what came of them: logits [rows, vocabulary], or the error of a single row.
PassResult = tuple[int, int, torch.Tensor | Exception]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request ends with "error"."""

    code: str
    message: str


# torch's allocator, the operating system, and oneDNN, which builds the code for a shape of matrices when it first meets
# it: that this works at all has been verified at the start, and what it lacks later is memory for the code. The last is
# cuBLAS.
NO_MEMORY = ("not enough memory", "Cannot allocate memory", "bad_alloc", "could not create a primitive", "ALLOC_FAILED")

NOT_A_NUMBER = Failure("invalid_logits", "the model computed no usable probabilities for the next token")


def failure_of(error: Exception) -> Failure:
    """Classify an error of the runner; the message is safe to show and carries no internals."""
    if is_out_of_memory(error):
        return Failure("out_of_memory", "there was not enough memory for this request")
    return Failure("engine_error", "the model failed while it was computing this request")


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether torch ran out of memory; its CPU allocator and its libraries raise a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


def device_lost(error: Exception) -> bool:
    """Tell whether a GPU has gone with this error: from then on every call fails, and only a new process helps."""
    if not isinstance(error, torch.AcceleratorError):
        return False
    try:
        torch.cuda.synchronize()  # fails again for ever, where another error has passed
    except RuntimeError:
        return True
    return False


def run_or_split(call: Callable[[int, int], torch.Tensor], start: int, stop: int) -> list[PassResult]:
    """Run a pass over rows [start, stop); on failure run each half, so that only the rows at fault fail.

    `call` has to be repeatable, and may put every result in the same place, as a recorded graph does. Half the rows
    also need half the memory. Raises what the pass raised if the device is lost.
    """
    try:
        return [(start, stop, call(start, stop))]
    except Exception as error:
        if device_lost(error):
            raise
        log.exception("a pass over rows %d to %d failed", start, stop)
        if is_out_of_memory(error) and torch.cuda.is_available():
            torch.cuda.empty_cache()
        if stop - start == 1:
            return [(start, stop, error)]
    middle = (start + stop) // 2
    first = [
        (begin, end, result if isinstance(result, Exception) else result.clone())
        for begin, end, result in run_or_split(call, start, middle)
    ]
    return first + run_or_split(call, middle, stop)
