"""Which model an engine serves, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Dtype = Literal["auto", "float32", "bfloat16", "float16", "int8"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model and its limits; `None` leaves a limit to the model or to the machine.

    `source` is a folder or a Hugging Face id, `revision` pins an id. `max_context` counts prompt and answer in
    tokens and never exceeds the model's own. `max_running` is the number of requests in one batch, `cache_tokens`
    the key/value positions of all of them together. `dtype` "auto" is bfloat16 on a GPU; on a CPU float32 below 100
    million parameters, bfloat16 above where the processor computes in it. "int8" rounds the weights to 8 bits.
    `timeout` (seconds) bounds how long a remote server may stay silent.
    """

    backend: Literal["local", "remote"] = "local"
    source: str = ""
    revision: str | None = None
    max_context: int | None = None
    max_running: int = 16
    cache_tokens: int | None = None
    dtype: Dtype = "auto"
    remote_url: str = ""
    remote_model: str = ""
    api_key: str = field(default="", repr=False)
    timeout: float = 120.0
