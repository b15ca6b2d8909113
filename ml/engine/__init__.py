"""Continuous batching over transformers models, and the same interface over a remote server.

The engine is three verbs: the scheduler decides who runs (`scheduler.py`, no torch), the runner computes
(`runner.py` with `cache.py`), and postprocessing turns logits into tokens and text (`sampler.py`,
`detokenizer.py`). Importing this package does not import torch; loading a local model does.
"""

from __future__ import annotations

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
