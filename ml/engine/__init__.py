"""Continuous batching of decoder-only transformers, and the same interface over a remote server.

The engine is three verbs. The scheduler decides what is computed next (`scheduler.py`, with `blocks.py` for the cache's
blocks and `pace.py` for the size of prompts' parts; no torch). The runner computes it (`runner.py`, `decoder.py` and a
backend: `cpu/` or `gpu/`). Postprocessing turns logits into tokens and text (`sampler.py`, `detokenizer.py`).
Importing this package does not import torch; loading a local model does.
"""

from __future__ import annotations

import os

# Before torch loads its threads: how long one waits awake for the others, about 10 µs. The default of a millisecond
# costs the process that they wait for its core; beside a busy web server the engine wrote at a third of the speed.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")
# Prompts come one by one, and tokenizers would start a pool of threads for the first. Where that fails, for want of
# memory, it is lost to the process for good.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from ml.engine.spec import ModelSpec
from ml.types import Engine, EngineError

__all__ = ["ModelSpec", "load_engine"]


def load_engine(spec: ModelSpec) -> Engine:
    """Return a running engine for `spec`; raises ModelUnavailable if the model cannot be served."""
    if spec.max_running < 1:
        raise EngineError("max_running must be at least 1", "invalid_request")
    if spec.backend == "remote":
        from ml.engine.remote import RemoteEngine

        return RemoteEngine(spec)
    from ml.engine.engine import LocalEngine

    return LocalEngine.load(spec)
